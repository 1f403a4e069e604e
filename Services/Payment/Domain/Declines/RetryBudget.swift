public import BillingCore

/// How often a network lets a merchant try one card. Trying more costs fees per attempt.
public struct RetryBudget: Sendable, Hashable {
    /// One limit: so many failed attempts within a span that slides.
    public struct Limit: Sendable, Hashable {
        /// How many attempts fit in.
        public let attempts: Int
        /// How far back attempts count; one exactly that old no longer does.
        public let window: Duration
        /// Whether only attempts over the same amount count.
        public let sameAmountOnly: Bool

        /// Makes a limit of at least one attempt.
        public init(attempts: Int, within window: Duration, sameAmountOnly: Bool) {
            self.attempts = max(1, attempts)
            self.window = window
            self.sameAmountOnly = sameAmountOnly
        }
    }

    /// All of these hold.
    public let limits: [Limit]
    /// Response codes after which the card is never tried again.
    public let finalCodes: Set<String>

    /// Makes a budget of a network's numbers.
    public init(limits: [Limit], finalCodes: Set<String>) {
        self.limits = limits
        self.finalCodes = finalCodes
    }

    /// Visa: 15 attempts in 30 days with one card and amount, none after a code of category 1.
    ///
    /// Source: Visa's decline category rules as Worldpay, Forte and Checkout.com publish them. From 19 May 2025
    /// Checkout.com and TabaPay name 20 attempts; the lower number costs nothing. Code 14 is of category 1 or 3
    /// depending on the list; the stricter reading holds.
    public static let visa = RetryBudget(
        limits: [Limit(attempts: 15, within: .seconds(30 * 86_400), sameAmountOnly: true)],
        finalCodes: ["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"])

    /// Mastercard: 10 attempts in 24 hours and 35 in 30 days with one card, none after advice codes that forbid it.
    ///
    /// Source: Mastercard's transaction processing excellence program as Checkout.com publishes it. The final codes are
    /// the cards to be kept.
    public static let mastercard = RetryBudget(
        limits: [
            Limit(attempts: 10, within: .seconds(86_400), sameAmountOnly: false),
            Limit(attempts: 35, within: .seconds(30 * 86_400), sameAmountOnly: false),
        ],
        finalCodes: ["04", "41", "43"])

    /// Other networks publish no number: Visa's limit, and cards to be kept are never tried again.
    public static let other = RetryBudget(
        limits: [Limit(attempts: 15, within: .seconds(30 * 86_400), sameAmountOnly: true)],
        finalCodes: ["04", "07", "41", "43"])

    /// The budget of a brand, by the names of ``CardNumber/brand``.
    public static func of(brand: String) -> RetryBudget {
        switch brand {
        case "visa": .visa
        case "mastercard", "maestro": .mastercard
        default: .other
        }
    }
}

/// One attempt at a card, as far as retry budgets look at it.
public struct CardAttempt: Sendable, Hashable {
    /// How it ended.
    public enum Outcome: Sendable, Hashable {
        /// The bank said yes.
        case approved
        /// The bank said no: the network's response code and the network's advice where the provider passes them on, and what
        /// it was read as, where that is known: some providers tell in words of their own what forbids another attempt.
        case declined(networkCode: String?, advice: MerchantAdviceCode?, decline: Decline? = nil)
        /// Not known yet; it counts like a decline.
        case unknown
    }

    /// When it was sent.
    public let at: Instant
    /// How much was asked for.
    public let amount: Money
    /// How it ended.
    public let outcome: Outcome

    /// Makes an attempt.
    public init(at: Instant, amount: Money, outcome: Outcome) {
        self.at = at
        self.amount = amount
        self.outcome = outcome
    }
}

