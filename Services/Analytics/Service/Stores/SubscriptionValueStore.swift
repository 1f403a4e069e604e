import AnalyticsDomain
import BillingCore
import Postgres

/// What each subscription was worth a month, from one change to the next.
enum SubscriptionValueStore {
    /// Adds changes in their order of arrival and closes each one where the next begins; travels with the next statement.
    ///
    /// A change told a little before the newest stored one is moved up to it, one told long before is put in its place:
    /// the rule of ``SubscriptionChange/settle(_:)``, continued against what is stored.
    static func append(_ changes: [SubscriptionChange], in db: borrowing PostgresTransaction) throws {
        guard !changes.isEmpty else { return }
        try db.enqueue(insertion(of: changes))
        try db.enqueue(
            """
            UPDATE subscription_values v SET valid_from = n.valid_from, valid_to = n.valid_to
            FROM (SELECT subscription_id, seq, valid_from, lead(valid_from) OVER changes AS valid_to
                  FROM (SELECT subscription_id, seq, told_at, change, max(effective_at) OVER (
                            PARTITION BY subscription_id ORDER BY told_at, change <> 'created', seq
                            ROWS UNBOUNDED PRECEDING) AS valid_from
                        FROM subscription_values
                        WHERE subscription_id = ANY(\(Array(Set(changes.map(\.subscriptionID))))::text[])) c
                  WINDOW changes AS (PARTITION BY subscription_id ORDER BY told_at, change <> 'created', seq)) n
            WHERE v.subscription_id = n.subscription_id AND v.seq = n.seq
              AND (v.valid_from, v.valid_to) IS DISTINCT FROM (n.valid_from, n.valid_to)
            """)
    }

    private static func insertion(of changes: [SubscriptionChange]) -> SQL {
        let incoming: SQL = """
            SELECT * FROM unnest(
                \(changes.map(\.subscriptionID))::text[], \(changes.map(\.toldAt))::timestamptz[],
                \(changes.map(\.effectiveAt))::timestamptz[],
                \(changes.map(\.customerID))::text[], \(changes.map(\.planID))::text[],
                \(changes.map(\.kind.rawValue))::text[], \(changes.map(\.status.rawValue))::text[],
                \(changes.map(\.amount.minor))::bigint[], \(changes.map(\.amount.currency))::text[],
                \(changes.map(\.interval.rawValue))::text[], \(changes.map(\.intervalCount))::bigint[],
                \(changes.map(\.monthlyValue.minor))::bigint[], \(changes.map(\.eventID))::text[]
            ) WITH ORDINALITY AS n(subscription_id, told_at, effective_at, customer_id, plan_id, change, status,
                                   amount_minor, currency, billing_interval, interval_count, mrr_minor, event_id, position)
            """
        return """
            INSERT INTO subscription_values (
                subscription_id, told_at, effective_at, valid_from, customer_id, plan_id, change, status, amount_minor,
                currency, billing_interval, interval_count, mrr_minor, event_id)
            SELECT n.subscription_id,
                   CASE WHEN n.change <> 'created' AND n.told_at < newest.told_at AND newest.told_at - n.told_at
                             <= make_interval(secs => \(SubscriptionChange.skewToleranceSeconds))
                        THEN newest.told_at ELSE n.told_at END,
                   n.effective_at, n.effective_at, n.customer_id, n.plan_id, n.change, n.status, n.amount_minor,
                   n.currency, n.billing_interval, n.interval_count, n.mrr_minor, n.event_id
            FROM (\(incoming)) n
            LEFT JOIN LATERAL (SELECT max(v.told_at) AS told_at FROM subscription_values v
                               WHERE v.subscription_id = n.subscription_id) newest ON true
            ORDER BY n.position
            """
    }

    /// How many subscriptions there were of each status and currency at an instant, and what they were worth a month.
    static func totals(at instant: Instant, in db: borrowing PostgresTransaction) throws -> [SubscriptionTotal] {
        let sql: SQL = """
            SELECT status, currency, count(*), sum(mrr_minor)::bigint FROM subscription_values
            WHERE valid_from <= \(instant) AND (valid_to > \(instant) OR valid_to IS NULL)
            GROUP BY status, currency ORDER BY currency, status
            """
        return try db.query(sql.unprepared) { row in
            SubscriptionTotal(
                status: try row.nextCase(), currency: try row.next(), count: try row.next(), mrrMinor: try row.next())
        }
    }
}

/// Subscriptions of one status and currency.
struct SubscriptionTotal: Sendable {
    let status: SubscriptionStatus
    let currency: Currency
    let count: Int64
    let mrrMinor: Int64
}
