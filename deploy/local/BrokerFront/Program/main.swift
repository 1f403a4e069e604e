import BrokerFront
import Glibc

func end(_ status: Int32, _ reason: String) -> Never {
    let line = "broker-front: \(reason)\n"
    write(STDERR_FILENO, line, line.utf8.count)
    exit(status)
}

let ports: [Int] = CommandLine.arguments.dropFirst().map { Int($0) ?? 0 }
guard ports.count == 2, ports.allSatisfy({ 1...65535 ~= $0 }) else {
    end(64, "its arguments are the port to listen on and the broker's")
}
do {
    let front = try Front(port: ports[0], brokerPort: ports[1])
    while true { front.turn() }
} catch {
    end(1, "\(error)")
}
