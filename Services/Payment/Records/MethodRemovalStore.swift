package import BillingCore
package import PaymentContract
package import Postgres

/// SQL over methods that are to be removed at the providers that keep them.
package enum MethodRemovalStore {
    /// A removal that a provider is to be asked for now.
    package struct Due: PostgresRecord, Sendable {
        package let provider: String
        package let request: ForgetMethodRequest

        package init(row: inout PostgresRow) throws {
            let id: PaymentMethodID = try row.next()
            provider = try row.next()
            request = ForgetMethodRequest(methodID: id, token: try row.next())
        }
    }

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

    /// Takes removals that are due; nobody else asks for them before their next time, which is twice as far away after each.
    /// One whose method a payment still depends on is left alone.
    package static func take(limit: Int, in db: borrowing PostgresTransaction) throws -> [Due] {
        try db.query(
            """
            UPDATE method_removals r SET tries = r.tries + 1,
                due_at = now() + least(power(2, least(r.tries, 12)) * interval '30 seconds', interval '6 hours')
            FROM payment_methods m
            WHERE m.id = r.payment_method_id AND r.payment_method_id IN (
                SELECT d.payment_method_id FROM method_removals d
                JOIN payment_methods k ON k.id = d.payment_method_id
                WHERE d.status = 'processing' AND d.due_at <= now() AND NOT EXISTS (
                    SELECT 1 FROM payments p
                    WHERE p.customer_id = k.customer_id AND p.payment_method_id = k.id
                        AND p.status IN ('created', 'processing', 'requires_action', 'canceling'))
                ORDER BY d.due_at LIMIT \(limit) FOR UPDATE OF d SKIP LOCKED)
            RETURNING r.payment_method_id, m.provider, m.provider_token
            """, as: Due.self)
    }

    /// The tokens of the other methods that the customer has at the same provider, kept or about to be.
    package static func tokensBeside(
        _ id: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws -> [String] {
        try db.query(
            """
            SELECT o.provider_token FROM payment_methods m JOIN payment_methods o ON o.customer_id = m.customer_id
            WHERE m.id = \(id) AND o.id <> m.id AND o.provider = m.provider
                AND o.status IN ('active', 'pending', 'requires_action')
            """
        ) { row in try row.next() }
    }

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
