public import BillingCore
public import JSON

/// A person has looked at an attempt that Fraud had sent to review.
public struct PaymentReviewedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment.reviewed.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The payment.
    public let paymentID: PaymentID
    /// The attempt that was assessed.
    public let attemptID: AttemptID
    /// The customer.
    public let customerID: CustomerID
    /// What they decided: `approved` or `declined`.
    public let outcome: String
    /// Business time.
    public let reviewedAt: Instant

    /// The whole fact.
    public init(
        paymentID: PaymentID, attemptID: AttemptID, customerID: CustomerID, outcome: String, reviewedAt: Instant
    ) {
        self.paymentID = paymentID
        self.attemptID = attemptID
        self.customerID = customerID
        self.outcome = outcome
        self.reviewedAt = reviewedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        paymentID = f.id("payment_id", as: PaymentID.self)
        attemptID = f.id("attempt_id", as: AttemptID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        outcome = f.string("outcome", doc: "approved or declined")
        reviewedAt = f.instant("reviewed_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("payment_id", paymentID.rawValue)
        o.field("attempt_id", attemptID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("outcome", outcome)
        o.field("reviewed_at", reviewedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            paymentID: .sample, attemptID: .sample, customerID: .sample, outcome: "approved", reviewedAt: .sample)
    }
}
