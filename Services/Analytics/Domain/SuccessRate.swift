/// How many payments succeeded; attempts of one payment are one payment.
public struct SuccessRate: Hashable, Sendable {
    /// Payments of which at least one attempt has ended.
    public let payments: Int64
    /// Of those, the ones whose first attempt succeeded.
    public let succeededAtOnce: Int64
    /// Of those, the ones that succeeded at last.
    public let succeeded: Int64

    /// The counts.
    public init(payments: Int64, succeededAtOnce: Int64, succeeded: Int64) {
        precondition(
            0 <= succeededAtOnce && succeededAtOnce <= succeeded && succeeded <= payments,
            "more payments succeeded than there are")
        self.payments = payments
        self.succeededAtOnce = succeededAtOnce
        self.succeeded = succeeded
    }

    /// Those that have not succeeded, or not yet.
    public var failed: Int64 { payments - succeeded }

    /// Share that succeeded at the first attempt; `nil` without payments.
    public var firstAttempt: String? { Self.share(succeededAtOnce, of: payments) }

    /// Share that succeeded at last; `nil` without payments.
    public var afterRetries: String? { Self.share(succeeded, of: payments) }

    /// A share of a whole as a decimal with four places, rounded half up, such as `0.9667`; `nil` when there is no whole.
    public static func share(_ part: Int64, of whole: Int64) -> String? {
        guard whole > 0, part >= 0 else { return nil }
        let scaled: Int128 = (Int128(part) * 20_000 + Int128(whole)) / (2 * Int128(whole))
        let digits = String(scaled % 10_000)
        return "\(scaled / 10_000)." + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
