package import BillingCore
package import Postgres

/// How a customer agreed on a link's page that what they pay with is charged without them.
package struct PageAgreement: Sendable {
    /// In which it was read.
    package let language: String
    package let ipAddress: String
    package let userAgent: String
    package let acceptedAt: Instant

    package init(language: String, ipAddress: String, userAgent: String, acceptedAt: Instant) {
        self.language = language
        self.ipAddress = ipAddress
        self.userAgent = userAgent
        self.acceptedAt = acceptedAt
    }

    /// What is kept of it with the method.
    package func mandate(of method: PaymentMethodID) -> Mandate {
        Mandate(of: method, type: .online, acceptedAt: acceptedAt, ip: ipAddress, userAgent: userAgent)
    }
}

/// A method whose payment went through, and which is to be kept as its customer agreed.
package struct AgreedMethod: Sendable {
    package let paymentID: PaymentID
    package let methodID: PaymentMethodID
    package let customerID: CustomerID
}

/// SQL over agreements to later charges, which customers give on links' pages with a payment.
package enum PageAgreementStore {
    /// Names the wording in the page's texts; another wording takes another name.
    private static let wording = "later-charges-1"

    /// Agreements whose payments went through and whose methods are not kept yet.
    package static let due: SQL = """
        SELECT a.payment_id, a.payment_method_id, m.customer_id
        FROM payment_link_agreements a JOIN payment_methods m ON m.id = a.payment_method_id
        WHERE a.paid_at IS NOT NULL AND a.kept_at IS NULL ORDER BY a.paid_at
        """

    /// Keeps what comes with an attempt at a payment, whose row is locked: an agreement to later charges of its method, or none.
    /// Its provider is told to keep the method, or not to.
    package static func note(
        _ agreement: PageAgreement?, with method: PaymentMethodID, of payment: PaymentID,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("UPDATE payments SET keeps_method = \(agreement != nil) WHERE id = \(payment)")
        guard let agreement else { return }
        try db.enqueue(
            """
            INSERT INTO payment_link_agreements (payment_id, payment_method_id, wording, language, ip_address, user_agent,
                accepted_at)
            VALUES (\(payment), \(method), \(wording), \(agreement.language), \(agreement.ipAddress),
                \(agreement.userAgent), \(agreement.acceptedAt))
            ON CONFLICT (payment_id, payment_method_id) DO NOTHING
            """)
        try StoredCredentialStore.agree(agreement.mandate(of: method), for: method, in: db)
    }

    /// Has the methods of payments that have succeeded kept, where their customers agreed to that with this very method.
    package static func paid(
        _ payments: [PaymentRecord], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !payments.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE payment_link_agreements a SET paid_at = \(now)
            FROM unnest(\(payments.map(\.id.rawValue))::text[], \(payments.map { $0.paymentMethodID?.rawValue })::text[])
                AS p(id, method_id)
            WHERE a.payment_id = p.id AND a.payment_method_id = p.method_id AND a.paid_at IS NULL
            """)
    }

    /// What is due, some at a time.
    package static func due(limit: Int, in db: borrowing PostgresTransaction) throws -> [AgreedMethod] {
        try db.query("\(due) LIMIT \(limit)") { row in
            AgreedMethod(paymentID: try row.next(), methodID: try row.next(), customerID: try row.next())
        }
    }

    /// An agreement whose method is kept now.
    package struct Turn: Sendable {
        package let acceptedAt: Instant
        /// Not where the customer has made another method the default since they agreed.
        package let becomesDefault: Bool
    }

    /// Takes an agreement's turn; the customer's row is locked. The last word counts, not what was kept last: one that became
    /// the default by an earlier agreement gives way.
    /// - Returns: `nil` where it was taken before.
    package static func take(
        _ agreed: AgreedMethod, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Turn? {
        try db.first(
            """
            UPDATE payment_link_agreements a SET kept_at = \(now)
            WHERE payment_id = \(agreed.paymentID) AND payment_method_id = \(agreed.methodID) AND kept_at IS NULL
            RETURNING accepted_at, NOT EXISTS (
                SELECT 1 FROM payment_methods d
                WHERE d.customer_id = \(agreed.customerID) AND d.is_default
                    AND coalesce(d.default_since, d.created_at) > a.accepted_at
                    AND NOT EXISTS (
                        SELECT 1 FROM payment_link_agreements b
                        WHERE b.payment_method_id = d.id AND b.kept_at = d.default_since
                            AND b.accepted_at <= a.accepted_at))
            """
        ) { row in Turn(acceptedAt: try row.next(), becomesDefault: try row.next()) }
    }
}
