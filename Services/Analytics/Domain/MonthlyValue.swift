public import BillingCore

/// What a price is worth per month: the unit in which recurring revenue is counted.
public enum MonthlyValue {
    /// Most intervals one billing period may have.
    public static let maxIntervalCount: Int64 = 100_000

    /// Why a price has no monthly value.
    public enum Failure: Error, Equatable {
        /// The interval count is not within 1…``MonthlyValue/maxIntervalCount``.
        case intervalCount(Int64)
        /// The price is negative.
        case negative
        /// The value does not fit 64 bits of minor units.
        case overflow
    }

    /// The monthly value of a price, rounded half up to minor units per subscription and never again afterwards, so that
    /// a total is the plain sum of what each subscription is worth.
    ///
    /// A year is 12 months, a week 3/13 of a month, a day 12/365 of one.
    /// - Parameters:
    ///   - amount: Price of one billing period.
    ///   - interval: Unit of the billing period.
    ///   - count: Intervals in one billing period.
    /// - Throws: ``Failure``.
    public static func of(_ amount: Money, every count: Int64, _ interval: BillingInterval) throws(Failure) -> Money {
        guard (1...maxIntervalCount).contains(count) else { throw .intervalCount(count) }
        guard !amount.isNegative else { throw .negative }
        let (multiplier, divisor): (Int128, Int128) =
            switch interval {
            case .day: (365, 12)
            case .week: (13, 3)
            case .month: (1, 1)
            case .year: (1, 12)
            }
        let denominator: Int128 = divisor * Int128(count)
        let numerator: Int128 = Int128(amount.minor) * multiplier
        let rounded: Int128 = (2 * numerator + denominator) / (2 * denominator)
        guard let minor = Int64(exactly: rounded) else { throw .overflow }
        return Money(minor: minor, currency: amount.currency)
    }
}
