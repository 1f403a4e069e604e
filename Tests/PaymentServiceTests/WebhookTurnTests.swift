import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentInbound
import PaymentRecords
import PaymentSandbox
import PaymentWebhooks
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

/// Thinks about the first news of charges until it is told to go on, and cannot settle any later ones yet.
private final class SlowNews: NewsHandler {
    struct NotYet: Error {}

    private struct State {
        var asked = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let slow: Int

    init(slow: Int) { self.slow = slow }

    /// How many news of charges it was given, and over how many it thinks.
    var asked: Int { state.withLock { $0.asked } }
    var thinking: Int { state.withLock { $0.waiting.count } }

    func goOn() {
        let waiting: [CheckedContinuation<Void, Never>] = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for one in waiting { one.resume() }
    }

    func charge(_ attempt: AttemptID, known reference: String?, at provider: String) async throws {
        let asked: Int = state.withLock { state in
            state.asked += 1
            return state.asked
        }
        guard asked <= slow else { throw NotYet() }
        await withCheckedContinuation { one in state.withLock { $0.waiting.append(one) } }
    }

    func taken(_ reference: String, of authorization: String?, at provider: String) async throws {}
    func capture(_ id: CaptureID, of authorization: String?, at provider: String) async throws {}
    func refunded(_ reference: String, of attempt: AttemptID?, at provider: String) async throws {}
    func refund(_ refund: ProviderRefund, at provider: String) async throws {}
    func dispute(_ dispute: ProviderDispute, at provider: String) async throws {}
    func activity(at provider: String) async throws {}
}

@Suite("Webhooks that take their time") struct WebhookTurnTests {
    private func process(
        _ world: PaymentWorld, _ news: SlowNews, _ policy: InboundPolicy = WebhookWorld.policy
    ) -> ProcessWebhooks {
        let secrets: [WebhookSecret] = [WebhookWorld.secret].compactMap { $0 }
        let sources: [WebhookSource] = [
            WebhookSource(.sandbox, .sandbox(secrets: secrets), reader: SandboxNews()),
            WebhookSource(.bitcoin, .node(.bitcoin, secrets: secrets), reader: NodeNews()),
        ]
        return ProcessWebhooks(
            sources: sources, handler: news, pool: world.database, policy: policy, logger: world.logger)
    }

    @Test("a provider that does not answer holds up no other's") func queues() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            let news = SlowNews(slow: .max)
            for _ in 0..<40 { try await hooks.deliver(hooks.charge(payment)) }
            let loops: [BackgroundLoop] = Looks(process(world, news).looks, world.database).loops
            let worker = Task { await BackgroundLoop.run(loops, on: OffsetClock(), world.logger) }
            try await eventually(within: .seconds(10), "the provider has all it is asked at once") {
                news.thinking == 32
            }
            let notice: [UInt8] = Array(
                #"{"id":"n1","type":"address.activity","created":1800000000,"data":{"object":{}}}"#.utf8)
            let signature: String = WebhookWorld.secret?.signature(of: notice, at: PaymentWorld.start) ?? ""
            _ = try await hooks.send(Delivery(headers: [("Node-Signature", signature)], body: notice), to: "bitcoin")
            try await eventually(within: .seconds(10), "the node's is done") {
                try await world.texts("SELECT state FROM inbound_webhooks WHERE provider = 'bitcoin'") == ["done"]
            }
            #expect(news.asked == 32)
            worker.cancel()
            news.goOn()
            await worker.value
        }
    }

    @Test("what takes longer than the first attempt may is done by the second, which has more time") func lasting()
        async throws
    {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            try await hooks.deliver(hooks.charge(payment))
            let news = SlowNews(slow: 2)
            let policy = InboundPolicy(leaseSeconds: 40)
            let (one, other) = (process(world, news, policy), process(world, news, policy))
            let first = Task { try await one.pass() }
            try await eventually(within: .seconds(10), "it is under way") { news.thinking == 1 }
            // The 40 seconds are over.
            try await world.execute("UPDATE inbound_webhooks SET next_attempt_at = now()")
            let second = Task { try await other.pass() }
            try await eventually(within: .seconds(10), "another one has taken it up") { news.thinking == 2 }
            let left: Int = try await world.number(
                "SELECT count(*) FROM inbound_webhooks WHERE next_attempt_at > now() + interval '41 seconds'")
            #expect(left == 1, "nobody else takes it up when it takes as long again")
            news.goOn()
            #expect(try await first.value == 1)
            #expect(try await second.value == 1)
            #expect(try await hooks.stored() == ["done"])
            #expect(try await world.number("SELECT attempts FROM inbound_webhooks") == 2)
        }
    }

    @Test("what an attempt says that a replay has overtaken counts no more, whatever the next one's number is")
    func replayed() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            try await hooks.deliver(hooks.charge(payment))
            let news = SlowNews(slow: 1)
            let (one, other) = (process(world, news), process(world, news))
            let first = Task { try await one.pass() }
            try await eventually(within: .seconds(10), "it is under way") { news.thinking == 1 }
            let replayed: Int = try await world.database.transaction { db in
                try InboundLog.replay(from: nil, id: 1, in: db)
            }
            #expect(replayed == 1)
            #expect(try await other.pass() == 1)
            news.goOn()
            #expect(try await first.value == 1)
            #expect(try await hooks.stored() == ["waiting NotYet()"])
            #expect(try await world.number("SELECT attempts FROM inbound_webhooks") == 1)
        }
    }
}
