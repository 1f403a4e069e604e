public import BillingCore
public import JSON

/// A payment attempt is to be assessed by Fraud before the provider is asked.
public struct PaymentCreatedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.created.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The payment.
    public let paymentID: PaymentID
    /// The attempt.
    public let attemptID: AttemptID
    /// Number of the attempt, from 1.
    public let attempt: Int64
    /// The customer.
    public let customerID: CustomerID
    /// The payment method.
    public let paymentMethodID: PaymentMethodID
    /// Card fingerprint.
    public let fingerprint: String
    /// Amount.
    public let amount: Money
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// The subscription, when there is one.
    public let subscriptionID: SubscriptionID?
    /// Without the customer present.
    public let offSession: Bool
    /// Whether something the customer has just done brought it about, such as a sign-up or a new card: one off session is
    /// nobody's but the schedule's only where this is not so. `nil` where nobody has said.
    public let customerStarted: Bool?
    /// Business time.
    public let createdAt: Instant

    /// The whole fact.
    public init(
        paymentID: PaymentID, attemptID: AttemptID, attempt: Int64, customerID: CustomerID,
        paymentMethodID: PaymentMethodID, fingerprint: String, amount: Money, invoiceID: InvoiceID?,
        subscriptionID: SubscriptionID?, offSession: Bool, customerStarted: Bool? = nil, createdAt: Instant
    ) {
        self.paymentID = paymentID
        self.attemptID = attemptID
        self.attempt = attempt
        self.customerID = customerID
        self.paymentMethodID = paymentMethodID
        self.fingerprint = fingerprint
        self.amount = amount
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
        self.offSession = offSession
        self.customerStarted = customerStarted
        self.createdAt = createdAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        paymentID = f.id("payment_id", as: PaymentID.self)
        attemptID = f.id("attempt_id", as: AttemptID.self)
        attempt = f.int("attempt", doc: "Number of the attempt, from 1")
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentMethodID = f.id("payment_method_id", as: PaymentMethodID.self)
        fingerprint = f.string("fingerprint", doc: "Card fingerprint")
        amount = f.money("amount", doc: "Amount")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        subscriptionID = f.optionalID("subscription_id", as: SubscriptionID.self)
        offSession = f.bool("off_session", doc: "Without the customer present")
        customerStarted = f.optionalBool(
            "customer_started", doc: "Whether something the customer has just done brought it about")
        createdAt = f.instant("created_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("payment_id", paymentID.rawValue)
        o.field("attempt_id", attemptID.rawValue)
        o.field("attempt", attempt)
        o.field("customer_id", customerID.rawValue)
        o.field("payment_method_id", paymentMethodID.rawValue)
        o.field("fingerprint", fingerprint)
        o.money("amount", amount)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("subscription_id", subscriptionID?.rawValue)
        o.field("off_session", offSession)
        o.field("customer_started", customerStarted)
        o.field("created_at", createdAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            paymentID: .sample, attemptID: .sample, attempt: 1, customerID: .sample, paymentMethodID: .sample,
            fingerprint: "5f2a8c", amount: Money(minor: 999, currency: .usd), invoiceID: .sample,
            subscriptionID: .sample, offSession: true, customerStarted: false, createdAt: .sample)
    }
}

/// The customer has to authenticate before the payment can go on.
public struct PaymentRequiresActionV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.requires_action.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The payment.
    public let paymentID: PaymentID
    /// Number of the attempt.
    public let attempt: Int64
    /// The customer.
    public let customerID: CustomerID
    /// Amount.
    public let amount: Money
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// The subscription, when there is one.
    public let subscriptionID: SubscriptionID?

    /// The whole fact.
    public init(
        paymentID: PaymentID, attempt: Int64, customerID: CustomerID, amount: Money, invoiceID: InvoiceID?,
        subscriptionID: SubscriptionID?
    ) {
        self.paymentID = paymentID
        self.attempt = attempt
        self.customerID = customerID
        self.amount = amount
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        paymentID = f.id("payment_id", as: PaymentID.self)
        attempt = f.int("attempt", doc: "Number of the attempt")
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "Amount")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        subscriptionID = f.optionalID("subscription_id", as: SubscriptionID.self)
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("payment_id", paymentID.rawValue)
        o.field("attempt", attempt)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("subscription_id", subscriptionID?.rawValue)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            paymentID: .sample, attempt: 1, customerID: .sample, amount: Money(minor: 999, currency: .usd),
            invoiceID: .sample, subscriptionID: .sample)
    }
}

