/// A method stored at Stripe, in the form the connector keeps it: `pm_…` for a card,
/// `sepa_debit/pm_…/mandate_…` for a bank account with the mandate it may be debited under.
package enum StripeToken: Hashable, Sendable, LosslessStringConvertible {
    case card(String)
    case sepaDebit(String, mandate: String?)

    /// Reads a token; `nil` when it is not one.
    package init?(_ description: String) {
        let parts: [String] = description.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.allSatisfy(isStripeID) else { return nil }
        switch parts.count {
        case 1 where parts[0].hasPrefix("pm_"): self = .card(parts[0])
        case 2 where parts[0] == "sepa_debit" && parts[1].hasPrefix("pm_"): self = .sepaDebit(parts[1], mandate: nil)
        case 3 where parts[0] == "sepa_debit" && parts[1].hasPrefix("pm_"):
            self = .sepaDebit(parts[1], mandate: parts[2])
        default: return nil
        }
    }

    /// The token's text.
    package var description: String {
        switch self {
        case .card(let id): id
        case .sepaDebit(let id, nil): "sepa_debit/\(id)"
        case .sepaDebit(let id, let mandate?): "sepa_debit/\(id)/\(mandate)"
        }
    }

    /// Stripe's id of the PaymentMethod.
    var method: String {
        switch self {
        case .card(let id), .sepaDebit(let id, _): id
        }
    }

    /// Stripe's name of the kind.
    var type: String {
        switch self {
        case .card: "card"
        case .sepaDebit: "sepa_debit"
        }
    }
}
