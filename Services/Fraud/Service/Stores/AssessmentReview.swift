package import BillingCore

/// What a person decided about an attempt that had been sent to review.
package struct AssessmentReview: Equatable, Sendable {
    /// What they can decide.
    package enum Outcome: String, CaseIterable, Sendable { case approved, declined }

    /// What they decided.
    package let outcome: Outcome
    /// When.
    package let reviewedAt: Instant
}
