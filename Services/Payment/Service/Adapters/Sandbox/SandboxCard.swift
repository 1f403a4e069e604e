import PaymentDomain

/// How a sandbox card behaves. The numbers follow Stripe's test cards (docs.stripe.com/testing) where Stripe has one;
/// `slow` and `timeoutThenSuccess` are our own.
enum SandboxCard: String, CaseIterable, Sendable {
    case success
    case insufficientFunds = "insufficient_funds"
    case doNotHonor = "do_not_honor"
    case expired = "expired_card"
    /// Wants 3-D Secure on every charge.
    case authenticationRequired = "authentication_required"
    /// Attaches, and fails when charged.
    case failsOnCharge = "generic_decline"
    /// Answers after three seconds.
    case slow
    /// Charges, and does not say so in time.
    case timeoutThenSuccess = "timeout_then_success"

    /// The behaviour of a number; any other valid number of a known brand succeeds, as in Stripe's test mode.
    init(_ number: CardNumber) {
        switch number.digits {
        case "4000000000009995": self = .insufficientFunds
        case "4000000000000002": self = .doNotHonor
        case "4000000000000069": self = .expired
        case "4000002500003155", "4000002760003184": self = .authenticationRequired
        case "4000000000000341": self = .failsOnCharge
        case "4000009900000012": self = .slow
        case "4000009900000020": self = .timeoutThenSuccess
        default: self = .success
        }
    }

    /// What the provider knows the card by.
    var token: String { "tok_sandbox_\(rawValue)" }

    /// The behaviour behind a token.
    init?(token: String) {
        guard token.hasPrefix("tok_sandbox_") else { return nil }
        self.init(rawValue: String(token.dropFirst("tok_sandbox_".count)))
    }

    /// The sandbox's answer to a charge.
    func answer(authenticated: Bool) -> (outcome: String, declineCode: String?) {
        switch self {
        case .success, .slow, .timeoutThenSuccess: return ("succeeded", nil)
        case .insufficientFunds, .doNotHonor, .expired, .failsOnCharge: return ("declined", rawValue)
        case .authenticationRequired:
            return authenticated ? ("succeeded", nil) : ("requires_action", nil)
        }
    }
}
