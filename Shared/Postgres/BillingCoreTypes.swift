public import BillingCore

extension PostgresEncodable where Self: TypedID {
    /// The id as text.
    public var postgresValue: PostgresValue { PostgresValue(rawValue) }
}

extension PostgresDecodable where Self: TypedID {
    /// Reads an id the database holds; its form was checked when it came in.
    public static func decode(_ bytes: UnsafeRawBufferPointer) -> Self { Self(unchecked: String.decode(bytes)) }
}

extension CustomerID: PostgresCodable {}
extension PlanID: PostgresCodable {}
extension SubscriptionID: PostgresCodable {}
extension BillingID: PostgresCodable {}
extension InvoiceID: PostgresCodable {}
extension PaymentID: PostgresCodable {}
extension PaymentMethodID: PostgresCodable {}
extension RefundID: PostgresCodable {}
extension CaptureID: PostgresCodable {}
extension AssessmentID: PostgresCodable {}
extension DisputeID: PostgresCodable {}
extension DisputeResponseID: PostgresCodable {}
extension EventID: PostgresCodable {}
extension JournalEntryID: PostgresCodable {}
extension APIKeyID: PostgresCodable {}
extension AttemptID: PostgresCodable {}
extension InstalmentPlanID: PostgresCodable {}
extension InstalmentID: PostgresCodable {}

extension PostgresEncodable where Self: LosslessStringConvertible {
    /// The description, from which the value can be read back.
    public var postgresValue: PostgresValue { PostgresValue(description) }
}

extension PostgresDecodable where Self: LosslessStringConvertible {
    /// Reads a description.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Self {
        guard let value = Self(String.decode(bytes)) else { throw PostgresError.undecodable("not a \(Self.self)") }
        return value
    }
}

extension Currency: PostgresCodable {}
extension ExactDecimal: PostgresCodable {}
extension TimeZoneID: PostgresCodable {}
extension IdempotencyKey: PostgresCodable {}
extension BillingInterval: PostgresCodable {}

extension CivilDate: PostgresCodable {
    /// Reads a `date` of the years the calendar has; `infinity` and dates before Christ are refused.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> CivilDate {
        var reader = DateReader(bytes)
        guard let date = reader.date(), reader.isAtEnd else { throw PostgresError.undecodable("not a date") }
        return date
    }
}

extension Instant: PostgresCodable {
    /// The moment as RFC 3339 text.
    public var postgresValue: PostgresValue { PostgresValue(rfc3339) }

    /// Reads a `timestamptz`; `infinity` and moments before Christ are refused.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Instant {
        var reader = DateReader(bytes)
        guard let date = reader.date(), reader.skip(UInt8(ascii: " ")), let time = reader.microsecondsOfDay(),
            let offset = reader.offsetSeconds(), reader.isAtEnd
        else { throw PostgresError.undecodable("not a timestamp with time zone") }
        let seconds = Int64(date.dayNumber) * 86_400 - Int64(offset)
        return Instant(microseconds: seconds * 1_000_000 + time)
    }
}

/// Reads the ISO forms in which the server writes dates and times.
private struct DateReader {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func date() -> CivilDate? {
        guard let year = number(), skip(UInt8(ascii: "-")), let month = number(), skip(UInt8(ascii: "-")),
            let day = number()
        else { return nil }
        return CivilDate(year: year, month: month, day: day)
    }

    mutating func microsecondsOfDay() -> Int64? {
        guard let hour = number(), skip(UInt8(ascii: ":")), let minute = number(), skip(UInt8(ascii: ":")),
            let second = number()
        else { return nil }
        var fraction: Int = 0
        if skip(UInt8(ascii: ".")) {
            let start: Int = position
            guard let digits = number() else { return nil }
            fraction = digits
            for _ in (position - start)..<6 { fraction *= 10 }
        }
        return Int64(hour * 3600 + minute * 60 + second) * 1_000_000 + Int64(fraction)
    }

    /// `+00`, `-03:30` or `+01:02:03`.
    mutating func offsetSeconds() -> Int? {
        let isWest: Bool = skip(UInt8(ascii: "-"))
        guard isWest || skip(UInt8(ascii: "+")), let hours = number() else { return nil }
        var seconds: Int = hours * 3600
        if skip(UInt8(ascii: ":")) {
            guard let minutes = number() else { return nil }
            seconds += minutes * 60
            if skip(UInt8(ascii: ":")) {
                guard let rest = number() else { return nil }
                seconds += rest
            }
        }
        return isWest ? -seconds : seconds
    }

    /// Up to six digits, which is more than any part of a date has.
    private mutating func number() -> Int? {
        var value: Int = 0
        let start: Int = position
        while position < bytes.count, position - start < 6 {
            let digit: UInt8 = bytes[position] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            value = value * 10 + Int(digit)
            position += 1
        }
        return position > start ? value : nil
    }
}
