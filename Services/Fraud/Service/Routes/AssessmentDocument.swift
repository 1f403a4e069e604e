import BillingCore
import FraudDomain
package import JSON

/// The assessment as the API shows it.
package struct AssessmentDocument: JSONOutput {
    let assessment: Assessment

    /// Shows an assessment.
    package init(_ assessment: Assessment) { self.assessment = assessment }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "assessment", doc: "Always `assessment`")
        o.field("id", assessment.id)
        o.field("payment_id", assessment.paymentID)
        o.field("attempt", assessment.attempt, doc: "Number of the attempt, from 1")
        o.field("attempt_id", assessment.attemptID)
        o.field("customer_id", assessment.customerID)
        o.money("amount", assessment.amount, doc: "What was to be taken, minor units")
        o.field("score", assessment.score.description, doc: "Exact decimal with four places, 0.0000 to 1.0000")
        o.field("risk_level", assessment.level, doc: "The score's band: from 0.50 elevated, 0.75 high, 0.95 critical")
        o.field("decision", assessment.decision)
        o.field("reasons", assessment.reasons, doc: "The rules that spoke")
        o.field("velocity", assessment.velocity.map(VelocityDocument.init), doc: "Null when counts were unavailable")
        o.field("model", assessment.model, doc: "What scored it")
        o.field("created_at", assessment.createdAt)
        o.field("review_outcome", assessment.review?.outcome, doc: "What a person decided; null while nobody has")
        o.field("reviewed_at", assessment.review?.reviewedAt)
    }

    package static var sample: Self {
        Self(
            Assessment(
                id: .sample, paymentID: .sample, attempt: 1, attemptID: .sample, customerID: .sample,
                amount: Money(minor: 999, currency: .usd), score: RiskScore(clamping: 200), decision: .approve,
                level: .low, reasons: [],
                velocity: VelocityCounts(cardHour: 1, cardDay: 1, customerHour: 1, customerDay: 1),
                model: RiskModel.name, createdAt: .sample))
    }
}

/// The rates an attempt was scored with.
struct VelocityDocument: JSONOutput {
    let counts: VelocityCounts

    func write(to o: inout ObjectWriter) {
        o.field("card_hour", counts.cardHour, doc: "Attempts with the card in the hour up to this one")
        o.field("card_day", counts.cardDay, doc: "Attempts with the card in the 24 hours up to this one")
        o.field("customer_hour", counts.customerHour, doc: "Attempts of the customer in the hour up to this one")
        o.field("customer_day", counts.customerDay, doc: "Attempts of the customer in the 24 hours up to this one")
    }

    static var sample: Self { Self(counts: VelocityCounts(cardHour: 1, cardDay: 1, customerHour: 1, customerDay: 1)) }
}
