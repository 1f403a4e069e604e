package import BillingCore

/// An amount of a crypto asset: a whole number of its smallest units (satoshi, wei), from 0 to 2^256 - 1.
///
/// 256 bits, because ERC-20 amounts are `uint256`: every amount that a log can carry is an exact value here.
/// Arithmetic is exact or throws ``MoneyError/overflow``; a difference below zero is an overflow too.
package struct BaseUnits: Hashable, Sendable {
    /// The upper 128 bits.
    package let high: UInt128
    /// The lower 128 bits.
    package let low: UInt128

    /// Nothing.
    package static let zero = BaseUnits(0)
    /// One smallest unit.
    package static let one = BaseUnits(1)
    /// 2^256 - 1.
    package static let max = BaseUnits(high: .max, low: .max)

    /// A number of smallest units.
    package init(_ value: UInt128) { self.init(high: 0, low: value) }

    package init(high: UInt128, low: UInt128) {
        self.high = high
        self.low = low
    }

    /// Whether the amount is zero.
    package var isZero: Bool { high == 0 && low == 0 }
}

extension BaseUnits: Comparable {
    /// Orders by size.
    package static func < (left: BaseUnits, right: BaseUnits) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}

extension BaseUnits {
    /// The sum.
    /// - Throws: ``MoneyError/overflow``.
    package func adding(_ other: BaseUnits) throws(MoneyError) -> BaseUnits {
        let (low, carry) = low.addingReportingOverflow(other.low)
        let (sum, overflow) = high.addingReportingOverflow(other.high)
        let (high, carried) = sum.addingReportingOverflow(carry ? 1 : 0)
        guard !overflow, !carried else { throw .overflow }
        return BaseUnits(high: high, low: low)
    }

    /// The difference.
    /// - Throws: ``MoneyError/overflow`` when the other amount is larger.
    package func subtracting(_ other: BaseUnits) throws(MoneyError) -> BaseUnits {
        guard self >= other else { throw .overflow }
        let (low, borrow) = low.subtractingReportingOverflow(other.low)
        return BaseUnits(high: high &- other.high &- (borrow ? 1 : 0), low: low)
    }

    /// The product with a whole number.
    /// - Throws: ``MoneyError/overflow``.
    package func multiplied(by factor: UInt128) throws(MoneyError) -> BaseUnits {
        let lower: (high: UInt128, low: UInt128) = low.multipliedFullWidth(by: factor)
        let (upper, overflow) = high.multipliedReportingOverflow(by: factor)
        let (high, carried) = upper.addingReportingOverflow(lower.high)
        guard !overflow, !carried else { throw .overflow }
        return BaseUnits(high: high, low: lower.low)
    }

    /// The whole quotient and what is left over.
    /// - Throws: ``MoneyError/divisionByZero``.
    package func quotientAndRemainder(
        dividingBy divisor: UInt128
    ) throws(MoneyError) -> (quotient: BaseUnits, remainder: UInt128) {
        guard divisor != 0 else { throw .divisionByZero }
        let (upper, rest) = high.quotientAndRemainder(dividingBy: divisor)
        // The rest is below the divisor, so the second quotient fits.
        let (lower, remainder) = divisor.dividingFullWidth((rest, low))
        return (BaseUnits(high: upper, low: lower), remainder)
    }

    /// The quotient, rounded up or down to a whole unit.
    /// - Throws: ``MoneyError/divisionByZero``.
    package func divided(by divisor: UInt128, roundingUp: Bool) throws(MoneyError) -> BaseUnits {
        let (quotient, remainder) = try quotientAndRemainder(dividingBy: divisor)
        return roundingUp && remainder > 0 ? try quotient.adding(.one) : quotient
    }

    /// A share of the amount in hundredths of a percent, rounded down.
    /// - Throws: ``MoneyError/overflow``.
    package func share(basisPoints: Int) throws(MoneyError) -> BaseUnits {
        guard let points = UInt128(exactly: basisPoints) else { throw .overflow }
        return try multiplied(by: points).divided(by: 10_000, roundingUp: false)
    }

    /// The sum of many.
    /// - Throws: ``MoneyError/overflow``.
    package static func sum(_ amounts: some Sequence<BaseUnits>) throws(MoneyError) -> BaseUnits {
        var total: BaseUnits = .zero
        for amount in amounts { total = try total.adding(amount) }
        return total
    }

    /// 10 to a power of 0 to 38.
    /// - Throws: ``MoneyError/overflow``.
    package static func powerOfTen(_ exponent: Int) throws(MoneyError) -> UInt128 {
        guard (0...38).contains(exponent) else { throw .overflow }
        return (0..<exponent).reduce(1 as UInt128) { power, _ in power * 10 }
    }
}
