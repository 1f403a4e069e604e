extension ExactDecimal {
    /// The exact sum.
    /// - Throws: ``MoneyError/overflow``.
    public func adding(_ other: ExactDecimal) throws(MoneyError) -> ExactDecimal {
        let shared = max(scale, other.scale)
        let (sum, overflow) = try coefficient(at: shared).addingReportingOverflow(other.coefficient(at: shared))
        guard !overflow else { throw .overflow }
        return try ExactDecimal(coefficient: sum, scale: shared)
    }

    /// The exact difference.
    /// - Throws: ``MoneyError/overflow``.
    public func subtracting(_ other: ExactDecimal) throws(MoneyError) -> ExactDecimal {
        let shared = max(scale, other.scale)
        let (rest, overflow) = try coefficient(at: shared).subtractingReportingOverflow(other.coefficient(at: shared))
        guard !overflow else { throw .overflow }
        return try ExactDecimal(coefficient: rest, scale: shared)
    }

    /// The number with the other sign.
    /// - Throws: ``MoneyError/overflow``.
    public func negated() throws(MoneyError) -> ExactDecimal { try ExactDecimal.zero.subtracting(self) }

    /// The exact product.
    /// - Throws: ``MoneyError/overflow``.
    public func multiplied(by other: ExactDecimal) throws(MoneyError) -> ExactDecimal {
        let (product, overflow) = coefficient.multipliedReportingOverflow(by: other.coefficient)
        guard !overflow else { throw .overflow }
        return try ExactDecimal(coefficient: product, scale: scale + other.scale)
    }

    /// The quotient with at most `scale` digits after the point.
    /// - Throws: ``MoneyError/divisionByZero``, ``MoneyError/overflow``.
    public func divided(
        by divisor: ExactDecimal, scale resultScale: Int, rounding: Rounding
    ) throws(MoneyError) -> ExactDecimal {
        guard divisor.coefficient != 0 else { throw .divisionByZero }
        guard (0...Self.maxScale).contains(resultScale) else { throw .overflow }
        let isNegative = isNegative != divisor.isNegative
        let shift = resultScale + divisor.scale - scale
        let magnitude = try Self.quotient(
            coefficient.magnitude, divisor.coefficient.magnitude, shift: shift, rounding, isNegative: isNegative)
        guard let quotient = Int128(magnitude: magnitude, isNegative: isNegative) else { throw .overflow }
        return try ExactDecimal(coefficient: quotient, scale: resultScale)
    }

    /// The number with at most `scale` digits after the point.
    /// - Throws: ``MoneyError/overflow`` when the scale is out of range.
    public func rounded(scale: Int, rounding: Rounding) throws(MoneyError) -> ExactDecimal {
        try divided(by: .one, scale: scale, rounding: rounding)
    }

    /// The number as text with exactly `scale` digits after the point, such as `12.50`.
    /// - Throws: ``MoneyError/overflow`` when the scale is out of range or too small to hold the number exactly.
    public func description(scale: Int) throws(MoneyError) -> String {
        guard (self.scale...max(self.scale, Self.maxScale)).contains(scale) else { throw .overflow }
        return Self.plain(try coefficient(at: scale), scale: scale)
    }

    /// ``adding(_:)``.
    public static func + (left: ExactDecimal, right: ExactDecimal) throws(MoneyError) -> ExactDecimal {
        try left.adding(right)
    }

    /// ``subtracting(_:)``.
    public static func - (left: ExactDecimal, right: ExactDecimal) throws(MoneyError) -> ExactDecimal {
        try left.subtracting(right)
    }

    /// ``multiplied(by:)``.
    public static func * (left: ExactDecimal, right: ExactDecimal) throws(MoneyError) -> ExactDecimal {
        try left.multiplied(by: right)
    }

    /// The coefficient this number has when written with a scale that is at least its own.
    func coefficient(at wanted: Int) throws(MoneyError) -> Int128 {
        guard wanted > scale, coefficient != 0 else { return coefficient }
        guard let power = PowersOfTen[wanted - scale] else { throw .overflow }
        let (shifted, overflow) = coefficient.multipliedReportingOverflow(by: Int128(power))
        guard !overflow else { throw .overflow }
        return shifted
    }

    /// numerator × 10^shift / denominator, rounded.
    private static func quotient(
        _ numerator: UInt128, _ denominator: UInt128, shift: Int, _ rounding: Rounding, isNegative: Bool
    ) throws(MoneyError) -> UInt128 {
        guard numerator != 0 else { return 0 }
        guard shift < 0 else {
            // A shift of up to 76 comes in two factors; the first product must leave room for the second.
            let first = min(shift, PowersOfTen.largest)
            guard let power = PowersOfTen[first], let rest = PowersOfTen[shift - first] else { throw .overflow }
            let (scaled, overflow) = numerator.multipliedReportingOverflow(by: rest)
            guard !overflow else { throw .overflow }
            let wide = scaled.multipliedFullWidth(by: power)
            guard let result = rounding.quotient(of: wide, by: denominator, isNegative: isNegative) else {
                throw .overflow
            }
            return result
        }
        guard let power = PowersOfTen[-shift] else { throw .overflow }
        let (scaled, overflow) = denominator.multipliedReportingOverflow(by: power)
        // The denominator is beyond 2^128 and the numerator at most 2^127: less than one half.
        guard !overflow else { return rounding.ofTinyFraction(isNegative: isNegative) }
        guard let result = rounding.quotient(of: (0, numerator), by: scaled, isNegative: isNegative) else {
            throw .overflow
        }
        return result
    }
}
