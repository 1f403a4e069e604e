package import BillingCore
package import Postgres

/// SQL over methods that are to be removed at the providers that keep them.
package enum MethodRemovalStore {
    /// Stores the intent to remove a method, in the transaction that takes it off its customer; once for a method.
    package static func intend(
        _ id: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO method_removals (payment_method_id, created_at) VALUES (\(id), \(now))
            ON CONFLICT (payment_method_id) DO NOTHING
            """)
    }

    /// Stores the intent to remove what a further provider keeps for a method that stays: as a detached method of its own,
    /// which nobody is shown.
    package static func intend(
        _ token: String, at provider: String, of id: PaymentMethodID, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let part = PaymentMethodID.new(at: now)
        _ = try db.execute(
            """
            INSERT INTO payment_methods (id, customer_id, type, fingerprint, provider, provider_token, is_default, status,
                single_use, created_at)
            SELECT \(part), customer_id, type, \(part), \(provider), \(token), false, 'detached', true, \(now)
            FROM payment_methods WHERE id = \(id)
            """)
        try intend(part, at: now, in: db)
    }

    /// Removals that are due. One whose method a payment still depends on is left alone.
    package static let due: SQL = """
        SELECT d.payment_method_id FROM method_removals d
        JOIN payment_methods k ON k.id = d.payment_method_id
        WHERE d.status = 'processing' AND d.due_at <= now() AND NOT EXISTS (
            SELECT 1 FROM payments p
            WHERE p.customer_id = k.customer_id AND p.payment_method_id = k.id
                AND p.status IN ('created', 'processing', 'requires_action', 'canceling'))
        ORDER BY d.due_at
        """

    /// Takes removals that are due; nobody else asks for them before their next time, which is twice as far away after each.
    package static func take(limit: Int, in db: borrowing PostgresTransaction) throws -> [PaymentMethodID] {
        try db.query(
            """
            UPDATE method_removals r SET tries = r.tries + 1,
                due_at = now() + least(power(2, least(r.tries, 12)) * interval '30 seconds', interval '6 hours')
            WHERE r.payment_method_id IN (\(due) LIMIT \(limit) FOR UPDATE OF d SKIP LOCKED)
            RETURNING r.payment_method_id
            """
        ) { row in try row.next() }
    }

    /// The tokens of the other methods that the customer has at a provider, kept or about to be.
    package static func tokensBeside(
        _ id: PaymentMethodID, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> [String] {
        try db.query(
            """
            SELECT k.token FROM payment_methods m JOIN payment_methods o ON o.customer_id = m.customer_id
            CROSS JOIN LATERAL (\(keptTokens)) AS k(provider, token)
            WHERE m.id = \(id) AND o.id <> m.id AND k.provider = \(provider)
                AND o.status IN ('active', 'pending', 'requires_action')
            """
        ) { row in try row.next() }
    }

    /// The tokens of what a provider is still to remove for a customer.
    package static func tokensLeaving(
        _ provider: String, of customer: CustomerID, in db: borrowing PostgresTransaction
    ) throws -> [String] {
        try db.query(
            """
            SELECT k.token FROM method_removals r JOIN payment_methods o ON o.id = r.payment_method_id
            CROSS JOIN LATERAL (\(keptTokens)) AS k(provider, token)
            WHERE r.status = 'processing' AND o.customer_id = \(customer) AND k.provider = \(provider)
            """
        ) { row in try row.next() }
    }

    /// What each provider knows method `o` by.
    private static let keptTokens: SQL = """
        SELECT o.provider, o.provider_token
        UNION ALL
        SELECT t.provider, t.token FROM payment_method_tokens t WHERE t.payment_method_id = o.id
        """

    /// Records that a method is removed, or why it never will be.
    package static func end(
        _ id: PaymentMethodID, failure: String? = nil, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE method_removals SET status = \(failure == nil ? "succeeded" : "failed"), failure_code = \(failure)
            WHERE payment_method_id = \(id) AND status = 'processing'
            """)
    }
}
