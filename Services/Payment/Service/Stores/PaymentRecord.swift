import BillingCore
import PaymentDomain
import Postgres

/// A payment as stored.
struct PaymentRecord: PostgresRecord, Sendable {
    let id: PaymentID
    let customerID: CustomerID
    let paymentMethodID: PaymentMethodID?
    let amount: Money
    let amountRefunded: Int64
    let status: PaymentStatus
    let invoiceID: InvoiceID?
    let subscriptionID: SubscriptionID?
    let description: String?
    let metadata: String
    let offSession: Bool
    let authenticated: Bool
    let attempts: Int
    let attemptID: AttemptID
    let declineCode: String?
    let riskScore: String?
    let riskDecision: String?
    let riskReasons: [String]
    let createdAt: Instant

    /// The columns in the order ``init(row:)`` reads them, of a table or alias named `p`.
    static let columns: SQL = """
        p.id, p.customer_id, p.payment_method_id, p.amount, p.currency, p.amount_refunded, p.status, p.invoice_id, \
        p.subscription_id, p.description, p.metadata::text, p.off_session, p.authenticated, p.attempts, p.attempt_id, \
        p.decline_code, p.risk_score, p.risk_decision, p.risk_reasons, p.created_at
        """

    init(
        id: PaymentID, customerID: CustomerID, paymentMethodID: PaymentMethodID?, amount: Money, amountRefunded: Int64,
        status: PaymentStatus, invoiceID: InvoiceID?, subscriptionID: SubscriptionID?, description: String?,
        metadata: String, offSession: Bool, authenticated: Bool, attempts: Int, attemptID: AttemptID,
        declineCode: String?, riskScore: String?, riskDecision: String?, riskReasons: [String], createdAt: Instant
    ) {
        self.id = id
        self.customerID = customerID
        self.paymentMethodID = paymentMethodID
        self.amount = amount
        self.amountRefunded = amountRefunded
        self.status = status
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
        self.description = description
        self.metadata = metadata
        self.offSession = offSession
        self.authenticated = authenticated
        self.attempts = attempts
        self.attemptID = attemptID
        self.declineCode = declineCode
        self.riskScore = riskScore
        self.riskDecision = riskDecision
        self.riskReasons = riskReasons
        self.createdAt = createdAt
    }

    init(row: inout PostgresRow) throws {
        id = try row.next()
        customerID = try row.next()
        paymentMethodID = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        amountRefunded = try row.next()
        status = try row.nextCase()
        invoiceID = try row.next()
        subscriptionID = try row.next()
        description = try row.next()
        metadata = try row.next()
        offSession = try row.next()
        authenticated = try row.next()
        attempts = try row.next()
        attemptID = try row.next()
        declineCode = try row.next()
        riskScore = try row.next()
        riskDecision = try row.next()
        riskReasons = try row.next()
        createdAt = try row.next()
    }

    /// Why the last attempt failed.
    var decline: Decline? { declineCode.map(Decline.init(code:)) }

    /// The record key of its events.
    var key: String { customerID.rawValue }
}
