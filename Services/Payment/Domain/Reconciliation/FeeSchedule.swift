public import BillingCore

/// What providers should keep of a charge, by contract: a share of it and a fixed part, by provider and payment method.
public struct FeeSchedule: Sendable, Equatable {
    /// The fee of one provider for one method.
    public struct Rate: Sendable, Equatable {
        /// Hundredths of a percent of the charge, rounded half up.
        public var basisPoints: Int64
        /// Minor units of each charge, by currency. Where one is fixed, other currencies are not checked.
        public var fixed: [Currency: Int64]
        /// Minor units by which a fee may differ.
        public var tolerance: Int64

        /// A fee.
        public init(basisPoints: Int64 = 0, fixed: [Currency: Int64] = [:], tolerance: Int64 = 1) {
            self.basisPoints = basisPoints
            self.fixed = fixed
            self.tolerance = tolerance
        }
    }

    /// The method under which a fee for all others is given.
    public static let anyMethod = "any"

    /// By provider, then by method.
    public let rates: [String: [String: Rate]]

    /// A schedule; a provider without one is not checked.
    public init(_ rates: [String: [String: Rate]] = [:]) { self.rates = rates }

    /// How much less than expected a provider kept (negative: how much more); `nil` when it is within the tolerance, and
    /// where nothing is agreed on.
    /// - Parameters:
    ///   - fee: What it kept of the charge.
    ///   - gross: The charge, in the same currency.
    public func difference(of fee: Money, from gross: Money, provider: String, method: String?) -> Money? {
        guard fee.currency == gross.currency, let methods = rates[provider],
            let rate = method.flatMap({ methods[$0] }) ?? methods[Self.anyMethod],
            let expected = rate.fee(of: gross)
        else { return nil }
        let (less, overflow) = expected.subtractingReportingOverflow(fee.minor)
        guard !overflow, less.magnitude > rate.tolerance.magnitude else { return nil }
        return Money(minor: less, currency: fee.currency)
    }
}

extension FeeSchedule.Rate {
    /// The fee of a charge; `nil` in a currency for which none is fixed.
    fileprivate func fee(of gross: Money) -> Int64? {
        guard fixed.isEmpty || fixed[gross.currency] != nil else { return nil }
        let share: Int128 = (Int128(gross.minor) * Int128(basisPoints) + 5_000) / 10_000
        return Int64(exactly: share + Int128(fixed[gross.currency] ?? 0))
    }
}
