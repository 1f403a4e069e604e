import BillingCore
import HTTPKit
import PaymentDomain

/// A part of a plan that a provider never charges, whatever the customer has: it is below the least amount, or has last
/// digits that the provider does not take.
package struct UncollectablePart: Equatable, Sendable {
    let number: Int
    let amount: Money
    let provider: String
    let refusal: UnitRefusal

    /// The first of some parts that a provider never charges.
    /// - Returns: `nil` where it takes them all, and for a provider of which nothing is known. Whether it takes the
    ///   currency is not asked.
    static func first(among parts: [(number: Int, amount: Money)], at provider: String) -> UncollectablePart? {
        for part in parts {
            guard let refusal: UnitRefusal = objection(to: part.amount, at: provider) else { continue }
            if case .unsupportedCurrency = refusal { continue }
            return UncollectablePart(number: part.number, amount: part.amount, provider: provider, refusal: refusal)
        }
        return nil
    }

    private static func objection(to amount: Money, at provider: String) -> UnitRefusal? {
        do throws(UnitRefusal) {
            switch provider {
            case "stripe": _ = try StripeAmount.units(of: amount)
            case "paypal": _ = try PayPalAmount.text(of: amount)
            default: break
            }
            return nil
        } catch { return error }
    }

    /// What is said of the amount that was asked for.
    var problem: Problem {
        let why: String
        if case .belowMinimum(let least) = refusal {
            why = "takes no less than \(least.minor)"
        } else {
            why = "does not take such last digits"
        }
        return .invalid(
            "amount", code: "instalment_not_collectable",
            "instalment \(number) would be \(amount.minor) \(amount.currency.code), and \(provider) \(why)")
    }
}
