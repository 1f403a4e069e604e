import AnalyticsDomain
import BillingCore
import HTTPKit
import JSON

/// `/v1/analytics/summary`.
struct SummaryRoutes: Sendable {
    let summarize: SummarizeBusiness

    var endpoints: [Endpoint] {
        let summarize: SummarizeBusiness = summarize
        return [
            .read(
                "/v1/analytics/summary", scope: "analytics:read", summary: "The figures of the business at an instant",
                query: [.instant("at", doc: "The instant; now when left out")], answers: SummaryResource.self,
                problems: [ReportTooCostly.declared], snapshot: true
            ) { db, call in
                SummaryResource(summary: try summarize(at: call.query.instant("at") ?? call.now, in: db))
            }
        ]
    }
}

/// The figures of the business as JSON.
struct SummaryResource: JSONOutput {
    let summary: BusinessSummary

    func write(to o: inout ObjectWriter) {
        o.field("object", "summary", doc: "Always `summary`")
        o.field("at", summary.at, doc: "The instant the figures hold for")
        o.field("mrr", summary.mrr.map(AmountResource.init), doc: "Recurring revenue per month, by currency")
        o.field("arr", summary.arr.map(AmountResource.init), doc: "Twelve times mrr")
        o.field("active_subscriptions", summary.active, doc: "Subscriptions with status active")
        o.field("past_due_subscriptions", summary.pastDue, doc: "Subscriptions with status past_due")
        o.field("trialing_subscriptions", summary.trialing, doc: "Subscriptions with status trialing")
        o.field(
            "payment_success_rate", SuccessRateResource(rate: summary.successRate),
            doc: "Of all payments until then; attempts of one payment are one payment")
        o.field(
            "revenue", summary.revenue.map(RevenueResource.init),
            doc: "All money captured, given back and lost in disputes until then")
    }

    static var sample: Self {
        let mrr = Money(minor: 29_970, currency: .usd)
        return Self(
            summary: BusinessSummary(
                at: .sample, mrr: [mrr], arr: [Money(minor: 359_640, currency: .usd)], active: 29, pastDue: 1,
                trialing: 2,
                successRate: SuccessRate(payments: 30, succeededAtOnce: 29, succeeded: 30),
                revenue: [RevenueResource.sample.revenue]))
    }
}

/// An amount as an element of a list of totals.
struct AmountResource: JSONOutput {
    let amount: Money

    func write(to o: inout ObjectWriter) {
        o.field("currency", amount.currency.code, doc: "ISO 4217 code")
        o.field("amount", amount.minor, doc: "Minor units")
    }

    static var sample: Self { Self(amount: Money(minor: 29_970, currency: .usd)) }
}

/// How payments turned out as JSON.
struct SuccessRateResource: JSONOutput {
    let rate: SuccessRate

    func write(to o: inout ObjectWriter) {
        o.field(
            "first_attempt", rate.firstAttempt,
            doc: "Share that succeeded at once, four decimals; null without payments")
        o.field(
            "after_retries", rate.afterRetries,
            doc: "Share that succeeded at last, four decimals; null without payments")
        o.field("payments", rate.payments, doc: "Payments of which an attempt has ended")
        o.field("succeeded", rate.succeeded, doc: "Of those, the ones that succeeded")
        o.field("failed", rate.failed, doc: "Of those, the ones that did not, or not yet")
    }

    static var sample: Self { Self(rate: SuccessRate(payments: 30, succeededAtOnce: 29, succeeded: 30)) }
}

/// Money in, back and lost as JSON.
struct RevenueResource: JSONOutput {
    let revenue: BusinessSummary.Revenue

    func write(to o: inout ObjectWriter) {
        o.field("currency", revenue.paid.currency.code, doc: "ISO 4217 code")
        o.field("paid", revenue.paid.minor, doc: "Captured, minor units")
        o.field("refunded", revenue.refunded.minor, doc: "Given back, minor units")
        o.field("disputed", revenue.disputed.minor, doc: "Lost in disputes, minor units")
    }

    static var sample: Self {
        Self(
            revenue: .init(
                paid: Money(minor: 29_970, currency: .usd), refunded: Money(minor: 999, currency: .usd),
                disputed: Money(minor: 999, currency: .usd)))
    }
}
