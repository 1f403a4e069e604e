extension String: PostgresCodable {
    /// The string itself. Postgres has no text with a NUL character: binding one is refused.
    public var postgresValue: PostgresValue { PostgresValue(self) }

    /// Reads text; the session's encoding is UTF-8.
    public static func decode(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension Substring: PostgresEncodable {
    /// The characters as text.
    public var postgresValue: PostgresValue { PostgresValue(String(self)) }
}

extension PostgresEncodable where Self: FixedWidthInteger {
    /// The number in decimal digits.
    public var postgresValue: PostgresValue { PostgresValue(String(self)) }
}

extension PostgresDecodable where Self: FixedWidthInteger {
    /// Reads decimal digits that fit the type.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Self {
        let isNegative: Bool = bytes.first == UInt8(ascii: "-")
        var value: Self = 0
        var index: Int = isNegative ? 1 : 0
        guard index < bytes.count else { throw PostgresError.undecodable("not a whole number") }
        while index < bytes.count {
            let digit: UInt8 = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { throw PostgresError.undecodable("not a whole number") }
            let (scaled, overflowed) = value.multipliedReportingOverflow(by: 10)
            let step: Self = Self(truncatingIfNeeded: digit)
            let (next, overflowedAgain) =
                isNegative ? scaled.subtractingReportingOverflow(step) : scaled.addingReportingOverflow(step)
            guard !overflowed, !overflowedAgain else { throw PostgresError.undecodable("beyond \(Self.self)") }
            value = next
            index += 1
        }
        return value
    }
}

extension Int: PostgresCodable {}
extension Int16: PostgresCodable {}
extension Int32: PostgresCodable {}
extension Int64: PostgresCodable {}
/// Sums of 64-bit numbers, which Postgres adds up as numeric.
extension Int128: PostgresDecodable {}

extension Bool: PostgresCodable {
    /// `t` or `f`.
    public var postgresValue: PostgresValue { PostgresValue(self ? "t" : "f") }

    /// Reads `t` or `f`.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
        switch bytes.first {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: throw PostgresError.undecodable("not a boolean")
        }
    }
}

extension Double: PostgresCodable {
    /// The shortest text that reads back as the same number.
    public var postgresValue: PostgresValue {
        if isNaN { return PostgresValue("NaN") }
        return PostgresValue(isFinite ? description : (self < 0 ? "-Infinity" : "Infinity"))
    }

    /// Reads a floating-point number, `NaN` and `Infinity` included.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Double {
        guard let value = Double(String.decode(bytes)) else { throw PostgresError.undecodable("not a number") }
        return value
    }
}

/// A single byte is a small number; an array of bytes is a `bytea`.
extension UInt8: PostgresCodable {
    private static let digits: [UInt8] = Array("0123456789abcdef".utf8)

    /// Binds the bytes as a `bytea` in hexadecimal form.
    public static func postgresArray(_ elements: [UInt8]) -> PostgresValue {
        let text = String(unsafeUninitializedCapacity: 2 + elements.count * 2) { buffer in
            buffer[0] = UInt8(ascii: "\\")
            buffer[1] = UInt8(ascii: "x")
            var position: Int = 2
            for byte in elements {
                buffer[position] = digits[Int(byte >> 4)]
                buffer[position + 1] = digits[Int(byte & 15)]
                position += 2
            }
            return position
        }
        return PostgresValue(text)
    }

    /// Reads a `bytea` in hexadecimal form.
    public static func decodeArray(_ bytes: UnsafeRawBufferPointer) throws -> [UInt8] {
        guard bytes.count >= 2, bytes.count % 2 == 0, bytes[0] == UInt8(ascii: "\\"), bytes[1] == UInt8(ascii: "x")
        else { throw PostgresError.undecodable("not a bytea in hexadecimal form") }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count / 2 - 1)
        var index: Int = 2
        while index < bytes.count {
            guard let high = nibble(bytes[index]), let low = nibble(bytes[index + 1]) else {
                throw PostgresError.undecodable("not a bytea in hexadecimal form")
            }
            result.append(high << 4 | low)
            index += 2
        }
        return result
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
