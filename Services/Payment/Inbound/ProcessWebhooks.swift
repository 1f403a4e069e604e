package import Logging
import Messaging
import PaymentContract
package import Postgres
package import ServiceKit
import Telemetry

/// Works off stored webhooks: what each tells is handed to who looks after it. Several instances share the work. Each
/// provider's go by themselves: one that does not answer holds up nobody else's.
package struct ProcessWebhooks: Sendable {
    /// Webhooks of a provider handled at once; each may wait for it.
    static let batch = 32
    /// How often old rows are deleted, and how many by one statement.
    static let pruneInterval: Duration = .seconds(600)
    static let pruneLimit = 1_000

    private let sources: [String: WebhookSource]
    private let handler: any NewsHandler
    private let pool: PostgresPool
    private let policy: InboundPolicy
    private let logger: Logger
    private let parked: Counter = Metrics.shared.counter(
        "inbound_webhooks_parked_total", help: "Webhooks that wait for a person")

    package init(
        sources: [WebhookSource], handler: any NewsHandler, pool: PostgresPool, policy: InboundPolicy, logger: Logger
    ) {
        self.sources = Dictionary(uniqueKeysWithValues: sources.map { ($0.name, $0) })
        self.handler = handler
        self.pool = pool
        self.policy = policy
        self.logger = logger
    }

    /// Works webhooks off, each queue by itself.
    package var looks: [Look] {
        queues.map { queue in
            Look(name: "webhooks: \(queue.name)", when: { .exists(InboundStore.due(queue.whose)) }) {
                while try await pass(queue.whose) == Self.batch {}
            }
        }
    }

    /// Forgets old ones.
    package var pruning: BackgroundLoop {
        BackgroundLoop(name: "prune webhooks") {
            try await pruneOnce() < Self.pruneLimit ? .after(Self.pruneInterval) : .atOnce
        }
    }

    /// What is worked off by itself: each provider's, and those of providers that are not configured any more.
    private var queues: [(name: String, whose: SQL)] {
        let names: [String] = sources.keys.sorted()
        var queues: [(name: String, whose: SQL)] = names.map { (name: $0, whose: "provider = \($0)") }
        queues.append((name: "others", whose: "provider <> ALL(\(names)::text[])"))
        return queues
    }

    /// Handles what is due, as much as fits in one batch of each provider.
    /// - Returns: How many webhooks were taken.
    @discardableResult
    package func pass() async throws -> Int {
        var taken: Int = 0
        for queue in queues { taken += try await pass(queue.whose) }
        return taken
    }

    private func pass(_ whose: SQL) async throws -> Int {
        let policy: InboundPolicy = policy
        let due: [InboundWebhook] = try await pool.transaction { db in
            try InboundStore.claim(whose, limit: Self.batch, policy, in: db)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for webhook in due { group.addTask { try await settle(webhook) } }
            try await group.waitForAll()
        }
        return due.count
    }

    private func settle(_ webhook: InboundWebhook) async throws {
        let verdict: InboundVerdict = await verdict(on: webhook)
        let facts: Logger.Metadata = [
            "provider": "\(webhook.provider)", "event_id": "\(webhook.eventID)", "type": "\(webhook.type)",
            "reason": "\(verdict.reason ?? "-")",
        ]
        switch verdict {
        case .done: logger.info("a webhook is done", metadata: facts)
        case .waiting: logger.warning("a webhook waits", metadata: facts)
        case .parked:
            parked.increment()
            logger.error("a webhook is parked", metadata: facts)
        }
        let policy: InboundPolicy = policy
        try await pool.transactionRetrying { db in try InboundStore.settle(webhook, verdict, policy, in: db) }
    }

    private func verdict(on webhook: InboundWebhook) async -> InboundVerdict {
        // Its attempts were all broken off: whatever it does to a process, it does no more.
        guard webhook.attempts <= policy.attemptsLimit else { return .parked("no attempt came to an end") }
        do {
            guard let source: WebhookSource = sources[webhook.provider] else { throw UnknownSource() }
            let news: ProviderNews
            do throws(ProviderFault) { news = try source.reader.news(in: webhook.body) } catch {
                return .parked("not readable: \(error)")
            }
            return .done(try await handler.handle(news, at: webhook.provider))
        } catch Refusal.park(let reason) {
            return .parked(reason)
        } catch {
            return webhook.attempts < policy.attemptsLimit ? .waiting("\(error)") : .parked("\(error)")
        }
    }

    /// The provider is not configured any more.
    private struct UnknownSource: Error {}

    /// Deletes some old rows.
    /// - Returns: How many went.
    package func pruneOnce() async throws -> Int {
        let days: Int = policy.keepDays
        return try await pool.transaction { db in
            try InboundStore.prune(olderThanDays: days, limit: Self.pruneLimit, in: db)
                + RejectionLog.prune(olderThanDays: days, limit: Self.pruneLimit, in: db)
        }
    }
}
