package import BillingCore
package import PaymentContract
import PaymentDomain
package import Postgres

/// A payment method as stored: what may be shown of it, and what the provider knows it by.
package struct PaymentMethodRecord: PostgresRecord, Sendable {
    /// Whether it can be charged.
    package enum Status: String, Sendable, CaseIterable {
        case active
        /// The customer must do something before it can be.
        case requiresAction = "requires_action"
        /// The provider is still about it.
        case pending
        /// The provider will not keep it.
        case failed
        /// Taken off the customer: it is charged no more.
        case detached
    }

    package let id: PaymentMethodID
    package let customerID: CustomerID
    /// `card`, `sepa_debit`, `klarna`.
    package let type: String
    package let brand: String?
    /// The leading digits, for routing by issuer; `nil` where they are not known.
    package let bin: String?
    package let last4: String?
    package let expMonth: Int?
    package let expYear: Int?
    package let fingerprint: String
    /// Who knows the token.
    package let provider: String
    /// Who can charge it, its own provider first.
    package let providers: [String]
    package let providerToken: String
    /// What the provider knows the customer by, where it does.
    package let providerCustomer: String?
    package let isDefault: Bool
    package let status: Status
    /// It pays once: a card given on a link's page, or what a wallet or a provider's page stands for.
    package let isSingleUse: Bool
    /// What the customer has to do before it can be charged.
    package let setupAction: NextAction?
    /// Why the provider will not keep it.
    package let failureCode: String?
    /// Where the customer comes back to from a page of the provider's.
    package let returnURL: String?
    /// Of the card's issuer; `nil` where it is not known.
    package let country: String?
    package let createdAt: Instant
    /// Under which it is charged without the customer; `nil` where none is recorded.
    package let mandate: Mandate?

    package static let columns: SQL = """
        id, customer_id, type, brand, bin, last4, exp_month, exp_year, fingerprint, provider, provider_token, \
        provider_customer, is_default, status, single_use, setup_action::text, failure_code, return_url, country, \
        created_at, \
        array_prepend(provider, ARRAY(SELECT t.provider FROM payment_method_tokens t
            WHERE t.payment_method_id = payment_methods.id ORDER BY t.created_at, t.provider)), \
        \(Mandate.columns)
        """

    package init(
        id: PaymentMethodID, customerID: CustomerID, type: String = "card", brand: String?, bin: String? = nil,
        last4: String?, expMonth: Int?, expYear: Int?, fingerprint: String, provider: String, providerToken: String,
        providerCustomer: String? = nil, isDefault: Bool, status: Status = .active, isSingleUse: Bool = false,
        setupAction: NextAction? = nil, failureCode: String? = nil, returnURL: String? = nil, country: String? = nil,
        createdAt: Instant,
        providers: [String]? = nil, mandate: Mandate? = nil
    ) {
        self.id = id
        self.customerID = customerID
        self.type = type
        self.brand = brand
        self.bin = bin
        self.last4 = last4
        self.expMonth = expMonth
        self.expYear = expYear
        self.fingerprint = fingerprint
        self.provider = provider
        self.providers = providers ?? [provider]
        self.providerToken = providerToken
        self.providerCustomer = providerCustomer
        self.isDefault = isDefault
        self.status = status
        self.isSingleUse = isSingleUse
        self.setupAction = setupAction
        self.failureCode = failureCode
        self.returnURL = returnURL
        self.country = country
        self.createdAt = createdAt
        self.mandate = mandate
    }

    package init(row: inout PostgresRow) throws {
        self.init(
            id: try row.next(), customerID: try row.next(), type: try row.next(), brand: try row.next(),
            bin: try row.next(), last4: try row.next(), expMonth: try row.next(), expYear: try row.next(),
            fingerprint: try row.next(),
            provider: try row.next(), providerToken: try row.next(), providerCustomer: try row.next(),
            isDefault: try row.next(), status: try row.nextCase(), isSingleUse: try row.next(),
            setupAction: (try row.next() as String?).flatMap(NextAction.init(stored:)), failureCode: try row.next(),
            returnURL: try row.next(), country: try row.next(), createdAt: try row.next(),
            providers: try row.next() as [String], mandate: try Mandate(row: &row))
    }
}

