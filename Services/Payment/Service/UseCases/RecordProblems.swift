import HTTPKit
import PaymentAuthentication
import PaymentContract

extension ProviderCapabilities.Obstacle {
    /// What is said of it to the caller.
    var sentence: String {
        switch self {
        case .method: "is not a method that can be used here"
        case .currency: "cannot be charged with this method"
        case .amount: "is less or more than the method takes"
        case .country: "is not a country that the method is for"
        case .separateCapture: "cannot be manual with this method"
        case .offSession: "must be false: the method cannot be charged without the customer"
        }
    }

    static func problem(_ obstacle: Self) -> Problem {
        .invalid(obstacle.field, code: obstacle.rawValue, obstacle.sentence)
    }
}

extension RecordPayments.Failure: ProblemConvertible {
    var problem: Problem {
        switch self {
        case .unknownCustomer: .invalid("customer_id", code: "unknown_customer", "there is no customer with this id")
        case .noPaymentMethod:
            .invalid("payment_method_id", code: "no_payment_method", "the customer has no default payment method")
        case .unknownPaymentMethod:
            .invalid("payment_method_id", code: "unknown_payment_method", "the customer has no such payment method")
        // The country is the customer's own: no field of the request has it.
        case .unsupported(.country):
            .invalid(
                "payment_method_id", code: ProviderCapabilities.Obstacle.country.rawValue,
                "is not for customers of this country")
        case .unsupported(let obstacle): .invalid(obstacle.field, code: obstacle.rawValue, obstacle.sentence)
        case .noLaterCharges:
            .invalid("acceptance", code: "unsupported_method", "goes with a method that is charged again without them")
        case .wallet(.used):
            .invalid("payment_method_id", code: "wallet_used", "a wallet's card pays one payment, and has done so")
        case .wallet(.stale): .invalid("payment_method_id", code: "wallet_stale", "the wallet's token is too old")
        case .unconfirmable(let failure): failure.problem
        case .wallet(.amount): .invalid("amount", code: "wallet_amount", "is not what the customer agreed to")
        }
    }
}
