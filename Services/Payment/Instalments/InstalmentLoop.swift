import BillingCore
import Logging
import Postgres
import ServiceKit
import Telemetry

/// Hears what plans wait for and does what is due.
struct InstalmentLoop: Sendable {
    /// The longest sleep: news may come at any time.
    private static let longestSleep: Duration = .milliseconds(250)
    private static let handled = Metrics.shared.counter(
        "payment_instalment_plans_handled_total", help: "Plans for which something was due")

    let pool: PostgresPool
    let clock: any WallClock
    let logger: Logger

    /// One batch of each, and when there is more to do.
    func pass() async throws -> BackgroundLoop.Next {
        let news: Int = try await hear()
        let count: Int = try await runBatch()
        if news >= HearNews.batchLimit || count >= RunDueInstalments.batchLimit { return .atOnce }
        let next: Instant? = try await pool.transaction(readOnly: true) { (db: borrowing PostgresTransaction) in
            try PlanStore.nextStep(in: db)
        }
        return .due(next, atMost: Self.longestSleep)
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
