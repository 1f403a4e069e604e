import BillingCore
import JSON
package import PaymentChains
package import PaymentContract
package import Telemetry

/// A way out that reads longer answers where it is told to: a node's may be a whole block.
package protocol LongAnswerTransport: ProviderTransport {
    /// Sends one request and reads an answer of up to so many bytes, whatever its status.
    /// - Throws: ``ProviderFault/unusable(_:)`` for a longer one, and what `send(_:)` throws.
    func send(
        _ request: ProviderHTTPRequest, upTo maxAnswerBytes: Int
    ) async throws(ProviderFault) -> ProviderHTTPAnswer
}

/// Carries a chain reader's requests through the way out that all connectors share.
package struct NodeTransport: ChainTransport {
    /// The longest answer that is read: what a reader of JSON takes, and more than any block is.
    package static let maxAnswerBytes: Int = JSONRPC.limits.maxBytes

    private let url: String
    /// Where calls go: a request line needs a path.
    private let callURL: String
    private let authorization: Secret?
    private let transport: any ProviderTransport

    /// A node at an address.
    /// - Parameters:
    ///   - url: Without a slash at the end. It may hold a key, and is never logged.
    ///   - credentials: User and password, `name:password` (Bitcoin Core).
    package init(url: Secret, credentials: Secret?, transport: any ProviderTransport) {
        let base: String = url.reveal()
        self.url = base
        callURL = base.split(separator: "/", omittingEmptySubsequences: false).count > 3 ? base : base + "/"
        authorization = credentials.map { Secret("Basic " + Base64.standard.encode(Array($0.reveal().utf8))) }
        self.transport = transport
    }

    package func post(_ body: [UInt8]) async throws(ChainFault) -> ChainAnswer {
        try await send(
            ProviderHTTPRequest(
                method: "POST", url: callURL, headers: headers + [("Content-Type", "application/json")], body: body))
    }

    package func get(_ path: String) async throws(ChainFault) -> ChainAnswer {
        try await send(ProviderHTTPRequest(method: "GET", url: url + path, headers: headers))
    }

    private var headers: [(name: String, value: String)] {
        authorization.map { [("Authorization", $0.reveal())] } ?? []
    }

    private func send(_ request: ProviderHTTPRequest) async throws(ChainFault) -> ChainAnswer {
        do throws(ProviderFault) {
            let answer: ProviderHTTPAnswer = try await answer(to: request)
            return ChainAnswer(status: answer.status, body: answer.body)
        } catch .timedOut {
            throw .timedOut
        } catch .unusable {
            throw .tooMuch("answer")
        } catch {
            throw .unreachable
        }
    }

    private func answer(to request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        guard let long = transport as? any LongAnswerTransport else { return try await transport.send(request) }
        return try await long.send(request, upTo: Self.maxAnswerBytes)
    }
}
