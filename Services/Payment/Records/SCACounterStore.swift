package import BillingCore
import PaymentDomain
package import Postgres

/// SQL over what cards have paid since their customers were last authenticated (Delegated Regulation (EU) 2018/389, article
/// 16).
package enum SCACounterStore {
    /// Counts payments that have just gone through, in the transaction that records it: once, as a payment goes through
    /// once. An authentication begins a new count; what goes through beside it is counted after it.
    /// - Parameter authenticated: Those whose customers were authenticated by their providers.
    package static func book(
        _ payments: [PaymentRecord], authenticated byProvider: Set<PaymentID> = [], in db: borrowing PostgresTransaction
    ) throws {
        let isAuthenticated: (PaymentRecord) -> Bool = { $0.authenticated || byProvider.contains($0.id) }
        let through: [PaymentRecord] = payments.filter { $0.status == .succeeded || $0.status == .authorized }
        let authenticated: [String] = through.filter { isAuthenticated($0) && !$0.offSession }.map(\.id.rawValue)
        if !authenticated.isEmpty { try begin(authenticated, in: db) }
        let counted: [(id: String, amount: Money)] = through.filter { !isAuthenticated($0) }.compactMap { payment in
            payment.authentication?.counted.map { (payment.id.rawValue, $0) }
        }
        if !counted.isEmpty { try add(counted, in: db) }
    }

    private static func begin(_ payments: [String], in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            DELETE FROM sca_counters WHERE (fingerprint, currency) IN (
                SELECT c.fingerprint, c.currency FROM sca_counters c
                WHERE c.fingerprint IN (SELECT m.fingerprint FROM payments p
                    JOIN payment_methods m ON m.id = p.payment_method_id
                    WHERE p.id = ANY(\(payments)::text[]) AND m.type = 'card')
                ORDER BY c.fingerprint, c.currency FOR UPDATE)
            """)
        try db.enqueue(
            """
            UPDATE payment_methods m SET authenticated_at = now()
            FROM payments p WHERE p.id = ANY(\(payments)::text[]) AND m.id = p.payment_method_id
                AND m.country IS NOT NULL
            """)
    }

    /// In the order of cards, so that batches take turns.
    private static func add(
        _ payments: [(id: String, amount: Money)], in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO sca_counters AS c (fingerprint, currency, total, payments)
            SELECT m.fingerprint, n.currency, sum(n.amount)::bigint, count(*)::integer
            FROM unnest(\(payments.map(\.id))::text[], \(payments.map(\.amount.minor))::bigint[],
                \(payments.map(\.amount.currency.code))::text[]) AS n(id, amount, currency)
            JOIN payments p ON p.id = n.id JOIN payment_methods m ON m.id = p.payment_method_id
            GROUP BY m.fingerprint, n.currency ORDER BY m.fingerprint, n.currency
            ON CONFLICT (fingerprint, currency) DO UPDATE
                SET total = c.total + excluded.total, payments = c.payments + excluded.payments
            """)
    }
}
