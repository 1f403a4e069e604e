/// An amount of money: a signed 64-bit count of the currency's minor units.
public struct Money: Hashable, Sendable {
    /// How many minor units (cents, yen, fils).
    public let minor: Int64
    /// The currency the units belong to.
    public let currency: Currency

    /// Makes an amount out of minor units.
    public init(minor: Int64, currency: Currency) {
        self.minor = minor
        self.currency = currency
    }

    /// Nothing, in a currency.
    public static func zero(_ currency: Currency) -> Money { Money(minor: 0, currency: currency) }

    /// Whether the amount is zero.
    public var isZero: Bool { minor == 0 }
    /// Whether the amount is below zero.
    public var isNegative: Bool { minor < 0 }
    /// Whether the amount is above zero.
    public var isPositive: Bool { minor > 0 }
}

/// Why an amount or a number cannot be computed or read.
public enum MoneyError: Error, Equatable, Sendable {
    /// The result does not fit.
    case overflow
    /// Two currencies met in one sum.
    case currencyMismatch(Currency, Currency)
    /// Weights that are empty, negative or all zero.
    case invalidWeights
    /// More decimals than the currency has.
    case wrongScale(allowed: Int)
    /// Text that is not a plain decimal number.
    case notANumber
    /// A divisor that is zero (or a ratio's denominator that is not positive).
    case divisionByZero
}

extension Money {
    /// The sum.
    /// - Throws: ``MoneyError/currencyMismatch(_:_:)``, ``MoneyError/overflow``.
    public func adding(_ other: Money) throws(MoneyError) -> Money {
        guard currency == other.currency else { throw .currencyMismatch(currency, other.currency) }
        let (sum, overflow) = minor.addingReportingOverflow(other.minor)
        guard !overflow else { throw .overflow }
        return Money(minor: sum, currency: currency)
    }

    /// The difference.
    /// - Throws: ``MoneyError/currencyMismatch(_:_:)``, ``MoneyError/overflow``.
    public func subtracting(_ other: Money) throws(MoneyError) -> Money {
        guard currency == other.currency else { throw .currencyMismatch(currency, other.currency) }
        let (rest, overflow) = minor.subtractingReportingOverflow(other.minor)
        guard !overflow else { throw .overflow }
        return Money(minor: rest, currency: currency)
    }

    /// The amount with the other sign.
    /// - Throws: ``MoneyError/overflow`` for the smallest amount.
    public func negated() throws(MoneyError) -> Money { try Money.zero(currency).subtracting(self) }

    /// The amount times a whole number.
    /// - Throws: ``MoneyError/overflow``.
    public func multiplied(by factor: Int64) throws(MoneyError) -> Money {
        let (product, overflow) = minor.multipliedReportingOverflow(by: factor)
        guard !overflow else { throw .overflow }
        return Money(minor: product, currency: currency)
    }

    /// The amount times an exact decimal (a rate, a quantity), rounded to minor units once.
    /// - Throws: ``MoneyError/overflow``.
    public func multiplied(by factor: ExactDecimal, rounding: Rounding) throws(MoneyError) -> Money {
        guard let power = PowersOfTen[factor.scale] else { throw .overflow }
        let product = UInt128(minor.magnitude).multipliedFullWidth(by: factor.coefficient.magnitude)
        let isNegative = (minor < 0) != factor.isNegative
        return try rounded(product, by: power, rounding, isNegative: isNegative)
    }

    /// The amount times a ratio (a share of a period), rounded to minor units once.
    /// - Throws: ``MoneyError/overflow``.
    public func multiplied(by ratio: Ratio, rounding: Rounding) throws(MoneyError) -> Money {
        let product = Int128(minor) * Int128(ratio.numerator)
        let denominator = UInt128(ratio.denominator.magnitude)
        return try rounded((0, product.magnitude), by: denominator, rounding, isNegative: product < 0)
    }

    private func rounded(
        _ product: (high: UInt128, low: UInt128), by denominator: UInt128, _ rounding: Rounding, isNegative: Bool
    ) throws(MoneyError) -> Money {
        guard let magnitude = rounding.quotient(of: product, by: denominator, isNegative: isNegative),
            let value = Int128(magnitude: magnitude, isNegative: isNegative), let minor = Int64(exactly: value)
        else { throw .overflow }
        return Money(minor: minor, currency: currency)
    }

    /// Splits the amount in proportion to weights by largest remainder.
    /// - Parameter weights: At least one; none negative, not all zero.
    /// - Returns: One part per weight. The parts add up to the whole; each is within one unit of its exact share; of
    ///   equal remainders the earlier weight gets the unit; a weight of zero gets nothing.
    /// - Throws: ``MoneyError/invalidWeights``.
    public func allocate(by weights: [Int64]) throws(MoneyError) -> [Money] {
        var total: Int128 = 0
        for weight in weights {
            guard weight >= 0 else { throw .invalidWeights }
            total += Int128(weight)
        }
        guard total > 0 else { throw .invalidWeights }
        var left = Int128(minor.magnitude)
        var parts: [Int128] = []
        var remainders: [(index: Int, rest: Int128)] = []
        parts.reserveCapacity(weights.count)
        for (index, weight) in weights.enumerated() {
            let share = Int128(minor.magnitude) * Int128(weight)
            let (part, rest) = share.quotientAndRemainder(dividingBy: total)
            parts.append(part)
            left -= part
            if rest > 0 { remainders.append((index, rest)) }
        }
        remainders.sort { $0.rest != $1.rest ? $0.rest > $1.rest : $0.index < $1.index }
        for remainder in remainders.prefix(Int(left)) { parts[remainder.index] += 1 }
        let sign: Int128 = minor < 0 ? -1 : 1
        return parts.map { Money(minor: Int64(sign * $0), currency: currency) }
    }
}

extension Money: CustomStringConvertible {
    /// Reads an amount in major units, such as `12.34`.
    /// - Throws: ``MoneyError/wrongScale(allowed:)`` when it has more decimals than the currency (even zeros),
    ///   ``MoneyError/notANumber``, ``MoneyError/overflow``.
    public init(decimal text: String, currency: Currency) throws(MoneyError) {
        let number = try ExactDecimal(parsing: text)
        let decimals =
            text.utf8.lastIndex(of: UInt8(ascii: ".")).map { text.utf8.distance(from: $0, to: text.endIndex) - 1 } ?? 0
        guard decimals <= currency.exponent else { throw .wrongScale(allowed: currency.exponent) }
        guard let minor = Int64(exactly: try number.coefficient(at: currency.exponent)) else { throw .overflow }
        self.init(minor: minor, currency: currency)
    }

    /// The amount in major units with all the currency's decimals: `12.34`, `-0.05`, `1200` for JPY.
    public var decimalString: String { ExactDecimal.plain(Int128(minor), scale: currency.exponent) }

    /// The amount and its currency: `12.34 USD`.
    public var description: String { "\(decimalString) \(currency.code)" }
}
