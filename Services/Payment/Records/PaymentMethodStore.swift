package import BillingCore
package import Postgres

/// A card as stored: what may be shown of it, and what the provider knows it by.
package struct PaymentMethodRecord: PostgresRecord, Sendable {
    package let id: PaymentMethodID
    package let customerID: CustomerID
    package let brand: String
    /// The leading digits, for routing by issuer; `nil` where they are not known.
    package let bin: String?
    package let last4: String
    package let expMonth: Int
    package let expYear: Int
    package let fingerprint: String
    /// Who knows the token.
    package let provider: String
    package let providerToken: String
    /// What the provider knows the customer by, where it does.
    package let providerCustomer: String?
    package let isDefault: Bool
    package let createdAt: Instant

    package static let columns: SQL = """
        id, customer_id, brand, bin, last4, exp_month, exp_year, fingerprint, provider, provider_token, provider_customer, \
        is_default, created_at
        """

    package init(
        id: PaymentMethodID, customerID: CustomerID, brand: String, bin: String? = nil, last4: String, expMonth: Int,
        expYear: Int,
        fingerprint: String, provider: String, providerToken: String, providerCustomer: String? = nil, isDefault: Bool,
        createdAt: Instant
    ) {
        self.id = id
        self.customerID = customerID
        self.brand = brand
        self.bin = bin
        self.last4 = last4
        self.expMonth = expMonth
        self.expYear = expYear
        self.fingerprint = fingerprint
        self.provider = provider
        self.providerToken = providerToken
        self.providerCustomer = providerCustomer
        self.isDefault = isDefault
        self.createdAt = createdAt
    }

    package init(row: inout PostgresRow) throws {
        self.init(
            id: try row.next(), customerID: try row.next(), brand: try row.next(), bin: try row.next(),
            last4: try row.next(),
            expMonth: try row.next(), expYear: try row.next(), fingerprint: try row.next(),
            provider: try row.next(), providerToken: try row.next(), providerCustomer: try row.next(),
            isDefault: try row.next(), createdAt: try row.next())
    }
}

/// What a charge needs of a payment method.
package struct ChargeableMethod: Sendable, Hashable {
    package let id: PaymentMethodID
    package let fingerprint: String
    package let provider: String

    package init(id: PaymentMethodID, fingerprint: String, provider: String) {
        self.id = id
        self.fingerprint = fingerprint
        self.provider = provider
    }
}

/// Whether a customer is known here, and the method a payment of theirs would use.
package struct ResolvedMethod: Sendable {
    package let customerIsKnown: Bool
    package let method: ChargeableMethod?
}

/// SQL over customers' payment methods.
package enum PaymentMethodStore {
    /// Stores a method; a new default takes the place of the old one.
    package static func insert(_ method: PaymentMethodRecord, in db: borrowing PostgresTransaction) throws {
        if method.isDefault {
            try db.enqueue(
                """
                UPDATE payment_methods SET is_default = false WHERE customer_id = \(method.customerID) AND is_default
                """)
        }
        _ = try db.execute(
            """
            INSERT INTO payment_methods (id, customer_id, type, brand, bin, last4, exp_month, exp_year, fingerprint,
                provider, provider_token, provider_customer, is_default, created_at)
            VALUES (\(method.id), \(method.customerID), 'card', \(method.brand), \(method.bin), \(method.last4), \(method.expMonth),
                \(method.expYear), \(method.fingerprint), \(method.provider), \(method.providerToken),
                \(method.providerCustomer), \(method.isDefault),
                \(method.createdAt))
            """)
    }

    /// Locks the customer's row so that two new defaults take turns.
    /// - Returns: Whether the customer is known here.
    package static func lockCustomer(_ id: CustomerID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first("SELECT true FROM customers WHERE id = \(id) FOR UPDATE") { row in try row.next() } ?? false
    }

    package static func find(_ id: PaymentMethodID, in db: borrowing PostgresTransaction) throws -> PaymentMethodRecord?
    {
        try db.first(
            "SELECT \(PaymentMethodRecord.columns) FROM payment_methods WHERE id = \(id)", as: PaymentMethodRecord.self)
    }

    /// Newest first, after a cursor.
    package static func list(
        customer: CustomerID?, after: PaymentMethodID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [PaymentMethodRecord] {
        let matching: SQL = .matching(customer.map { "customer_id = \($0)" }, after.map { "id < \($0)" })
        return try db.query(
            "SELECT \(PaymentMethodRecord.columns) FROM payment_methods \(matching) ORDER BY id DESC LIMIT \(limit)",
            as: PaymentMethodRecord.self)
    }

    /// The method each payment would use: the named one when it is the customer's, else the default.
    /// - Returns: One answer per question, in order.
    package static func resolve(
        _ questions: [(customer: CustomerID, method: PaymentMethodID?)], in db: borrowing PostgresTransaction
    ) throws -> [ResolvedMethod] {
        try db.query(
            """
            SELECT c.id IS NOT NULL, m.id, m.fingerprint, m.provider
            FROM unnest(\(questions.map(\.customer.rawValue))::text[], \(questions.map { $0.method?.rawValue })::text[])
                WITH ORDINALITY AS q(customer_id, method_id, position)
            LEFT JOIN customers c ON c.id = q.customer_id
            LEFT JOIN payment_methods m ON m.customer_id = q.customer_id
                AND ((q.method_id IS NULL AND m.is_default) OR m.id = q.method_id)
            ORDER BY q.position
            """
        ) { row in
            let isKnown: Bool = try row.next()
            let id: PaymentMethodID? = try row.next()
            let fingerprint: String? = try row.next()
            let provider: String? = try row.next()
            guard let id, let fingerprint, let provider else {
                return ResolvedMethod(customerIsKnown: isKnown, method: nil)
            }
            return ResolvedMethod(
                customerIsKnown: isKnown,
                method: ChargeableMethod(id: id, fingerprint: fingerprint, provider: provider))
        }
    }
}
