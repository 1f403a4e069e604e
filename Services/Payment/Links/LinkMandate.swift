package import BillingCore
package import Postgres

/// Who collects by bank debit, as the mandate names them.
package struct LinkCreditor: Sendable, Equatable {
    package let name: String
    /// The creditor identifier of the SEPA schemes.
    package let identifier: String
    /// Names the wording of the mandate in the page's texts; another wording takes another name.
    package static let terms = "sepa-1"

    package init(name: String, identifier: String) {
        self.name = name
        self.identifier = identifier
    }
}

/// SQL over mandates that were given on links' pages.
package enum LinkMandateStore {
    /// Keeps how a customer agreed; forever, since a bank may ask for it.
    package static func insert(
        of method: PaymentMethodID, holder: String, creditor: LinkCreditor, language: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO payment_link_mandates (payment_method_id, holder_name, creditor_name, creditor_id, terms,
                language, accepted_at)
            VALUES (\(method), \(holder), \(creditor.name), \(creditor.identifier), \(LinkCreditor.terms),
                \(language), \(now))
            """)
    }
}
