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

/// A refund that was booked has failed since: the provider has the money back, and the books are as they were before it.
public struct PaymentRefundFailedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.refund_failed.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The refund.
    public let refundID: RefundID
    /// The payment.
    public let paymentID: PaymentID
    /// The customer.
    public let customerID: CustomerID
    /// What did not arrive.
    public let amount: Money
    /// Refunded so far without it, minor units.
    public let refundedTotal: Int64
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// Why, in the provider's words.
    public let failureCode: String
    /// Business time.
    public let failedAt: Instant

    /// The whole fact.
    public init(
        refundID: RefundID, paymentID: PaymentID, customerID: CustomerID, amount: Money, refundedTotal: Int64,
        invoiceID: InvoiceID?, failureCode: String, failedAt: Instant
    ) {
        self.refundID = refundID
        self.paymentID = paymentID
        self.customerID = customerID
        self.amount = amount
        self.refundedTotal = refundedTotal
        self.invoiceID = invoiceID
        self.failureCode = failureCode
        self.failedAt = failedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        refundID = f.id("refund_id", as: RefundID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "What did not arrive")
        refundedTotal = f.int("refunded_total", doc: "Refunded so far without it, minor units")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        failureCode = f.string("failure_code", doc: "Why, in the provider's words")
        failedAt = f.instant("failed_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("refund_id", refundID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("refunded_total", refundedTotal)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("failure_code", failureCode)
        o.field("failed_at", failedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            refundID: .sample, paymentID: .sample, customerID: .sample, amount: Money(minor: 999, currency: .usd),
            refundedTotal: 500, invoiceID: .sample, failureCode: "account_closed", failedAt: .sample)
    }
}

/// A refund of a paid invoice has failed since: it counts no more.
public struct InvoiceRefundFailedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "invoice.refund_failed.v1"
    /// Where it is published.
    public static let topic = Topic.invoices

    /// The invoice.
    public let invoiceID: InvoiceID
    /// The customer.
    public let customerID: CustomerID
    /// The payment.
    public let paymentID: PaymentID
    /// The refund.
    public let refundID: RefundID
    /// What did not arrive.
    public let amount: Money
    /// Refunded so far without it, minor units.
    public let refundedTotal: Int64

    /// The whole fact.
    public init(
        invoiceID: InvoiceID, customerID: CustomerID, paymentID: PaymentID, refundID: RefundID, amount: Money,
        refundedTotal: Int64
    ) {
        self.invoiceID = invoiceID
        self.customerID = customerID
        self.paymentID = paymentID
        self.refundID = refundID
        self.amount = amount
        self.refundedTotal = refundedTotal
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        invoiceID = f.id("invoice_id", as: InvoiceID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        refundID = f.id("refund_id", as: RefundID.self)
        amount = f.money("amount", doc: "What did not arrive")
        refundedTotal = f.int("refunded_total", doc: "Refunded so far without it, minor units")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("invoice_id", invoiceID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.field("refund_id", refundID.rawValue)
        o.money("amount", amount)
        o.field("refunded_total", refundedTotal)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            invoiceID: .sample, customerID: .sample, paymentID: .sample, refundID: .sample,
            amount: Money(minor: 999, currency: .usd), refundedTotal: 500)
    }
}
