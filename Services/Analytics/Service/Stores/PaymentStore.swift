import AnalyticsDomain
import BillingCore
import Postgres

/// Purchases and how they ended.
enum PaymentStore {
    /// Takes in what a batch says of its payments, one state each; travels with the next statement. The rule is
    /// ``PaymentState/merge(_:)``.
    static func merge(_ states: [PaymentState], in db: borrowing PostgresTransaction) throws {
        guard !states.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO payments AS p (
                payment_id, customer_id, amount_minor, currency, attempts, status, progress, first_attempt,
                first_outcome_at, succeeded_at)
            SELECT * FROM unnest(
                \(states.map(\.paymentID))::text[], \(states.map(\.customerID))::text[],
                \(states.map(\.amount.minor))::bigint[], \(states.map(\.amount.currency))::text[],
                \(states.map(\.attempts))::bigint[], \(states.map(\.status.rawValue))::text[],
                \(states.map(\.progress))::bigint[], \(states.map { $0.firstAttempt?.rawValue })::text[],
                \(states.map(\.firstOutcomeAt))::timestamptz[], \(states.map(\.succeededAt))::timestamptz[])
            ON CONFLICT (payment_id) DO UPDATE SET
                attempts = GREATEST(p.attempts, excluded.attempts),
                amount_minor = CASE WHEN excluded.progress > p.progress THEN excluded.amount_minor ELSE p.amount_minor END,
                status = CASE WHEN excluded.progress > p.progress THEN excluded.status ELSE p.status END,
                progress = GREATEST(p.progress, excluded.progress),
                first_attempt = COALESCE(p.first_attempt, excluded.first_attempt),
                first_outcome_at = LEAST(p.first_outcome_at, excluded.first_outcome_at),
                succeeded_at = LEAST(p.succeeded_at, excluded.succeeded_at)
            """)
    }

    /// How payments whose first outcome is no later than an instant had turned out by then.
    static func successRate(at instant: Instant, in db: borrowing PostgresTransaction) throws -> SuccessRate {
        let sql: SQL = """
            SELECT count(*), count(*) FILTER (WHERE first_attempt = 'succeeded' AND succeeded_at <= \(instant)),
                   count(*) FILTER (WHERE succeeded_at <= \(instant))
            FROM payments WHERE first_outcome_at <= \(instant)
            """
        let rate: SuccessRate? = try db.first(sql.unprepared) { row in
            SuccessRate(payments: try row.next(), succeededAtOnce: try row.next(), succeeded: try row.next())
        }
        return rate ?? SuccessRate(payments: 0, succeededAtOnce: 0, succeeded: 0)
    }

    /// What was captured, what went back and what was lost in disputes until an instant, by currency.
    ///
    /// Captures count when they were made. What is not explained by captures counts when the payment succeeded: all of one
    /// that was taken at once, and for the moment a capture whose event is late.
    static func revenue(at instant: Instant, in db: borrowing PostgresTransaction) throws -> [RevenueTotal] {
        let sql: SQL = """
            SELECT currency, sum(paid)::bigint, sum(refunded)::bigint, sum(disputed)::bigint
            FROM (SELECT p.currency, p.amount_minor - coalesce(c.amount_minor, 0) AS paid, 0 AS refunded, 0 AS disputed
                  FROM payments p
                  LEFT JOIN (SELECT payment_id, sum(amount_minor) AS amount_minor FROM captures GROUP BY payment_id) c
                    USING (payment_id)
                  WHERE p.succeeded_at <= \(instant)
                  UNION ALL
                  SELECT currency, amount_minor, 0, 0 FROM captures WHERE captured_at <= \(instant)
                  UNION ALL
                  SELECT currency, 0, amount_minor, 0 FROM refunds
                  WHERE refunded_at <= \(instant) AND (failed_at IS NULL OR failed_at > \(instant))
                  UNION ALL
                  SELECT currency, 0, 0, amount_minor FROM (\(DisputeStore.lost(at: instant))) d) m
            GROUP BY currency ORDER BY currency
            """
        return try db.query(sql.unprepared) { row in
            RevenueTotal(
                currency: try row.next(), paidMinor: try row.next(), refundedMinor: try row.next(),
                disputedMinor: try row.next())
        }
    }
}

/// Money of one currency that came in, went back and was lost.
struct RevenueTotal: Sendable {
    let currency: Currency
    let paidMinor: Int64
    let refundedMinor: Int64
    let disputedMinor: Int64
}
