/// What is done with a payment when Fraud has not answered in time.
public enum FraudFallback: String, Sendable, CaseIterable {
    /// Goes on; the record says that only the fallback looked at it.
    case approve
    /// Goes on and is marked for review.
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

    /// Four decimals; `nil` from the fallback.
    public let score: String?
    /// What is done.
    public let decision: Decision
    /// The rules that spoke.
    public let reasons: [String]

    /// A verdict of Fraud's.
    public init(score: String?, decision: Decision, reasons: [String]) {
        self.score = score
        self.decision = decision
        self.reasons = reasons
    }

    /// The verdict when Fraud stayed silent.
    public static func fallback(_ policy: FraudFallback) -> RiskVerdict {
        let decision: Decision =
            switch policy {
            case .approve: .approve
            case .review: .review
            case .block: .block
            }
        return RiskVerdict(score: nil, decision: decision, reasons: ["fraud_silent"])
    }
}
