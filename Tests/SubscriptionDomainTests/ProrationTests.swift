import BillingCore
import SubscriptionDomain
import Testing

/// A public billing system's test case whose convention is ours: half-open ranges, the real length of the full period,
/// half up per line.
struct ChangeCase: Sendable, CustomTestStringConvertible {
    let id: String
    let old: Int64
    let new: Int64
    let period: [String]
    let on: String
    let credit: Int64
    let charge: Int64
    var testDescription: String { id }
}

@Suite("Proration") struct ProrationTests {
    static let changes: [ChangeCase] = [
        ChangeCase(
            id: "proration_change-04", old: 10_000, new: 20_000, period: ["2025-01-01", "2025-01-31"],
            on: "2025-01-31", credit: 0, charge: 0),
        ChangeCase(
            id: "proration_change-07 matched", old: 10_000, new: 20_000, period: ["2025-01-01", "2025-01-31"],
            on: "2025-01-16", credit: 5_000, charge: 10_000),
        ChangeCase(
            id: "proration_change-22 platform", old: 9_900, new: 2_900, period: ["2024-01-01", "2024-02-01"],
            on: "2024-01-16", credit: 5_110, charge: 1_497),
        ChangeCase(
            id: "proration_change-22 seats", old: 2_500, new: 1_000, period: ["2024-01-01", "2024-02-01"],
            on: "2024-01-16", credit: 1_290, charge: 516),
        ChangeCase(
            id: "proration_change-25", old: 1_000, new: 2_000, period: ["2025-01-01", "2025-01-31"],
            on: "2025-01-16", credit: 500, charge: 1_000),
    ]

    @Test("prices changes of plan as other billing systems do", arguments: changes)
    func change(_ given: ChangeCase) throws {
        let change = try Proration.change(
            from: usd(given.old), to: usd(given.new), at: day(given.on), periodStart: day(given.period[0]),
            periodEnd: day(given.period[1]))
        #expect(change == Proration.Change(credit: usd(given.credit), charge: usd(given.charge)))
    }

    @Test("counts seconds, the begun one as still to come") func seconds() throws {
        let end = time("2027-01-01T00:01:40Z")
        let begun = time("2027-01-01T00:00:33.999999Z")
        #expect(
            try Proration.shareLeft(at: begun, from: day("2027-01-01"), to: end)
                == Ratio(numerator: 67, denominator: 100))
    }

    @Test("never gives or takes more than the price, at any time") func bounds() throws {
        let (begin, end) = (day("2027-03-01"), day("2027-04-01"))
        for hour in stride(from: -50, through: 900, by: 7) {
            let now: Instant = begin.adding(.seconds(3_600 * hour))
            let change = try Proration.change(
                from: usd(999), to: usd(2_499), at: now, periodStart: begin, periodEnd: end)
            #expect((0...999).contains(change.credit.minor) && (0...2_499).contains(change.charge.minor))
        }
    }

    @Test("refuses to mix currencies") func currencies() {
        #expect(throws: MoneyError.currencyMismatch(.usd, .eur)) {
            try Proration.change(
                from: usd(1), to: Money(minor: 1, currency: .eur), at: start, periodStart: start, periodEnd: start)
        }
    }
}
