import AnalyticsDomain
import BillingCore
import JSON
import Postgres
import ServiceKit

/// Totals over whole projections, for the consistency check. Amounts are exact numbers of any length.
enum FactStore {
    /// Subscriptions that now have a status.
    static func subscriptions(status: SubscriptionStatus, in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first("SELECT count(*) FROM subscriptions WHERE status = \(status.rawValue)") { try $0.next() } ?? 0
    }

    /// Recurring revenue per month now, by currency; currencies without any are left out.
    static func mrr(in db: borrowing PostgresTransaction) throws -> JSONValue {
        try amounts(
            "SELECT currency, sum(mrr_minor)::text FROM subscriptions WHERE mrr_minor > 0 GROUP BY 1 ORDER BY 1", in: db
        )
    }

    /// Payments that succeeded.
    static func succeededPayments(in db: borrowing PostgresTransaction) throws -> JSONValue {
        try total(
            ids: "SELECT payment_id AS id, currency, amount_minor FROM payments WHERE status = 'succeeded'", in: db)
    }

    /// Money that was taken of authorized payments.
    static func captures(in db: borrowing PostgresTransaction) throws -> JSONValue {
        try total(ids: "SELECT capture_id AS id, currency, amount_minor FROM captures", in: db)
    }

    /// Disputes that are lost by the last word on them.
    static func lostDisputes(in db: borrowing PostgresTransaction) throws -> JSONValue {
        try total(
            ids: "SELECT dispute_id AS id, currency, amount_minor FROM (\(DisputeStore.lost(at: nil))) d", in: db)
    }

    /// Money that went back.
    static func refunds(in db: borrowing PostgresTransaction) throws -> JSONValue {
        try total(ids: "SELECT refund_id AS id, currency, amount_minor FROM refunds WHERE failed_at IS NULL", in: db)
    }

    /// Invoices that were finalized, whatever became of them; or those that were paid.
    static func invoices(paidOnly: Bool, in db: borrowing PostgresTransaction) throws -> JSONValue {
        try total(
            ids: """
                SELECT invoice_id AS id, currency, amount_minor FROM invoices
                WHERE issued_at IS NOT NULL AND (status = 'paid' OR NOT \(paidOnly)::boolean)
                """, in: db)
    }

    /// Events by type.
    static func history(in db: borrowing PostgresTransaction) throws -> JSONValue {
        let members: [JSONMember] = try db.query(
            """
            SELECT type, count(*)::text, sum(('x' || substr(md5(event_id), 1, 8))::bit(32)::bigint)::text
            FROM event_history GROUP BY type ORDER BY type
            """
        ) { row in
            JSONMember(
                name: try row.next(), value: ["count": .number(try row.next()), "id_sum": .string(try row.next())])
        }
        return .object(members)
    }

    /// Sentences about promises of our own that do not hold; empty when all do.
    ///
    /// That the history holds nothing which was not handled is seen elsewhere: it is held against what was published, by
    /// counts and sums of ids that outlive the claims.
    static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        try ConsistencyFacts.violations(promises, in: db)
    }

    private static let promises: [(SQL, String)] = [
        (
            """
            SELECT count(*) FROM (
                SELECT valid_to, lead(valid_from) OVER (PARTITION BY subscription_id
                                                        ORDER BY told_at, change <> 'created', seq) AS next
                FROM subscription_values) v
            WHERE valid_to IS DISTINCT FROM next
            """, "values of subscriptions do not end where the next begins"
        ),
        (
            """
            SELECT count(*) FROM inbox i
            WHERE NOT EXISTS (SELECT 1 FROM event_history h WHERE h.event_id = i.event_id)
              AND NOT EXISTS (SELECT 1 FROM parked_events p WHERE p.event_id = i.event_id)
            """, "handled events are missing from the history"
        ),
    ]

    /// Fingerprint of the ids and amount by currency of rows of (id, currency, amount_minor).
    private static func total(ids sql: SQL, in db: borrowing PostgresTransaction) throws -> JSONValue {
        let fingerprint: JSONValue = try Fingerprint.of("SELECT id FROM (\(sql)) t", in: db)
        let amount: JSONValue = try amounts(
            "SELECT currency, sum(amount_minor)::text FROM (\(sql)) t GROUP BY 1 ORDER BY 1", in: db)
        return .object((fingerprint.objectValue ?? []) + [JSONMember(name: "amount", value: amount)])
    }

    private static func amounts(_ sql: SQL, in db: borrowing PostgresTransaction) throws -> JSONValue {
        .object(
            try db.query(sql) { row in JSONMember(name: try row.next(), value: .number(try row.next())) })
    }
}
