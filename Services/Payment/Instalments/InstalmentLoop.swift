import BillingCore
import Logging
import Postgres
import ServiceKit
import Telemetry

/// The loop that hears what plans wait for and does what is due, and then sleeps until something else is.
struct InstalmentLoop: Sendable {
    /// The longest sleep: news may come at any time.
    private static let longestSleep: Duration = .milliseconds(250)
    private static let handled = Metrics.shared.counter(
        "payment_instalment_plans_handled_total", help: "Plans for which something was due")

    let pool: PostgresPool
    let clock: any ServiceClock
    let logger: Logger

    /// Runs until cancelled.
    func run() async throws {
        while !Task.isCancelled {
            let news: Int = try await hear()
            let count: Int = try await runBatch()
            if news >= HearNews.batchLimit || count >= RunDueInstalments.batchLimit { continue }
            let next: Instant? = try await pool.transaction(readOnly: true) { (db: borrowing PostgresTransaction) in
                try PlanStore.nextStep(in: db)
            }
            let now: Instant = clock.now
            let latest: Instant = now.adding(Self.longestSleep)
            // What is due although nothing was found is held by another instance: no use in looking at once again.
            let wake: Instant = next.map { $0 <= now ? now.adding(.milliseconds(20)) : min($0, latest) } ?? latest
            await clock.sleep(until: wake, atMost: Self.longestSleep)
        }
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
        let count: Int = try await pool.transactionRetrying { (db: borrowing PostgresTransaction) in
            try RunDueInstalments()(at: now, in: db)
        }
        if count > 0 {
            Self.handled.increment(by: count)
            logger.info("instalments done", metadata: ["plans": "\(count)"])
        }
        return count
    }
}
