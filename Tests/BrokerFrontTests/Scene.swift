import BrokerFront
import Synchronization
import Threads

/// A front between clients and a broker whose part the test plays itself.
struct Scene {
    let port: Int
    let listener: Listener

    /// A client, and the connection that the front has made to the broker for it.
    func connect() throws -> (client: Connection, broker: Connection) {
        (try Connection(to: port), try listener.accept())
    }
}

/// Runs a front on a thread of its own during the body.
func withFront(_ body: (Scene) throws -> Void) async throws {
    let listener = try Listener()
    let brokerPort: Int = listener.port
    let isOver = Flag()
    let port: Int = try await withCheckedThrowingContinuation { started in
        OwnedThread.start("broker-front") {
            do {
                let front = try Front(port: 0, brokerPort: brokerPort)
                started.resume(returning: front.port)
                while !isOver.isSet { front.turn() }
            } catch {
                started.resume(throwing: error)
            }
        }
    }
    defer {
        isOver.set()
        try? Connection(to: port).end()  // wakes it
    }
    try body(Scene(port: port, listener: listener))
}

private final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
