import BillingCore
package import HTTPKit
package import JSON
package import PaymentWebhooks
package import Postgres
import Telemetry

/// Takes in a provider's webhook: believed, stored once, answered. What it means is found out from the store.
package struct ReceiveWebhook: Sendable {
    /// What is kept of the headers, by name in lower case.
    static let keptHeaders: Set<String> = [
        "content-type", "user-agent", "request-id", "correlation-id", "paypal-transmission-id",
        "paypal-transmission-time", "paypal-cert-url", "paypal-auth-algo", "paypal-auth-version",
    ]
    /// Headers of which only their presence is kept: whoever reads the table must not be able to send them again.
    static let signatures: Set<String> = [
        "stripe-signature", "sandbox-signature", "node-signature", "paypal-transmission-sig",
    ]
    static let maxHeaderBytes = 500

    private let sources: [String: WebhookSource]
    private let pool: PostgresPool
    private let rejections: RejectionLog
    private let policy: InboundPolicy
    private let stored: Counter = Metrics.shared.counter(
        "inbound_webhooks_stored_total", help: "Webhooks taken in")
    private let repeated: Counter = Metrics.shared.counter(
        "inbound_webhooks_repeated_total", help: "Webhooks that had come before")

    /// - Parameter sources: The providers whose webhooks are taken; others have no such route.
    package init(sources: [WebhookSource], pool: PostgresPool, policy: InboundPolicy) {
        self.sources = Dictionary(uniqueKeysWithValues: sources.map { ($0.name, $0) })
        self.pool = pool
        self.policy = policy
        rejections = RejectionLog(pool: pool)
    }

    /// - Returns: 200 once the webhook is stored, now or before.
    /// - Throws: ``Problem``: 404 without such a provider, 400, 401 or 413 for what is not believed, of which only an audit
    ///   line stays; 503 when the provider's certificate cannot be had, so that it delivers again.
    package func callAsFunction(
        _ delivery: Delivery, from provider: String, _ call: Call
    ) async throws -> Reply<WebhookReceipt> {
        guard let source: WebhookSource = sources[provider] else { throw Problem.notFound("webhook provider") }
        let webhook: VerifiedWebhook
        do throws(WebhookRefusal) {
            guard let body: [UInt8] = delivery.body else { throw .bodyTooLong }
            webhook = try await source.verify(
                IncomingWebhook(headers: delivery.headers, body: body), call.receivedAt)
        } catch {
            try await rejections.note(error, from: provider, call, body: delivery.body)
            throw error.problem
        }
        let headers: String = Self.kept(delivery.headers)
        let delaySeconds: Int = policy.delaySeconds
        let isNew: Bool = try await pool.transactionRetrying(deadline: call.deadline) { db in
            try InboundStore.insert(
                webhook, headers: headers, at: call.receivedAt, delaySeconds: delaySeconds, in: db)
        }
        (isNew ? stored : repeated).increment()
        return .ok(WebhookReceipt(isRepeated: !isNew))
    }

    /// The headers to store, as JSON.
    private static func kept(_ headers: [(name: String, value: String)]) -> String {
        var members: [JSONMember] = []
        for header in headers {
            let name: String = header.name.lowercased()
            guard !members.contains(where: { $0.name == name }) else { continue }
            if signatures.contains(name) {
                members.append(JSONMember(name: name, value: .string(Redaction.mark)))
            } else if keptHeaders.contains(name) {
                let value = String(header.value.prefix(maxHeaderBytes)).filter { $0 != "\0" }
                members.append(JSONMember(name: name, value: .string(value)))
            }
        }
        return JSONValue.object(members).description
    }
}

extension WebhookRefusal: ProblemConvertible {
    /// What the sender is told: the kind, but not which check failed.
    package var problem: Problem {
        switch self {
        case .bodyTooLong: .bodyTooLarge(IncomingWebhook.maxBodyBytes)
        case .headerMissing, .headerRepeated, .headerTooLong, .headerMalformed, .bodyMalformed:
            .badRequest("webhook_malformed", "The delivery is not one of this provider's.")
        case .noUsableSignature, .wrongSignature, .tooOld, .tooNew, .certificateAddress, .certificateMalformed,
            .certificateExpired, .certificateName, .certificateUntrusted:
            Problem(
                401, code: "webhook_not_believed", title: "The delivery is not believed",
                detail: "Its signature is not right, or not of now.")
        case .certificateUnavailable: .unavailable(retryAfterSeconds: 30, "The signer's certificate cannot be had.")
        }
    }
}

/// The answer to a webhook.
package struct WebhookReceipt: JSONOutput {
    let isRepeated: Bool

    /// Writes its fields.
    package func write(to o: inout ObjectWriter) {
        o.field("object", "webhook_receipt")
        o.field("repeated", isRepeated, doc: "Whether this event had been delivered before")
    }

    /// The first delivery of an event.
    package static var sample: Self { Self(isRepeated: false) }
}
