import AnalyticsDomain
import AnalyticsService
import BillingCore
import BillingEvents
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("Recurring revenue by month") struct MRRMonthsTests {
    private func text(_ months: [MRRReportMonth]) -> [String] {
        months.map { row in
            let month: MRRMonth = row.revenue
            return """
                \(month.month) \(month.currency.code) \(month.start) +\(month.new) +\(month.reactivation) \
                +\(month.expansion) -\(month.contraction) -\(month.churn) = \(month.end) (\(row.subscriptions))
                """
        }
    }

    @Test("tells what each customer did between two month ends") func movements() async throws {
        try await withAnalytics { world in
            var stays = Told("stays")
            var grows = Told("grows")
            var leaves = Told("leaves")
            var returns = Told("returns")
            var second = Told("second", customer: "cus_stays", amount: 500)
            try await world.record([
                stays.created("active", at: "2027-01-05T00:00:00Z"),
                grows.created("active", at: "2027-01-05T00:00:00Z"),
                leaves.created("active", at: "2027-01-05T00:00:00Z"),
                returns.created("active", at: "2027-01-05T00:00:00Z"),
                grows.changed("premium", 1_999, at: "2027-02-10T00:00:00Z"),
                leaves.moved("canceled", at: "2027-02-11T00:00:00Z"),
                returns.moved("canceled", at: "2027-02-12T00:00:00Z"),
                second.created("active", at: "2027-03-01T00:00:00Z"),
                grows.changed("basic", 999, at: "2027-03-10T00:00:00Z"),
            ])
            var again = Told("again", customer: "cus_returns", amount: 700)
            try await world.record([again.created("active", at: "2027-04-02T00:00:00Z")])
            let all: [String] = text(try await world.months("2026-12", "2027-05"))
            #expect(
                all == [
                    "2026-12 USD 0 +0 +0 +0 -0 -0 = 0 (0)",
                    "2027-01 USD 0 +3996 +0 +0 -0 -0 = 3996 (4)",
                    "2027-02 USD 3996 +0 +0 +1000 -0 -1998 = 2998 (2)",
                    "2027-03 USD 2998 +0 +0 +500 -1000 -0 = 2498 (3)",
                    "2027-04 USD 2498 +0 +700 +0 -0 -0 = 3198 (4)",
                    "2027-05 USD 3198 +0 +0 +0 -0 -0 = 3198 (4)",
                ])
            let later: [String] = text(try await world.months("2027-04", "2027-04"))
            #expect(
                later == ["2027-04 USD 2498 +0 +700 +0 -0 -0 = 3198 (4)"],
                "a range that begins later knows who was there before it")
        }
    }

    @Test("a change at midnight on the first belongs to the new month") func boundary() async throws {
        try await withAnalytics { world in
            var sub = Told("a")
            try await world.record([
                sub.created("active", at: "2027-02-01T00:00:00Z"), sub.moved("canceled", at: "2027-03-01T00:00:00Z"),
            ])
            let all: [String] = text(try await world.months("2027-01", "2027-03"))
            #expect(
                all == [
                    "2027-01 USD 0 +0 +0 +0 -0 -0 = 0 (0)", "2027-02 USD 0 +999 +0 +0 -0 -0 = 999 (1)",
                    "2027-03 USD 999 +0 +0 +0 -0 -999 = 0 (0)",
                ])
        }
    }

    @Test("who came and went inside a month was never seen") func inside() async throws {
        try await withAnalytics { world in
            var short = Told("short", customer: "cus_a")
            var long = Told("long", customer: "cus_a")
            try await world.record([
                short.created("active", at: "2027-01-05T00:00:00Z"),
                short.moved("canceled", at: "2027-01-20T00:00:00Z"),
                long.created("active", at: "2027-03-05T00:00:00Z"),
            ])
            #expect(try await world.months("2027-03", "2027-03").map(\.revenue.new) == [999])
        }
    }

    @Test("currencies are told apart and can be chosen") func currencies() async throws {
        try await withAnalytics { world in
            var dollars = Told("usd", customer: "cus_a")
            var euros = Told("eur", customer: "cus_a", amount: 500, currency: .eur)
            try await world.record([
                dollars.created("active", at: "2027-01-05T00:00:00Z"),
                euros.created("active", at: "2027-01-06T00:00:00Z"),
            ])
            #expect(try await world.months("2027-01", "2027-01").map(\.revenue.currency.code) == ["EUR", "USD"])
            #expect(try await world.months("2027-01", "2027-01", currency: .eur).map(\.revenue.new) == [500])
            #expect(try await world.months("2027-01", "2027-02", currency: .jpy).map(\.revenue.end) == [0, 0])
        }
    }

    @Test("without a range the last twelve months are told; months to come are not") func range() async throws {
        try await withAnalytics { world in
            let months = try await world.months(nil, nil, currency: .usd, now: "2027-05-10T00:00:00Z")
            #expect(months.map(\.revenue.month.description).first == "2026-06")
            #expect(months.map(\.revenue.month.description).last == "2027-05")
            #expect(months.count == ListMRRMonths.defaultMonths)
            #expect(
                try await world.months("2027-04", "2027-09", currency: .usd, now: "2027-05-10T00:00:00Z").count == 2)
            #expect(try await world.months("2027-08", "2027-09", currency: .usd, now: "2027-05-10T00:00:00Z").isEmpty)
        }
    }

    @Test("a range that cannot be is refused") func refused() async throws {
        try await withAnalytics { world in
            await #expect(throws: ListMRRMonths.Failure.reversed) { try await world.months("2027-02", "2027-01") }
            await #expect(throws: ListMRRMonths.Failure.tooLong) { try await world.months("2024-01", "2027-01") }
            let longest = try await world.months("2024-02", "2027-01", currency: .usd)
            #expect(longest.count == ListMRRMonths.maxMonths)
        }
    }

    /// Random lives of random customers, told in random batches; expected is what a plain walk over the changes finds.
    @Test("agree with a plain count over generated histories") func generated() async throws {
        try await withAnalytics { world in
            var random = Seeded()
            var history = GeneratedHistory(customers: 40, using: &random)
            try await world.record(history.shuffledKeepingOrder(using: &random), cutBy: &random)
            for currency in [Currency.usd, .eur] {
                let rows = try await world.months("2026-01", "2027-12", currency: currency)
                var end: Int64 = 0
                for row in rows {
                    let month: MRRMonth = row.revenue
                    #expect(month == history.expected(month.month, currency), "seed \(random.seed)")
                    #expect(month.start == end, "seed \(random.seed)")
                    let moved: Int64 = month.start + month.new + month.reactivation + month.expansion
                    #expect(moved - month.contraction - month.churn == month.end, "seed \(random.seed)")
                    end = month.end
                }
                #expect(end > 0)
            }
            let violations: [String] = try await world.pool.transaction { db in
                try CheckConsistency()(in: db).violations
            }
            #expect(violations == [])
        }
    }
}

