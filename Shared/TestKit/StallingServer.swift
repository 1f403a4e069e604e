import Glibc
import Threads

/// A peer on loopback that answers every request with the same bytes and then falls silent, its connections left open.
public struct StallingServer: Sendable {
    /// Where it listens.
    public let port: Int
    private let descriptor: Int32

    /// Begins to listen.
    /// - Parameters:
    ///   - answer: What it says, from the status line on.
    ///   - swallowed: How many callers get no answer first.
    /// - Throws: ``MissingInfrastructure`` when it cannot listen.
    public init(answering answer: String, swallowing swallowed: Int = 0) throws {
        let descriptor: Int32 = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening: Bool = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, size) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, raw, &size) == 0
            }
        }
        guard descriptor >= 0, isListening else { throw MissingInfrastructure("loopback cannot be listened on") }
        self.descriptor = descriptor
        port = Int(UInt16(bigEndian: address.sin_port))
        let bytes: [UInt8] = Array(answer.utf8)
        OwnedThread.start("test-stalling") { Self.serve(descriptor, bytes, after: swallowed) }
    }

    /// Hangs up on all callers and listens no more. Call once.
    public func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private static func serve(_ descriptor: Int32, _ answer: [UInt8], after swallowed: Int) {
        var callers: [Int32] = []
        while true {
            let caller: Int32 = accept(descriptor, nil, nil)
            guard caller >= 0 else { break }
            callers.append(caller)
            var request = [UInt8](repeating: 0, count: 16_384)
            if recv(caller, &request, request.count, 0) > 0, callers.count > swallowed {
                _ = send(caller, answer, answer.count, Int32(MSG_NOSIGNAL))
            }
        }
        for caller in callers { close(caller) }
        close(descriptor)
    }
}
