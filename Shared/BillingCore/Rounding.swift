/// Where a result that does not fit its last digit goes.
public enum Rounding: Sendable, Hashable, CaseIterable {
    /// To the nearest; a half goes away from zero (commercial rounding).
    case halfUp
    /// To the nearest; a half goes to the even neighbour.
    case halfEven
    /// Towards zero.
    case down
    /// Away from zero.
    case up
    /// Towards minus infinity.
    case floor
    /// Towards plus infinity.
    case ceiling
}

extension Rounding {
    /// Whether a truncated magnitude must grow by one.
    /// - Parameters:
    ///   - half: How the discarded part compares with one half (-1, 0, 1); not asked when nothing was discarded.
    ///   - isOdd: Whether the truncated magnitude is odd.
    ///   - isNegative: The sign of the exact result.
    private func grows(half: Int, isOdd: Bool, isNegative: Bool) -> Bool {
        switch self {
        case .halfUp: half >= 0
        case .halfEven: half > 0 || (half == 0 && isOdd)
        case .down: false
        case .up: true
        case .floor: isNegative
        case .ceiling: !isNegative
        }
    }

    /// Divides a double-width magnitude and rounds; `nil` when the quotient does not fit.
    func quotient(
        of numerator: (high: UInt128, low: UInt128), by denominator: UInt128, isNegative: Bool
    ) -> UInt128? {
        guard numerator.high < denominator else { return nil }
        let quotient: UInt128
        let rest: UInt128
        if numerator.high == 0 {
            (quotient, rest) = numerator.low.quotientAndRemainder(dividingBy: denominator)
        } else {
            (quotient, rest) = denominator.dividingFullWidth(numerator)
        }
        guard rest != 0 else { return quotient }
        let opposite = denominator - rest
        let half = rest < opposite ? -1 : (rest == opposite ? 0 : 1)
        guard grows(half: half, isOdd: quotient & 1 == 1, isNegative: isNegative) else { return quotient }
        let (grown, overflow) = quotient.addingReportingOverflow(1)
        return overflow ? nil : grown
    }

    /// Rounds an exact result known to be above zero and below one half: 0 or 1.
    func ofTinyFraction(isNegative: Bool) -> UInt128 {
        grows(half: -1, isOdd: false, isNegative: isNegative) ? 1 : 0
    }
}

extension Int128 {
    /// Puts a sign to a magnitude; `nil` when it does not fit.
    init?(magnitude: UInt128, isNegative: Bool) {
        if isNegative {
            guard magnitude <= Int128.min.magnitude else { return nil }
            self = Int128(truncatingIfNeeded: 0 &- magnitude)
        } else {
            guard let value = Int128(exactly: magnitude) else { return nil }
            self = value
        }
    }
}

/// Powers of ten up to 10^38, the largest that fits.
enum PowersOfTen {
    static let largest = 38

    private static let values: [UInt128] = (0...largest).map { exponent in
        (0..<exponent).reduce(1 as UInt128) { value, _ in value * 10 }
    }

    /// 10^exponent; `nil` beyond ``largest``.
    static subscript(exponent: Int) -> UInt128? { values.indices.contains(exponent) ? values[exponent] : nil }
}