/// Whether a card may be tried now.
public enum RetryPermission: Sendable, Hashable {
    /// Why not.
    public enum Refusal: Sendable, Hashable {
        /// A limit is used up.
        case limit(RetryBudget.Limit)
        /// The network's response code forbids it.
        case code(String)
        /// The network's advice asks for patience, other details, or an end.
        case advice(MerchantAdviceCode)
        /// What the provider said forbids it, whatever code came with it.
        case decline(Decline)
    }

    /// Yes; so many attempts are left, this one included, by the tightest limit.
    case allowed(left: Int)
    /// Not before this instant.
    case refused(until: Instant, Refusal)
    /// Never with these card details.
    case refusedForGood(Refusal)
}

extension RetryBudget {
    /// Whether a card may be tried now.
    ///
    /// An approval clears what was before it: the count of failed attempts, as the networks count what follows one decline,
    /// and codes, advice and reasons on the card, which the bank has disproved by saying yes since. It clears no order of the
    /// cardholder's to stop: who buys once more has not agreed to be charged again.
    /// - Parameters:
    ///   - amount: What would be asked for.
    ///   - now: The instant of the attempt.
    ///   - past: The card's attempts at this merchant, in any order: those of the last 30 days, and every one that
    ///     ended with a final code, advice or reason.
    public func permission(for amount: Money, at now: Instant, after past: [CardAttempt]) -> RetryPermission {
        var latest: (until: Instant, refusal: RetryPermission.Refusal)?
        let approved: Instant? = past.filter { $0.outcome == .approved }.map(\.at).max()
        for attempt in past {
            guard case .declined(let code, let advice, let decline) = attempt.outcome else { continue }
            let isCleared: Bool = approved.map { attempt.at <= $0 } ?? false
            if let code, finalCodes.contains(code), !isCleared || Self.stopOrders.contains(code) {
                return .refusedForGood(.code(code))
            }
            if let decline, Self.isFinal(decline, isCleared: isCleared) { return .refusedForGood(.decline(decline)) }
            guard let advice, let rule = advice.retry, !isCleared || advice == .paymentCancellation else { continue }
            switch rule {
            case .never, .onceCorrected: return .refusedForGood(.advice(advice))
            case .after(let wait):
                let until: Instant = attempt.at.adding(wait)
                if until > now, until > (latest?.until ?? now) { latest = (until, .advice(advice)) }
            }
        }
        var left = Int.max
        for limit in limits {
            let failed: [Instant] = Self.failures(past, over: limit.sameAmountOnly ? amount : nil)
                .filter { $0 > now - limit.window }
            guard failed.count >= limit.attempts else {
                left = min(left, limit.attempts - failed.count)
                continue
            }
            let until: Instant = failed[failed.count - limit.attempts].adding(limit.window)
            if until > (latest?.until ?? now) { latest = (until, .limit(limit)) }
        }
        guard let latest else { return .allowed(left: left) }
        return .refused(until: latest.until, latest.refusal)
    }

    /// The cardholder has the bank stop a charge, those of one agreement, or all of the merchant's.
    private static let stopOrders: Set<String> = ["R0", "R1", "R3"]

    /// Reasons after which no card is tried again, whatever its network, told by any code or by none: it is to be kept, its
    /// account is closed, or the network wants no other attempt.
    private static let finalDeclines: Set<String> = [
        "account_closed", "do_not_try_again", "lost_card", "pickup_card", "stolen_card",
    ]

    private static func isFinal(_ decline: Decline, isCleared: Bool) -> Bool {
        StopOrder.declines.contains(decline.code) || (!isCleared && finalDeclines.contains(decline.code))
    }

    /// When attempts failed since the last approval, oldest first.
    private static func failures(_ past: [CardAttempt], over amount: Money?) -> [Instant] {
        let counted: [CardAttempt] = past.filter { amount == nil || $0.amount == amount }
        let approved: Instant? = counted.filter { $0.outcome == .approved }.map(\.at).max()
        let failed: [Instant] = counted.filter { $0.outcome != .approved }.map(\.at).sorted()
        guard let approved else { return failed }
        return failed.filter { $0 > approved }
    }
}
