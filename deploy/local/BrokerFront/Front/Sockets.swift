import Glibc

/// A socket that the system refused.
package struct SocketFailure: Error, CustomStringConvertible {
    /// What was wanted, and the system's reason.
    package let description: String

    /// To be made right after the call that failed.
    init(_ what: String) { description = "\(what): \(String(cString: strerror(errno)))" }
}

/// TCP on loopback.
enum Sockets {
    static let host = "127.0.0.1"
    private static let backlog: Int32 = 512

    /// Whether the call is to be made again when the socket is ready.
    static func isPassing(_ error: Int32) -> Bool { error == EAGAIN || error == EINTR }

    /// Listens on a port; on a free one for 0.
    static func listening(on port: Int) throws(SocketFailure) -> Int32 {
        let socket: Int32 = try make()
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard withAddress(port, { bind(socket, $0, $1) }) == 0, listen(socket, backlog) == 0 else {
            let failure = SocketFailure("port \(port)")
            close(socket)
            throw failure
        }
        return socket
    }

    /// A connection on its way; what is wrong with it shows when it is used.
    static func connecting(to port: Int) throws(SocketFailure) -> Int32 {
        let socket: Int32 = try make()
        sendAtOnce(socket)
        _ = withAddress(port) { connect(socket, $0, $1) }
        return socket
    }

    /// The next connection of a client, if one waits.
    static func accepted(by listener: Int32) throws(SocketFailure) -> Int32? {
        let socket: Int32 = accept(listener, nil, nil)
        guard socket >= 0 else {
            if isPassing(errno) || errno == ECONNABORTED { return nil }
            throw SocketFailure("accept")
        }
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        sendAtOnce(socket)
        return socket
    }

    /// The port a socket is bound to.
    static func port(of socket: Int32) -> Int {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(socket, $0, &size) }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    private static func make() throws(SocketFailure) -> Int32 {
        let kind: UInt32 = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let made: Int32 = socket(AF_INET, Int32(kind), 0)
        guard made >= 0 else { throw SocketFailure("socket") }
        return made
    }

    private static func sendAtOnce(_ socket: Int32) {
        var yes: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func withAddress<R>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
