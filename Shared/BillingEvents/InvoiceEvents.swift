public import BillingCore
public import JSON

/// An invoice has its number and cannot change any more; its total is to be collected.
public struct InvoiceFinalizedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "invoice.finalized.v1"
    /// Where it is published.
    public static let topic = Topic.invoices

    /// The invoice.
    public let invoiceID: InvoiceID
    /// Gapless number.
    public let number: String
    /// The billing.
    public let billingID: BillingID
    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// signup, cycle, trial_end or upgrade; `nil` where nobody has said.
    public let reason: String?
    /// Total.
    public let amount: Money
    /// Start of the period billed.
    public let periodStart: Instant
    /// End of the period billed.
    public let periodEnd: Instant
    /// Business time.
    public let issuedAt: Instant

    /// The whole fact.
    public init(
        invoiceID: InvoiceID, number: String, billingID: BillingID, subscriptionID: SubscriptionID,
        customerID: CustomerID, reason: String? = nil, amount: Money, periodStart: Instant, periodEnd: Instant,
        issuedAt: Instant
    ) {
        self.invoiceID = invoiceID
        self.number = number
        self.billingID = billingID
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.reason = reason
        self.amount = amount
        self.periodStart = periodStart
        self.periodEnd = periodEnd
        self.issuedAt = issuedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        invoiceID = f.id("invoice_id", as: InvoiceID.self)
        number = f.string("number", doc: "Gapless number")
        billingID = f.id("billing_id", as: BillingID.self)
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        reason = f.optionalString("reason", doc: "signup, cycle, trial_end or upgrade")
        amount = f.money("amount", doc: "Total")
        periodStart = f.instant("period_start", doc: "Start of the period billed")
        periodEnd = f.instant("period_end", doc: "End of the period billed")
        issuedAt = f.instant("issued_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("invoice_id", invoiceID.rawValue)
        o.field("number", number)
        o.field("billing_id", billingID.rawValue)
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("reason", reason)
        o.money("amount", amount)
        o.field("period_start", periodStart.rfc3339)
        o.field("period_end", periodEnd.rfc3339)
        o.field("issued_at", issuedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            invoiceID: .sample, number: "INV-000001", billingID: .sample, subscriptionID: .sample, customerID: .sample,
            reason: "cycle", amount: Money(minor: 999, currency: .usd), periodStart: .sample, periodEnd: .sample,
            issuedAt: .sample)
    }
}

/// An invoice is paid in full.
public struct InvoicePaidV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "invoice.paid.v1"
    /// Where it is published.
    public static let topic = Topic.invoices

    /// The invoice.
    public let invoiceID: InvoiceID
    /// The billing.
    public let billingID: BillingID
    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// Total.
    public let amount: Money
    /// The payment.
    public let paymentID: PaymentID?
    /// Business time.
    public let paidAt: Instant

    /// The whole fact.
    public init(
        invoiceID: InvoiceID, billingID: BillingID, subscriptionID: SubscriptionID, customerID: CustomerID,
        amount: Money, paymentID: PaymentID?, paidAt: Instant
    ) {
        self.invoiceID = invoiceID
        self.billingID = billingID
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.amount = amount
        self.paymentID = paymentID
        self.paidAt = paidAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        invoiceID = f.id("invoice_id", as: InvoiceID.self)
        billingID = f.id("billing_id", as: BillingID.self)
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "Total")
        paymentID = f.optionalID("payment_id", as: PaymentID.self)
        paidAt = f.instant("paid_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("invoice_id", invoiceID.rawValue)
        o.field("billing_id", billingID.rawValue)
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("payment_id", paymentID?.rawValue)
        o.field("paid_at", paidAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            invoiceID: .sample, billingID: .sample, subscriptionID: .sample, customerID: .sample,
            amount: Money(minor: 999, currency: .usd), paymentID: .sample, paidAt: .sample)
    }
}

