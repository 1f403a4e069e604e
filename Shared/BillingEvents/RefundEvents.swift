public import BillingCore
public import JSON

/// Money went back and is booked.
public struct PaymentRefundedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.refunded.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The refund.
    public let refundID: RefundID
    /// The payment.
    public let paymentID: PaymentID
    /// The customer.
    public let customerID: CustomerID
    /// Refunded now.
    public let amount: Money
    /// Refunded so far, minor units.
    public let refundedTotal: Int64
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// Reason given.
    public let reason: String?
    /// Business time.
    public let refundedAt: Instant

    /// The whole fact.
    public init(
        refundID: RefundID, paymentID: PaymentID, customerID: CustomerID, amount: Money, refundedTotal: Int64,
        invoiceID: InvoiceID?, reason: String?, refundedAt: Instant
    ) {
        self.refundID = refundID
        self.paymentID = paymentID
        self.customerID = customerID
        self.amount = amount
        self.refundedTotal = refundedTotal
        self.invoiceID = invoiceID
        self.reason = reason
        self.refundedAt = refundedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        refundID = f.id("refund_id", as: RefundID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "Refunded now")
        refundedTotal = f.int("refunded_total", doc: "Refunded so far, minor units")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        reason = f.optionalString("reason", doc: "Reason given")
        refundedAt = f.instant("refunded_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("refund_id", refundID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("refunded_total", refundedTotal)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("reason", reason)
        o.field("refunded_at", refundedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            refundID: .sample, paymentID: .sample, customerID: .sample, amount: Money(minor: 999, currency: .usd),
            refundedTotal: 500, invoiceID: .sample, reason: "cycle", refundedAt: .sample)
    }
}
