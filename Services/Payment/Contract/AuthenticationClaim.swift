package import PaymentDomain

/// Why a charge comes without an authentication, as its bank is told.
package enum AuthenticationClaim: Sendable, Hashable {
    /// An exemption of the law's.
    case exemption(SCAExemption)
    /// It was tried, and nobody could be asked: the charge goes on at the merchant's risk.
    case unavailable

    /// The name under which it is stored.
    package var name: String {
        switch self {
        case .exemption(let exemption): exemption.rawValue
        case .unavailable: "unavailable"
        }
    }

    /// Reads what ``name`` wrote; `nil` for anything else.
    package init?(name: String) {
        if name == "unavailable" {
            self = .unavailable
        } else if let exemption = SCAExemption(rawValue: name) {
            self = .exemption(exemption)
        } else {
            return nil
        }
    }
}