/// An attempt to collect an invoice failed.
public struct InvoicePaymentFailedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "invoice.payment_failed.v1"
    /// Where it is published.
    public static let topic = Topic.invoices

    /// The invoice.
    public let invoiceID: InvoiceID
    /// The billing.
    public let billingID: BillingID
    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// The payment.
    public let paymentID: PaymentID
    /// Number of the attempt, from 1.
    public let attempt: Int64
    /// Reason of the decline.
    public let declineCode: String
    /// hard, soft, fraud or action.
    public let declineClass: String
    /// The payment method of the attempt; `nil` where there was none.
    public let paymentMethodID: PaymentMethodID?
    /// Before when no other attempt is wanted: by the card's network, or since nobody could be asked. `nil` where that is not
    /// known.
    public let retryAt: Instant?
    /// Business time.
    public let failedAt: Instant

    /// The whole fact.
    public init(
        invoiceID: InvoiceID, billingID: BillingID, subscriptionID: SubscriptionID, customerID: CustomerID,
        paymentID: PaymentID, attempt: Int64, declineCode: String, declineClass: String,
        paymentMethodID: PaymentMethodID? = nil, retryAt: Instant? = nil, failedAt: Instant
    ) {
        self.invoiceID = invoiceID
        self.billingID = billingID
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.paymentID = paymentID
        self.attempt = attempt
        self.declineCode = declineCode
        self.declineClass = declineClass
        self.paymentMethodID = paymentMethodID
        self.retryAt = retryAt
        self.failedAt = failedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        invoiceID = f.id("invoice_id", as: InvoiceID.self)
        billingID = f.id("billing_id", as: BillingID.self)
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        attempt = f.int("attempt", doc: "Number of the attempt, from 1")
        declineCode = f.string("decline_code", doc: "Reason of the decline")
        declineClass = f.string("decline_class", doc: "hard, soft, fraud or action")
        paymentMethodID = f.optionalID(
            "payment_method_id", as: PaymentMethodID.self, doc: "The attempt's payment method, where it had one")
        retryAt = f.optionalInstant(
            "retry_at",
            doc:
                "Before when no other attempt is wanted, by the card's network or since nobody could be asked, where known"
        )
        failedAt = f.instant("failed_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("invoice_id", invoiceID.rawValue)
        o.field("billing_id", billingID.rawValue)
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.field("attempt", attempt)
        o.field("decline_code", declineCode)
        o.field("decline_class", declineClass)
        o.field("payment_method_id", paymentMethodID?.rawValue)
        o.field("retry_at", retryAt?.rfc3339)
        o.field("failed_at", failedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            invoiceID: .sample, billingID: .sample, subscriptionID: .sample, customerID: .sample, paymentID: .sample,
            attempt: 1, declineCode: "insufficient_funds", declineClass: "soft", paymentMethodID: .sample,
            retryAt: .sample, failedAt: .sample)
    }
}

/// Money of a paid invoice went back to the customer.
public struct InvoiceRefundedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "invoice.refunded.v1"
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
    /// Refunded now.
    public let amount: Money
    /// Refunded so far, minor units.
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
        amount = f.money("amount", doc: "Refunded now")
        refundedTotal = f.int("refunded_total", doc: "Refunded so far, minor units")
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

/// A finalized, unpaid invoice was withdrawn; its number stays used.
public struct InvoiceVoidedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "invoice.voided.v1"
    /// Where it is published.
    public static let topic = Topic.invoices

    /// The invoice.
    public let invoiceID: InvoiceID
    /// The billing.
    public let billingID: BillingID
    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// Total that is no longer due.
    public let amount: Money
    /// Why, from a fixed set.
    public let reason: String

    /// The whole fact.
    public init(
        invoiceID: InvoiceID, billingID: BillingID, subscriptionID: SubscriptionID, customerID: CustomerID,
        amount: Money, reason: String
    ) {
        self.invoiceID = invoiceID
        self.billingID = billingID
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.amount = amount
        self.reason = reason
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        invoiceID = f.id("invoice_id", as: InvoiceID.self)
        billingID = f.id("billing_id", as: BillingID.self)
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "Total that is no longer due")
        reason = f.string("reason", doc: "Why, from a fixed set")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("invoice_id", invoiceID.rawValue)
        o.field("billing_id", billingID.rawValue)
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("reason", reason)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            invoiceID: .sample, billingID: .sample, subscriptionID: .sample, customerID: .sample,
            amount: Money(minor: 999, currency: .usd), reason: "cycle")
    }
}
