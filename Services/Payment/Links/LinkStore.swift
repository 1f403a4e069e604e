package import BillingCore
package import Postgres

/// A link with how often it was paid, when that is limited.
package struct LinkStanding: Sendable {
    package let link: LinkRecord
    /// Payments that went through; counted only for a link with a limit. Money that is held is not taken yet: a link asks
    /// for it at once, so that holding it means that somebody is to look at the payment first.
    package let uses: Int
    /// Whether it pays an invoice that was withdrawn: nobody owes that any more.
    package let isWithdrawn: Bool

    package init(link: LinkRecord, uses: Int, isWithdrawn: Bool = false) {
        self.link = link
        self.uses = uses
        self.isWithdrawn = isWithdrawn
    }

    /// Where it stands. Money that was taken for a withdrawn invoice goes back: it has paid nothing.
    package func status(at now: Instant) -> LinkStatus {
        isWithdrawn ? .deactivated : link.status(uses: uses, at: now)
    }
}

/// SQL over payment links.
package enum LinkStore {
    package static func insert(_ link: LinkRecord, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute(
            """
            INSERT INTO payment_links (id, code, customer_id, amount, currency, invoice_id, description, methods, brand_name,
                logo_url, accent_color, background_color, language, success_url, cancel_url, max_uses, keep_method, metadata,
                expires_at, created_at)
            VALUES (\(link.id), \(link.code.text), \(link.customerID), \(link.amount.minor),
                \(link.amount.currency.code), \(link.invoiceID), \(link.description), \(link.methods.map(\.rawValue))::text[],
                \(link.brand.name), \(link.brand.logoURL), \(link.brand.accent?.hex), \(link.brand.background?.hex),
                \(link.language), \(link.successURL), \(link.cancelURL), \(link.maxUses), \(link.keepMethod.rawValue), \(link.metadata)::jsonb,
                \(link.expiresAt), \(link.createdAt))
            """)
    }

    /// Whether the customer is known here.
    package static func knows(_ customer: CustomerID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first("SELECT true FROM customers WHERE id = \(customer)") { row in try row.next() } ?? false
    }

    /// The country a customer gave; `nil` where it is not known.
    package static func country(of customer: CustomerID, in db: borrowing PostgresTransaction) throws -> String? {
        try db.first("SELECT country FROM customers WHERE id = \(customer)") { row in try row.next() as String? } ?? nil
    }

    /// Whether the customer has a method that renewals are charged to.
    package static func hasDefaultMethod(
        _ customer: CustomerID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.first("SELECT true FROM payment_methods WHERE customer_id = \(customer) AND is_default") { row in
            try row.next()
        } ?? false
    }

    package static func find(_ id: PaymentLinkID, in db: borrowing PostgresTransaction) throws -> LinkStanding? {
        try standings("WHERE id = \(id)", in: db).first
    }

    package static func find(_ code: LinkCode, in db: borrowing PostgresTransaction) throws -> LinkStanding? {
        try standings("WHERE code = \(code.text)", in: db).first
    }

    /// The link of a code, its row locked until the transaction ends: uses of one link take turns.
    package static func lock(_ code: LinkCode, in db: borrowing PostgresTransaction) throws -> LinkStanding? {
        let locked: Bool? = try db.first("SELECT true FROM payment_links WHERE code = \(code.text) FOR UPDATE") { row in
            try row.next()
        }
        // Counted after the lock is held, so that it sees what the twin before it did.
        return locked == nil ? nil : try find(code, in: db)
    }

    /// Newest first, after a cursor.
    package static func list(
        customer: CustomerID?, invoice: InvoiceID?, after: PaymentLinkID?, limit: Int,
        in db: borrowing PostgresTransaction
    ) throws -> [LinkStanding] {
        let matching: SQL = .matching(
            customer.map { "customer_id = \($0)" }, invoice.map { "invoice_id = \($0)" }, after.map { "id < \($0)" })
        return try standings("\(matching) ORDER BY id DESC LIMIT \(limit)", in: db)
    }

    /// Switches a link off; the first time counts.
    package static func deactivate(
        _ id: PaymentLinkID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            "UPDATE payment_links SET deactivated_at = coalesce(deactivated_at, \(now)) WHERE id = \(id)")
    }

    private static func standings(_ rest: SQL, in db: borrowing PostgresTransaction) throws -> [LinkStanding] {
        try db.query(
            """
            SELECT \(LinkRecord.columns), CASE WHEN max_uses IS NULL THEN 0 ELSE (
                SELECT count(*) FROM payment_link_payments u JOIN payments p ON p.id = u.payment_id
                WHERE u.link_id = payment_links.id AND NOT u.replaced AND p.status = 'succeeded'
                    AND \(LinkUseStore.counts))::int END,
                invoice_id IS NOT NULL AND EXISTS (
                    SELECT 1 FROM payments p
                    WHERE p.invoice_id = payment_links.invoice_id AND (p.invoice_voided OR p.status = 'canceled'))
            FROM payment_links \(rest)
            """
        ) { row in
            let link = try LinkRecord(row: &row)
            return LinkStanding(link: link, uses: try row.next(), isWithdrawn: try row.next())
        }
    }
}
