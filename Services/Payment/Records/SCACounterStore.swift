package import BillingCore
import PaymentDomain
package import Postgres

/// SQL over what cards have paid since their customers were last authenticated (Delegated Regulation (EU) 2018/389, article
/// 16).
package enum SCACounterStore {
    /// Reads what the cards of payments have used up, those on their way included, and keeps anybody else from reading it
    /// until this transaction ends. Locks are taken in the order of cards, so that batches take turns.
    ///
    /// One statement reads both what is counted and what is on its way: a payment that goes through meanwhile is in one
    /// of them, never in both or in none.
    package static func lock(
        _ payments: [PaymentID], in db: borrowing PostgresTransaction
    ) throws -> SCACounters {
        let fingerprints: [String] = try db.query(
            """
            SELECT c.fingerprint, pg_advisory_xact_lock(
                hashtextextended(current_schema() || '_sca_' || c.fingerprint, 0))::text
            FROM (SELECT DISTINCT m.fingerprint FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
                  WHERE p.id = ANY(\(payments.map(\.rawValue))::text[]) AND m.country IS NOT NULL
                  ORDER BY m.fingerprint) AS c
            """
        ) { row in
            let fingerprint: String = try row.next()
            _ = try row.next() as String?
            return fingerprint
        }
        guard !fingerprints.isEmpty else { return SCACounters() }
        let used: [(String, SCAPayment.Counters)] = try db.query(used(by: fingerprints)) { row in
            let fingerprint: String = try row.next()
            let total = Money(minor: try row.next(), currency: try row.next())
            return (fingerprint, SCAPayment.Counters(total: total, payments: try row.next()))
        }
        return SCACounters(used)
    }

    /// Whether the issuer of a payment's card, of a table or alias, let it pass without asking the customer: see
    /// ``AttemptAuthentication/isFrictionless``.
    package static func frictionless(of payment: SQL) -> SQL {
        """
        coalesce(\(payment).authentication->>'result' = 'attempted' OR \(payment).authentication->>'challenged' = 'false', false)
        """
    }

    /// The status is a literal: only so does the planner take the index of what is on its way, which is as good as empty.
    package static func used(by fingerprints: [String]) -> SQL {
        """
        SELECT u.fingerprint, sum(u.total)::bigint, u.currency, sum(u.payments)::bigint
        FROM (
            SELECT c.fingerprint, c.currency, c.total, c.payments FROM sca_counters c
            WHERE c.fingerprint = ANY(\(fingerprints)::text[])
            UNION ALL
            SELECT m.fingerprint, p.authentication->>'counted_in', (p.authentication->>'counted')::bigint, 1
            FROM payment_methods m JOIN payments p ON p.payment_method_id = m.id
            WHERE m.fingerprint = ANY(\(fingerprints)::text[]) AND m.country IS NOT NULL
                AND p.status = 'processing' AND p.authentication ? 'counted' AND NOT p.step_up
                AND (NOT p.authenticated OR \(frictionless(of: "p")))
        ) AS u
        GROUP BY u.fingerprint, u.currency
        """
    }

    /// Counts payments that have just gone through, in the transaction that records it: once, as a payment goes through
    /// once. An authentication begins a new count, one for an agreement is what charges without the customer rest on; what goes
    /// through beside it is counted after it, and so is what the issuer let pass without asking the customer.
    /// - Parameter authenticated: Those whose customers were authenticated by their providers.
    package static func book(
        _ payments: [PaymentRecord], authenticated byProvider: Set<PaymentID> = [], in db: borrowing PostgresTransaction
    ) throws {
        let isAuthenticated: (PaymentRecord) -> Bool = { payment in
            byProvider.contains(payment.id) || (payment.authenticated && payment.authentication?.isFrictionless != true)
        }
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
                    WHERE p.id = ANY(\(payments)::text[]) AND m.type = ANY(\(CardMethod.types)::text[]))
                ORDER BY c.fingerprint, c.currency FOR UPDATE)
            """)
        try db.enqueue(
            """
            UPDATE payment_methods m SET agreement_authenticated_at = now()
            FROM payments p WHERE p.id = ANY(\(payments)::text[]) AND m.id = p.payment_method_id
                AND m.country IS NOT NULL
                AND (p.keeps_method OR p.subscription_id IS NOT NULL OR p.instalment_id IS NOT NULL)
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
