/// A day of the Gregorian calendar, without a time or a zone.
public struct CivilDate: Hashable, Sendable {
    /// The year; read from text it is 1 to 9999.
    public var year: Int { Int(yearValue) }
    /// The month, 1 to 12.
    public var month: Int { Int(monthValue) }
    /// The day of the month, 1 to 31.
    public var day: Int { Int(dayValue) }

    private let yearValue: Int32
    private let monthValue: Int8
    private let dayValue: Int8

    /// Makes a date; `nil` when there is no such day in the years 1 to 9999.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9_999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.daysInMonth(year: year, month: month)
        else { return nil }
        self.init(valid: year, month, day)
    }

    private init(valid year: Int, _ month: Int, _ day: Int) {
        yearValue = Int32(clamping: year)
        monthValue = Int8(truncatingIfNeeded: month)
        dayValue = Int8(truncatingIfNeeded: day)
    }

    /// How many days a month has. The month is 1 to 12.
    public static func daysInMonth(year: Int, month: Int) -> Int {
        switch month {
        case 2: isLeapYear(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Whether a year has a 29th of February.
    public static func isLeapYear(_ year: Int) -> Bool {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    }
}

/// A day of the week, numbered as ISO 8601 does.
public enum DayOfWeek: Int, CaseIterable, Sendable {
    /// 1.
    case monday = 1
    /// 2.
    case tuesday
    /// 3.
    case wednesday
    /// 4.
    case thursday
    /// 5.
    case friday
    /// 6.
    case saturday
    /// 7.
    case sunday
}

extension CivilDate {
    /// How far from the epoch a date may lie, in days: about a million years. Sums are clamped to it.
    private static let farthestDay = 365_000_000

    /// The day so many days after 1970-01-01 (before, when negative); clamped to about a million years.
    public init(dayNumber: Int) {
        // Days are counted from 0000-03-01, in eras of 400 years, so that the leap day is the last of its year.
        let days = min(max(dayNumber, -Self.farthestDay), Self.farthestDay) + 719_468
        let era = days.flooredQuotient(by: 146_097)
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        self.init(valid: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// Days since 1970-01-01.
    public var dayNumber: Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear.flooredQuotient(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The date so many days later.
    public func adding(days: Int) -> CivilDate {
        let (sum, overflow) = dayNumber.addingReportingOverflow(days)
        return CivilDate(dayNumber: overflow ? (days < 0 ? .min : .max) : sum)
    }

    /// The date so many months later, on the same day of the month or the last one when that month is shorter.
    public func adding(months: Int) -> CivilDate {
        let farthest = Self.farthestDay / 31
        let total = year * 12 + month - 1 + min(max(months, -farthest), farthest)
        let newYear = total.flooredQuotient(by: 12)
        let newMonth = total.flooredRemainder(by: 12) + 1
        return CivilDate(valid: newYear, newMonth, min(day, Self.daysInMonth(year: newYear, month: newMonth)))
    }

    /// How many days later another date is; negative when it is earlier.
    public func days(until other: CivilDate) -> Int { other.dayNumber - dayNumber }

    /// The day of the week.
    public var dayOfWeek: DayOfWeek {
        // 1970-01-01 was a Thursday.
        DayOfWeek(rawValue: (dayNumber + 3).flooredRemainder(by: 7) + 1) ?? .monday
    }
}

extension CivilDate: Comparable {
    /// Orders by day.
    public static func < (left: CivilDate, right: CivilDate) -> Bool {
        (left.yearValue, left.monthValue, left.dayValue) < (right.yearValue, right.monthValue, right.dayValue)
    }
}

extension CivilDate: LosslessStringConvertible {
    /// Reads `YYYY-MM-DD`; `nil` for anything else and for days that do not exist.
    public init?(_ description: String) {
        var reader = DigitReader(description)
        guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
            let day = reader.number(2), reader.isAtEnd
        else { return nil }
        self.init(year: year, month: month, day: day)
    }

    /// `YYYY-MM-DD`.
    public var description: String {
        var text = DigitWriter()
        text.date(self)
        return text.string
    }
}
