import PaymentContract
package import BillingCore
import JSON
package import PaymentDomain

extension PayPalAmount {
    /// An amount as a request's JSON.
    /// - Throws: ``UnitRefusal`` for one that PayPal cannot be asked for.
    static func json(_ money: Money) throws(UnitRefusal) -> JSONValue {
        ["currency_code": .string(money.currency.code), "value": .string(try text(of: money))]
    }

    /// An amount as JSON of a charge's request.
    /// - Throws: ``ProviderFault/rejected(code:)`` with PayPal's own word for it, before anything is sent.
    static func charged(_ money: Money) throws(ProviderFault) -> JSONValue {
        do throws(UnitRefusal) { return try json(money) } catch { throw .rejected(code: error.payPalCode) }
    }

    /// Reads an amount out of an answer.
    /// - Returns: `nil` for a currency PayPal does not take, more decimals than it knows, or text that is no number:
    ///   whatever is wrong with it, the answer cannot be used and the caller reports the field.
    package static func money(code: String, value: String) -> Money? {
        guard let currency = Currency(code) else { return nil }
        if let point = value.utf8.firstIndex(of: UInt8(ascii: ".")) {
            let decimals: Int = value.utf8.distance(from: point, to: value.utf8.endIndex) - 1
            guard decimals <= currency.exponent else { return nil }
        }
        do throws(UnitRefusal) { return try money(from: value, currency: currency) } catch { return nil }
    }
}

extension UnitRefusal {
    /// The refusal in the words of PayPal's issues.
    var payPalCode: String {
        switch self {
        case .unsupportedCurrency: "INVALID_CURRENCY_CODE"
        case .notPositive: "CANNOT_BE_ZERO_OR_NEGATIVE"
        case .belowMinimum, .aboveMaximum, .notMultiple, .notRepresentable, .malformed, .overflow: "DECIMAL_PRECISION"
        }
    }
}
