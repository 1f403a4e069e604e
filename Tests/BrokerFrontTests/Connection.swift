import Glibc
import TestKit

/// A blocking TCP socket on loopback that waits ten seconds at most, so that a test that fails ends.
final class Connection {
    /// The other side sent less than was asked for.
    struct TooLittle: Error {}

    private let socket: Int32
    private(set) var isClosed = false

    init(to port: Int) throws {
        socket = try Self.made()
        guard Self.withAddress(port, { [socket] in connect(socket, $0, $1) }) == 0 else { throw TooLittle() }
    }

    fileprivate init(accepted: Int32) { socket = accepted }

    deinit { end() }

    fileprivate static func made() throws -> Int32 {
        let made: Int32 = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard made >= 0 else { throw MissingInfrastructure("no socket") }
        limit(made)
        return made
    }

    fileprivate static func limit(_ socket: Int32) {
        var time = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    fileprivate static func withAddress<R>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    func send(_ bytes: [UInt8]) throws {
        guard Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { throw TooLittle() }
    }

    /// Sends for as long as the other side takes within a fifth of a second; how many bytes that were.
    func sendUntilFull(_ bytes: [UInt8]) -> Int {
        var time = timeval(tv_sec: 0, tv_usec: 200_000)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        return max(0, Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)))
    }

    /// So many bytes, or as many as came before the other side closed.
    func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let more: Int = bytes.withUnsafeMutableBytes { room in
                recv(socket, room.baseAddress.map { $0 + got }, count - got, 0)
            }
            guard more >= 0 || errno == ECONNRESET else { throw TooLittle() }
            if more <= 0 { break }
            got += more
        }
        return Array(bytes[..<got])
    }

    /// The next frame, with its length.
    func frame() throws -> [UInt8] {
        let length: [UInt8] = try receive(4)
        guard length.count == 4 else { throw TooLittle() }
        return length + (try receive(length.reduce(0) { $0 << 8 | Int($1) }))
    }

    /// Whether the other side closes before it sends anything more.
    func isEnded() throws -> Bool { try receive(1).isEmpty }

    /// Whether nothing has come that was not received.
    var isSilent: Bool {
        var byte: UInt8 = 0
        return recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) < 0 && errno == EAGAIN
    }

    /// Sends no more, and still reads.
    func endSending() { shutdown(socket, Int32(SHUT_WR)) }

    func end() {
        guard !isClosed else { return }
        isClosed = true
        close(socket)
    }
}

/// Where the front finds its broker.
final class Listener {
    let port: Int
    private let socket: Int32

    init() throws {
        socket = try Connection.made()
        port = try ChildProcess.freePort()
        guard Connection.withAddress(port, { [socket] in bind(socket, $0, $1) }) == 0, listen(socket, 16) == 0 else {
            throw MissingInfrastructure("port \(port)")
        }
    }

    deinit { close(socket) }

    /// Nobody is accepted any more; connections stay.
    func end() { shutdown(socket, Int32(SHUT_RDWR)) }

    func accept() throws -> Connection {
        let accepted: Int32 = Glibc.accept(socket, nil, nil)
        guard accepted >= 0 else { throw Connection.TooLittle() }
        Connection.limit(accepted)
        return Connection(accepted: accepted)
    }
}
