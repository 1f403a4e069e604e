package import BillingCore
package import PaymentDomain
package import Postgres

extension PaymentStore {
    /// Newest first, after a cursor; made from one moment on and before another, by their ids.
    package static func list(
        customer: CustomerID? = nil, invoice: InvoiceID? = nil, subscription: SubscriptionID? = nil,
        status: PaymentStatus? = nil, risk: RiskVerdict.Decision? = nil, label: MetadataLabel? = nil,
        knownAs reference: String? = nil, from: Instant? = nil, to: Instant? = nil,
        after: PaymentID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        let since: SQL? = from.map { "p.id >= \(PaymentID.first(at: $0))" }
        let until: SQL? = to.map { "p.id < \(PaymentID.first(at: $0))" }
        // Written out: the partial indexes of what is under way serve no parameter.
        let standing: SQL? = status.map { SQL(stringLiteral: "p.status = '\($0.rawValue)'") }
        let matching: SQL = .matching(
            customer.map { "p.customer_id = \($0)" }, invoice.map { "p.invoice_id = \($0)" },
            subscription.map { "p.subscription_id = \($0)" }, standing,
            risk.map { "p.risk_decision = \($0.rawValue)" }, label.map(MetadataStore.matches),
            reference.map(isKnown), since, until, after.map { "p.id < \($0)" })
        return try db.query(
            "SELECT \(PaymentRecord.columns) FROM payments p \(matching) ORDER BY p.id DESC LIMIT \(limit)",
            as: PaymentRecord.self)
    }

    /// Whether a provider knows an attempt at the payment `p`, or a capture of it, by a name.
    private static func isKnown(as reference: String) -> SQL {
        """
        p.id IN (SELECT a.payment_id FROM payment_attempts a WHERE a.provider_reference = \(reference)
            UNION SELECT c.payment_id FROM captures c WHERE c.provider_reference = \(reference))
        """
    }

    /// Those whose money is held until a person has looked, newest first, after a cursor.
    package static func inReview(
        after: PaymentID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        let matching: SQL = .matching(
            "p.review_status = 'pending'", "p.status = 'authorized'", after.map { "p.id < \($0)" })
        return try db.query(
            "SELECT \(PaymentRecord.columns) FROM payments p \(matching) ORDER BY p.id DESC LIMIT \(limit)",
            as: PaymentRecord.self)
    }
}
