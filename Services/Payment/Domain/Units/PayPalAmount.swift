public import BillingCore

/// Amounts as PayPal writes them: decimal text, without decimals for HUF, JPY and TWD.
///
/// Source: the `money` object of PayPal's Orders v2 and Payments v2 documents, and
/// developer.paypal.com/docs/reports/reference/paypal-supported-currencies.
public enum PayPalAmount {
    /// The most characters of an amount's text, by PayPal's schema.
    public static let maxLength = 32

    /// The currencies PayPal takes, by code.
    public static let currencies: [Currency] = Currency.all.filter { decimals($0) != nil }

    /// An amount as PayPal's text, with exactly the decimals it wants: `12.30`, `1200` for HUF.
    /// - Throws: ``UnitRefusal``: the currency is not taken, the amount is not above zero, or finer than PayPal counts.
    public static func text(of money: Money) throws(UnitRefusal) -> String {
        guard let decimals = decimals(money.currency) else { throw .unsupportedCurrency(money.currency) }
        guard money.isPositive else { throw .notPositive }
        let exponent: Int = money.currency.exponent
        let units: Int64 = try UnitScale.move(money.minor, from: exponent, to: decimals)
        guard decimals < exponent else { return money.decimalString }
        // Only currencies with fewer decimals there than here come this far, and those have none.
        guard decimals == 0 else { throw .notRepresentable }
        return String(units)
    }

    /// Why PayPal never charges, captures or refunds an amount; `nil` when it may.
    public static func refusal(of money: Money) -> UnitRefusal? {
        do throws(UnitRefusal) { _ = try text(of: money) } catch { return error }
        return nil
    }

    /// Takes over PayPal's text, of any sign: `-3.00` is a fee. Zeros beyond PayPal's decimals change nothing and pass.
    /// - Throws: ``UnitRefusal/unsupportedCurrency(_:)``, ``UnitRefusal/malformed``, ``UnitRefusal/notRepresentable``
    ///   when it has more decimals than PayPal can mean, ``UnitRefusal/overflow``.
    public static func money(from text: String, currency: Currency) throws(UnitRefusal) -> Money {
        guard let decimals = decimals(currency) else { throw .unsupportedCurrency(currency) }
        guard text.utf8.count <= maxLength else { throw .malformed }
        let number: ExactDecimal
        do throws(MoneyError) {
            number = try ExactDecimal(parsing: withLeadingZero(text))
        } catch {
            throw error == .overflow ? .overflow : .malformed
        }
        guard number.scale <= decimals else { throw .notRepresentable }
        guard let units = Int64(exactly: number.coefficient) else { throw .overflow }
        return Money(
            minor: try UnitScale.move(units, from: number.scale, to: currency.exponent), currency: currency)
    }

    /// PayPal's schema allows `.5` and `-.5`; plain decimals have a digit before the point.
    private static func withLeadingZero(_ text: String) -> String {
        if text.hasPrefix(".") { return "0" + text }
        return text.hasPrefix("-.") ? "-0" + text.dropFirst() : text
    }

    private static func decimals(_ currency: Currency) -> Int? { ProviderUnitTable.entry(currency)?.payPalDecimals }
}
