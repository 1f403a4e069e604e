import AnalyticsDomain
import BillingCore
import HTTPKit
import JSON

/// `/v1/analytics/mrr`.
struct MRRRoutes: Sendable {
    let months: ListMRRMonths

    var endpoints: [Endpoint] {
        let months: ListMRRMonths = months
        return [
            .whole(
                "/v1/analytics/mrr", scope: "analytics:read",
                summary: "Recurring revenue month by month and what moved it",
                filters: [
                    Self.month("from", doc: "First month; eleven before `to` when left out, 35 before it at most"),
                    Self.month("to", doc: "Last month; the current one when left out"),
                    .currency("currency", doc: "One currency; all when left out"),
                ],
                item: MRRMonthResource.self, problems: [ReportTooCostly.declared], snapshot: true
            ) { db, call in
                // The range a caller may ask for is bounded. In order of month, then currency.
                try months(
                    from: call.query.string("from").flatMap { Month($0) },
                    through: call.query.string("to").flatMap { Month($0) },
                    currency: call.query.currency("currency"), now: call.now, in: db
                ).map(MRRMonthResource.init)
            }
        ]
    }

    private static func month(_ name: String, doc: String) -> QueryParameter {
        .custom(name, schema: JSONSchema.string(pattern: "^[0-9]{4}-(0[1-9]|1[0-2])$"), doc: doc) { text in
            Month(text) == nil ? Fault(code: "invalid_month", message: "is not a month such as 2027-01") : nil
        }
    }
}

/// One month in one currency as JSON.
struct MRRMonthResource: JSONOutput {
    let month: MRRReportMonth

    func write(to o: inout ObjectWriter) {
        let revenue: MRRMonth = month.revenue
        o.field("object", "mrr_month", doc: "Always `mrr_month`")
        o.field("month", revenue.month.description, doc: "YYYY-MM, counted in UTC")
        o.field("currency", revenue.currency.code, doc: "ISO 4217 code")
        o.field("start", revenue.start, doc: "At the end of the month before, minor units; so are all amounts here")
        o.field("new", revenue.new, doc: "From customers seen at no month end before")
        o.field("reactivation", revenue.reactivation, doc: "From customers who came back")
        o.field("expansion", revenue.expansion, doc: "Gained with customers who stayed")
        o.field("contraction", revenue.contraction, doc: "Lost with customers who stayed")
        o.field("churn", revenue.churn, doc: "Lost with customers who left")
        o.field("mrr", revenue.end, doc: "start + new + reactivation + expansion - contraction - churn")
        o.field(
            "active_subscriptions", month.subscriptions, doc: "Paid subscriptions behind mrr, past_due ones included")
    }

    static var sample: Self {
        let month: Month = Month(containing: .sample) ?? .epoch
        return Self(month: MRRReportMonth(revenue: MRRMonth(month: month, currency: .usd), subscriptions: 30))
    }
}