/// What a charge needs of a payment method.
package struct ChargeableMethod: Sendable, Hashable {
    package let id: PaymentMethodID
    /// `card`, `sepa_debit`, `klarna`.
    package let type: String
    package let fingerprint: String
    package let provider: String
    /// It came out of a wallet and is used by one payment.
    package let isOfWallet: Bool
    /// Its wallet has authenticated the customer for the charge.
    package let isAuthenticatedByWallet: Bool

    package init(
        id: PaymentMethodID, type: String = "card", fingerprint: String, provider: String, isOfWallet: Bool = false,
        isAuthenticatedByWallet: Bool = false
    ) {
        self.id = id
        self.type = type
        self.fingerprint = fingerprint
        self.provider = provider
        self.isOfWallet = isOfWallet
        self.isAuthenticatedByWallet = isAuthenticatedByWallet
    }
}

/// A method that is used once, on a page of its provider's.
package struct SingleUseMethod: Sendable, Hashable {
    package let id: PaymentMethodID
    package let customerID: CustomerID
    /// `klarna`, `ideal`, `paypal`.
    package let type: String
    package let provider: String
    package let returnURL: String
    package let payer: ChargePayer?

    package init(
        id: PaymentMethodID, customerID: CustomerID, type: String, provider: String, returnURL: String,
        payer: ChargePayer?
    ) {
        self.id = id
        self.customerID = customerID
        self.type = type
        self.provider = provider
        self.returnURL = returnURL
        self.payer = payer
    }

    /// What a charge needs of it; nothing of it comes back, so it is its own fingerprint.
    package var chargeable: ChargeableMethod {
        ChargeableMethod(id: id, type: type, fingerprint: id.rawValue, provider: provider)
    }
}

/// Whether a customer is known here, and the method a payment of theirs would use.
package struct ResolvedMethod: PostgresRecord, Sendable {
    package let customerIsKnown: Bool
    package let method: ChargeableMethod?

    package init(customerIsKnown: Bool, method: ChargeableMethod?) {
        self.customerIsKnown = customerIsKnown
        self.method = method
    }

    package init(row: inout PostgresRow) throws {
        customerIsKnown = try row.next()
        let id: PaymentMethodID? = try row.next()
        let type: String? = try row.next()
        let fingerprint: String? = try row.next()
        let provider: String? = try row.next()
        let isOfWallet: Bool = try row.next()
        let isAuthenticatedByWallet: Bool = try row.next()
        guard let id, let type, let fingerprint, let provider else {
            method = nil
            return
        }
        method = ChargeableMethod(
            id: id, type: type, fingerprint: fingerprint, provider: provider, isOfWallet: isOfWallet,
            isAuthenticatedByWallet: isAuthenticatedByWallet)
    }
}

