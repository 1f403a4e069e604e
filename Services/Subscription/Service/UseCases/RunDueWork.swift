package import BillingCore
package import Logging
import Messaging
package import Postgres
package import SubscriptionDomain
import Telemetry

/// Does one batch of what is due: renewals, trial ends, retries, expiries, ends.
///
/// One transaction: lock what is due and free, decide, store, tell. Any number of workers and instances may run it at
/// once: a row that another one holds is passed over. Whoever dies leaves nothing behind but a rolled-back transaction.
/// A subscription that cannot be read, as after its time zone's name has gone, is told of, counted and put off; the
/// others go on.
/// - Note: Emits every event of the schedule. Locks the subscriptions of the batch.
package struct RunDueWork: Sendable {
    /// How many subscriptions one transaction handles at most.
    package static let batchLimit = 500

    /// How long a subscription that cannot be read is put off.
    package static let pause: Duration = .seconds(3_600)

    private let counter = Metrics.shared.counter(
        "subscription_scheduler_unreadable_total", help: "Due subscriptions that could not be read")

    private let policy: DunningPolicy
    private let collectable: CollectableAmounts
    private let logger: Logger

    /// Works by a policy and bills what can be collected.
    /// - Parameter logger: Gets one line for each subscription that cannot be read.
    package init(policy: DunningPolicy, collectable: CollectableAmounts, logger: Logger) {
        self.policy = policy
        self.collectable = collectable
        self.logger = logger
    }

    /// Runs one batch.
    /// - Returns: How many subscriptions were due, readable or not; fewer than `limit` means that nothing free is left.
    package func callAsFunction(
        at now: Instant, limit: Int = RunDueWork.batchLimit, in db: borrowing PostgresTransaction
    ) throws -> Int {
        let found: SubscriptionStore.Due = try SubscriptionStore.lockDue(by: now, limit: limit, in: db)
        var due: [Subscription] = found.subscriptions
        for index in due.indices { due[index].performDue(policy: policy, collectable: collectable, at: now) }
        try SubscriptionWriter.save(due, at: now, in: db)
        try putOff(found.unreadable, at: now, in: db)
        return due.count + found.unreadable.count
    }

    private func putOff(
        _ unreadable: [(id: SubscriptionID, reason: String)], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !unreadable.isEmpty else { return }
        try SubscriptionStore.putOff(unreadable.map(\.id), until: now.adding(Self.pause), in: db)
        for (id, reason) in unreadable {
            logger.error(
                "a due subscription cannot be read and is put off",
                metadata: ["subscription": "\(id)", "reason": "\(reason)"])
        }
        let count: Int = unreadable.count
        let counter: Counter = counter
        db.onCommit { counter.increment(by: count) }
    }
}
