public import BillingCore
public import JSON

/// The customer objects to a charge. It is told again when the bank's question becomes a dispute that takes the money.
public struct PaymentDisputedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.disputed.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The dispute.
    public let disputeID: DisputeID
    /// The payment.
    public let paymentID: PaymentID
    /// The customer.
    public let customerID: CustomerID
    /// The method that was charged.
    public let paymentMethodID: PaymentMethodID?
    /// What is disputed.
    public let amount: Money
    /// Why, in the networks' common words.
    public let reason: String
    /// The bank only asks: no money has moved.
    public let isInquiry: Bool
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// The subscription, when there is one.
    public let subscriptionID: SubscriptionID?
    /// Who was charged through.
    public let provider: String
    /// When evidence must be in.
    public let evidenceDueBy: Instant?
    /// By the provider's clock.
    public let openedAt: Instant
    /// Business time.
    public let disputedAt: Instant

    /// The whole fact.
    public init(
        disputeID: DisputeID, paymentID: PaymentID, customerID: CustomerID, paymentMethodID: PaymentMethodID?,
        amount: Money, reason: String, isInquiry: Bool, invoiceID: InvoiceID?, subscriptionID: SubscriptionID?,
        provider: String, evidenceDueBy: Instant?, openedAt: Instant, disputedAt: Instant
    ) {
        self.disputeID = disputeID
        self.paymentID = paymentID
        self.customerID = customerID
        self.paymentMethodID = paymentMethodID
        self.amount = amount
        self.reason = reason
        self.isInquiry = isInquiry
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
        self.provider = provider
        self.evidenceDueBy = evidenceDueBy
        self.openedAt = openedAt
        self.disputedAt = disputedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        disputeID = f.id("dispute_id", as: DisputeID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentMethodID = f.optionalID("payment_method_id", as: PaymentMethodID.self)
        amount = f.money("amount", doc: "What is disputed")
        reason = f.string("reason", doc: "Why, in the networks' common words")
        isInquiry = f.bool("is_inquiry", doc: "The bank only asks: no money has moved")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        subscriptionID = f.optionalID("subscription_id", as: SubscriptionID.self)
        provider = f.string("provider", doc: "Who was charged through")
        evidenceDueBy = f.optionalInstant("evidence_due_by", doc: "When evidence must be in")
        openedAt = f.instant("opened_at", doc: "By the provider's clock")
        disputedAt = f.instant("disputed_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("dispute_id", disputeID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("payment_method_id", paymentMethodID?.rawValue)
        o.money("amount", amount)
        o.field("reason", reason)
        o.field("is_inquiry", isInquiry)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("subscription_id", subscriptionID?.rawValue)
        o.field("provider", provider)
        o.field("evidence_due_by", evidenceDueBy?.rfc3339)
        o.field("opened_at", openedAt.rfc3339)
        o.field("disputed_at", disputedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            disputeID: .sample, paymentID: .sample, customerID: .sample, paymentMethodID: .sample,
            amount: Money(minor: 999, currency: .usd), reason: "fraudulent", isInquiry: false, invoiceID: .sample,
            subscriptionID: .sample, provider: "sandbox", evidenceDueBy: .sample, openedAt: .sample, disputedAt: .sample
        )
    }
}

/// A dispute is over. It is told again when an appeal turns it, or when its amount changes after all.
public struct PaymentDisputeClosedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.dispute_closed.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The dispute.
    public let disputeID: DisputeID
    /// The payment.
    public let paymentID: PaymentID
    /// The customer.
    public let customerID: CustomerID
    /// The method that was charged.
    public let paymentMethodID: PaymentMethodID?
    /// What is disputed.
    public let amount: Money
    /// Why, in the networks' common words.
    public let reason: String
    /// won, lost, or closed for an inquiry that took no money.
    public let outcome: String
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// The subscription, when there is one.
    public let subscriptionID: SubscriptionID?
    /// Business time.
    public let closedAt: Instant

    /// The whole fact.
    public init(
        disputeID: DisputeID, paymentID: PaymentID, customerID: CustomerID, paymentMethodID: PaymentMethodID?,
        amount: Money, reason: String, outcome: String, invoiceID: InvoiceID?, subscriptionID: SubscriptionID?,
        closedAt: Instant
    ) {
        self.disputeID = disputeID
        self.paymentID = paymentID
        self.customerID = customerID
        self.paymentMethodID = paymentMethodID
        self.amount = amount
        self.reason = reason
        self.outcome = outcome
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
        self.closedAt = closedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        disputeID = f.id("dispute_id", as: DisputeID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentMethodID = f.optionalID("payment_method_id", as: PaymentMethodID.self)
        amount = f.money("amount", doc: "What is disputed")
        reason = f.string("reason", doc: "Why, in the networks' common words")
        outcome = f.string("outcome", doc: "won, lost, or closed for an inquiry that took no money")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        subscriptionID = f.optionalID("subscription_id", as: SubscriptionID.self)
        closedAt = f.instant("closed_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("dispute_id", disputeID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("payment_method_id", paymentMethodID?.rawValue)
        o.money("amount", amount)
        o.field("reason", reason)
        o.field("outcome", outcome)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("subscription_id", subscriptionID?.rawValue)
        o.field("closed_at", closedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            disputeID: .sample, paymentID: .sample, customerID: .sample, paymentMethodID: .sample,
            amount: Money(minor: 999, currency: .usd), reason: "fraudulent", outcome: "lost", invoiceID: .sample,
            subscriptionID: .sample, closedAt: .sample)
    }
}
