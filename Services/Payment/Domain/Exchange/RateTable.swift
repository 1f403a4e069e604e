public import BillingCore

/// The euro reference rates of one day: what one euro was worth.
public struct RateDay: Hashable, Sendable {
    /// The day the rates are for.
    public let date: CivilDate
    /// Units of each currency for one euro; never the euro itself, never zero or below.
    public let perEuro: [Currency: ExactDecimal]

    /// The rates of a day.
    /// - Throws: ``ExchangeError/rateNotPositive``, ``ExchangeError/sameCurrency(_:)`` when the euro is among them.
    public init(date: CivilDate, perEuro: [Currency: ExactDecimal]) throws(ExchangeError) {
        guard perEuro[.eur] == nil else { throw .sameCurrency(.eur) }
        for rate in perEuro.values where rate <= .zero { throw .rateNotPositive }
        self.date = date
        self.perEuro = perEuro
    }

    /// The rate between two currencies, through the euro; `nil` when the day lacks one of them.
    /// - Throws: ``ExchangeError/sameCurrency(_:)``.
    public func rate(from: Currency, to: Currency) throws(ExchangeError) -> ExchangeRate? {
        guard let above = worth(to), let below = worth(from) else { return nil }
        return try ExchangeRate(
            from: from, to: to, numerator: above, denominator: below, date: date, source: .ecb)
    }

    private func worth(_ currency: Currency) -> ExactDecimal? { currency == .eur ? .one : perEuro[currency] }
}

/// Reference rates by day.
public struct RateTable: Sendable {
    /// How many publications may be missed before a rate is too old, by default. The rates of a TARGET day come at
    /// about 16:00 CET on that day, so until then the newest has missed one.
    public static let usualStaleness = 1

    /// By day, rising.
    private var days: [RateDay] = []

    /// An empty table.
    public init() {}

    /// Puts days in; a day that is there already is replaced.
    public mutating func insert(_ newDays: [RateDay]) {
        var byDate: [CivilDate: RateDay] = [:]
        for day in days + newDays { byDate[day.date] = day }
        days = byDate.values.sorted { $0.date < $1.date }
    }

    /// The newest day; `nil` while there is none.
    public var newest: CivilDate? { days.last?.date }

    /// The rate in force on a day: of the newest publication up to it that has both currencies.
    /// - Parameter maxMissed: How many publications (TARGET days up to and including the day) may have passed since.
    /// - Throws: ``ExchangeError/sameCurrency(_:)``, ``ExchangeError/noRate(from:to:)``,
    ///   ``ExchangeError/stale(published:missed:)``.
    public func rate(
        from: Currency, to: Currency, on date: CivilDate, maxMissed: Int = RateTable.usualStaleness
    ) throws(ExchangeError) -> ExchangeRate {
        guard from != to else { throw .sameCurrency(from) }
        for day in days[..<firstIndex(after: date)].reversed() {
            guard let found = try day.rate(from: from, to: to) else { continue }
            let missed: Int = TargetCalendar.openDays(after: day.date, through: date, stoppingPast: maxMissed)
            guard missed <= maxMissed else { throw .stale(published: day.date, missed: missed) }
            return found
        }
        throw .noRate(from: from, to: to)
    }

    /// Where the days later than a date begin.
    private func firstIndex(after date: CivilDate) -> Int {
        var low = 0
        var high: Int = days.count
        while low < high {
            let middle: Int = (low + high) / 2
            if days[middle].date <= date { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
