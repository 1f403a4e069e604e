public import BillingCore

/// Prices parts of billing periods, by the second.
///
/// The ratio is taken of half-open times and never leaves 0…1, so a part never costs more than the whole. Each line is
/// rounded half up (away from zero) on its own; totals are sums of rounded lines.
public enum Proration {
    /// The share of a period that is still to come.
    /// - Parameters:
    ///   - now: Where the period is cut. The second that has begun counts as still to come.
    ///   - start: Start of the period.
    ///   - end: End of the period, not part of it.
    public static func shareLeft(at now: Instant, from start: Instant, to end: Instant) throws(MoneyError) -> Ratio {
        let whole: Int64 = end.seconds - start.seconds
        guard whole > 0 else { return .one }
        let left: Int64 = end.seconds - now.seconds
        return try Ratio(numerator: min(max(left, 0), whole), denominator: whole)
    }

    /// What changing the price in the middle of a period costs and gives back.
    public struct Change: Hashable, Sendable {
        /// Unused time on the old plan; not negative.
        public let credit: Money
        /// Remaining time on the new plan; not negative.
        public let charge: Money

        /// Puts the two sides together.
        public init(credit: Money, charge: Money) {
            self.credit = credit
            self.charge = charge
        }
    }

    /// Prices the move from one price to another for the rest of the period.
    /// - Throws: ``MoneyError/currencyMismatch(_:_:)`` when the prices are in different currencies.
    public static func change(
        from old: Money, to new: Money, at now: Instant, periodStart: Instant, periodEnd: Instant
    ) throws(MoneyError) -> Change {
        guard old.currency == new.currency else { throw .currencyMismatch(old.currency, new.currency) }
        let left: Ratio = try shareLeft(at: now, from: periodStart, to: periodEnd)
        return Change(
            credit: try old.multiplied(by: left, rounding: .halfUp),
            charge: try new.multiplied(by: left, rounding: .halfUp))
    }
}
