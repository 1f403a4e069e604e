import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentInbound
import PaymentRecords
import PaymentSandbox
import PaymentService
import PaymentWebhooks
import Postgres
import ServiceKit
import Telemetry
import TestKit
import Testing

/// The way in for webhooks over a ``PaymentWorld``: the sandbox delivers, and what it delivers is worked off.
struct WebhookWorld: Sendable {
    static let secret = WebhookSecret("whsec_sandbox_test_secret")
    static let retired = WebhookSecret("whsec_sandbox_old_secret")
    /// Nothing is waited for.
    static let policy = InboundPolicy(
        delaySeconds: 0, leaseSeconds: 0, firstWaitSeconds: 0, longestWaitSeconds: 0, attemptsLimit: 3)

    let world: PaymentWorld
    let receive: ReceiveWebhook
    let process: ProcessWebhooks
    private let numbers = Counting()

    init(_ world: PaymentWorld, policy: InboundPolicy = policy) {
        self.world = world
        let secrets: [WebhookSecret] = [Self.secret, Self.retired].compactMap { $0 }
        let sources: [WebhookSource] = [
            WebhookSource(.sandbox, .sandbox(secrets: secrets), reader: SandboxNews()),
            WebhookSource(.bitcoin, .node(.bitcoin, secrets: secrets), reader: NodeNews()),
            WebhookSource(.evm, .node(.evm, secrets: secrets), reader: NodeNews()),
        ]
        receive = ReceiveWebhook(sources: sources, pool: world.database, policy: policy)
        process = ProcessWebhooks(
            sources: sources, handler: world.work.news, pool: world.database, policy: policy,
            logger: Logger(label: "test.webhooks") { _ in SwiftLogNoOpLogHandler() })
    }

    /// A body under an event id of its own, or the one given.
    func event(_ type: String, _ object: String, id: String? = nil) -> [UInt8] {
        let id: String = id ?? "evt_\(numbers.next())"
        return Array(
            #"{"id":"\#(id)","type":"\#(type)","created":1800000000,"data":{"object":\#(object)}}"#.utf8)
    }

    func charge(_ payment: PaymentRecord, id: String? = nil) -> [UInt8] {
        event("charge.updated", #"{"attempt_id":"\#(payment.attemptID)"}"#, id: id)
    }

    func refund(
        _ reference: String, of taken: String, _ amount: Int64, currency: String = "USD", ours: RefundID? = nil,
        state: String = "succeeded", id: String? = nil
    ) -> [UInt8] {
        let own: String = ours.map { #","refund_id":"\#($0)""# } ?? ""
        let code: String = state == "failed" ? #","code":"account_closed""# : ""
        return event(
            "refund.updated",
            #"{"reference":"\#(reference)","taken":"\#(taken)","amount":\#(amount),"currency":"\#(currency)","state":"\#(state)"\#(own)\#(code)}"#,
            id: id)
    }

    /// Delivers a body, rightly signed unless told otherwise.
    @discardableResult
    func deliver(
        _ body: [UInt8], secret: WebhookSecret? = secret, signedAt: Instant = PaymentWorld.start,
        headers extra: [(name: String, value: String)] = []
    ) async throws -> Reply<WebhookReceipt> {
        let signature: String = secret?.signature(of: body, at: signedAt) ?? ""
        return try await send(Delivery(headers: [("Sandbox-Signature", signature)] + extra, body: body))
    }

    func send(_ delivery: Delivery, to provider: String = "sandbox") async throws -> Reply<WebhookReceipt> {
        try await receive(delivery, from: provider, world.call("/v1/webhooks/\(provider)"))
    }

    /// Delivers a body that nobody signed.
    func forge(_ body: [UInt8]) async {
        await #expect(throws: Problem.self) { try await send(Delivery(headers: [], body: body)) }
    }

    /// Works off all that is due.
    func work() async throws {
        let looks = Looks(process.looks, world.database)
        while try await !looks.due().isEmpty { try await looks.pass() }
    }

    /// `state reason` of what is stored, oldest first.
    func stored() async throws -> [String] {
        try await world.texts(
            "SELECT state || coalesce(' ' || reason, '') FROM inbound_webhooks ORDER BY id")
    }

    func rejections() async throws -> [String] {
        try await world.texts("SELECT reason FROM inbound_webhook_rejections ORDER BY id")
    }

    /// A refund made at the provider's own pages.
    func refundAtProvider(_ reference: String, of payment: PaymentRecord, _ amount: Int64) async throws -> String {
        let taken = "ch_\(payment.attemptID)"
        try await world.execute(
            """
            INSERT INTO sandbox_refunds (idempotency_key, reference, charge_key, refunded_reference, amount)
            VALUES (\("page_" + reference), \(reference), \(payment.attemptID), \(taken), \(amount))
            """)
        return taken
    }
}

/// Lends a world with its way in.
func withWebhooks(
    connections: Int = 4, policy: InboundPolicy = WebhookWorld.policy,
    _ body: (WebhookWorld, PaymentWorld) async throws -> Void
) async throws {
    try await withPayments(connections: connections) { world in
        try await body(WebhookWorld(world, policy: policy), world)
    }
}
