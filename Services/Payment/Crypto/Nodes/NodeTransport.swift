import BillingCore
import JSON
package import PaymentChains
package import PaymentContract
package import Telemetry

/// Carries a chain reader's requests through the way out that all connectors share.
package struct NodeTransport: ChainTransport {
    /// The longest answer that is read: what a reader of JSON takes, and more than any block is.
    private static let maxAnswerBytes: Int = JSONRPC.limits.maxBytes

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
                method: "POST", url: callURL, headers: headers + [("Content-Type", "application/json")], body: body,
                maxAnswerBytes: Self.maxAnswerBytes))
    }

    package func get(_ path: String) async throws(ChainFault) -> ChainAnswer {
        try await send(
            ProviderHTTPRequest(
                method: "GET", url: url + path, headers: headers, maxAnswerBytes: Self.maxAnswerBytes))
    }

    private var headers: [(name: String, value: String)] {
        authorization.map { [("Authorization", $0.reveal())] } ?? []
    }

    private func send(_ request: ProviderHTTPRequest) async throws(ChainFault) -> ChainAnswer {
        do throws(ProviderFault) {
            let answer: ProviderHTTPAnswer = try await transport.send(request)
            return ChainAnswer(status: answer.status, body: answer.body)
        } catch .timedOut {
            throw .timedOut
        } catch .unusable {
            throw .tooMuch("answer")
        } catch {
            throw .unreachable
        }
    }
}
