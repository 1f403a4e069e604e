/// The rule for all times after a zone file's last transition, in the form of the POSIX `TZ` variable with the
/// extensions of RFC 8536: `CET-1CEST,M3.5.0,M10.5.0/3`, `<+1030>-10:30<+11>-11,M10.1.0,M4.1.0`.
struct PosixRule: Sendable {
    /// A day of the year and the local time at which the clock changes.
    private struct Change: Sendable {
        enum Day: Sendable {
            /// 1 to 365, the 29th of February never counted.
            case julian(Int)
            /// 0 to 365, the 29th of February counted.
            case ordinal(Int)
            /// A weekday (0 is Sunday) of a week (5 is the last) of a month.
            case weekday(month: Int, week: Int, day: Int)
        }
        let day: Day
        let seconds: Int
    }

    /// Seconds east of UTC outside daylight saving.
    let standard: Int
    private let daylight: (offset: Int, starts: Change, ends: Change)?

    /// The changes of one year in order of time, each with the offset that holds from then on.
    func transitions(year: Int) -> [(time: Int64, offset: Int)] {
        guard let daylight else { return [] }
        let starts = Self.time(daylight.starts, year: year) - standard
        let ends = Self.time(daylight.ends, year: year) - daylight.offset
        let changes = [(Int64(starts), daylight.offset), (Int64(ends), standard)]
        return starts <= ends ? changes : changes.reversed()
    }

    /// Local seconds since the epoch at which a change happens.
    private static func time(_ change: Change, year: Int) -> Int {
        let newYear = CivilDate.newYear(year)
        let day: Int =
            switch change.day {
            case .julian(let number): newYear + number - 1 + (CivilDate.isLeapYear(year) && number >= 60 ? 1 : 0)
            case .ordinal(let number): newYear + number
            case .weekday(let month, let week, let day): weekday(day, week: week, month: month, newYear: newYear, year)
            }
        return day * 86_400 + change.seconds
    }

    private static func weekday(_ day: Int, week: Int, month: Int, newYear: Int, _ year: Int) -> Int {
        let first = newYear + (1..<month).reduce(0) { $0 + CivilDate.daysInMonth(year: year, month: $1) }
        // Day 0 of the epoch was a Thursday (4).
        let firstMatch = first + (day - (first + 4).flooredRemainder(by: 7)).flooredRemainder(by: 7)
        let matches = (first + CivilDate.daysInMonth(year: year, month: month) - 1 - firstMatch) / 7
        return firstMatch + min(week - 1, matches) * 7
    }
}

extension PosixRule {
    /// Parses the text; `nil` when it is empty or malformed.
    init?(_ text: String) {
        var rest = Substring(text)
        guard Self.skipName(&rest), let west = Self.time(&rest) else { return nil }
        standard = -west
        guard !rest.isEmpty else {
            daylight = nil
            return
        }
        guard Self.skipName(&rest) else { return nil }
        var offset = standard + 3_600
        if rest.first != "," {
            guard let west = Self.time(&rest) else { return nil }
            offset = -west
        }
        guard let starts = Self.change(&rest), let ends = Self.change(&rest), rest.isEmpty else { return nil }
        daylight = (offset, starts, ends)
    }

    private static func skipName(_ rest: inout Substring) -> Bool {
        if rest.first == "<" {
            guard let end = rest.firstIndex(of: ">") else { return false }
            rest = rest[rest.index(after: end)...]
            return true
        }
        let length = rest.prefix { $0.isASCII && $0.isLetter }.count
        rest = rest.dropFirst(length)
        return length >= 3
    }

    /// Reads `[+-]hh[:mm[:ss]]` as seconds.
    private static func time(_ rest: inout Substring) -> Int? {
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest = rest.dropFirst() }
        var seconds = 0
        for (index, unit) in [3_600, 60, 1].enumerated() {
            if index > 0 {
                guard rest.first == ":" else { break }
                rest = rest.dropFirst()
            }
            guard let part = number(&rest), part <= (index == 0 ? 167 : 59) else { return nil }
            seconds += part * unit
        }
        return isNegative ? -seconds : seconds
    }

    private static func number(_ rest: inout Substring) -> Int? {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        rest = rest.dropFirst(digits.count)
        return digits.count <= 4 ? Int(digits) : nil
    }

    /// Reads `,date[/time]`.
    private static func change(_ rest: inout Substring) -> Change? {
        guard rest.first == "," else { return nil }
        rest = rest.dropFirst()
        guard let day = day(&rest) else { return nil }
        guard rest.first == "/" else { return Change(day: day, seconds: 7_200) }
        rest = rest.dropFirst()
        return time(&rest).map { Change(day: day, seconds: $0) }
    }

    private static func day(_ rest: inout Substring) -> Change.Day? {
        switch rest.first {
        case "J":
            rest = rest.dropFirst()
            return number(&rest).flatMap { (1...365).contains($0) ? .julian($0) : nil }
        case "M":
            var parts: [Int] = []
            for _ in 0..<3 {
                rest = rest.dropFirst()
                guard let part = number(&rest) else { return nil }
                parts.append(part)
                if parts.count < 3, rest.first != "." { return nil }
            }
            guard (1...12).contains(parts[0]), (1...5).contains(parts[1]), parts[2] <= 6 else { return nil }
            return .weekday(month: parts[0], week: parts[1], day: parts[2])
        default:
            return number(&rest).flatMap { $0 <= 365 ? .ordinal($0) : nil }
        }
    }
}

extension CivilDate {
    /// The day number of the first of January, for any year.
    static func newYear(_ year: Int) -> Int {
        let past = year - 1
        return past * 365 + past.flooredQuotient(by: 4) - past.flooredQuotient(by: 100) + past.flooredQuotient(by: 400)
            - 719_162
    }
}
