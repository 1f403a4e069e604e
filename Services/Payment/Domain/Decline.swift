/// Why an attempt failed, and what that means for a next one.
///
/// The codes are those of the card networks in the providers' common spelling; the classes decide dunning: a hard decline
/// is not tried again on the same card, a soft one is.
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
    /// The risk rules blocked it.
    public static let blockedByRisk = Decline(code: "blocked_by_risk")
    /// There is nothing to charge.
    public static let noPaymentMethod = Decline(code: "no_payment_method")

    /// The class of the code; a code nobody knows is soft: nothing is concluded from it.
    public var declineClass: Class {
        switch code {
        case "expired_card", "stolen_card", "lost_card", "pickup_card", "incorrect_number": .hard
        case "blocked_by_risk", "fraudulent": .fraud
        case "authentication_required", "authentication_failed": .action
        default: .soft
        }
    }

    /// A sentence for people.
    public var message: String {
        switch code {
        case "insufficient_funds": "The card has insufficient funds."
        case "do_not_honor": "The bank did not honor the charge and gave no reason."
        case "generic_decline": "The bank declined the charge."
        case "expired_card": "The card has expired."
        case "authentication_required": "The bank wants the customer to authenticate."
        case "authentication_failed": "The customer did not authenticate."
        case "blocked_by_risk": "The payment was blocked by the risk rules."
        case "no_payment_method": "The customer has no default payment method."
        default: "The charge was declined."
        }
    }
}
