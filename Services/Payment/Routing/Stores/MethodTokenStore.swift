package import BillingCore
package import Postgres

/// What another provider than a method's own knows the method by.
package struct MethodToken: Sendable, Hashable {
    package let provider: String
    package let token: String
    /// What it knows the customer by, where it does.
    package let providerCustomer: String?

    package init(provider: String, token: String, providerCustomer: String? = nil) {
        self.provider = provider
        self.token = token
        self.providerCustomer = providerCustomer
    }
}

/// SQL over the tokens of payment methods at further providers.
package enum MethodTokenStore {
    /// Stores what further providers know a method by; a newer token takes the place of an older one.
    package static func insert(
        _ tokens: [MethodToken], of method: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !tokens.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO payment_method_tokens (payment_method_id, provider, token, provider_customer, created_at)
            SELECT \(method), t.provider, t.token, t.customer, \(now)::timestamptz
            FROM unnest(\(tokens.map(\.provider))::text[], \(tokens.map(\.token))::text[],
                \(tokens.map(\.providerCustomer))::text[]) AS t(provider, token, customer)
            ON CONFLICT (payment_method_id, provider)
                DO UPDATE SET token = excluded.token, provider_customer = excluded.provider_customer
            """)
    }

    /// Every provider that can charge each method, its own included. None of the others is taken away before the transaction
    /// ends, which may send a charge there.
    package static func all(
        of methods: [PaymentMethodID], in db: borrowing PostgresTransaction
    ) throws -> [PaymentMethodID: [MethodToken]] {
        guard !methods.isEmpty else { return [:] }
        let ids: [String] = methods.map(\.rawValue)
        let rows: [(PaymentMethodID, MethodToken)] = try db.query(
            """
            SELECT id, provider, provider_token, provider_customer FROM payment_methods WHERE id = ANY(\(ids)::text[])
            UNION ALL
            SELECT * FROM (
                SELECT payment_method_id, provider, token, provider_customer FROM payment_method_tokens
                WHERE payment_method_id = ANY(\(ids)::text[]) FOR KEY SHARE) AS further
            """
        ) { row in
            let id: PaymentMethodID = try row.next()
            return (
                id,
                MethodToken(provider: try row.next(), token: try row.next(), providerCustomer: try row.next())
            )
        }
        return Dictionary(grouping: rows) { $0.0 }.mapValues { $0.map(\.1) }
    }

    /// What a further provider knows a method by; `nil` where it does not.
    package static func find(
        at provider: String, of method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws -> MethodToken? {
        try db.first(
            """
            SELECT provider, token, provider_customer FROM payment_method_tokens
            WHERE payment_method_id = \(method) AND provider = \(provider)
            """
        ) { row in
            MethodToken(provider: try row.next(), token: try row.next(), providerCustomer: try row.next())
        }
    }

    /// Locks what a further provider knows a method by: charges that are being sent there are stored by then, and no other
    /// is sent there before the transaction ends.
    /// - Returns: The token, and whether a charge of the method is under way there; `nil` where there is none.
    package static func lock(
        at provider: String, of method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws -> (token: MethodToken, isCharged: Bool)? {
        _ = try db.execute(
            """
            SELECT 1 FROM payment_method_tokens WHERE payment_method_id = \(method) AND provider = \(provider) FOR UPDATE
            """)
        guard let token: MethodToken = try find(at: provider, of: method, in: db) else { return nil }
        let isCharged: Bool? = try db.first(
            """
            SELECT EXISTS (
                SELECT 1 FROM payments p JOIN payment_methods m ON m.customer_id = p.customer_id
                WHERE m.id = \(method) AND p.payment_method_id = m.id AND p.provider = \(provider)
                    AND p.status IN ('processing', 'requires_action', 'canceling'))
            """
        ) { row in try row.next() }
        return (token, isCharged ?? false)
    }

    /// Forgets what a further provider knows a method by.
    package static func remove(
        at provider: String, of method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            "DELETE FROM payment_method_tokens WHERE payment_method_id = \(method) AND provider = \(provider)")
    }

    /// The token under which the provider of payment `p`'s current attempt knows method `m`.
    package static let token: SQL = """
        CASE WHEN p.provider = m.provider THEN m.provider_token ELSE (SELECT t.token FROM payment_method_tokens t \
        WHERE t.payment_method_id = m.id AND t.provider = p.provider) END
        """

    /// The name under which that provider knows the customer.
    package static let providerCustomer: SQL = """
        CASE WHEN p.provider = m.provider THEN m.provider_customer ELSE (SELECT t.provider_customer \
        FROM payment_method_tokens t WHERE t.payment_method_id = m.id AND t.provider = p.provider) END
        """
}
