public import BillingCore

/// How often a card and a customer were tried up to and with an attempt, by business time.
public struct VelocityCounts: Equatable, Sendable {
    /// Attempts with the card in the last hour.
    public let cardHour: Int
    /// Attempts with the card in the last 24 hours.
    public let cardDay: Int
    /// Attempts of the customer in the last hour.
    public let customerHour: Int
    /// Attempts of the customer in the last 24 hours.
    public let customerDay: Int

    /// All four counts.
    public init(cardHour: Int, cardDay: Int, customerHour: Int, customerDay: Int) {
        self.cardHour = cardHour
        self.cardDay = cardDay
        self.customerHour = customerHour
        self.customerDay = customerDay
    }
}

/// From which rates on attempts are reviewed and blocked.
public struct VelocityLimits: Equatable, Sendable {
    /// Why limits cannot be used.
    public struct Invalid: Error, Equatable, CustomStringConvertible {
        /// What is wrong, for the operator.
        public let description: String
    }

    /// Day limits are the hour limits times this: a person who buys steadily all day is not a burst.
    public static let dayFactor = 10
    /// The highest limit accepted; counting stops there.
    public static let highest = 1_000_000

    /// More attempts than this in an hour are reviewed.
    public let reviewPerHour: Int
    /// More attempts than this in an hour are blocked.
    public let blockPerHour: Int

    /// Takes limits.
    /// - Throws: ``Invalid`` unless 1 ≤ review < block ≤ ``highest``.
    public init(reviewPerHour: Int, blockPerHour: Int) throws(Invalid) {
        guard reviewPerHour >= 1, reviewPerHour < blockPerHour, blockPerHour <= Self.highest else {
            throw Invalid(
                description: "fraud.velocity_review_per_hour (\(reviewPerHour)) must be at least 1 and below "
                    + "fraud.velocity_block_per_hour (\(blockPerHour)), which must be at most \(Self.highest)")
        }
        self.reviewPerHour = reviewPerHour
        self.blockPerHour = blockPerHour
    }
}

/// Scores the rate of attempts.
public struct VelocityRule: Sendable {
    /// The score at the review limit, just before ``overReview``.
    static let atReview = 4_000
    /// The score of the first attempt over the review limit.
    static let overReview = 5_000
    /// The score at the block limit, and the most an attempt that nobody is behind gets from its rate: a run of renewals is
    /// the merchant's doing, a stolen card shows in attempts that a customer makes or brings about.
    static let atBlock = 9_000
    /// The score of every attempt over the block limit.
    static let overBlock = 9_700

    /// The limits it goes by.
    public let limits: VelocityLimits

    /// A rule with limits.
    public init(limits: VelocityLimits) { self.limits = limits }

    /// The score of a card's or a customer's counts: the higher of the hour's and the day's.
    /// - Parameter isUnattended: Whether nobody is behind the attempt; its rate does not block it then.
    public func score(hour: Int, day: Int, isUnattended: Bool) -> RiskScore {
        let byHour = score(hour, review: limits.reviewPerHour, block: limits.blockPerHour)
        let factor = VelocityLimits.dayFactor
        let byDay = score(day, review: limits.reviewPerHour * factor, block: limits.blockPerHour * factor)
        return RiskScore(clamping: min(max(byHour, byDay), isUnattended ? Self.atBlock : 10_000))
    }

    private func score(_ count: Int, review: Int, block: Int) -> Int {
        // The first attempt is no rate yet.
        if count <= 1 { return 0 }
        if count <= review { return Self.atReview * count / review }
        if count > block { return Self.overBlock }
        return Self.overReview + (Self.atBlock - Self.overReview) * (count - review) / (block - review)
    }
}
