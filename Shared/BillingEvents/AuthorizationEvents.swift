public import BillingCore
public import JSON

/// The provider holds the money; it is captured or released later.
public struct PaymentAuthorizedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.authorized.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The payment.
    public let paymentID: PaymentID
    /// Number of the attempt.
    public let attempt: Int64
    /// The customer.
    public let customerID: CustomerID
    /// Amount held.
    public let amount: Money
    /// Provider that holds it.
    public let provider: String
    /// When the provider lets go of it, where it tells.
    public let expiresAt: Instant?
    /// Business time.
    public let authorizedAt: Instant

    /// The whole fact.
    public init(
        paymentID: PaymentID, attempt: Int64, customerID: CustomerID, amount: Money, provider: String,
        expiresAt: Instant?, authorizedAt: Instant
    ) {
        self.paymentID = paymentID
        self.attempt = attempt
        self.customerID = customerID
        self.amount = amount
        self.provider = provider
        self.expiresAt = expiresAt
        self.authorizedAt = authorizedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        paymentID = f.id("payment_id", as: PaymentID.self)
        attempt = f.int("attempt", doc: "Number of the attempt")
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "Amount held")
        provider = f.string("provider", doc: "Provider that holds it")
        expiresAt = f.optionalInstant("expires_at", doc: "When the provider lets go of it")
        authorizedAt = f.instant("authorized_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("payment_id", paymentID.rawValue)
        o.field("attempt", attempt)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("provider", provider)
        o.field("expires_at", expiresAt?.rfc3339)
        o.field("authorized_at", authorizedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            paymentID: .sample, attempt: 1, customerID: .sample, amount: Money(minor: 999, currency: .usd),
            provider: "sandbox", expiresAt: .sample, authorizedAt: .sample)
    }
}

/// A part of an authorized payment, or all of it, was taken and is booked.
public struct PaymentCapturedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.captured.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The capture.
    public let captureID: CaptureID
    /// The payment.
    public let paymentID: PaymentID
    /// The customer.
    public let customerID: CustomerID
    /// Captured now.
    public let amount: Money
    /// Captured so far, minor units.
    public let capturedTotal: Int64
    /// Whether nothing more will be captured.
    public let isFinal: Bool
    /// Business time.
    public let capturedAt: Instant

    /// The whole fact.
    public init(
        captureID: CaptureID, paymentID: PaymentID, customerID: CustomerID, amount: Money, capturedTotal: Int64,
        isFinal: Bool, capturedAt: Instant
    ) {
        self.captureID = captureID
        self.paymentID = paymentID
        self.customerID = customerID
        self.amount = amount
        self.capturedTotal = capturedTotal
        self.isFinal = isFinal
        self.capturedAt = capturedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        captureID = f.id("capture_id", as: CaptureID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "Captured now")
        capturedTotal = f.int("captured_total", doc: "Captured so far, minor units")
        isFinal = f.bool("final", doc: "Whether nothing more will be captured")
        capturedAt = f.instant("captured_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("capture_id", captureID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("captured_total", capturedTotal)
        o.field("final", isFinal)
        o.field("captured_at", capturedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            captureID: .sample, paymentID: .sample, customerID: .sample, amount: Money(minor: 999, currency: .usd),
            capturedTotal: 999, isFinal: true, capturedAt: .sample)
    }
}
