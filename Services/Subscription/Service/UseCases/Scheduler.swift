import BillingCore
import Logging
import Postgres
import ServiceKit
import SubscriptionDomain
import Telemetry

/// Does what is due.
struct Scheduler: Sendable {
    /// The longest sleep: work may come from another instance, whose wake-ups do not reach this one.
    static let longestSleep: Duration = .seconds(1)

    let pool: PostgresPool
    let clock: any WallClock
    let runDueWork: RunDueWork
    let logger: Logger

    private static let handled = Metrics.shared.counter(
        "subscription_scheduler_handled_total", help: "Subscriptions for which something was due")
    private static let batches = Metrics.shared.counter(
        "subscription_scheduler_batches_total", help: "Transactions of due work")

    /// One batch, and when there is more to do.
    func pass() async throws -> BackgroundLoop.Next {
        let count: Int = try await runBatch()
        if count >= RunDueWork.batchLimit { return .atOnce }
        let next: Instant? = try await pool.transaction(readOnly: true) { (db: borrowing PostgresTransaction) in
            try SubscriptionStore.nextDue(upTo: nil, in: db)
        }
        return .due(next, atMost: Self.longestSleep)
    }

    private func runBatch() async throws -> Int {
        let now: Instant = clock.now
        let work: RunDueWork = runDueWork
        let count: Int = try await pool.transactionRetrying { (db: borrowing PostgresTransaction) in
            try work(at: now, in: db)
        }
        if count > 0 {
            Self.handled.increment(by: count)
            Self.batches.increment()
            logger.info("due work done", metadata: ["subscriptions": "\(count)"])
        }
        return count
    }
}
