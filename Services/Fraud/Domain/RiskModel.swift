public import BillingCore

/// What is known of an attempt when it is scored.
public struct AttemptFeatures: Equatable, Sendable {
    /// What is to be taken.
    public let amount: Money
    /// Whether nobody is behind it: the customer is not present and has not just done what brought it about.
    public let isUnattended: Bool
    /// Rates; `nil` when they could not be had.
    public let velocity: VelocityCounts?

    /// The whole set.
    public init(amount: Money, isUnattended: Bool, velocity: VelocityCounts?) {
        self.amount = amount
        self.isUnattended = isUnattended
        self.velocity = velocity
    }
}

/// What the model says.
public struct RiskVerdict: Equatable, Sendable {
    /// The score.
    public let score: RiskScore
    /// Its band.
    public let level: RiskLevel
    /// The rules that spoke, in the order of ``RiskReason``.
    public let reasons: [RiskReason]

    /// What Payment is told to do.
    public var decision: RiskDecision { level.decision }
}

/// The two rules and how they add up. The same features always give the same verdict.
public struct RiskModel: Sendable {
    /// What verdicts are signed with; a change of rules is a new name.
    public static let name = "rules-3"

    let velocity: VelocityRule

    /// The model with the operator's limits.
    public init(limits: VelocityLimits) { velocity = VelocityRule(limits: limits) }

    /// Scores an attempt. Without velocity the amount alone decides, and the verdict says so.
    public func assess(_ features: AttemptFeatures) -> RiskVerdict {
        var reasons: [RiskReason] = []
        var score = AmountRule.score(features.amount)
        if score >= AmountRule.speaksFrom { reasons.append(.amountHigh) }
        guard let counts = features.velocity else {
            reasons.append(.velocityUnavailable)
            return RiskVerdict(score: score, level: RiskLevel(of: score), reasons: reasons)
        }
        let isUnattended: Bool = features.isUnattended
        let card = velocity.score(hour: counts.cardHour, day: counts.cardDay, isUnattended: isUnattended)
        let customer = velocity.score(hour: counts.customerHour, day: counts.customerDay, isUnattended: isUnattended)
        // A card's attempts are mostly its customer's too: the higher of the two, so that they are not counted twice.
        score = score.combined(with: max(card, customer))
        let review = RiskLevel.elevated.floor
        if card >= review { reasons.append(.cardVelocity) }
        if customer >= review { reasons.append(.customerVelocity) }
        return RiskVerdict(score: score, level: RiskLevel(of: score), reasons: reasons)
    }
}
