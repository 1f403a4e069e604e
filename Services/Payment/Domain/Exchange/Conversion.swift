public import BillingCore

/// An amount given, the amount got for it, and the rate between them: what is stored.
public struct Conversion: Hashable, Sendable {
    /// What is exchanged.
    public let given: Money
    /// What it becomes.
    public let received: Money
    /// The rate, without the spread.
    public let rate: ExchangeRate
    /// Hundredths of a percent put on the rate.
    public let spreadBasisPoints: Int

    fileprivate init(given: Money, received: Money, rate: ExchangeRate, spreadBasisPoints: Int) {
        self.given = given
        self.received = received
        self.rate = rate
        self.spreadBasisPoints = spreadBasisPoints
    }
}

extension ExchangeRate {
    /// How much a spread may move a rate, either way: less than all of it.
    public static let spreadLimitBasisPoints = 10_000

    /// Exchanges an amount; everything is exact until the one rounding to the target's minor unit.
    /// - Parameters:
    ///   - money: In the currency ``from``; negative amounts are mirror images, up to the rounding chosen.
    ///   - spreadBasisPoints: Hundredths of a percent put on the result: 150 asks a payer for 1.5 % more, -150 pays a
    ///     payee 1.5 % less.
    ///   - rounding: To the target's minor unit.
    /// - Throws: ``ExchangeError/wrongCurrency(_:)``, ``ExchangeError/spreadOutOfRange``, ``ExchangeError/amount(_:)``.
    public func convert(
        _ money: Money, spreadBasisPoints: Int = 0, rounding: Rounding
    ) throws(ExchangeError) -> Conversion {
        guard money.currency == from else { throw .wrongCurrency(money.currency) }
        let limit: Int = Self.spreadLimitBasisPoints
        guard spreadBasisPoints > -limit, spreadBasisPoints <= limit else { throw .spreadOutOfRange }
        do throws(MoneyError) {
            let amount = try ExactDecimal(coefficient: Int128(money.minor), scale: from.exponent)
            let factor = try ExactDecimal(coefficient: Int128(limit + spreadBasisPoints), scale: 4)
            let product: ExactDecimal = try amount.multiplied(by: numerator).multiplied(by: factor)
            let quotient: ExactDecimal = try product.divided(by: denominator, scale: to.exponent, rounding: rounding)
            let received = try Money(exact: quotient, currency: to)
            return Conversion(given: money, received: received, rate: self, spreadBasisPoints: spreadBasisPoints)
        } catch {
            throw .amount(error)
        }
    }
}

extension Money {
    /// An amount in major units that has no more decimals than its currency.
    fileprivate init(exact major: ExactDecimal, currency: Currency) throws(MoneyError) {
        var units: Int128 = major.coefficient
        guard major.scale <= currency.exponent else { throw .wrongScale(allowed: currency.exponent) }
        for _ in major.scale..<currency.exponent {
            let (product, overflow) = units.multipliedReportingOverflow(by: 10)
            guard !overflow else { throw .overflow }
            units = product
        }
        guard let minor = Int64(exactly: units) else { throw .overflow }
        self.init(minor: minor, currency: currency)
    }
}
