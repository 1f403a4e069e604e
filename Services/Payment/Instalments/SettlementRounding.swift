import BillingCore
import PaymentContract
import PaymentDomain

/// How a settlement is rounded in the customer's favour, since providers count some currencies coarser than by minor units.
enum SettlementRounding {
    /// No provider leaves out more than two digits.
    private static let most: Int64 = 99

    /// The least that an amount has to be lowered by for a provider to take its last digits.
    /// - Returns: Zero where it takes them, or where nothing helps: ``UncollectablePart`` says why then.
    static func of(_ amount: Money, at provider: String, of providers: PaymentProviders) -> Money {
        let nothing: Money = .zero(amount.currency)
        guard let capabilities: ProviderCapabilities = providers.capabilities(of: provider) else { return nothing }
        for minor in 0...most where minor < amount.minor {
            switch capabilities.refusal(Money(minor: amount.minor - minor, currency: amount.currency)) {
            case nil: return Money(minor: minor, currency: amount.currency)
            case .notMultiple?, .notRepresentable?: continue
            default: return nothing
            }
        }
        return nothing
    }
}
