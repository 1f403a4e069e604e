package import AnalyticsDomain
package import BillingCore
package import HTTPKit
package import Postgres

/// The figures of the whole business at one instant.
package struct BusinessSummary: Sendable {
    /// Money of one currency that came in, went back and was lost until then.
    package struct Revenue: Sendable {
        /// Captured.
        package let paid: Money
        /// Given back.
        package let refunded: Money
        /// Lost in disputes, unless an appeal has turned them.
        package let disputed: Money
    }

    /// The instant the figures hold for.
    package let at: Instant
    /// Recurring revenue per month, one amount for each currency that has any.
    package let mrr: [Money]
    /// Twelve times ``mrr``.
    package let arr: [Money]
    /// Subscriptions with status active.
    package let active: Int64
    /// Subscriptions with status past due.
    package let pastDue: Int64
    /// Subscriptions in their trial.
    package let trialing: Int64
    /// How payments turned out.
    package let successRate: SuccessRate
    /// Money in, back and lost, by currency.
    package let revenue: [Revenue]
}

/// Adds up what the business looked like at an instant, from what is known of it by now.
package struct SummarizeBusiness: Sendable {
    private let limit: ReportLimit

    /// - Parameter limit: How long each of its statements may take.
    package init(limit: ReportLimit = ReportLimit()) { self.limit = limit }

    /// Adds up.
    /// - Parameter db: A snapshot, so that all figures are of one state.
    /// - Throws: ``TotalTooLarge``; ``ReportTooCostly``; ``PostgresError`` when storage cannot answer.
    package func callAsFunction(at instant: Instant, in db: borrowing PostgresTransaction) throws -> BusinessSummary {
        try limit(in: db) { try summary(at: instant, in: db) }
    }

    private func summary(at instant: Instant, in db: borrowing PostgresTransaction) throws -> BusinessSummary {
        let totals: [SubscriptionTotal] = try SubscriptionValueStore.totals(at: instant, in: db)
        func count(_ status: SubscriptionStatus) -> Int64 {
            totals.reduce(0) { $0 + ($1.status == status ? $1.count : 0) }
        }
        let revenue: [RevenueTotal] = try PaymentStore.revenue(at: instant, in: db)
        do {
            let mrr: [Money] = try Self.sum(totals)
            return BusinessSummary(
                at: instant, mrr: mrr,
                arr: try mrr.map { (month: Money) throws(MoneyError) in try month.multiplied(by: 12) },
                active: count(.active), pastDue: count(.pastDue), trialing: count(.trialing),
                successRate: try PaymentStore.successRate(at: instant, in: db),
                revenue: revenue.map { total in
                    BusinessSummary.Revenue(
                        paid: Money(minor: total.paidMinor, currency: total.currency),
                        refunded: Money(minor: total.refundedMinor, currency: total.currency),
                        disputed: Money(minor: total.disputedMinor, currency: total.currency))
                })
        } catch is MoneyError { throw TotalTooLarge() }
    }

    /// One total for each currency that has any.
    private static func sum(_ totals: [SubscriptionTotal]) throws(MoneyError) -> [Money] {
        var sums: [Currency: Money] = [:]
        for total in totals where total.mrrMinor > 0 {
            let amount = Money(minor: total.mrrMinor, currency: total.currency)
            sums[total.currency] = try sums[total.currency]?.adding(amount) ?? amount
        }
        return sums.values.sorted { $0.currency < $1.currency }
    }
}

/// A total does not fit 64 bits of minor units.
package struct TotalTooLarge: Error, Equatable, ProblemConvertible {
    /// 500: nothing the caller could do about it.
    package var problem: Problem {
        Problem(
            500, code: "total_too_large", title: "A total is too large to be told",
            detail: "The total does not fit 64 bits of minor units.")
    }
}
