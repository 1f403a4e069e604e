import BillingCore
import Logging
import Postgres
import ServiceKit
import Telemetry

/// Hears what plans wait for and does what is due.
struct InstalmentLoop: Sendable {
    /// What is due so soon is waited for, so that it is done when it is due.
    private static let soon: Duration = .milliseconds(250)
    /// What is due already is held by another instance: it is looked at again after this.
    private static let moment: Duration = .milliseconds(20)
    private static let handled = Metrics.shared.counter(
        "payment_instalment_plans_handled_total", help: "Plans for which something was due")

    let pool: PostgresPool
    let clock: any ServiceClock
    let logger: Logger

    var look: Look {
        Look(name: "instalments", rest: Self.soon, when: { waiting }) { while try await pass() {} }
    }

    private var waiting: SQL {
        let due: SQL = PlanStore.waiting(by: clock.now.adding(Self.soon))
        return "\(SQL.exists(HearNews.unheard)) OR \(SQL.exists(due))"
    }

    /// One batch of each, and the wait for what is due soon.
    /// - Returns: Whether there is more to do.
    private func pass() async throws -> Bool {
        let news: Int = try await hear()
        let count: Int = try await runBatch()
        if news >= HearNews.batchLimit || count >= RunDueInstalments.batchLimit { return true }
        let next: Instant? = try await pool.transaction(readOnly: true) { (db: borrowing PostgresTransaction) in
            try PlanStore.nextStep(in: db)
        }
        let now: Instant = clock.now
        guard let next, next <= now.adding(Self.soon) else { return false }
        await clock.sleep(until: max(next, now.adding(Self.moment)), atMost: Self.soon)
        return true
    }

    private func hear() async throws -> Int {
        let now: Instant = clock.now
        let hearNews = HearNews(logger: logger)
        return try await pool.transactionRetrying { (db: borrowing PostgresTransaction) in
            try hearNews(at: now, in: db)
        }
    }

    private func runBatch() async throws -> Int {
        let now: Instant = clock.now
        let runDue = RunDueInstalments(logger: logger)
        let count: Int = try await pool.transactionRetrying { (db: borrowing PostgresTransaction) in
            try runDue(at: now, in: db)
        }
        if count > 0 {
            Self.handled.increment(by: count)
            logger.info("instalments done", metadata: ["plans": "\(count)"])
        }
        return count
    }
}
