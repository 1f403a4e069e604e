public import BillingCore

/// What Payment is told to do.
public enum RiskDecision: String, CaseIterable, Sendable {
    /// Go on.
    case approve
    /// Go on, and let a person look.
    case review
    /// Do not ask the provider.
    case block
}

/// How risky an attempt is: the bands between the thresholds 0.50, 0.75 and 0.95.
public enum RiskLevel: String, CaseIterable, Sendable {
    /// Below 0.50.
    case low
    /// From 0.50.
    case elevated
    /// From 0.75: reviewed before the elevated ones.
    case high
    /// From 0.95.
    case critical

    /// The lowest score of the band.
    public var floor: RiskScore {
        switch self {
        case .low: .none
        case .elevated: RiskScore(clamping: 5_000)
        case .high: RiskScore(clamping: 7_500)
        case .critical: RiskScore(clamping: 9_500)
        }
    }

    /// The band a score lies in.
    public init(of score: RiskScore) {
        self = Self.allCases.last { score >= $0.floor } ?? .low
    }

    /// What follows from the band.
    public var decision: RiskDecision {
        switch self {
        case .low: .approve
        case .elevated, .high: .review
        case .critical: .block
        }
    }
}

/// A rule that spoke, in a fixed set of words.
public enum RiskReason: String, CaseIterable, Sendable {
    /// The amount is unusually high.
    case amountHigh = "amount_high"
    /// The card was tried more often in an hour or a day than people do.
    case cardVelocity = "card_velocity"
    /// The customer tried more often in an hour or a day than people do.
    case customerVelocity = "customer_velocity"
    /// Counts were not to be had: the amount alone decided.
    case velocityUnavailable = "velocity_unavailable"
}
