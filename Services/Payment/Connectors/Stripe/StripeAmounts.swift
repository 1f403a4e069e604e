import BillingCore
import PaymentDomain

extension UnitRefusal {
    /// The refusal in the words of Stripe's error codes.
    var stripeCode: String {
        switch self {
        case .unsupportedCurrency: "currency_unsupported"
        case .belowMinimum: "amount_too_small"
        case .notPositive, .notMultiple, .notRepresentable, .malformed: "invalid_charge_amount"
        case .aboveMaximum, .overflow: "amount_too_large"
        }
    }
}
