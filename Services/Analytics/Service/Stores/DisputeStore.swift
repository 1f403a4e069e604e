import BillingCore
import Postgres

/// How disputes ended, a row for each word on it.
enum DisputeStore {
    /// Adds words; travels with the next statement.
    static func append(_ closings: [EventBatch.DisputeClosing], in db: borrowing PostgresTransaction) throws {
        guard !closings.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO dispute_outcomes (
                event_id, dispute_id, payment_id, customer_id, amount_minor, currency, outcome, closed_at)
            SELECT * FROM unnest(
                \(closings.map(\.eventID))::text[], \(closings.map(\.disputeID))::text[],
                \(closings.map(\.paymentID))::text[], \(closings.map(\.customerID))::text[],
                \(closings.map(\.amount.minor))::bigint[], \(closings.map(\.amount.currency))::text[],
                \(closings.map(\.outcome.rawValue))::text[], \(closings.map(\.at))::timestamptz[])
            ON CONFLICT DO NOTHING
            """)
    }

    /// The disputes that were lost by the last word on them until an instant (of all words when there is none), as rows of
    /// (dispute_id, currency, amount_minor). Words of the same time hold in the order in which they were said.
    static func lost(at instant: Instant?) -> SQL {
        """
        SELECT dispute_id, currency, amount_minor
        FROM (SELECT DISTINCT ON (dispute_id) dispute_id, currency, amount_minor, outcome FROM dispute_outcomes
              WHERE \(instant)::timestamptz IS NULL OR closed_at <= \(instant)::timestamptz
              ORDER BY dispute_id, closed_at DESC, event_id DESC) d
        WHERE outcome = 'lost'
        """
    }
}
