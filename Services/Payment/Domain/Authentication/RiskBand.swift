public import BillingCore

/// What a risk score asks for, by the thresholds of the specification.
public enum RiskBand: String, Sendable, CaseIterable {
    /// Below 0.50: nothing.
    case low
    /// From 0.50: a person looks at it, the authorization is held.
    case review
    /// From 0.75: the customer authenticates.
    case stepUp = "step_up"
    /// From 0.95: it does not go on.
    case blocked

    /// The band of a score between 0 and 1.
    public init(score: ExactDecimal) {
        switch score {
        case _ where score >= Self.blockedFrom: self = .blocked
        case _ where score >= Self.stepUpFrom: self = .stepUp
        case _ where score >= Self.reviewFrom: self = .review
        default: self = .low
        }
    }

    private static let blockedFrom: ExactDecimal = hundredths(95)
    private static let stepUpFrom: ExactDecimal = hundredths(75)
    private static let reviewFrom: ExactDecimal = hundredths(50)

    private static func hundredths(_ value: Int128) -> ExactDecimal {
        do throws(MoneyError) {
            return try ExactDecimal(coefficient: value, scale: 2)
        } catch {
            preconditionFailure("two decimals fit")
        }
    }
}
