package import BillingCore
import Messaging
package import Postgres
package import SubscriptionDomain

/// Does one batch of what is due: renewals, trial ends, retries, expiries, ends.
///
/// One transaction: lock what is due and free, decide, store, tell. Any number of workers and instances may run it at
/// once: a row that another one holds is passed over. Whoever dies leaves nothing behind but a rolled-back transaction.
/// - Note: Emits every event of the schedule. Locks the subscriptions of the batch.
package struct RunDueWork: Sendable {
    /// How many subscriptions one transaction handles at most.
    package static let batchLimit = 500

    private let policy: DunningPolicy
    private let collectable: CollectableAmounts

    /// Works by a policy and bills what can be collected.
    package init(policy: DunningPolicy, collectable: CollectableAmounts) {
        self.policy = policy
        self.collectable = collectable
    }

    /// Runs one batch.
    /// - Returns: How many subscriptions were due; fewer than `limit` means that nothing free is left.
    package func callAsFunction(
        at now: Instant, limit: Int = RunDueWork.batchLimit, in db: borrowing PostgresTransaction
    ) throws -> Int {
        var due: [Subscription] = try SubscriptionStore.lockDue(by: now, limit: limit, in: db)
        for index in due.indices { due[index].performDue(policy: policy, collectable: collectable, at: now) }
        try SubscriptionWriter.save(due, at: now, in: db)
        return due.count
    }
}