/// Lives of customers, as events and as a plain list of what was worth how much from when.
struct GeneratedHistory {
    private struct Point {
        let at: Instant
        let value: Int64
    }

    private var perKey: [[RawEvent]] = []
    private var lives: [(customer: CustomerID, currency: Currency, points: [Point])] = []

    init(customers: Int, using random: inout Seeded) {
        for customer in 0..<customers {
            var events: [RawEvent] = []
            for index in 0..<Int.random(in: 1...3, using: &random) {
                let currency: Currency = Bool.random(using: &random) ? .usd : .eur
                events += live("\(customer)x\(index)", "cus_\(customer)", currency, using: &random)
            }
            perKey.append(events.sorted { $0.time < $1.time })
        }
    }

    /// A life whose changes often fall on the first of a month at midnight, or on the instant of the change before.
    private mutating func live(
        _ name: String, _ customer: String, _ currency: Currency, using random: inout Seeded
    ) -> [RawEvent] {
        var sub = Told(
            name, customer: customer, amount: Int64.random(in: 0...5_000, using: &random), currency: currency)
        var time: Instant = instant("2026-01-01T00:00:00Z").adding(
            .seconds(Int64.random(in: 0...20_000_000, using: &random)))
        var points: [Point] = []
        var events: [RawEvent] = [sub.created("incomplete", at: time.rfc3339)]
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: break
            case 1: time = Month(containing: time)?.adding(1).start ?? time
            default: time = time.adding(.seconds(Int64.random(in: 1...6_000_000, using: &random)))
            }
            if Bool.random(using: &random) {
                let statuses: [String] = ["active", "past_due", "canceled", "trialing", "unpaid"]
                events.append(sub.moved(statuses.randomElement(using: &random) ?? "active", at: time.rfc3339))
            } else {
                events.append(
                    sub.changed("p\(points.count)", Int64.random(in: 0...5_000, using: &random), at: time.rfc3339))
            }
            let earns: Bool = sub.status == "active" || sub.status == "past_due"
            points.append(Point(at: time, value: earns ? sub.amount.minor : 0))
        }
        lives.append((CustomerID(unchecked: customer), currency, points))
        return events
    }

    /// All events; those of one customer stay in order.
    mutating func shuffledKeepingOrder(using random: inout Seeded) -> [RawEvent] {
        var result: [RawEvent] = []
        while let index = perKey.indices.filter({ !perKey[$0].isEmpty }).randomElement(using: &random) {
            result.append(perKey[index].removeFirst())
        }
        return result
    }

    private func values(endOf month: Month, _ currency: Currency) -> [CustomerID: Int64] {
        var values: [CustomerID: Int64] = [:]
        for life in lives where life.currency == currency {
            let value: Int64 = life.points.last { $0.at < month.adding(1).start }?.value ?? 0
            values[life.customer, default: 0] += value
        }
        return values
    }

    func expected(_ month: Month, _ currency: Currency) -> MRRMonth? {
        let before: [CustomerID: Int64] = values(endOf: month.adding(-1), currency)
        let after: [CustomerID: Int64] = values(endOf: month, currency)
        var row = MRRMonth(month: month, currency: currency)
        for (customer, current) in after {
            let seen: Bool = (1...36).contains { (values(endOf: month.adding(-$0), currency)[customer] ?? 0) > 0 }
            let step = CustomerStep(
                month: month, currency: currency, previous: before[customer] ?? 0, current: current, seenBefore: seen,
                customers: 1)
            guard (try? row.add(step)) != nil else { return nil }
        }
        return row
    }
}
