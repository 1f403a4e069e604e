package import AnalyticsDomain
package import BillingCore
package import HTTPKit
package import Postgres

/// A month of recurring revenue with the number of subscriptions behind it.
package struct MRRReportMonth: Sendable {
    /// Revenue and movements.
    package let revenue: MRRMonth
    /// Subscriptions that earned at the end of the month.
    package let subscriptions: Int64
}

/// Recurring revenue month by month and what moved it.
package struct ListMRRMonths: Sendable {
    /// Most months one request may ask for.
    package static let maxMonths = 36
    /// Months that are told when the caller does not say.
    package static let defaultMonths = 12

    private let limit: ReportLimit

    /// - Parameter limit: How long each of its statements may take.
    package init(limit: ReportLimit = ReportLimit()) { self.limit = limit }

    /// Why a range cannot be told.
    package enum Failure: Error, Equatable {
        /// It ends before it begins.
        case reversed
        /// It has more months than ``ListMRRMonths/maxMonths``.
        case tooLong
    }

    /// Every month of the range that has begun, in order of month, then currency. The current month stands as it is now.
    /// - Parameters:
    ///   - first: `nil` for ``defaultMonths`` ending with `last`.
    ///   - last: `nil` for the current month.
    ///   - currency: `nil` for every currency that ever earned.
    ///   - now: Business time.
    ///   - db: A snapshot, so that all months are of one state.
    /// - Throws: ``Failure``; ``TotalTooLarge``; ``ReportTooCostly``; ``PostgresError`` when storage cannot answer.
    package func callAsFunction(
        from first: Month?, through last: Month?, currency: Currency?, now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> [MRRReportMonth] {
        guard let current = Month(containing: now) else { return [] }
        let end: Month = last ?? current
        let start: Month = first ?? end.adding(1 - Self.defaultMonths)
        guard start <= end else { throw Failure.reversed }
        guard start.distance(to: end) < Self.maxMonths else { throw Failure.tooLong }
        let reached: Month = min(end, current)
        guard start <= reached else { return [] }
        return try limit(in: db) { try series(from: start, through: reached, currency: currency, in: db) }
    }

    private func series(
        from start: Month, through reached: Month, currency: Currency?, in db: borrowing PostgresTransaction
    ) throws -> [MRRReportMonth] {
        let steps: [CustomerStep] = try MovementStore.steps(from: start, through: reached, currency: currency, in: db)
        let counts: [EarningCount] = try MovementStore.earning(
            from: start, through: reached, currency: currency, in: db)
        let currencies: [Currency] = try currency.map { [$0] } ?? MovementStore.currencies(in: db)
        var subscriptions: [Month: [Currency: Int64]] = [:]
        for count in counts { subscriptions[count.month, default: [:]][count.currency] = count.count }
        do {
            let months: [MRRMonth] = try MRRMonth.series(
                from: start, through: reached, steps: steps, currencies: Set(currencies))
            return months.map { month in
                MRRReportMonth(revenue: month, subscriptions: subscriptions[month.month]?[month.currency] ?? 0)
            }
        } catch { throw TotalTooLarge() }
    }
}

extension ListMRRMonths.Failure: ProblemConvertible {
    /// 422, naming `from`.
    package var problem: Problem {
        switch self {
        case .reversed: Problem.invalid("from", code: "out_of_range", "must not be after to")
        case .tooLong:
            Problem.invalid(
                "from", code: "out_of_range", "must be less than \(ListMRRMonths.maxMonths) months before to")
        }
    }
}
