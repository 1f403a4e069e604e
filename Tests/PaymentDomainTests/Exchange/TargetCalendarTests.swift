import BillingCore
import PaymentDomain
import Testing

private func date(_ text: String) throws -> CivilDate { try #require(CivilDate(text)) }

@Suite("TARGET days") struct TargetCalendarTests {
    @Test(
        "Easter falls on the known days",
        arguments: [
            "1818-03-22", "1886-04-25", "1943-04-25", "1961-04-02", "1999-04-04", "2000-04-23", "2008-03-23",
            "2011-04-24", "2016-03-27", "2018-04-01", "2019-04-21", "2024-03-31", "2025-04-20", "2026-04-05",
            "2027-03-28", "2038-04-25", "2285-03-22",
        ])
    func easter(text: String) throws {
        let sunday = try date(text)
        #expect(TargetCalendar.easterSunday(sunday.year) == sunday)
    }

    @Test("Easter agrees with Gauss's rule in Lichtenberg's form for every year") func gauss() throws {
        for year in 1_583...9_999 {
            let sunday = try #require(TargetCalendar.easterSunday(year))
            let century: Int = year / 100
            let moon: Int = 15 + (3 * century + 3) / 4 - (8 * century + 13) / 25
            let sun: Int = 2 - (3 * century + 3) / 4
            let age: Int = (19 * (year % 19) + moon) % 30
            let correction: Int = (age + (year % 19) / 11) / 29
            let limit: Int = 21 + age - correction
            let firstSunday: Int = 7 - (year + year / 4 + sun) % 7
            let marchDay: Int = limit + 7 - (limit - firstSunday) % 7
            let expected = try #require(CivilDate(year: year, month: 3, day: 1)).adding(days: marchDay - 1)
            #expect(sunday == expected && sunday.dayOfWeek == .sunday)
        }
        #expect(TargetCalendar.easterSunday(1_582) == nil && TargetCalendar.easterSunday(10_000) == nil)
    }

    @Test(
        "the closing days of a year on weekdays are these",
        arguments: [
            (1999, ["1999-01-01", "1999-12-31"]),
            (2000, ["2000-04-21", "2000-04-24", "2000-05-01", "2000-12-25", "2000-12-26"]),
            (2001, ["2001-01-01", "2001-04-13", "2001-04-16", "2001-05-01", "2001-12-25", "2001-12-26", "2001-12-31"]),
            (2002, ["2002-01-01", "2002-03-29", "2002-04-01", "2002-05-01", "2002-12-25", "2002-12-26"]),
            (2024, ["2024-01-01", "2024-03-29", "2024-04-01", "2024-05-01", "2024-12-25", "2024-12-26"]),
            (2026, ["2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-12-25"]),
        ] as [(Int, [String])])
    func closings(year: Int, expected: [String]) throws {
        var day = try #require(CivilDate(year: year, month: 1, day: 1))
        var closed: [String] = []
        while day.year == year {
            let isWeekend: Bool = day.dayOfWeek == .saturday || day.dayOfWeek == .sunday
            #expect(!isWeekend || !TargetCalendar.isOpen(day))
            if !isWeekend, !TargetCalendar.isOpen(day) { closed.append(day.description) }
            day = day.adding(days: 1)
        }
        #expect(closed == expected)
    }

    @Test(
        "open days are counted without the first and with the last",
        arguments: [
            ("2026-04-02", "2026-04-02", 0), ("2026-04-02", "2026-04-06", 0), ("2026-04-02", "2026-04-07", 1),
            ("2026-11-20", "2026-11-22", 0), ("2026-11-20", "2026-11-23", 1), ("2026-11-20", "2026-11-30", 6),
            ("2026-11-20", "2026-11-19", 0), ("2026-12-31", "2027-01-04", 1),
        ] as [(String, String, Int)])
    func counted(start: String, end: String, count: Int) throws {
        #expect(try TargetCalendar.openDays(after: date(start), through: date(end)) == count)
    }

    @Test("who asks for no more than some number has one more counted, however long it is", arguments: [0, 1, 5])
    func bounded(limit: Int) throws {
        let (start, end): (CivilDate, CivilDate) = (try date("0001-01-01"), try date("9999-12-31"))
        #expect(TargetCalendar.openDays(after: start, through: end, stoppingPast: limit) == limit + 1)
    }
}
