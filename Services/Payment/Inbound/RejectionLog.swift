import BillingCore
import Crypto
import HTTPKit
import PaymentWebhooks
import Postgres
import Synchronization
import Telemetry

/// The audit lines of deliveries that were not believed. A flood of them does not fill the disk: so many a minute are
/// written, the others only counted.
final class RejectionLog: Sendable {
    /// Lines that one instance writes in a minute.
    static let maxPerMinute = 600
    /// Lines that are kept, whatever their age.
    static let maxKept = 100_000

    private let pool: PostgresPool
    private let written = Mutex<(minute: Int64, lines: Int)>((0, 0))
    private let counts: [WebhookRefusal: Counter]

    init(pool: PostgresPool) {
        self.pool = pool
        counts = Dictionary(
            uniqueKeysWithValues: WebhookRefusal.allCases.map { reason in
                (
                    reason,
                    Metrics.shared.counter(
                        "inbound_webhooks_rejected_total", help: "Webhooks that were not believed",
                        labels: ["reason": reason.rawValue])
                )
            })
    }

    /// Notes a rejection.
    func note(_ reason: WebhookRefusal, from provider: String, _ call: Call, body: [UInt8]?) async throws {
        counts[reason]?.increment()
        guard mayWrite(at: call.receivedAt) else { return }
        let hash: [UInt8]? = body.map { Array(SHA256.hash(data: $0)) }
        _ = try await pool.transaction(deadline: call.deadline) { db in
            try db.execute(
                """
                INSERT INTO inbound_webhook_rejections (provider, reason, source, body_hash, rejected_at)
                VALUES (\(provider), \(reason.rawValue), \(call.clientAddress), \(hash), \(call.receivedAt))
                """)
        }
    }

    private func mayWrite(at now: Instant) -> Bool {
        written.withLock { written in
            let minute: Int64 = now.seconds / 60
            if minute != written.minute { written = (minute, 0) }
            written.lines += 1
            return written.lines <= Self.maxPerMinute
        }
    }

    /// Deletes what is old, and what is too much.
    /// - Returns: How many lines went.
    static func prune(olderThanDays days: Int, limit: Int, in db: borrowing PostgresTransaction) throws -> Int {
        try db.execute(
            """
            DELETE FROM inbound_webhook_rejections WHERE id IN (
                SELECT id FROM inbound_webhook_rejections
                WHERE rejected_at < now() - make_interval(days => \(days))
                    OR id <= (SELECT max(id) FROM inbound_webhook_rejections) - \(maxKept)
                ORDER BY id LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            """)
    }
}
