package import BillingCore
import BillingEvents
package import FraudDomain

/// A stored assessment of one attempt.
package struct Assessment: Equatable, Sendable {
    /// Its id.
    package let id: AssessmentID
    /// The payment.
    package let paymentID: PaymentID
    /// Number of the attempt, from 1.
    package let attempt: Int64
    /// The attempt.
    package let attemptID: AttemptID
    /// Who pays.
    package let customerID: CustomerID
    /// What is to be taken.
    package let amount: Money
    /// The score.
    package let score: RiskScore
    /// What Payment was told.
    package let decision: RiskDecision
    /// The score's band.
    package let level: RiskLevel
    /// The rules that spoke.
    package let reasons: [RiskReason]
    /// The rates it was scored with.
    package let velocity: VelocityCounts?
    /// What scored it.
    package let model: String
    /// When.
    package let createdAt: Instant
    /// What a person decided since; `nil` while nobody has.
    package var review: AssessmentReview?

    /// A stored one.
    init(
        id: AssessmentID, paymentID: PaymentID, attempt: Int64, attemptID: AttemptID, customerID: CustomerID,
        amount: Money, score: RiskScore, decision: RiskDecision, level: RiskLevel, reasons: [RiskReason],
        velocity: VelocityCounts?, model: String, createdAt: Instant, review: AssessmentReview? = nil
    ) {
        self.id = id
        self.paymentID = paymentID
        self.attempt = attempt
        self.attemptID = attemptID
        self.customerID = customerID
        self.amount = amount
        self.score = score
        self.decision = decision
        self.level = level
        self.reasons = reasons
        self.velocity = velocity
        self.model = model
        self.createdAt = createdAt
        self.review = review
    }

    /// A new one.
    init(of created: PaymentCreatedV1, _ verdict: RiskVerdict, velocity: VelocityCounts?, at now: Instant) {
        self.init(
            id: AssessmentID.new(at: now), paymentID: created.paymentID, attempt: created.attempt,
            attemptID: created.attemptID, customerID: created.customerID, amount: created.amount, score: verdict.score,
            decision: verdict.decision, level: verdict.level, reasons: verdict.reasons, velocity: velocity,
            model: RiskModel.name, createdAt: now)
    }

    /// The fact as the others learn it.
    var event: FraudAssessedV1 {
        FraudAssessedV1(
            assessmentID: id, paymentID: paymentID, attemptID: attemptID, attempt: attempt, customerID: customerID,
            score: score.description, decision: decision.rawValue, reasons: reasons.map(\.rawValue), model: model)
    }
}
