import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain

/// A part of a plan that a provider never charges, whatever the customer has: it is below the least amount or above the
/// largest, or has last digits that the provider does not take.
package struct UncollectablePart: Equatable, Sendable {
    /// `nil` for all that is left of a plan at once.
    let number: Int?
    let amount: Money
    let provider: String
    let refusal: UnitRefusal

    /// The first of some parts that a provider never charges.
    /// - Returns: `nil` where it takes them all, and for a provider that is not configured. Whether it takes the currency is
    ///   not asked.
    static func first(
        among parts: [(number: Int?, amount: Money)], at provider: String, of providers: PaymentProviders
    ) -> UncollectablePart? {
        guard let capabilities: ProviderCapabilities = providers.capabilities(of: provider) else { return nil }
        for part in parts {
            guard let refusal: UnitRefusal = capabilities.refusal(part.amount) else { continue }
            if case .unsupportedCurrency = refusal { continue }
            return UncollectablePart(number: part.number, amount: part.amount, provider: provider, refusal: refusal)
        }
        return nil
    }

    /// What is said of the amount that was asked for.
    var problem: Problem {
        let why: String
        if case .belowMinimum(let least) = refusal {
            why = "takes no less than \(least.minor)"
        } else if case .aboveMaximum(let most) = refusal {
            why = "takes no more than \(most.minor)"
        } else {
            why = "does not take such last digits"
        }
        guard let number else {
            return .conflict(
                "settlement_not_collectable",
                "The settlement would be \(amount.minor) \(amount.currency.code), and \(provider) \(why).")
        }
        return .invalid(
            "amount", code: "instalment_not_collectable",
            "instalment \(number) would be \(amount.minor) \(amount.currency.code), and \(provider) \(why)")
    }
}
