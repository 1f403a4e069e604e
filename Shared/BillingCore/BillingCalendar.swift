/// The unit billing periods are counted in.
public enum BillingInterval: String, CaseIterable, Sendable {
    /// Calendar days.
    case day
    /// Seven calendar days.
    case week
    /// Calendar months, on the anchor's day or the month's last.
    case month
    /// Calendar years, on the anchor's day or 28 February.
    case year
}

/// How long a billing period is, such as every 3 months.
public struct BillingPeriodRule: Hashable, Sendable {
    /// The unit.
    public let interval: BillingInterval
    /// How many of them; at least 1.
    public let count: Int

    /// Makes a rule. The count must be at least 1: inputs are checked before, so another count is a programming error.
    public init(interval: BillingInterval, count: Int = 1) {
        precondition(count >= 1, "a billing period has at least one unit")
        self.interval = interval
        self.count = count
    }

    /// The boundary so many periods after an anchor, found from the anchor alone.
    func date(from anchor: CivilDate, index: Int) -> CivilDate {
        let units = index.multipliedClamping(by: count)
        return switch interval {
        case .day: anchor.adding(days: units)
        case .week: anchor.adding(days: units.multipliedClamping(by: 7))
        case .month: anchor.adding(months: units)
        case .year: anchor.adding(months: units.multipliedClamping(by: 12))
        }
    }
}

/// The boundaries between a subscription's billing periods.
///
/// Every boundary is computed from the anchor, never from the boundary before it: an anchor on 31 January gives 28
/// February and then 31 March. It is a local time of day on a civil date in the customer's zone, so it stays on the
/// customer's day across changes of the clocks.
public struct BillingCalendar: Hashable, Sendable {
    /// The day of boundary 0.
    public let anchor: CivilDate
    /// How long a period is.
    public let rule: BillingPeriodRule
    /// Where the days are counted.
    public let zone: TimeZoneID
    /// The local time of day of every boundary, in seconds after midnight.
    public let secondsOfDay: Int

    /// Makes a calendar. The time of day must be below 86,400 seconds.
    public init(anchor: CivilDate, rule: BillingPeriodRule, zone: TimeZoneID, secondsOfDay: Int = 0) {
        precondition((0..<86_400).contains(secondsOfDay), "a time of day has less than 86,400 seconds")
        self.anchor = anchor
        self.rule = rule
        self.zone = zone
        self.secondsOfDay = secondsOfDay
    }

    /// The civil date of a boundary.
    public func date(_ index: Int) -> CivilDate { rule.date(from: anchor, index: index) }

    /// The instant of a boundary; 0 is the anchor, negative ones lie before it.
    ///
    /// Boundaries rise strictly, except that two daily ones may coincide where a zone skipped a whole day
    /// (Pacific/Apia, 30 December 2011).
    public func boundary(_ index: Int) -> Instant { zone.instant(of: date(index), secondsOfDay: secondsOfDay) }
}

extension Int {
    /// The product, clamped to what fits.
    fileprivate func multipliedClamping(by factor: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? ((self < 0) == (factor < 0) ? .max : .min) : product
    }
}