/// Money was captured and is booked.
public struct PaymentSucceededV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.succeeded.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The payment.
    public let paymentID: PaymentID
    /// Number of the attempt.
    public let attempt: Int64
    /// The customer.
    public let customerID: CustomerID
    /// The payment method.
    public let paymentMethodID: PaymentMethodID
    /// Amount.
    public let amount: Money
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// The subscription, when there is one.
    public let subscriptionID: SubscriptionID?
    /// Provider that took it.
    public let provider: String
    /// Business time.
    public let succeededAt: Instant

    /// The whole fact.
    public init(
        paymentID: PaymentID, attempt: Int64, customerID: CustomerID, paymentMethodID: PaymentMethodID, amount: Money,
        invoiceID: InvoiceID?, subscriptionID: SubscriptionID?, provider: String, succeededAt: Instant
    ) {
        self.paymentID = paymentID
        self.attempt = attempt
        self.customerID = customerID
        self.paymentMethodID = paymentMethodID
        self.amount = amount
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
        self.provider = provider
        self.succeededAt = succeededAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        paymentID = f.id("payment_id", as: PaymentID.self)
        attempt = f.int("attempt", doc: "Number of the attempt")
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentMethodID = f.id("payment_method_id", as: PaymentMethodID.self)
        amount = f.money("amount", doc: "Amount")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        subscriptionID = f.optionalID("subscription_id", as: SubscriptionID.self)
        provider = f.string("provider", doc: "Provider that took it")
        succeededAt = f.instant("succeeded_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("payment_id", paymentID.rawValue)
        o.field("attempt", attempt)
        o.field("customer_id", customerID.rawValue)
        o.field("payment_method_id", paymentMethodID.rawValue)
        o.money("amount", amount)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("subscription_id", subscriptionID?.rawValue)
        o.field("provider", provider)
        o.field("succeeded_at", succeededAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            paymentID: .sample, attempt: 1, customerID: .sample, paymentMethodID: .sample,
            amount: Money(minor: 999, currency: .usd), invoiceID: .sample, subscriptionID: .sample, provider: "sandbox",
            succeededAt: .sample)
    }
}

/// One attempt failed; the payment can be attempted again.
public struct PaymentFailedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.failed.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The payment.
    public let paymentID: PaymentID
    /// Number of the attempt.
    public let attempt: Int64
    /// The customer.
    public let customerID: CustomerID
    /// Amount.
    public let amount: Money
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// The subscription, when there is one.
    public let subscriptionID: SubscriptionID?
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
        paymentID: PaymentID, attempt: Int64, customerID: CustomerID, amount: Money, invoiceID: InvoiceID?,
        subscriptionID: SubscriptionID?, declineCode: String, declineClass: String,
        paymentMethodID: PaymentMethodID? = nil, retryAt: Instant? = nil, failedAt: Instant
    ) {
        self.paymentID = paymentID
        self.attempt = attempt
        self.customerID = customerID
        self.amount = amount
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
        self.declineCode = declineCode
        self.declineClass = declineClass
        self.paymentMethodID = paymentMethodID
        self.retryAt = retryAt
        self.failedAt = failedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        paymentID = f.id("payment_id", as: PaymentID.self)
        attempt = f.int("attempt", doc: "Number of the attempt")
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "Amount")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        subscriptionID = f.optionalID("subscription_id", as: SubscriptionID.self)
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
        o.field("payment_id", paymentID.rawValue)
        o.field("attempt", attempt)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("subscription_id", subscriptionID?.rawValue)
        o.field("decline_code", declineCode)
        o.field("decline_class", declineClass)
        o.field("payment_method_id", paymentMethodID?.rawValue)
        o.field("retry_at", retryAt?.rfc3339)
        o.field("failed_at", failedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            paymentID: .sample, attempt: 1, customerID: .sample, amount: Money(minor: 999, currency: .usd),
            invoiceID: .sample, subscriptionID: .sample, declineCode: "insufficient_funds", declineClass: "soft",
            paymentMethodID: .sample, retryAt: .sample, failedAt: .sample)
    }
}

/// A payment ended without money moving and will not be attempted again.
public struct PaymentCanceledV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.canceled.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The payment.
    public let paymentID: PaymentID
    /// The customer.
    public let customerID: CustomerID
    /// Amount.
    public let amount: Money
    /// The invoice, when there is one.
    public let invoiceID: InvoiceID?
    /// The subscription, when there is one.
    public let subscriptionID: SubscriptionID?
    /// Why, from a fixed set.
    public let reason: String

    /// The whole fact.
    public init(
        paymentID: PaymentID, customerID: CustomerID, amount: Money, invoiceID: InvoiceID?,
        subscriptionID: SubscriptionID?, reason: String
    ) {
        self.paymentID = paymentID
        self.customerID = customerID
        self.amount = amount
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
        self.reason = reason
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        paymentID = f.id("payment_id", as: PaymentID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "Amount")
        invoiceID = f.optionalID("invoice_id", as: InvoiceID.self)
        subscriptionID = f.optionalID("subscription_id", as: SubscriptionID.self)
        reason = f.string("reason", doc: "Why, from a fixed set")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("payment_id", paymentID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("invoice_id", invoiceID?.rawValue)
        o.field("subscription_id", subscriptionID?.rawValue)
        o.field("reason", reason)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            paymentID: .sample, customerID: .sample, amount: Money(minor: 999, currency: .usd), invoiceID: .sample,
            subscriptionID: .sample, reason: "cycle")
    }
}
