import PaymentContract
import BillingCore
import PaymentDomain

/// How a sandbox card behaves. The numbers follow Stripe's test cards (docs.stripe.com/testing) where Stripe has one;
/// `slow`, `timeoutThenSuccess`, the banks that mind how a customer was authenticated or forbid charges are our own. Cards that
/// the double of a 3-D Secure directory server knows want to be authenticated: where Stripe's number for a meaning is one of
/// those, the meaning has a number of ours.
enum SandboxCard: String, CaseIterable, Sendable {
    case success
    case insufficientFunds = "insufficient_funds"
    case doNotHonor = "do_not_honor"
    case expired = "expired_card"
    case lost = "lost_card"
    case stolen = "stolen_card"
    case fraudulent
    case incorrectCode = "incorrect_cvc"
    case processingError = "processing_error"
    /// Its holder has had the bank stop charges under the agreement: the network forbids another.
    case revoked = "revocation_of_authorization"
    /// Wants 3-D Secure on every charge.
    case authenticationRequired = "authentication_required"
    /// The same, but its bank cannot be reached for it: then a charge at the merchant's risk passes.
    case issuerUnreachable = "issuer_unreachable"
    /// Its bank takes no exemption, and declines softly.
    case refusesExemptions = "refuses_exemptions"
    /// Its bank asks for authentication, whatever has been done.
    case neverSatisfied = "never_satisfied"
    /// Attaches, and fails when charged.
    case failsOnCharge = "generic_decline"
    /// Answers after three seconds.
    case slow
    /// Charges, and does not say so in time.
    case timeoutThenSuccess = "timeout_then_success"
    /// Charges, and is disputed later.
    case disputedAsFraudulent = "disputed_as_fraudulent"
    case disputedAsNotReceived = "disputed_as_not_received"
    /// Charges, and the bank asks about it later.
    case inquired
    /// Charges; a refund is pending first, and made later.
    case refundsPendFirst = "refunds_pend_first"
    /// Charges; a refund is made first, and comes back later.
    case refundsFailLater = "refunds_fail_later"

    /// The behaviour of a number; any other valid number of a known brand succeeds, as in Stripe's test mode.
    init(_ number: CardNumber) {
        switch number.digits {
        case "4000000000009995": self = .insufficientFunds
        case "4000000000000002": self = .doNotHonor
        case "4000000000000069": self = .expired
        case "4000000000009987": self = .lost
        case "4000000000009979": self = .stolen
        case "4100000000000019": self = .fraudulent
        case "4000009900000038": self = .incorrectCode
        case "4000009900000046": self = .processingError
        case "4000009900000053": self = .revoked
        case "4000000000007726": self = .refundsPendFirst
        case "4000000000005126": self = .refundsFailLater
        case "4000002500003155", "4000002760003184", "4000000000000010", "4000000000000028", "4000000000000044",
            "4000000000000051", "4000000000000077", "4000000000000085", "4000000000000101", "4000000000000127",
            "4000000000000135", "4000000000000143", "5200000000000007", "5200000000000015", "5200000000000023",
            "5200000000000049":
            self = .authenticationRequired
        case "4000000000000036", "4000000000000093", "4000000000000119", "5200000000000031":
            self = .issuerUnreachable
        case "4000002500009806": self = .refusesExemptions
        case "4000002500009814": self = .neverSatisfied
        case "4000000000000341": self = .failsOnCharge
        case "4000000000000259": self = .disputedAsFraudulent
        case "4000000000002685": self = .disputedAsNotReceived
        case "4000000000001976": self = .inquired
        case "4000009900000012": self = .slow
        case "4000009900000020": self = .timeoutThenSuccess
        default: self = .success
        }
    }

    /// What a charge of it leads to; `nil` when nobody minds.
    var dispute: SandboxDisputeKind? {
        switch self {
        case .disputedAsFraudulent: .fraudulent
        case .disputedAsNotReceived: .productNotReceived
        case .inquired: .inquiry
        default: nil
        }
    }

    /// What becomes of its refunds by itself; `nil` where nothing does.
    var refunds: SandboxRefundCourse? {
        switch self {
        case .refundsPendFirst: .pendsFirst
        case .refundsFailLater: .failsLater
        default: nil
        }
    }

