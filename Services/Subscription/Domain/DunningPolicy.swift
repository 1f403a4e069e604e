public import BillingCore

/// How a provider's refusal is to be taken. The raw value is its name in events.
public enum DeclineClass: String, CaseIterable, Sendable, Hashable {
    /// May work later: no money, a limit, a network fault, no payment method.
    case soft
    /// Will not work with this payment method: closed, stolen, expired.
    case hard
    /// Refused as fraud.
    case fraud
    /// The customer has to authenticate.
    case action

    /// Whether asking again with the same payment method makes sense.
    public var isRetried: Bool { self == .soft }
}

/// When an unpaid invoice is collected again, and when it is given up. Pure policy: times in, times out.
public struct DunningPolicy: Hashable, Sendable {
    /// Times of the planned attempts after a soft decline, counted from the first failure, growing.
    public let retries: [Duration]
    /// When the subscription ends, counted from the first failure; after the last retry.
    public let givesUpAfter: Duration
    /// How long a sign-up waits for its first payment, and an immediate change of plan for a customer who has to
    /// authenticate.
    public let signupExpiresAfter: Duration

    /// Makes a policy.
    /// - Precondition: Retries grow and end before the policy gives up.
    public init(retries: [Duration], givesUpAfter: Duration, signupExpiresAfter: Duration) {
        precondition(zip(retries, retries.dropFirst()).allSatisfy { $0 < $1 }, "retries must grow")
        precondition(retries.allSatisfy { $0 > .zero && $0 < givesUpAfter }, "retries must end before giving up")
        precondition(signupExpiresAfter > .zero, "a sign-up needs time")
        self.retries = retries
        self.givesUpAfter = givesUpAfter
        self.signupExpiresAfter = signupExpiresAfter
    }

    /// Retries after 1, 3, 5 and 7 days, the end after 14 days, 23 hours for a sign-up.
    public static let standard = DunningPolicy(
        retries: [.seconds(86_400), .seconds(3 * 86_400), .seconds(5 * 86_400), .seconds(7 * 86_400)],
        givesUpAfter: .seconds(14 * 86_400), signupExpiresAfter: .seconds(23 * 3_600))

    /// What follows a failed attempt.
    public enum Step: Hashable, Sendable {
        /// Collect again then.
        case retry(at: Instant)
        /// Only a new payment method leads to another attempt; the end comes then.
        case waitForMethod(endsAt: Instant)
        /// Every planned attempt is used up; the end comes then.
        case exhausted(endsAt: Instant)
    }

    /// Decides what follows an attempt that failed.
    ///
    /// The plan is kept by time and not by counting: attempts that were missed while nothing ran are not made up for in
    /// a burst, and an extra attempt with a new payment method uses up no planned one. Where the provider takes no
    /// attempt before some time, the next one waits for it, be it later than the last that is planned. A time that is
    /// not before the end leaves no attempt.
    /// - Parameters:
    ///   - declineClass: How the attempt failed.
    ///   - firstFailedAt: When the first attempt of this invoice failed.
    ///   - now: When this attempt failed, not before the time it was planned for.
    ///   - notBefore: When the provider takes another attempt; none when it did not say.
    public func step(
        after declineClass: DeclineClass, firstFailedAt: Instant, now: Instant, notBefore: Instant? = nil
    ) -> Step {
        let endsAt: Instant = firstFailedAt.adding(givesUpAfter)
        guard declineClass.isRetried else { return .waitForMethod(endsAt: endsAt) }
        let planned: Instant? = retries.lazy.map { firstFailedAt.adding($0) }.first(where: { $0 > now })
        if let planned, planned >= notBefore ?? planned { return .retry(at: planned) }
        guard let notBefore, notBefore > now, notBefore < endsAt, !retries.isEmpty else {
            return .exhausted(endsAt: endsAt)
        }
        return .retry(at: notBefore)
    }

    /// Whether an attempt at a time comes after the last that is planned.
    func isBeyondPlan(_ time: Instant, firstFailedAt: Instant) -> Bool {
        retries.last.map { time > firstFailedAt.adding($0) } ?? true
    }
}