/// SQL over customers' payment methods.
package enum PaymentMethodStore {
    /// Stores a method; a new default takes the place of the old one, and of those that are still to be kept.
    package static func insert(_ method: PaymentMethodRecord, in db: borrowing PostgresTransaction) throws {
        if method.isDefault {
            try db.enqueue(
                """
                UPDATE payment_methods SET is_default = false WHERE customer_id = \(method.customerID) AND is_default
                """)
            try forgetWishes(of: method.customerID, in: db)
        }
        let defaultSince: Instant? = method.isDefault ? method.createdAt : nil
        _ = try db.execute(
            """
            INSERT INTO payment_methods (id, customer_id, type, brand, bin, last4, exp_month, exp_year, fingerprint,
                provider, provider_token, provider_customer, is_default, default_since, status, single_use,
                setup_action, failure_code, return_url, country, created_at)
            VALUES (\(method.id), \(method.customerID), \(method.type), \(method.brand), \(method.bin), \(method.last4),
                \(method.expMonth), \(method.expYear), \(method.fingerprint), \(method.provider),
                \(method.providerToken), \(method.providerCustomer), \(method.isDefault),
                \(defaultSince), \(method.status.rawValue), \(method.isSingleUse),
                \(method.setupAction?.stored)::jsonb, \(method.failureCode), \(method.returnURL),
                \(method.country), \(method.createdAt))
            """)
        if let mandate: Mandate = method.mandate { try StoredCredentialStore.agree(mandate, for: method.id, in: db) }
    }

    /// Stores methods that are used once, on pages of their providers.
    package static func insertSingleUse(
        _ methods: [SingleUseMethod], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !methods.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO payment_methods (id, customer_id, type, fingerprint, provider, provider_token, is_default,
                single_use, return_url, payer, created_at)
            SELECT n.id, n.customer_id, n.type, n.id, n.provider, '', false, true, n.return_url, n.payer::jsonb, \(now)
            FROM unnest(\(methods.map(\.id.rawValue))::text[], \(methods.map(\.customerID.rawValue))::text[],
                \(methods.map(\.type))::text[], \(methods.map(\.provider))::text[],
                \(methods.map(\.returnURL))::text[], \(methods.map { $0.payer?.stored })::text[]
            ) AS n(id, customer_id, type, provider, return_url, payer)
            """)
    }

    /// Keeps a card that was given to pay once, whose provider knows the customer.
    /// - Returns: Whether it is one.
    package static func keep(_ id: PaymentMethodID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.execute(
            """
            UPDATE payment_methods SET single_use = false
            WHERE id = \(id) AND single_use AND wallet IS NULL AND provider_token <> '' AND provider_customer IS NOT NULL
                AND status = \(PaymentMethodRecord.Status.active.rawValue)
            """) == 1
    }

    /// Keeps the brands that providers have named, with declines, of cards whose brand was not known: whose networks' numbers
    /// and words hold for them.
    package static func learn(
        _ brands: [(attempt: AttemptID, brand: String)], in db: borrowing PostgresTransaction
    ) throws {
        guard !brands.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE payment_methods m SET brand = b.brand
            FROM unnest(\(brands.map(\.attempt.rawValue))::text[], \(brands.map(\.brand))::text[]) AS b(attempt_id, brand)
            JOIN payment_attempts a ON a.id = b.attempt_id
            WHERE m.id = a.payment_method_id AND m.brand IS NULL AND m.wallet IS NULL
                AND m.type = ANY(\(CardMethod.types)::text[])
            """)
    }

    /// Takes back what ``keep(_:in:)`` did to a card of a page, with what its customer agreed to: no payment has gone through or
    /// still may, so that the provider keeps it for nothing. One that has become the default stays.
    package static func letGo(_ id: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            UPDATE payment_methods m SET single_use = true,
                mandate_ended_at = CASE WHEN mandate_id IS NOT NULL THEN \(now)::timestamptz END
            WHERE m.id = \(id) AND m.type = 'card' AND NOT m.single_use AND NOT m.is_default AND m.wallet IS NULL
                AND m.provider_customer IS NOT NULL
                AND m.status = \(PaymentMethodRecord.Status.active.rawValue)
                AND EXISTS (SELECT 1 FROM payment_link_cards c WHERE c.payment_method_id = m.id)
                AND NOT EXISTS (
                    SELECT 1 FROM payments p WHERE p.customer_id = m.customer_id AND p.payment_method_id = m.id
                        AND p.status NOT IN ('failed', 'canceled'))
            """)
    }

    /// Locks the customer's row so that two new defaults take turns.
    /// - Returns: Whether the customer is known here.
    package static func lockCustomer(_ id: CustomerID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first("SELECT true FROM customers WHERE id = \(id) FOR UPDATE") { row in try row.next() } ?? false
    }

    /// Takes a method off its customer, and ends what they agreed to; one that is off already stays as it is, and so does one
    /// of a provider's page, which is over with its payment. A wallet's card may wait for its one charge.
    /// - Returns: Whether it was not.
    @discardableResult
    package static func detach(
        _ id: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            """
            UPDATE payment_methods SET status = 'detached', is_default = false, wants_default = false,
                setup_action = NULL,
                mandate_ended_at = CASE WHEN mandate_id IS NOT NULL THEN \(now)::timestamptz END
            WHERE id = \(id) AND status <> 'detached' AND (NOT single_use OR wallet IS NOT NULL)
            """) == 1
    }

    package static func find(_ id: PaymentMethodID, in db: borrowing PostgresTransaction) throws -> PaymentMethodRecord?
    {
        try db.first(
            "SELECT \(PaymentMethodRecord.columns) FROM payment_methods WHERE id = \(id)", as: PaymentMethodRecord.self)
    }

    /// Newest first, after a cursor; those that are used once are left out.
    package static func list(
        customer: CustomerID?, after: PaymentMethodID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [PaymentMethodRecord] {
        let matching: SQL = .matching(
            "NOT single_use", customer.map { "customer_id = \($0)" }, after.map { "id < \($0)" })
        return try db.query(
            "SELECT \(PaymentMethodRecord.columns) FROM payment_methods \(matching) ORDER BY id DESC LIMIT \(limit)",
            as: PaymentMethodRecord.self)
    }

    /// The method each payment would use: the named one when it is the customer's, else the default.
    /// - Parameters:
    ///   - wallets: Whether a wallet's card may be named, for callers that take its credential.
    ///   - onPage: Whether another card that pays once may be named, for the page that it was given on.
    /// - Returns: One answer per question, in order.
    package static func resolve(
        _ questions: [(customer: CustomerID, method: PaymentMethodID?)], wallets: Bool = false, onPage: Bool = false,
        in db: borrowing PostgresTransaction
    ) throws -> [ResolvedMethod] {
        try db.query(resolution(of: questions, wallets: wallets, onPage: onPage), as: ResolvedMethod.self)
    }

    /// Whether a method that was charged before may be charged anew: it is still the customer's, and no wallet's token or card
    /// given on a page, which are good for one charge.
    package static func canChargeAgain(
        _ id: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.first(
            """
            SELECT status = \(PaymentMethodRecord.Status.active.rawValue) AND wallet IS NULL
                AND NOT (single_use AND provider_token <> '')
            FROM payment_methods WHERE id = \(id)
            """
        ) { row in try row.next() } ?? false
    }

    /// Whether the method of the payment `p` was given on a provider's form on a page, for one payment or for a plan's:
    /// its provider charges such a card once, unless that charge went through and kept it.
    package static let isOfForm: SQL = """
        EXISTS (SELECT 1 FROM payment_methods m JOIN payment_link_cards c ON c.payment_method_id = m.id
            WHERE m.id = p.payment_method_id AND m.type = 'card' AND m.wallet IS NULL AND m.provider_token <> ''
                AND (m.single_use OR (m.provider_customer IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM payments k
                    WHERE k.customer_id = m.customer_id AND k.payment_method_id = m.id AND k.id <> p.id
                        AND k.status = 'succeeded'))))
        """

    /// Whether a card of a provider's form, good for one charge, was given to one already.
    package static func isSpent(_ id: PaymentMethodID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first(
            """
            SELECT EXISTS (
                SELECT 1 FROM payments p JOIN payment_attempts a ON a.payment_id = p.id
                WHERE p.customer_id = m.customer_id AND a.payment_method_id = m.id)
            FROM payment_methods m
            WHERE m.id = \(id) AND m.single_use AND m.wallet IS NULL AND m.provider_token <> ''
            """
        ) { row in try row.next() } ?? false
    }

    /// The query behind ``resolve(_:wallets:onPage:in:)``, for callers that send it with another.
    package static func resolution(
        of questions: [(customer: CustomerID, method: PaymentMethodID?)], wallets: Bool, onPage: Bool = false
    ) -> SQL {
        """
        SELECT c.id IS NOT NULL, m.id, m.type, m.fingerprint, m.provider, m.wallet IS NOT NULL,
            m.authenticated_by_wallet IS TRUE
        FROM unnest(\(questions.map(\.customer.rawValue))::text[], \(questions.map { $0.method?.rawValue })::text[])
            WITH ORDINALITY AS q(customer_id, method_id, position)
        LEFT JOIN customers c ON c.id = q.customer_id
        LEFT JOIN payment_methods m ON m.customer_id = q.customer_id
            AND ((q.method_id IS NULL AND m.is_default) OR m.id = q.method_id)
            AND m.status = 'active' AND (NOT m.single_use OR (\(wallets) AND m.wallet IS NOT NULL)
                OR (\(onPage) AND m.wallet IS NULL AND m.provider_token <> ''))
        ORDER BY q.position
        """
    }
}
