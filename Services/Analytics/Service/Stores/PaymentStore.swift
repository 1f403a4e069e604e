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
        let rate: SuccessRate? = try db.first(
            """
            SELECT count(*), count(*) FILTER (WHERE first_attempt = 'succeeded' AND succeeded_at <= \(instant)),
                   count(*) FILTER (WHERE succeeded_at <= \(instant))
            FROM payments WHERE first_outcome_at <= \(instant)
            """
        ) { row in
            SuccessRate(payments: try row.next(), succeededAtOnce: try row.next(), succeeded: try row.next())
        }
        return rate ?? SuccessRate(payments: 0, succeededAtOnce: 0, succeeded: 0)
    }

    /// What was captured and what went back until an instant, by currency.
    static func revenue(at instant: Instant, in db: borrowing PostgresTransaction) throws -> [RevenueTotal] {
        try db.query(
            """
            SELECT currency, sum(paid)::bigint, sum(refunded)::bigint
            FROM (SELECT currency, amount_minor AS paid, 0 AS refunded FROM payments WHERE succeeded_at <= \(instant)
                  UNION ALL
                  SELECT currency, 0, amount_minor FROM refunds
                  WHERE refunded_at <= \(instant) AND (failed_at IS NULL OR failed_at > \(instant))) m
            GROUP BY currency ORDER BY currency
            """
        ) { row in
            RevenueTotal(currency: try row.next(), paidMinor: try row.next(), refundedMinor: try row.next())
        }
    }
}

/// Money of one currency that came in and went back.
struct RevenueTotal: Sendable {
    let currency: Currency
    let paidMinor: Int64
    let refundedMinor: Int64
}

/// Money that went back, once for each refund, and whether it came back since.
enum RefundStore {
    /// Adds refunds and failures, which may come in any order; travels with the next statement.
    static func append(_ refunds: [EventBatch.Refund], in db: borrowing PostgresTransaction) throws {
        let failed: [EventBatch.Refund] = refunds.filter(\.hasFailed)
        if refunds.count > failed.count { try db.enqueue(insertion(refunds.filter { !$0.hasFailed })) }
        guard !failed.isEmpty else { return }
        try db.enqueue(insertion(failed))
        try db.enqueue(
            """
            UPDATE refunds r SET failed_at = f.at
            FROM unnest(\(failed.map(\.id))::text[], \(failed.map(\.at))::timestamptz[]) AS f(id, at)
            WHERE r.refund_id = f.id AND r.failed_at IS NULL
            """)
    }

    private static func insertion(_ refunds: [EventBatch.Refund]) -> SQL {
        """
        INSERT INTO refunds (refund_id, payment_id, customer_id, amount_minor, currency, refunded_at)
        SELECT * FROM unnest(
            \(refunds.map(\.id))::text[], \(refunds.map(\.paymentID))::text[],
            \(refunds.map(\.customerID))::text[], \(refunds.map(\.amount.minor))::bigint[],
            \(refunds.map(\.amount.currency))::text[], \(refunds.map(\.at))::timestamptz[])
        ON CONFLICT DO NOTHING
        """
    }
}
