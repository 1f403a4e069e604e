import AnalyticsDomain
import BillingCore
import Postgres

/// Money that went back, once for each refund, and whether it came back since.
enum RefundStore {
    /// Takes in what a batch says of its refunds, one state each; travels with the next statement. The rule is
    /// ``RefundState/merge(_:)``.
    static func merge(_ states: [RefundState], in db: borrowing PostgresTransaction) throws {
        guard !states.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO refunds AS r (
                refund_id, payment_id, customer_id, amount_minor, currency, refunded_at, failed_at)
            SELECT * FROM unnest(
                \(states.map(\.refundID))::text[], \(states.map(\.paymentID))::text[],
                \(states.map(\.customerID))::text[], \(states.map(\.amount.minor))::bigint[],
                \(states.map(\.amount.currency))::text[], \(states.map(\.refundedAt))::timestamptz[],
                \(states.map(\.failedAt))::timestamptz[])
            ON CONFLICT (refund_id) DO UPDATE SET
                refunded_at = LEAST(r.refunded_at, excluded.refunded_at),
                failed_at = LEAST(r.failed_at, excluded.failed_at)
            """)
    }
}
