public import BillingCore

/// What is done with a payment when Fraud has not answered in time.
public enum FraudFallback: String, Sendable, CaseIterable {
    /// Goes by what the amount alone scores (``AmountRule``), as Fraud itself does where it cannot count attempts.
    case rules
    /// Goes on; the record says that only the fallback looked at it.
    case approve
    /// Is held for review where its money can be held, and goes on marked where it cannot, or nobody is behind it.
    case review
    /// Fails.
    case block
}

/// Fraud's word on one attempt, or the fallback's.
public struct RiskVerdict: Sendable, Hashable {
    /// What to do.
    public enum Decision: String, Sendable, CaseIterable {
        case approve, review, block
    }

    /// Four decimals; `nil` from the fallback, but for ``FraudFallback/rules``.
    public let score: String?
    /// What is done.
    public let decision: Decision
    /// The rules that spoke.
    public let reasons: [String]
    /// Its `review` is a mark: nothing is held for it. Only of a verdict without a score.
    public let onlyMarks: Bool

    /// A verdict of Fraud's.
    public init(score: String?, decision: Decision, reasons: [String], onlyMarks: Bool = false) {
        self.score = score
        self.decision = decision
        self.reasons = reasons
        self.onlyMarks = onlyMarks
    }

    /// The verdict when Fraud stayed silent.
    /// - Parameters:
    ///   - amount: What the attempt is to take.
    ///   - isUnattended: Nobody is behind it: the customer is not there and has not just brought it about.
    ///     ``FraudFallback/review`` only marks it: a run of renewals is more than people can look at before holds lapse.
    public static func fallback(_ policy: FraudFallback, of amount: Money, isUnattended: Bool) -> RiskVerdict {
        switch policy {
        case .rules: byAmount(amount)
        case .approve: RiskVerdict(score: nil, decision: .approve, reasons: [silent])
        case .review: RiskVerdict(score: nil, decision: .review, reasons: [silent], onlyMarks: isUnattended)
        case .block: RiskVerdict(score: nil, decision: .block, reasons: [silent])
        }
    }

    private static let silent = "fraud_silent"
    /// Where Fraud's own band of what a person looks at begins; an amount alone never comes to the next decision.
    private static let reviewedFrom = RiskScore(clamping: 5_000)

    /// What Fraud says where it cannot count, in the same words, and that it was not Fraud who said it.
    private static func byAmount(_ amount: Money) -> RiskVerdict {
        let score: RiskScore = AmountRule.score(amount)
        let spoken: [String] = score >= AmountRule.speaksFrom ? ["amount_high"] : []
        return RiskVerdict(
            score: score.description, decision: score >= reviewedFrom ? .review : .approve,
            reasons: [silent] + spoken + ["velocity_unavailable"])
    }
}
