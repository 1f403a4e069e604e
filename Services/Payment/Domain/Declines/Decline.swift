/// Why an attempt failed, and what that means for a next one.
///
/// The codes are those of the card networks in the providers' common spelling; the table of ``DeclineReason`` says what
/// each means. Providers' own codes come through ``DeclineReading``.
public struct Decline: Hashable, Sendable {
    /// What a decline means for the next attempt.
    public enum Class: String, Sendable, CaseIterable {
        /// This card will not work: it needs another.
        case hard
        /// It may work later.
        case soft
        /// It looks like fraud.
        case fraud
        /// The customer has to do something.
        case action
        /// Nobody knows what it means: nothing is concluded from it.
        case unknown

        /// The class dunning goes by: what nobody knows is tried again like a soft decline.
        public var forDunning: Class { self == .unknown ? .soft : self }

        /// What ``Decline/declineClass`` may be, and so what the API tells.
        public static let told: [Class] = allCases.filter { $0.forDunning == $0 }
    }

    /// The reason, such as `insufficient_funds`.
    public let code: String

    /// Wraps a code.
    public init(code: String) { self.code = code }

    /// Not enough money on the account.
    public static let insufficientFunds = Decline(code: "insufficient_funds")
    /// The bank says no without a reason.
    public static let doNotHonor = Decline(code: "do_not_honor")
    /// Declined without a usable code.
    public static let genericDecline = Decline(code: "generic_decline")
    /// The card is past its expiry.
    public static let expiredCard = Decline(code: "expired_card")
    /// The bank wants the customer to authenticate.
    public static let authenticationRequired = Decline(code: "authentication_required")
    /// The customer did not authenticate.
    public static let authenticationFailed = Decline(code: "authentication_failed")
    /// The network wants other data before the card is tried again.
    public static let otherDataRequired = Decline(code: "other_data_required")
    /// The customer did not finish in time.
    public static let actionExpired = Decline(code: "action_expired")
    /// The network forbids another attempt with the card.
    public static let doNotTryAgain = Decline(code: "do_not_try_again")
    /// The bank asks to try again later.
    public static let retryLater = Decline(code: "retry_later")
    /// The network's count of attempts with the card is used up.
    public static let tooManyAttempts = Decline(code: "too_many_attempts")
    /// The risk rules blocked it.
    public static let blockedByRisk = Decline(code: "blocked_by_risk")
    /// A person looked at the held payment and refused it.
    public static let reviewDeclined = Decline(code: "review_declined")
    /// What was held was let go before it was taken.
    public static let holdReleased = Decline(code: "hold_released")
    /// The provider does not know the method by what we know it by; the card or account itself may be good.
    public static let tokenGone = Decline(code: "token_gone")
    /// The provider refuses our credentials or our account: nobody has judged the charge.
    public static let providerCredentials = Decline(code: "provider_credentials")
    /// The provider refuses our request, or what our account may do: nobody has judged the charge.
    public static let providerConfiguration = Decline(code: "provider_configuration")
    /// There is nothing to charge.
    public static let noPaymentMethod = Decline(code: "no_payment_method")
    /// Declined with a code that no table has.
    public static let unknown = Decline(code: "unknown")

    /// Whether its customer can do away with it, at the bank or on a page: the very same method may be good afterwards.
    public var canBeLifted: Bool { Self.lifted.contains(code) }

    private static let lifted: Set<String> = [
        "action_expired", "approval_needed", "blocked_by_cardholder", "call_issuer", "card_not_activated",
        "customer_declined", "pin_try_exceeded",
    ]

    /// Whether it is us whom the provider refuses, not who pays.
    public var isOfOurs: Bool { self == .providerCredentials || self == .providerConfiguration }

    /// The row of the table; a code that is not in it gets the row `unknown`.
    public var reason: DeclineReason { DeclineReason.table[code] ?? .unknown }

    /// The class that dunning goes by and that the API and events tell, never ``Class/unknown``: a code nobody knows is soft.
    ///
    /// Rule: docs/decisions/0016-declines-nobody-knows.md. What nobody knows is told by its code, `unknown`.
    public var declineClass: Class { reason.declineClass.forDunning }

    /// A sentence for the payer. Of a stolen card or a suspicion it says nothing: who holds the card may be the thief.
    public var message: String { reason.message }
}
