public import BillingCore

/// The one rule by which a price becomes revenue per month. Analytics follows the same rule, so that both agree to the
/// last minor unit: normalise each subscription on its own, round half up, then add up.
///
/// A year has 12 months, 52 weeks (13 weeks are 3 months) and 365 days.
public enum MonthlyRecurringRevenue {
    /// The share of a billing period's price that belongs to one month.
    public static func monthlyShare(of rule: BillingPeriodRule) throws(MoneyError) -> Ratio {
        let count = Int64(rule.count)
        return switch rule.interval {
        case .month: try Ratio(numerator: 1, denominator: count)
        case .year: try Ratio(numerator: 1, denominator: 12 * count)
        case .week: try Ratio(numerator: 13, denominator: 3 * count)
        case .day: try Ratio(numerator: 365, denominator: 12 * count)
        }
    }

    /// One subscription's revenue per month, in whole minor units.
    /// - Parameters:
    ///   - price: Price of one billing period.
    ///   - rule: Length of the billing period.
    public static func monthly(_ price: Money, every rule: BillingPeriodRule) throws(MoneyError) -> Money {
        try price.multiplied(by: monthlyShare(of: rule), rounding: .halfUp)
    }
}
