public import BillingCore
public import JSON

/// A period or a change is due: priced lines for Invoice to turn into one invoice.
public struct SubscriptionBilledV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "subscription.billed.v1"
    /// Where it is published.
    public static let topic = Topic.subscriptions

    /// The billing.
    public let billingID: BillingID
    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// signup, cycle, trial_end or upgrade.
    public let reason: String
    /// Sum of the lines.
    public let amount: Money
    /// Priced lines.
    public let lines: [BilledLineV1]
    /// Start of the period billed.
    public let periodStart: Instant
    /// End of the period billed.
    public let periodEnd: Instant
    /// Business time.
    public let billedAt: Instant

    /// The whole fact.
    public init(
        billingID: BillingID, subscriptionID: SubscriptionID, customerID: CustomerID, reason: String, amount: Money,
        lines: [BilledLineV1], periodStart: Instant, periodEnd: Instant, billedAt: Instant
    ) {
        self.billingID = billingID
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.reason = reason
        self.amount = amount
        self.lines = lines
        self.periodStart = periodStart
        self.periodEnd = periodEnd
        self.billedAt = billedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        billingID = f.id("billing_id", as: BillingID.self)
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        reason = f.string("reason", doc: "signup, cycle, trial_end or upgrade")
        amount = f.money("amount", doc: "Sum of the lines")
        lines = f.list("lines", of: BilledLineV1.self, count: 0...1000, doc: "Priced lines")
        periodStart = f.instant("period_start", doc: "Start of the period billed")
        periodEnd = f.instant("period_end", doc: "End of the period billed")
        billedAt = f.instant("billed_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("billing_id", billingID.rawValue)
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("reason", reason)
        o.money("amount", amount)
        o.field("lines", lines)
        o.field("period_start", periodStart.rfc3339)
        o.field("period_end", periodEnd.rfc3339)
        o.field("billed_at", billedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            billingID: .sample, subscriptionID: .sample, customerID: .sample, reason: "cycle",
            amount: Money(minor: 999, currency: .usd), lines: [.sample], periodStart: .sample, periodEnd: .sample,
            billedAt: .sample)
    }
}

/// An unpaid invoice is to be collected again.
public struct SubscriptionCollectionDueV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "subscription.collection_due.v1"
    /// Where it is published.
    public static let topic = Topic.subscriptions

    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// The billing.
    public let billingID: BillingID
    /// The invoice.
    public let invoiceID: InvoiceID
    /// Number of the attempt, from 2.
    public let attempt: Int64
    /// retry or new_payment_method.
    public let reason: String

    /// The whole fact.
    public init(
        subscriptionID: SubscriptionID, customerID: CustomerID, billingID: BillingID, invoiceID: InvoiceID,
        attempt: Int64, reason: String
    ) {
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.billingID = billingID
        self.invoiceID = invoiceID
        self.attempt = attempt
        self.reason = reason
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        billingID = f.id("billing_id", as: BillingID.self)
        invoiceID = f.id("invoice_id", as: InvoiceID.self)
        attempt = f.int("attempt", doc: "Number of the attempt, from 2")
        reason = f.string("reason", doc: "retry or new_payment_method")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("billing_id", billingID.rawValue)
        o.field("invoice_id", invoiceID.rawValue)
        o.field("attempt", attempt)
        o.field("reason", reason)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            subscriptionID: .sample, customerID: .sample, billingID: .sample, invoiceID: .sample, attempt: 1,
            reason: "cycle")
    }
}

/// A billing will not be collected any more: its invoice is to be voided.
public struct SubscriptionBillingWithdrawnV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "subscription.billing_withdrawn.v1"
    /// Where it is published.
    public static let topic = Topic.subscriptions

    /// The billing.
    public let billingID: BillingID
    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// Why, from a fixed set.
    public let reason: String

    /// The whole fact.
    public init(
        billingID: BillingID, subscriptionID: SubscriptionID, customerID: CustomerID, reason: String
    ) {
        self.billingID = billingID
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.reason = reason
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        billingID = f.id("billing_id", as: BillingID.self)
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        reason = f.string("reason", doc: "Why, from a fixed set")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("billing_id", billingID.rawValue)
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("reason", reason)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            billingID: .sample, subscriptionID: .sample, customerID: .sample, reason: "cycle")
    }
}

/// An invoice that had been given up was paid when its subscription had ended, or was to end with its period, or before that,
/// and nothing has used the credit that its money became: the money is to be given back.
public struct SubscriptionRefundDueV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "subscription.refund_due.v1"
    /// Where it is published.
    public static let topic = Topic.subscriptions

    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// The billing.
    public let billingID: BillingID
    /// The invoice.
    public let invoiceID: InvoiceID

    /// The whole fact.
    public init(
        subscriptionID: SubscriptionID, customerID: CustomerID, billingID: BillingID, invoiceID: InvoiceID
    ) {
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.billingID = billingID
        self.invoiceID = invoiceID
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        billingID = f.id("billing_id", as: BillingID.self)
        invoiceID = f.id("invoice_id", as: InvoiceID.self)
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("billing_id", billingID.rawValue)
        o.field("invoice_id", invoiceID.rawValue)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(subscriptionID: .sample, customerID: .sample, billingID: .sample, invoiceID: .sample)
    }
}

/// One priced line of a billing.
public struct BilledLineV1: JSONInput, JSONOutput, Equatable {
    /// What it is, for people.
    public let description: String
    /// How many.
    public let quantity: Int64
    /// Price of one, minor units of the billing's currency.
    public let unitAmount: Int64
    /// Price of the line, minor units; negative for a credit.
    public let amount: Int64
    /// Start of the time paid for.
    public let periodStart: Instant
    /// End of the time paid for.
    public let periodEnd: Instant
    /// Whether it is a part of a period.
    public let proration: Bool

    /// The whole line.
    public init(
        description: String, quantity: Int64, unitAmount: Int64, amount: Int64, periodStart: Instant,
        periodEnd: Instant, proration: Bool
    ) {
        self.description = description
        self.quantity = quantity
        self.unitAmount = unitAmount
        self.amount = amount
        self.periodStart = periodStart
        self.periodEnd = periodEnd
        self.proration = proration
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        description = f.string("description", doc: "What it is for")
        quantity = f.int("quantity", doc: "How many")
        unitAmount = f.int("unit_amount", doc: "Price of one, minor units")
        amount = f.int("amount", doc: "Price of the line, minor units; negative for a credit")
        periodStart = f.instant("period_start", doc: "Start of the time paid for")
        periodEnd = f.instant("period_end", doc: "End of the time paid for")
        proration = f.bool("proration", doc: "Whether it is a part of a period")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("description", description)
        o.field("quantity", quantity)
        o.field("unit_amount", unitAmount)
        o.field("amount", amount)
        o.field("period_start", periodStart.rfc3339)
        o.field("period_end", periodEnd.rfc3339)
        o.field("proration", proration)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            description: "Premium", quantity: 1, unitAmount: 999, amount: 999, periodStart: .sample, periodEnd: .sample,
            proration: false)
    }
}
