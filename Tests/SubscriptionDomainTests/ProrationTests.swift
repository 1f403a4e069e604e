import BillingCore
import SubscriptionDomain
import Testing

/// A public billing system's test case whose convention is ours: half-open ranges, the real length of the full period,
/// half up per line.
struct RangeCase: Sendable, CustomTestStringConvertible {
    let id: String
    var currency: Currency = .usd
    let price: Int64
    let period: [String]
    let range: [String]
    let expected: Int64
    var testDescription: String { id }
}

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
    static let ranges: [RangeCase] = [
        RangeCase(
            id: "proration_start-01", price: 1_000, period: ["2011-08-15", "2011-09-15"],
            range: ["2011-09-01", "2011-09-15"], expected: 452),
        RangeCase(
            id: "proration_start-04", price: 24_995, period: ["2016-04-15", "2016-05-15"],
            range: ["2016-05-01", "2016-05-15"], expected: 11_664),
        RangeCase(
            id: "proration_start-16", price: 10_000, period: ["2026-01-01", "2026-02-01"],
            range: ["2026-01-01", "2026-01-16"], expected: 4_839),
        RangeCase(
            id: "proration_start-19", price: 10_000, period: ["2026-01-01", "2026-02-01"],
            range: ["2026-01-01", "2026-03-01"], expected: 10_000),
        RangeCase(
            id: "rounding-01", currency: .jpy, price: 1_000, period: ["2026-01-01", "2026-02-01"],
            range: ["2026-01-01", "2026-01-11"], expected: 323),
        RangeCase(
            id: "proration_cancel-01", price: 1_200, period: ["2011-04-05", "2011-05-05"],
            range: ["2011-04-29", "2011-05-05"], expected: 240),
        RangeCase(
            id: "proration_cancel-07", price: 24_995, period: ["2012-03-02", "2012-04-02"],
            range: ["2012-03-05", "2012-04-02"], expected: 22_576),
        RangeCase(
            id: "proration_cancel-10", price: 24_995, period: ["2012-06-30", "2012-07-31"],
            range: ["2012-07-10", "2012-07-31"], expected: 16_932),
        RangeCase(
            id: "proration_change-13 first stub", price: 24_995, period: ["2016-05-15", "2016-06-15"],
            range: ["2016-06-01", "2016-06-15"], expected: 11_288),
        RangeCase(
            id: "proration_change-13 second stub", price: 24_995, period: ["2016-07-15", "2016-08-15"],
            range: ["2016-07-15", "2016-08-10"], expected: 20_964),
        RangeCase(
            id: "an empty range bills in full", price: 777, period: ["2026-01-01", "2026-02-01"],
            range: ["2026-01-05", "2026-01-05"], expected: 777),
    ]

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

    @Test("prices ranges as other billing systems do", arguments: ranges)
    func range(_ given: RangeCase) throws {
        let price: Money = try Proration.price(
            Money(minor: given.price, currency: given.currency), from: day(given.range[0]), to: day(given.range[1]),
            ofPeriodFrom: day(given.period[0]), to: day(given.period[1]))
        #expect(price.minor == given.expected)
    }

    @Test("prices changes of plan as other billing systems do", arguments: changes)
    func change(_ given: ChangeCase) throws {
        let change = try Proration.change(
            from: usd(given.old), to: usd(given.new), at: day(given.on), periodStart: day(given.period[0]),
            periodEnd: day(given.period[1]))
        #expect(change == Proration.Change(credit: usd(given.credit), charge: usd(given.charge)))
        #expect(try change.net().minor == given.charge - given.credit)
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
