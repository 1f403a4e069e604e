import BillingCore
import TestKit
import Testing

private func dates(_ anchor: String, _ interval: BillingInterval, _ count: Int = 1, _ indices: ClosedRange<Int>) throws
    -> [String]
{
    let calendar = BillingCalendar(
        anchor: try #require(CivilDate(anchor)), rule: BillingPeriodRule(interval: interval, count: count), zone: .utc)
    return indices.map { calendar.date($0).description }
}

@Suite("Billing calendar") struct BillingCalendarTests {
    @Test("an anchor at the month's end clamps and comes back") func monthEnd() throws {
        #expect(
            try dates("2027-01-31", .month, 1, 0...6) == [
                "2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30", "2027-07-31",
            ])
        #expect(try dates("2027-12-30", .month, 1, 0...3) == ["2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"])
        #expect(try dates("2027-11-30", .month, 3, -1...2) == ["2027-08-30", "2027-11-30", "2028-02-29", "2028-05-30"])
    }

    @Test("a leap-day anchor is billed on 28 February in other years") func leapYears() throws {
        #expect(
            try dates("2024-02-29", .year, 1, 0...4) == [
                "2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29",
            ])
        #expect(try dates("2024-02-29", .year, 4, 0...1) == ["2024-02-29", "2028-02-29"])
        #expect(try dates("2096-02-29", .year, 4, 0...2) == ["2096-02-29", "2100-02-28", "2104-02-29"])
    }

    @Test("days and weeks are counted") func daysAndWeeks() throws {
        #expect(try dates("2027-02-27", .day, 1, 0...2) == ["2027-02-27", "2027-02-28", "2027-03-01"])
        #expect(try dates("2027-01-01", .day, 30, -1...1) == ["2026-12-02", "2027-01-01", "2027-01-31"])
        #expect(try dates("2027-12-27", .week, 2, 0...1) == ["2027-12-27", "2028-01-10"])
    }

    @Test("a boundary stays at the customer's time of day when the clocks change") func daylightSaving() throws {
        let zone = try #require(TimeZoneID("Europe/Berlin"))
        let anchor = try #require(CivilDate("2026-01-29"))
        let calendar = BillingCalendar(
            anchor: anchor, rule: BillingPeriodRule(interval: .month), zone: zone, secondsOfDay: 9_000)
        #expect(
            (0...3).map { calendar.boundary($0).rfc3339 } == [
                "2026-01-29T01:30:00Z", "2026-02-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-04-29T00:30:00Z",
            ])
        let midnights = BillingCalendar(anchor: anchor, rule: BillingPeriodRule(interval: .month), zone: zone)
        #expect(midnights.boundary(0).rfc3339 == "2026-01-28T23:00:00Z")
        #expect(midnights.boundary(3).rfc3339 == "2026-04-28T22:00:00Z")
    }

    @Test("a day that a zone skipped makes an empty period and no trap") func skippedDay() throws {
        let zone = try #require(TimeZoneID("Pacific/Apia"))
        let calendar = BillingCalendar(
            anchor: try #require(CivilDate("2011-12-29")), rule: BillingPeriodRule(interval: .day), zone: zone)
        #expect(calendar.boundary(1) == calendar.boundary(2) && calendar.boundary(2) < calendar.boundary(3))
    }

    @Test("boundaries rise") func properties() throws {
        var random = Seeded()
        let names = [
            "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu",
        ]
        let zones = try names.map { try #require(TimeZoneID($0)) }
        for _ in 0..<3_000 {
            let interval = BillingInterval.allCases.randomElement(using: &random) ?? .month
            let calendar = BillingCalendar(
                anchor: CivilDate(dayNumber: Int.random(in: 14_000...40_000, using: &random)),
                rule: BillingPeriodRule(interval: interval, count: Int.random(in: 1...13, using: &random)),
                zone: zones.randomElement(using: &random) ?? .utc,
                secondsOfDay: Int.random(in: 0..<86_400, using: &random))
            let first = Int.random(in: -60...60, using: &random)
            for index in first..<first + 5 {
                #expect(calendar.boundary(index) < calendar.boundary(index + 1), "\(calendar) seed \(random.seed)")
            }
        }
    }

    @Test("far boundaries are clamped instead of trapping") func far() throws {
        let rule = BillingPeriodRule(interval: .year, count: .max)
        let calendar = BillingCalendar(anchor: try #require(CivilDate("2027-01-31")), rule: rule, zone: .utc)
        #expect(calendar.boundary(.max) > calendar.boundary(0) && calendar.boundary(.min) < calendar.boundary(0))
    }
}
