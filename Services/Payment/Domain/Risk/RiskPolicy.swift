public import BillingCore

/// What is done with an attempt by its risk: the band its score lies in, and Fraud's own decision where that says more than
/// the score can.
public struct RiskPolicy: Sendable, Hashable {
    /// What is done.
    public enum Action: String, Sendable, CaseIterable {
        /// The attempt goes on.
        case approve
        /// The money is authorized and held until a person has decided.
        case holdForReview = "hold_for_review"
        /// The customer has to authenticate first.
        case stepUp = "step_up"
        /// The attempt fails.
        case block
    }

    /// What is done from the step-up threshold on.
    public enum HighRisk: String, Sendable, CaseIterable {
        /// The customer has to authenticate; where nobody is there to, the money is held for review.
        case stepUp = "step_up"
        /// The attempt fails.
        case block
    }

    /// What is done from the review threshold on.
    public enum Review: String, Sendable, CaseIterable {
        /// The money is authorized and held until a person has decided.
        case hold
        /// The attempt goes on and is marked.
        case mark
    }

    /// What is done from the step-up threshold on with what no bank can ask for and whose money cannot be held.
    public enum Unheld: String, Sendable, CaseIterable {
        /// The attempt goes on and is marked.
        case mark
        /// The attempt fails.
        case block
    }

    /// Thresholds that cannot be.
    public struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
        /// What is wrong, for the operator.
        public let description: String
    }

    /// From this score on a person looks.
    public let reviewFrom: ExactDecimal
    /// From this score on the customer authenticates, or the attempt fails.
    public let stepUpFrom: ExactDecimal
    /// From this score on the attempt fails.
    public let blockFrom: ExactDecimal
    /// What is done from ``stepUpFrom`` on.
    public let highRisk: HighRisk
    /// What is done from ``reviewFrom`` on.
    public let review: Review
    /// What is done from ``stepUpFrom`` on where neither the customer nor a person can be asked first.
    public let unheld: Unheld

    /// The thresholds of the specification: 0.50, 0.75, 0.95; step-up, and held reviews.
    public static let standard = RiskPolicy(
        hundredthsReview: 50, stepUp: 75, block: 95, highRisk: .stepUp, review: .hold)

    /// Takes thresholds.
    /// - Throws: ``Invalid`` unless 0 < review ≤ step-up ≤ block ≤ 1.
    public init(
        reviewFrom: ExactDecimal, stepUpFrom: ExactDecimal, blockFrom: ExactDecimal, highRisk: HighRisk, review: Review,
        unheld: Unheld = .mark
    ) throws(Invalid) {
        guard reviewFrom > .zero, reviewFrom <= stepUpFrom, stepUpFrom <= blockFrom, blockFrom <= .one else {
            throw Invalid(
                description: "payment.fraud_thresholds must be review (\(reviewFrom)) ≤ step_up (\(stepUpFrom)) ≤ "
                    + "block (\(blockFrom)), above 0 and at most 1")
        }
        self.reviewFrom = reviewFrom
        self.stepUpFrom = stepUpFrom
        self.blockFrom = blockFrom
        self.highRisk = highRisk
        self.review = review
        self.unheld = unheld
    }

    private init(hundredthsReview: Int64, stepUp: Int64, block: Int64, highRisk: HighRisk, review: Review) {
        func hundredths(_ number: Int64) -> ExactDecimal {
            guard let decimal = ExactDecimal("0.\(number)") else { preconditionFailure("\(number) has two digits") }
            return decimal
        }
        reviewFrom = hundredths(hundredthsReview)
        stepUpFrom = hundredths(stepUp)
        blockFrom = hundredths(block)
        self.highRisk = highRisk
        self.review = review
        unheld = .mark
    }

    /// What is done with an attempt.
    ///
    /// The score decides, by these thresholds. Fraud's decision counts beside it where it is stricter than Fraud's own bands,
    /// which are those of ``standard``, make of the score: then a rule has spoken, and the stricter word holds. Without a
    /// score (the fallback's verdict when Fraud stayed silent) the decision speaks alone. A score that is no number from 0 to 1
    /// says nothing, so a person looks.
    /// - Parameters:
    ///   - verdict: Fraud's word, or the fallback's.
    ///   - offSession: Nobody is there to authenticate: the money is held for review instead.
    ///   - authenticated: The customer has authenticated for this attempt: a step-up is done.
    public func action(for verdict: RiskVerdict, offSession: Bool, authenticated: Bool) -> Action {
        guard let text: String = verdict.score else {
            switch verdict.decision {
            case .approve: return .approve
            case .review: return verdict.onlyMarks || review == .mark ? .approve : .holdForReview
            case .block: return .block
            }
        }
        guard let score = ExactDecimal(text), score >= .zero, score <= .one else {
            return verdict.decision == .block ? .block : .holdForReview
        }
        let isBlockedByRule: Bool = verdict.decision == .block && score < Self.standard.blockFrom
        let isReviewedByRule: Bool = verdict.decision == .review && score < Self.standard.reviewFrom
        if score >= blockFrom || isBlockedByRule { return .block }
        if score >= stepUpFrom {
            switch highRisk {
            case .block: return .block
            case .stepUp where authenticated: return .approve
            case .stepUp: return offSession ? .holdForReview : .stepUp
            }
        }
        guard score >= reviewFrom || isReviewedByRule else { return .approve }
        return review == .hold ? .holdForReview : .approve
    }
}
