public import BillingCore

/// The day and the local time of day from which all boundaries of a subscription are computed.
public struct BillingAnchor: Hashable, Sendable {
    /// The day.
    public let date: CivilDate
    /// Seconds after midnight on the clocks of the customer's zone.
    public let secondsOfDay: Int

    /// Makes an anchor out of stored parts.
    public init(date: CivilDate, secondsOfDay: Int) {
        self.date = date
        self.secondsOfDay = secondsOfDay
    }

    /// The anchor that an instant is, down to the second, on the clocks of a zone.
    public init(at instant: Instant, in zone: TimeZoneID) {
        self.init(date: zone.civilDate(at: instant), secondsOfDay: zone.secondsOfDay(at: instant))
    }

    /// The boundaries that follow from it.
    public func calendar(_ rule: BillingPeriodRule, in zone: TimeZoneID) -> BillingCalendar {
        BillingCalendar(anchor: date, rule: rule, zone: zone, secondsOfDay: secondsOfDay)
    }
}

/// A half-open stretch of time that is paid for at once.
public struct BillingPeriod: Hashable, Sendable {
    /// Which period counted from the anchor; -1 is a trial.
    public let index: Int
    /// The start.
    public let start: Instant
    /// Not part of it.
    public let end: Instant

    /// Makes a period out of stored parts.
    public init(index: Int, start: Instant, end: Instant) {
        self.index = index
        self.start = start
        self.end = end
    }

    /// The first period of an anchor.
    public static func first(from start: Instant, of calendar: BillingCalendar) -> BillingPeriod {
        BillingPeriod(index: -1, start: start, end: start).next(in: calendar)
    }

    /// The period after this one. It begins exactly where this one ends, whatever happened to the calendar since.
    public func next(in calendar: BillingCalendar) -> BillingPeriod {
        var next: Int = index + 1
        // Two daily boundaries coincide where a zone skipped a whole day.
        while calendar.boundary(next + 1) <= end { next += 1 }
        return BillingPeriod(index: next, start: end, end: calendar.boundary(next + 1))
    }
}
