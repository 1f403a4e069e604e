public import BillingCore

/// The days on which TARGET, the euro's settlement system, is open: the days the ECB publishes reference rates for.
///
/// Source: the ECB's press releases of 3 September 1998 and 31 March 1999 (for 1999), 15 July 1999 (for 2000) and 14
/// December 2000 (long-term calendar from 2002); for 31 December 2001, the TARGET calendar of QuantLib.
public enum TargetCalendar {
    /// Whether TARGET is open on a day.
    public static func isOpen(_ date: CivilDate) -> Bool {
        if date.dayOfWeek == .saturday || date.dayOfWeek == .sunday { return false }
        switch (date.month, date.day) {
        case (1, 1), (12, 25): return false
        case (12, 31): return date.year != 1999 && date.year != 2001
        case (5, 1), (12, 26): return date.year < 2000
        case (3, _), (4, _):
            guard date.year >= 2000, let sunday = easterSunday(date.year) else { return true }
            let distance: Int = sunday.days(until: date)
            return distance != -2 && distance != 1
        default: return true
        }
    }

    /// How many open days lie after one day, up to and including another; 0 when the second is not later.
    /// - Parameter limit: Who only asks whether there are more need not have the rest counted: it stops at one more.
    public static func openDays(
        after start: CivilDate, through end: CivilDate, stoppingPast limit: Int = .max
    ) -> Int {
        var count = 0
        var day: CivilDate = start.adding(days: 1)
        while day <= end, count <= limit {
            if isOpen(day) { count += 1 }
            day = day.adding(days: 1)
        }
        return count
    }

    /// Easter Sunday of a Gregorian year; `nil` outside of the years 1583 to 9999.
    ///
    /// Source: the anonymous algorithm in J. Meeus, "Astronomical Algorithms", chapter 8.
    public static func easterSunday(_ year: Int) -> CivilDate? {
        guard (1583...9_999).contains(year) else { return nil }
        let golden: Int = year % 19
        let (century, yearOfCentury) = year.quotientAndRemainder(dividingBy: 100)
        let (leapCenturies, centuryRest) = century.quotientAndRemainder(dividingBy: 4)
        let moonCorrection: Int = (century - (century + 8) / 25 + 1) / 3
        let epact: Int = (19 * golden + century - leapCenturies - moonCorrection + 15) % 30
        let (leapYears, yearRest) = yearOfCentury.quotientAndRemainder(dividingBy: 4)
        let weekday: Int = (32 + 2 * centuryRest + 2 * leapYears - epact - yearRest) % 7
        let lateMoon: Int = (golden + 11 * epact + 22 * weekday) / 451
        let sum: Int = epact + weekday - 7 * lateMoon + 114
        return CivilDate(year: year, month: sum / 31, day: sum % 31 + 1)
    }
}
