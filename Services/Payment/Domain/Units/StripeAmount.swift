public import BillingCore

/// Amounts as Stripe counts them: integers of units that are not always the minor unit of ISO 4217.
///
/// ISK and UGX have two decimals there and none in ISO 4217, MGA the other way round; currencies of three decimals are
/// taken in multiples of ten. Source: docs.stripe.com/currencies, "Minor units in API amounts" and "Special cases".
public enum StripeAmount {
    /// What an amount is for: the rules differ.
    public enum Purpose: Sendable, CaseIterable {
        /// A charge or an authorization: has a minimum and a maximum.
        case charge
        /// A capture or a refund: any part of a charge.
        case part
    }

    /// The currencies Stripe takes, by code.
    public static let currencies: [Currency] = Currency.all.filter { ProviderUnitTable.entry($0)?.stripe != nil }

    /// An amount in Stripe's units.
    /// - Throws: ``UnitRefusal``: the currency is not taken, the amount is not above zero, below the minimum or above
    ///   the maximum for a charge, finer than Stripe counts, or no multiple of what it wants.
    public static func units(of money: Money, for purpose: Purpose = .charge) throws(UnitRefusal) -> Int64 {
        let unit = try stripeUnit(money.currency)
        guard money.isPositive else { throw .notPositive }
        let units: Int64 = try UnitScale.move(money.minor, from: money.currency.exponent, to: unit.decimals)
        guard units.isMultiple(of: unit.multiple) else { throw .notMultiple(of: unit.multiple) }
        if purpose == .charge, units < unit.minimum {
            throw .belowMinimum(try minimumCharge(money.currency))
        }
        if purpose == .charge, units > unit.maximum { throw .aboveMaximum(try maximumCharge(money.currency)) }
        return units
    }

    /// Why Stripe never charges an amount; `nil` when it may.
    public static func refusal(of money: Money) -> UnitRefusal? { refusal(of: money, for: .charge) }

    /// Why Stripe never takes an amount for a purpose; `nil` when it may.
    public static func refusal(of money: Money, for purpose: Purpose) -> UnitRefusal? {
        do throws(UnitRefusal) { _ = try units(of: money, for: purpose) } catch { return error }
        return nil
    }

    /// Takes over an amount of Stripe's, of any sign: fees and refunds are negative in balance transactions. Rules for
    /// asking do not bind what Stripe reports, only exactness does.
    /// - Throws: ``UnitRefusal/unsupportedCurrency(_:)``, ``UnitRefusal/notRepresentable`` (505 hundredths of ISK),
    ///   ``UnitRefusal/overflow``.
    public static func money(units: Int64, currency: Currency) throws(UnitRefusal) -> Money {
        let unit = try stripeUnit(currency)
        return Money(
            minor: try UnitScale.move(units, from: unit.decimals, to: currency.exponent), currency: currency)
    }

    /// The least charge in a currency: the published minimum, or one unit that can be charged where there is none.
    /// - Throws: ``UnitRefusal/unsupportedCurrency(_:)``.
    public static func minimumCharge(_ currency: Currency) throws(UnitRefusal) -> Money {
        let unit = try stripeUnit(currency)
        return try money(units: max(unit.minimum, unit.multiple), currency: currency)
    }

    /// The largest charge in a currency.
    /// - Throws: ``UnitRefusal/unsupportedCurrency(_:)``.
    public static func maximumCharge(_ currency: Currency) throws(UnitRefusal) -> Money {
        let unit = try stripeUnit(currency)
        return try money(units: unit.maximum - unit.maximum % unit.multiple, currency: currency)
    }

    private static func stripeUnit(_ currency: Currency) throws(UnitRefusal) -> StripeUnit {
        guard let unit = ProviderUnitTable.entry(currency)?.stripe else { throw .unsupportedCurrency(currency) }
        return unit
    }
}
