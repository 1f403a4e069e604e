public import BillingCore

/// How customers who did the same thing in one month changed recurring revenue.
public struct CustomerStep: Hashable, Sendable {
    /// The month.
    public let month: Month
    /// The currency.
    public let currency: Currency
    /// Monthly value of one such customer at the end of the month before, minor units.
    public let previous: Int64
    /// Monthly value of one such customer at the end of the month, minor units.
    public let current: Int64
    /// Whether the customer had any value at a month end before this one.
    public let seenBefore: Bool
    /// How many customers took exactly this step.
    public let customers: Int64

    /// The whole step.
    public init(
        month: Month, currency: Currency, previous: Int64, current: Int64, seenBefore: Bool, customers: Int64
    ) {
        self.month = month
        self.currency = currency
        self.previous = previous
        self.current = current
        self.seenBefore = seenBefore
        self.customers = customers
    }
}

/// Recurring revenue of one month in one currency, and what moved it.
///
/// `start + new + reactivation + expansion − contraction − churn = end` holds exactly.
public struct MRRMonth: Hashable, Sendable {
    /// The month.
    public let month: Month
    /// The currency.
    public let currency: Currency
    /// At the end of the month before, minor units; so are all that follow.
    public private(set) var start: Int64 = 0
    /// From customers who had none at any month end before.
    public private(set) var new: Int64 = 0
    /// From customers who had some once, but none at the end of the month before.
    public private(set) var reactivation: Int64 = 0
    /// Gained with customers who stayed.
    public private(set) var expansion: Int64 = 0
    /// Lost with customers who stayed; positive.
    public private(set) var contraction: Int64 = 0
    /// Lost with customers who left; positive.
    public private(set) var churn: Int64 = 0
    /// At the end of the month.
    public private(set) var end: Int64 = 0

    /// A month in which nothing has happened yet.
    public init(month: Month, currency: Currency) {
        self.month = month
        self.currency = currency
    }

    /// Takes in one step of this month and currency.
    /// - Throws: ``MoneyError/overflow`` when a total does not fit 64 bits; nothing is changed then.
    public mutating func add(_ step: CustomerStep) throws(MoneyError) {
        precondition(step.month == month && step.currency == currency, "a step of another month or currency")
        var next = self
        next.start = try Self.sum(start, step.previous, times: step.customers)
        next.end = try Self.sum(end, step.current, times: step.customers)
        let change: Int64 = step.current - step.previous
        switch (step.previous, step.current) {
        case (0, 0): break
        case (0, _) where step.seenBefore:
            next.reactivation = try Self.sum(reactivation, change, times: step.customers)
        case (0, _): next.new = try Self.sum(new, change, times: step.customers)
        case (_, 0): next.churn = try Self.sum(churn, -change, times: step.customers)
        default:
            if change > 0 {
                next.expansion = try Self.sum(expansion, change, times: step.customers)
            } else {
                next.contraction = try Self.sum(contraction, -change, times: step.customers)
            }
        }
        self = next
    }

    /// Every month of a range in every currency given or met, in order of month, then currency.
    /// - Parameters:
    ///   - steps: Steps within the range, in any order.
    ///   - currencies: Currencies that get a row for each month even when nothing happened.
    /// - Throws: ``MoneyError/overflow`` when a total does not fit 64 bits.
    public static func series(
        from first: Month, through last: Month, steps: [CustomerStep], currencies: Set<Currency>
    ) throws(MoneyError) -> [MRRMonth] {
        let wanted: [Currency] = currencies.union(steps.map(\.currency)).sorted()
        guard first <= last else { return [] }
        var months: [MRRMonth] = []
        var places: [Currency: Int] = [:]
        for (place, currency) in wanted.enumerated() { places[currency] = place }
        for offset in 0...first.distance(to: last) {
            months += wanted.map { MRRMonth(month: first.adding(offset), currency: $0) }
        }
        for step in steps {
            guard let place: Int = places[step.currency], first <= step.month, step.month <= last else { continue }
            try months[first.distance(to: step.month) * wanted.count + place].add(step)
        }
        return months
    }

    private static func sum(_ total: Int64, _ amount: Int64, times count: Int64) throws(MoneyError) -> Int64 {
        let exact: Int128 = Int128(total) + Int128(amount) * Int128(count)
        guard let sum = Int64(exactly: exact) else { throw .overflow }
        return sum
    }
}
