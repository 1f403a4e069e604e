/// Carries messages to a directory server: over mutual TLS, without redirects, with the time limit behind it.
package protocol DirectoryTransport: Sendable {
    /// Posts one message (`application/json;charset=UTF-8`) and reads the whole answer.
    /// - Parameter maxBytes: A longer answer is ``DirectoryFault/unusable``.
    func post(_ message: [UInt8], maxBytes: Int) async throws(DirectoryFault) -> DirectoryReply
}

/// An HTTP answer.
package struct DirectoryReply: Sendable, Equatable {
    package let status: Int
    package let body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// No message came back.
package enum DirectoryFault: Error, Sendable, Equatable {
    /// No connection came about.
    case notSent
    /// No answer in time, or the connection broke before one was complete.
    case timedOut
    /// The HTTP status was not 200.
    case status(Int)
    /// More bytes than any answer may have.
    case unusable
}

/// The directory server of one scheme.
package struct DirectoryServer: Sendable {
    /// The longest ARes.
    package static let maxAnswerBytes = 65_536

    private let transport: any DirectoryTransport

    package init(transport: any DirectoryTransport) { self.transport = transport }

    /// Sends an AReq. It is never sent twice: an id that the directory server has seen is refused.
    /// - Returns: The bytes for ``Authentication/receive(_:at:)``.
    /// - Throws: ``DirectoryFault``; then ``Authentication/askFailed(at:)``.
    package func ask(_ message: [UInt8]) async throws(DirectoryFault) -> [UInt8] {
        try await post(message, maxBytes: Self.maxAnswerBytes)
    }

    /// Sends a PReq.
    /// - Returns: The bytes for ``CardRangeCache/updated(by:to:at:)``.
    package func prepare(_ message: [UInt8]) async throws(DirectoryFault) -> [UInt8] {
        try await post(message, maxBytes: PreparationResponse.maxBytes)
    }

    private func post(_ message: [UInt8], maxBytes: Int) async throws(DirectoryFault) -> [UInt8] {
        let reply = try await transport.post(message, maxBytes: maxBytes)
        guard reply.status == 200 else { throw .status(reply.status) }
        guard reply.body.count <= maxBytes else { throw .unusable }
        return reply.body
    }
}
