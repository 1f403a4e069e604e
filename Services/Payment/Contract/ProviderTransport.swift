/// Carries requests to a provider. One way out for all connectors: time limits, TLS, pools and metrics live behind it.
package protocol ProviderTransport: Sendable {
    /// Sends one request and reads the whole answer, whatever its status.
    /// - Throws: ``ProviderFault/notSent(_:)``, ``ProviderFault/timedOut``, or ``ProviderFault/tooLong(_:)`` for an answer
    ///   that is longer than the request takes.
    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer
}

/// A request to a provider.
package struct ProviderHTTPRequest: Sendable {
    /// The longest answer that is read where a request says nothing else, in bytes; connectors parse as much.
    package static let longestAnswer = 4 << 20

    package let method: String
    /// Absolute.
    package let url: String
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]
    /// The longest answer that is read.
    package let maxAnswerBytes: Int
    /// How long it and its whole answer may take, where that is less than the way out allows anyway.
    package var limit: Duration?

    package init(
        method: String, url: String, headers: [(name: String, value: String)], body: [UInt8] = [],
        maxAnswerBytes: Int = ProviderHTTPRequest.longestAnswer
    ) {
        self.maxAnswerBytes = maxAnswerBytes
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

extension ProviderFault {
    /// An answer of more bytes than the request takes.
    package static func tooLong(_ maxBytes: Int) -> ProviderFault {
        .unusable("an answer of more than \(maxBytes) bytes")
    }
}

/// A provider's answer.
package struct ProviderHTTPAnswer: Sendable {
    package let status: Int
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
