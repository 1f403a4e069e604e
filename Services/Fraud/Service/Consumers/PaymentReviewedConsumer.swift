import BillingCore
package import BillingEvents
package import Logging
package import Messaging
package import Postgres

/// Keeps what people decided beside the assessment that had them look.
package struct PaymentReviewedConsumer: Sendable {
    private let logger: Logger

    /// - Parameter logger: Gets one line for each decision.
    package init(logger: Logger) { self.logger = logger }

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(PaymentReviewedV1.self) { events, db, _ in for event in events { try handle(event.body, in: db) } }
    }

    /// Stores a decision once; a payment that was held without an assessment has nothing to keep it beside.
    /// - Throws: `Refusal.park` for an outcome that there is not.
    package func handle(_ reviewed: PaymentReviewedV1, in db: borrowing PostgresTransaction) throws {
        guard let outcome = AssessmentReview.Outcome(rawValue: reviewed.outcome) else {
            throw Refusal.park(reason: "payment \(reviewed.paymentID): unknown outcome \(reviewed.outcome.prefix(40))")
        }
        let review = AssessmentReview(outcome: outcome, reviewedAt: reviewed.reviewedAt)
        let isKept: Bool = try AssessmentStore.note(
            review, of: reviewed.paymentID, attempt: reviewed.attemptID, in: db)
        logger.info(
            "a review is decided",
            metadata: [
                "payment": "\(reviewed.paymentID)", "outcome": "\(outcome.rawValue)", "assessed": "\(isKept)",
            ])
    }
}
