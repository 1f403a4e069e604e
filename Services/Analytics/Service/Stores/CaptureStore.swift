import BillingCore
import Postgres

/// Money that was taken of authorized payments, once for each capture.
enum CaptureStore {
    /// Adds captures; travels with the next statement.
    static func append(_ captures: [EventBatch.Capture], in db: borrowing PostgresTransaction) throws {
        guard !captures.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO captures (capture_id, payment_id, customer_id, amount_minor, currency, captured_at)
            SELECT * FROM unnest(
                \(captures.map(\.id))::text[], \(captures.map(\.paymentID))::text[],
                \(captures.map(\.customerID))::text[], \(captures.map(\.amount.minor))::bigint[],
                \(captures.map(\.amount.currency))::text[], \(captures.map(\.at))::timestamptz[])
            ON CONFLICT DO NOTHING
            """)
    }
}
