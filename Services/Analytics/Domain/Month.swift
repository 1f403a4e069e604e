public import BillingCore

/// A calendar month in UTC: the grain of revenue reports.
public struct Month: Hashable, Comparable, Sendable, LosslessStringConvertible {
    /// Years that can be asked for.
    public static let years: ClosedRange<Int> = 1970...9998

    private let index: Int

    private init(index: Int) { self.index = index }

    /// January 1970.
    public static let epoch = Month(index: 1970 * 12)

    /// Reads `YYYY-MM`; `nil` for anything else and for years outside ``years``.
    public init?(_ description: String) {
        let bytes: [UInt8] = Array(description.utf8)
        guard bytes.count == 7, bytes[4] == 0x2D else { return nil }
        func number(_ digits: ArraySlice<UInt8>) -> Int? {
            var value = 0
            for digit in digits {
                guard (0x30...0x39).contains(digit) else { return nil }
                value = value * 10 + Int(digit - 0x30)
            }
            return value
        }
        guard let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), Self.years.contains(year),
            (1...12).contains(month)
        else { return nil }
        index = year * 12 + month - 1
    }

    /// The month an instant falls into; `nil` outside ``years``.
    public init?(containing instant: Instant) {
        self.init(String(instant.rfc3339.prefix(7)))
    }

    /// What it is, for people.
    public var description: String { Self.pad(index / 12, 4) + "-" + Self.pad(index % 12 + 1, 2) }

    /// Its first instant, which is where the month before it ends.
    public var start: Instant {
        guard let instant = Instant(rfc3339: description + "-01T00:00:00Z") else {
            preconditionFailure("the first day of a month within \(Self.years) is an instant")
        }
        return instant
    }

    /// The month so many months later (earlier when negative), held within ``years``.
    public func adding(_ months: Int) -> Month {
        let first: Int = Self.years.lowerBound * 12
        let last: Int = Self.years.upperBound * 12 + 11
        return Month(index: min(max(index + months, first), last))
    }

    /// How many months later the other one is.
    public func distance(to other: Month) -> Int { other.index - index }

    /// Whether the first comes before the second.
    public static func < (a: Month, b: Month) -> Bool { a.index < b.index }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
