import AnalyticsDomain
import BillingCore
import Postgres

/// Month ends, compared customer by customer. A month end is the last moment before the next month begins: a change at
/// midnight on the first belongs to the new month. The statements read whole tables: they are planned at each use, by what
/// the tables hold then.
enum MovementStore {
    /// What customers did in each month, equal steps counted together: the answer has as many rows as there are
    /// different steps, not customers.
    ///
    /// Each value at a month end counts twice: as what the customer has now (side 0), and as what the customer had
    /// before when seen from the next month end (side 1).
    static func steps(
        from first: Month, through last: Month, currency: Currency?, in db: borrowing PostgresTransaction
    ) throws -> [CustomerStep] {
        let ends: [Instant] = (-1...first.distance(to: last)).map { first.adding($0 + 1).start }
        let sql: SQL = """
            WITH ends AS (SELECT boundary, n FROM unnest(\(ends)::timestamptz[]) WITH ORDINALITY AS e(boundary, n)),
            earning AS MATERIALIZED (
                SELECT customer_id, currency, valid_from, valid_to, mrr_minor FROM subscription_values
                WHERE mrr_minor > 0 AND (\(currency)::text IS NULL OR currency = \(currency)::text)),
            first_seen AS (
                SELECT customer_id, currency, min(month_end) AS month_end
                FROM (SELECT customer_id, currency, valid_to,
                             (date_trunc('month', valid_from AT TIME ZONE 'UTC') + interval '1 month')
                                 AT TIME ZONE 'UTC' AS month_end
                      FROM earning) v
                WHERE valid_to >= month_end OR valid_to IS NULL
                GROUP BY customer_id, currency),
            steps AS (
                SELECT e.n + side AS n, v.customer_id, v.currency,
                       sum(v.mrr_minor * side)::bigint AS previous, sum(v.mrr_minor * (1 - side))::bigint AS current
                FROM ends e
                JOIN earning v ON v.valid_from < e.boundary AND (v.valid_to >= e.boundary OR v.valid_to IS NULL)
                CROSS JOIN (VALUES (0), (1)) AS sides(side)
                GROUP BY e.n + side, v.customer_id, v.currency)
            SELECT s.n, s.currency, s.previous, s.current, f.month_end < e.boundary AS seen, count(*)
            FROM steps s JOIN ends e ON e.n = s.n JOIN first_seen f USING (customer_id, currency)
            WHERE s.n > 1
            GROUP BY s.n, s.currency, s.previous, s.current, seen
            """
        return try db.query(sql.unprepared) { row in
            let position: Int = try row.next()
            return CustomerStep(
                month: first.adding(position - 2), currency: try row.next(), previous: try row.next(),
                current: try row.next(), seenBefore: try row.next(), customers: try row.next())
        }
    }

    /// How many subscriptions earned at each month end, by month and currency.
    static func earning(
        from first: Month, through last: Month, currency: Currency?, in db: borrowing PostgresTransaction
    ) throws -> [EarningCount] {
        let ends: [Instant] = (0...first.distance(to: last)).map { first.adding($0 + 1).start }
        let sql: SQL = """
            SELECT e.n, v.currency, count(*)
            FROM unnest(\(ends)::timestamptz[]) WITH ORDINALITY AS e(boundary, n)
            JOIN subscription_values v
              ON v.valid_from < e.boundary AND (v.valid_to >= e.boundary OR v.valid_to IS NULL)
            WHERE v.mrr_minor > 0 AND (\(currency)::text IS NULL OR v.currency = \(currency)::text)
            GROUP BY e.n, v.currency
            """
        return try db.query(sql.unprepared) { row in
            let position: Int = try row.next()
            return EarningCount(month: first.adding(position - 1), currency: try row.next(), count: try row.next())
        }
    }

    /// Every currency that ever earned.
    static func currencies(in db: borrowing PostgresTransaction) throws -> [Currency] {
        let sql: SQL = "SELECT DISTINCT currency FROM subscription_values WHERE mrr_minor > 0 ORDER BY currency"
        return try db.query(sql.unprepared) { row in try row.next() }
    }
}

/// Subscriptions that earned at a month end.
struct EarningCount: Sendable {
    let month: Month
    let currency: Currency
    let count: Int64
}