    /// What an acquirer knows the card by.
    func token(at acquirer: String) -> String { "tok_\(acquirer)_\(rawValue)" }

    /// The card a charge at an acquirer is taken from; `nil` for anything else, and for another acquirer's token.
    init?(_ request: ChargeRequest, at acquirer: String) {
        if case .walletCard(let card) = request.source {
            self.init(card.number)
            return
        }
        guard case .stored(let token, _) = request.source, token.hasPrefix("tok_\(acquirer)_") else { return nil }
        self.init(rawValue: String(token.dropFirst("tok__".count + acquirer.utf8.count)))
    }

    /// The sandbox's answer to a charge.
    func answer(to request: ChargeRequest) -> SandboxAnswer {
        let taken: SandboxAnswer.Outcome = request.capture ? .succeeded : .authorized
        switch self {
        case _ where request.stepUp && !request.authenticated: return SandboxAnswer(outcome: .requiresAction)
        case .success, .slow, .timeoutThenSuccess, .disputedAsFraudulent, .disputedAsNotReceived, .inquired,
            .refundsPendFirst, .refundsFailLater:
            return SandboxAnswer(outcome: taken)
        case .insufficientFunds, .doNotHonor, .expired, .failsOnCharge, .lost, .stolen, .fraudulent, .incorrectCode,
            .processingError, .revoked:
            return SandboxAnswer(outcome: .declined, declineCode: rawValue)
        case .authenticationRequired:
            return SandboxAnswer(outcome: Self.isAuthenticated(request) ? taken : .requiresAction)
        case .issuerUnreachable:
            let passes: Bool = Self.isAuthenticated(request) || request.claim == .unavailable
            return SandboxAnswer(outcome: passes ? taken : .requiresAction)
        case .refusesExemptions:
            guard case .exemption? = request.claim else { return SandboxAnswer(outcome: taken) }
            return SandboxAnswer(outcome: .declined, declineCode: Decline.authenticationRequired.code)
        case .neverSatisfied:
            return SandboxAnswer(outcome: .declined, declineCode: Decline.authenticationRequired.code)
        }
    }

    /// The country of a number's issuer, for those cards of Stripe's that stand for one and for our own.
    static func country(of number: CardNumber) -> String? {
        switch number.digits {
        case "4000002500000003", "4000002500009806", "4000002500009814": "FR"
        case "4000002760000016": "DE"
        case "4000007240000007": "ES"
        case "4000008260000000": "GB"
        case "4000003800000008": "IT"
        case "4000001240000000": "CA"
        default: nil
        }
    }
}

extension SandboxCard {
    /// The customer passed 3-D Secure, or a wallet's cryptogram vouches for them.
    private static func isAuthenticated(_ request: ChargeRequest) -> Bool {
        if case .walletCard(let card) = request.source, card.isAuthenticated { return true }
        return request.authenticated
    }
}

/// What the sandbox's books say of a charge.
struct SandboxAnswer: Sendable {
    enum Outcome: String, CaseIterable, Sendable {
        case succeeded, authorized, declined
        case requiresAction = "requires_action"
    }

    let outcome: Outcome
    var declineCode: String?

    /// The answer to whoever asked under the key.
    func charge(under key: AttemptID, heldUntil: Instant?) -> ChargeAnswer {
        let reference = "ch_\(key.rawValue)"
        return switch outcome {
        case .succeeded: .captured(ProviderCharge(reference: reference))
        case .authorized: .authorized(ProviderCharge(reference: reference, expiresAt: heldUntil))
        case .requiresAction: .actionRequired(reference: reference, .challenge)
        case .declined: .declined(Self.decline(declineCode ?? Decline.genericDecline.code))
        }
    }

    /// A refusal with the words that networks send beside it, where those of the code alone do not say what they forbid.
    private static func decline(_ code: String) -> ProviderDecline {
        let (network, advice): (String?, String?) =
            switch SandboxCard(rawValue: code) {
            case .lost: ("41", nil)
            case .stolen: ("43", nil)
            case .fraudulent: ("59", nil)
            case .revoked: ("R1", MerchantAdviceCode.paymentCancellation.rawValue)
            default: (nil, nil)
            }
        return ProviderDecline(code: code, networkCode: network, networkAdvice: advice)
    }
}
