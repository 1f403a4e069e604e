/// An exact decimal number: up to 38 digits, of which up to 38 after the point. For rates, quantities and unit prices.
///
/// Kept without trailing zeros after the point, so equal numbers are equal values whatever way they were written.
/// Arithmetic is exact or throws; only division and rescaling round, and they are told how.
public struct ExactDecimal: Hashable, Sendable {
    /// The most digits there may be after the point.
    public static let maxScale = 38

    /// The number without its point.
    public let coefficient: Int128
    /// How many digits stand after the point.
    public let scale: Int

    /// Zero.
    public static let zero = ExactDecimal(0)
    /// One.
    public static let one = ExactDecimal(1)

    /// An integer.
    public init(_ value: Int64) {
        coefficient = Int128(value)
        scale = 0
    }

    /// The number coefficient × 10^-scale.
    /// - Throws: ``MoneyError/overflow`` when the scale is negative, or beyond ``maxScale`` without trailing zeros.
    public init(coefficient: Int128, scale: Int) throws(MoneyError) {
        guard scale >= 0 else { throw .overflow }
        guard coefficient != 0 else {
            self = .zero
            return
        }
        var coefficient = coefficient
        var scale = scale
        while scale > 0 {
            let (quotient, rest) = coefficient.quotientAndRemainder(dividingBy: 10)
            guard rest == 0 else { break }
            coefficient = quotient
            scale -= 1
        }
        guard scale <= Self.maxScale else { throw .overflow }
        self.coefficient = coefficient
        self.scale = scale
    }

    /// Reads `-?digits[.digits]` with nothing else around it.
    /// - Throws: ``MoneyError/notANumber`` for other text, ``MoneyError/overflow`` when it has too many digits.
    public init(parsing text: String) throws(MoneyError) {
        var coefficient: Int128 = 0
        var scale = 0
        var digits = 0
        var hasPoint = false
        let isNegative = text.utf8.first == UInt8(ascii: "-")
        for byte in text.utf8.dropFirst(isNegative ? 1 : 0) {
            if byte == UInt8(ascii: "."), !hasPoint, digits > 0 {
                hasPoint = true
                continue
            }
            guard byte &- 0x30 < 10 else { throw .notANumber }
            digits += 1
            let (shifted, overflow) = coefficient.multipliedReportingOverflow(by: 10)
            let digit = Int128(byte &- 0x30)
            let (next, carried) =
                isNegative ? shifted.subtractingReportingOverflow(digit) : shifted.addingReportingOverflow(digit)
            guard !overflow, !carried else { throw .overflow }
            coefficient = next
            if hasPoint { scale += 1 }
        }
        guard digits > 0, !hasPoint || scale > 0 else { throw .notANumber }
        try self.init(coefficient: coefficient, scale: scale)
    }

    /// Whether the number is zero.
    public var isZero: Bool { coefficient == 0 }
    /// Whether the number is below zero.
    public var isNegative: Bool { coefficient < 0 }
}

extension ExactDecimal: LosslessStringConvertible {
    /// Reads `-?digits[.digits]`; `nil` for other text and for too many digits.
    public init?(_ description: String) {
        do throws(MoneyError) {
            try self.init(parsing: description)
        } catch {
            return nil
        }
    }

    /// The shortest plain decimal: no exponent, no trailing zeros after the point, no plus.
    public var description: String { Self.plain(coefficient, scale: scale) }

    /// Writes coefficient × 10^-scale with exactly `scale` digits after the point.
    static func plain(_ coefficient: Int128, scale: Int) -> String {
        let digits = String(coefficient.magnitude)
        let sign = coefficient < 0 ? "-" : ""
        guard scale > 0 else { return sign + digits }
        let padded =
            digits.utf8.count > scale ? digits : String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits
        return "\(sign)\(padded.dropLast(scale)).\(padded.suffix(scale))"
    }
}

extension ExactDecimal: Comparable {
    /// Compares the numbers exactly; never overflows.
    public static func < (left: ExactDecimal, right: ExactDecimal) -> Bool {
        if left.scale == right.scale { return left.coefficient < right.coefficient }
        let leftParts = left.parts
        let rightParts = right.parts
        if leftParts.whole != rightParts.whole { return leftParts.whole < rightParts.whole }
        return leftParts.fraction < rightParts.fraction
    }

    /// The integral part and the fraction in units of 10^-38, both with the number's sign.
    private var parts: (whole: Int128, fraction: Int128) {
        guard scale > 0, let power = PowersOfTen[scale], let unit = PowersOfTen[PowersOfTen.largest - scale] else {
            return (coefficient, 0)
        }
        let (whole, fraction) = coefficient.quotientAndRemainder(dividingBy: Int128(power))
        return (whole, fraction * Int128(unit))
    }
}
