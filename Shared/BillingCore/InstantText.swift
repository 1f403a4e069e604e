/// Reading and writing RFC 3339.
extension Instant: LosslessStringConvertible {
    /// The RFC 3339 text.
    public var description: String { rfc3339 }

    /// Reads RFC 3339; see ``init(rfc3339:)``.
    public init?(_ description: String) { self.init(rfc3339: description) }

    /// Reads an RFC 3339 timestamp such as `2027-01-31T00:00:00Z` or `2027-01-31T01:30:00.25+01:00`.
    ///
    /// Digits beyond microseconds are dropped. Years 0001 to 9999; leap seconds (`:60`) are refused, as no billing day
    /// depends on one.
    public init?(rfc3339 text: String) {
        var reader = DigitReader(text)
        guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
            let day = reader.number(2), let date = CivilDate(year: year, month: month, day: day),
            reader.skip("T") || reader.skip("t"),
            let hour = reader.number(2), hour < 24, reader.skip(":"), let minute = reader.number(2), minute < 60,
            reader.skip(":"), let second = reader.number(2), second < 60
        else { return nil }
        var fraction = 0
        if reader.skip(".") {
            guard let digits = reader.fraction() else { return nil }
            fraction = digits
        }
        guard let offset = Self.offset(&reader), reader.isAtEnd else { return nil }
        let seconds = date.dayNumber * 86_400 + hour * 3_600 + minute * 60 + second - offset
        guard Self.writableSeconds.contains(seconds) else { return nil }
        self.init(microseconds: Int64(seconds * 1_000_000 + fraction))
    }

    /// 0001-01-01T00:00:00Z up to the end of 9999, so that what is read can be written the same way.
    private static let writableSeconds = -62_135_596_800..<253_402_300_800

    private static func offset(_ reader: inout DigitReader) -> Int? {
        if reader.skip("Z") || reader.skip("z") { return 0 }
        let isWest = reader.skip("-")
        guard isWest || reader.skip("+"), let hours = reader.number(2), hours < 24, reader.skip(":"),
            let minutes = reader.number(2), minutes < 60
        else { return nil }
        let seconds = hours * 3_600 + minutes * 60
        return isWest ? -seconds : seconds
    }

    /// The instant in UTC as RFC 3339 text; a fraction (six digits, trailing zeros dropped) only when there is one.
    public var rfc3339: String {
        let days = microseconds.flooredQuotient(by: 86_400_000_000)
        let rest = Int(microseconds.flooredRemainder(by: 86_400_000_000))
        let (seconds, fraction) = rest.quotientAndRemainder(dividingBy: 1_000_000)
        var text = DigitWriter()
        text.date(CivilDate(dayNumber: Int(days)))
        text.byte("T")
        text.number(seconds / 3_600, digits: 2)
        text.byte(":")
        text.number(seconds / 60 % 60, digits: 2)
        text.byte(":")
        text.number(seconds % 60, digits: 2)
        if fraction != 0 { text.fraction(fraction) }
        text.byte("Z")
        return text.string
    }
}

/// Reads fixed-width numbers off ASCII text.
struct DigitReader {
    private let bytes: [UInt8]
    private var at = 0

    /// Longer text than any date or time has is taken as empty.
    init(_ text: String) { bytes = text.utf8.count <= 64 ? Array(text.utf8) : [] }

    var isAtEnd: Bool { at == bytes.count }

    /// Steps over one expected character.
    mutating func skip(_ expected: Unicode.Scalar) -> Bool {
        guard at < bytes.count, UInt32(bytes[at]) == expected.value else { return false }
        at += 1
        return true
    }

    /// Reads exactly this many digits.
    mutating func number(_ digits: Int) -> Int? {
        guard at + digits <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[at..<at + digits] {
            guard byte &- 0x30 < 10 else { return nil }
            value = value * 10 + Int(byte &- 0x30)
        }
        at += digits
        return value
    }

    /// Reads one or more digits after a decimal point as microseconds.
    mutating func fraction() -> Int? {
        var value = 0
        var unit = 100_000
        let start = at
        while at < bytes.count, bytes[at] &- 0x30 < 10 {
            value += Int(bytes[at] &- 0x30) * unit
            unit /= 10
            at += 1
        }
        return at > start ? value : nil
    }
}

/// Writes fixed-width numbers as ASCII text.
struct DigitWriter {
    private var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(32) }

    var string: String { String(decoding: bytes, as: UTF8.self) }

    mutating func byte(_ character: Unicode.Scalar) { bytes.append(UInt8(truncatingIfNeeded: character.value)) }

    /// Writes a number that is not negative, padded with zeros.
    mutating func number(_ value: Int, digits: Int) {
        var power = 1
        for _ in 1..<digits { power *= 10 }
        while value / power > 9 { power *= 10 }
        while power > 0 {
            bytes.append(0x30 &+ UInt8(truncatingIfNeeded: value / power % 10))
            power /= 10
        }
    }

    /// Writes `YYYY-MM-DD`; years outside 0 to 9999 get a sign or more digits.
    mutating func date(_ date: CivilDate) {
        if date.year < 0 { byte("-") }
        number(abs(date.year), digits: 4)
        byte("-")
        number(date.month, digits: 2)
        byte("-")
        number(date.day, digits: 2)
    }

    /// Writes a point and up to six digits of microseconds.
    mutating func fraction(_ microseconds: Int) {
        byte(".")
        number(microseconds, digits: 6)
        while bytes.last == UInt8(ascii: "0") { bytes.removeLast() }
    }
}
