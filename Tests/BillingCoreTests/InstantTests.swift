import BillingCore
import TestKit
import Testing

@Suite("Instants") struct InstantTests {
    @Test(
        "reads RFC 3339 and writes it in UTC",
        arguments: [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2027-01-31T00:00:00Z", 1_801_353_600_000_000, "2027-01-31T00:00:00Z"),
            ("2027-01-31T01:30:00.25+01:30", 1_801_353_600_250_000, "2027-01-31T00:00:00.25Z"),
            ("2026-12-31T19:00:00-05:00", 1_798_761_600_000_000, "2027-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59.999999Z", -1, "1969-12-31T23:59:59.999999Z"),
            ("2000-02-29t12:00:00.1234567z", 951_825_600_123_456, "2000-02-29T12:00:00.123456Z"),
            ("2000-02-29T12:00:00-00:00", 951_825_600_000_000, "2000-02-29T12:00:00Z"),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ] as [(String, Int64, String)])
    func rfc3339(text: String, microseconds: Int64, written: String) throws {
        let instant = try #require(Instant(rfc3339: text))
        #expect(instant.microseconds == microseconds && instant.rfc3339 == written && instant.description == written)
    }

    @Test(
        "refuses other text",
        arguments: [
            "", "2027-01-31", "2027-01-31T00:00:00", "2027-01-31 00:00:00Z", "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z", "2027-01-00T00:00:00Z", "2027-01-31T24:00:00Z", "2027-01-31T00:60:00Z",
            "2027-01-31T23:59:60Z", "2027-01-31T00:00:00.Z", "2027-01-31T00:00:00,5Z", "2027-01-31T00:00:00+01",
            "2027-01-31T00:00:00+0100", "2027-01-31T00:00:00+24:00", "2027-01-31T00:00:00+01:60",
            "2027-01-31T00:00:00Zx",
            " 2027-01-31T00:00:00Z", "27-01-31T00:00:00Z", "+2027-01-31T00:00:00Z", "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2027-01-31T00:00Z", "２027-01-31T00:00:00Z",
            "2027-01-31T00:00:00.00000000000000000000000000000000000000000Zxxxxxxxxxxxxxxxxxxxx",
        ])
    func refused(text: String) {
        #expect(Instant(rfc3339: text) == nil && Instant(text) == nil)
    }

    @Test("adds and subtracts durations, and stops at the ends") func arithmetic() {
        let start = Instant(seconds: 100)
        #expect(start + .milliseconds(1_500) == Instant(microseconds: 101_500_000))
        #expect(start - .seconds(101) == Instant(seconds: -1))
        #expect(
            Instant(seconds: 105) - start == .seconds(5) && start.duration(since: Instant(seconds: 105)) == .seconds(-5)
        )
        #expect(start.adding(.nanoseconds(1_999)) == Instant(microseconds: 100_000_001))
        #expect(Instant(seconds: .max).microseconds == .max && Instant(seconds: .min).microseconds == .min)
        #expect(Instant(microseconds: .max).adding(.seconds(1)).microseconds == .max)
        #expect(Instant(microseconds: .min).adding(.seconds(-1)).microseconds == .min)
        #expect(Instant(microseconds: .max) - Instant(microseconds: .min) == .microseconds(Int64.max))
        #expect(Duration.seconds(Int64.max).wholeMicroseconds == .max)
        #expect(Instant(microseconds: -1).seconds == -1 && Instant(microseconds: 1).seconds == 0)
    }

    @Test("what is written is read back, to the microsecond") func roundTrip() {
        var random = Seeded()
        for _ in 0..<20_000 {
            let instant = Instant(
                microseconds: Int64.random(in: -62_135_596_800_000_000..<253_402_300_800_000_000, using: &random))
            #expect(Instant(rfc3339: instant.rfc3339) == instant, "seed \(random.seed)")
        }
    }

    @Test("a manual clock shows what it is told; the system clock shows the present") func clocks() {
        let clock = ManualClock(Instant(seconds: 10))
        #expect(clock.now == Instant(seconds: 10))
        #expect(clock.advance(by: .seconds(5)) == Instant(seconds: 15) && clock.now == Instant(seconds: 15))
        clock.set(Instant(seconds: 3))
        #expect(clock.now == Instant(seconds: 3) && ManualClock().now == .epoch)
        #expect(SystemClock().now > Instant(seconds: 1_700_000_000))
    }
}

@Suite("Civil dates") struct CivilDateTests {
    @Test("reads and writes dates; days that do not exist are refused") func text() {
        for text in ["2024-02-29", "2000-02-29", "2027-12-31", "0001-01-01", "9999-12-31"] {
            #expect(CivilDate(text)?.description == text)
        }
        for text in [
            "", "2027-02-29", "1900-02-29", "2027-04-31", "2027-00-10", "2027-13-01", "2027-1-1", "2027-01-01 ",
            "0000-01-01",
        ] {
            #expect(CivilDate(text) == nil)
        }
        #expect(CivilDate(year: 2027, month: 2, day: 30) == nil && CivilDate(year: 10_000, month: 1, day: 1) == nil)
        #expect(CivilDate(year: 2027, month: 2, day: 0) == nil && CivilDate(year: .max, month: .max, day: .max) == nil)
    }

    @Test(
        "months are added from the day itself and clamped to the month's end",
        arguments: [
            ("2027-01-31", 1, "2027-02-28"), ("2027-01-31", 2, "2027-03-31"), ("2024-01-31", 1, "2024-02-29"),
            ("2027-01-31", -2, "2026-11-30"), ("2027-12-15", 1, "2028-01-15"), ("2024-02-29", 12, "2025-02-28"),
            ("2024-02-29", 48, "2028-02-29"), ("2027-01-15", -13, "2025-12-15"), ("2027-05-31", 0, "2027-05-31"),
        ])
    func months(date: String, months: Int, expected: String) throws {
        #expect(try #require(CivilDate(date)).adding(months: months).description == expected)
    }

    @Test("days run through months, leap days and years") func days() throws {
        var date = try #require(CivilDate("1899-12-31"))
        var weekday = DayOfWeek.sunday
        for _ in 0..<120_000 {
            let next = date.adding(days: 1)
            let isNextDay = next.year == date.year && next.month == date.month && next.day == date.day + 1
            let isNextMonth = next.day == 1 && date.day == CivilDate.daysInMonth(year: date.year, month: date.month)
            if !isNextDay && !isNextMonth { Issue.record("\(next) after \(date)") }
            if date.dayOfWeek != weekday || date.days(until: next) != 1 || !(date < next) { Issue.record("\(date)") }
            if CivilDate(dayNumber: date.dayNumber) != date { Issue.record("\(date)") }
            weekday = DayOfWeek(rawValue: weekday.rawValue % 7 + 1) ?? .monday
            date = next
        }
        #expect(date.description == "2228-07-19")
        #expect(try #require(CivilDate("2026-11-22")).dayOfWeek == .sunday)
    }

    @Test("far sums are clamped instead of trapping") func clamped() throws {
        let date = try #require(CivilDate("2027-01-31"))
        #expect(date.adding(days: .max) > date && date.adding(days: .min) < date)
        #expect(date.adding(months: .max) > date && date.adding(months: .min) < date)
        #expect(CivilDate(dayNumber: -800_000).description == "-0221-09-04")
    }
}
