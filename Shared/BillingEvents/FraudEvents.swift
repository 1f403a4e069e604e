public import BillingCore
public import JSON

/// A payment attempt was scored.
public struct FraudAssessedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "fraud.assessed.v1"
    /// Where it is published.
    public static let topic = Topic.fraud

    /// The assessment.
    public let assessmentID: AssessmentID
    /// The payment.
    public let paymentID: PaymentID
    /// The attempt.
    public let attemptID: AttemptID
    /// Number of the attempt.
    public let attempt: Int64
    /// The customer.
    public let customerID: CustomerID
    /// Four decimals, 0.0000 to 1.0000.
    public let score: String
    /// approve, review or block.
    public let decision: String
    /// Rules that spoke.
    public let reasons: [String]
    /// What scored it.
    public let model: String

    /// The whole fact.
    public init(
        assessmentID: AssessmentID, paymentID: PaymentID, attemptID: AttemptID, attempt: Int64, customerID: CustomerID,
        score: String, decision: String, reasons: [String], model: String
    ) {
        self.assessmentID = assessmentID
        self.paymentID = paymentID
        self.attemptID = attemptID
        self.attempt = attempt
        self.customerID = customerID
        self.score = score
        self.decision = decision
        self.reasons = reasons
        self.model = model
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        assessmentID = f.id("assessment_id", as: AssessmentID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        attemptID = f.id("attempt_id", as: AttemptID.self)
        attempt = f.int("attempt", doc: "Number of the attempt")
        customerID = f.id("customer_id", as: CustomerID.self)
        score = f.string("score", doc: "Four decimals, 0.0000 to 1.0000")
        decision = f.string("decision", doc: "approve, review or block")
        reasons = f.stringList("reasons", doc: "Rules that spoke")
        model = f.string("model", doc: "What scored it")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("assessment_id", assessmentID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.field("attempt_id", attemptID.rawValue)
        o.field("attempt", attempt)
        o.field("customer_id", customerID.rawValue)
        o.field("score", score)
        o.field("decision", decision)
        o.field("reasons", reasons)
        o.field("model", model)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            assessmentID: .sample, paymentID: .sample, attemptID: .sample, attempt: 1, customerID: .sample,
            score: "0.0500", decision: "approve", reasons: ["payments:read"], model: "rules-1")
    }
}
