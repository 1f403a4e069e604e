import PaymentContract
import BillingCore
import JSON

/// A PaymentIntent, as far as the connector needs it.
struct StripeIntent: Sendable {
    enum Status: String, Sendable, CaseIterable {
        case requiresPaymentMethod = "requires_payment_method"
        case requiresConfirmation = "requires_confirmation"
        case requiresAction = "requires_action"
        case processing
        case requiresCapture = "requires_capture"
        case canceled
        case succeeded
    }

    let id: String
    let status: Status
    let amount: Money
    let received: Money
    let capturable: Money
    /// The attempt that made it.
    let attempt: String?
    /// The last capture that was asked for.
    let capture: String?
    let lastError: StripeRefusal?
    /// Where the customer has to go, while the status is `requires_action`.
    let redirectURL: String?
    let networkTransactionID: String?
    /// What Stripe's 3-D Secure came to, where it ran.
    let authentication: ProviderAuthentication?

    /// Reads it strictly.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    init(_ fields: StripeFields) throws(ProviderFault) {
        id = try fields.id(of: "payment_intent")
        guard let status = Status(rawValue: try fields.text("status")) else {
            throw fields.unusable("status", "is unknown")
        }
        self.status = status
        amount = try fields.money("amount")
        received = try fields.money("amount_received")
        capturable = try fields.money("amount_capturable")
        let metadata: StripeFields = try fields.fields("metadata")
        attempt = try metadata.optionalText(StripeMetadata.attempt)
        capture = try metadata.optionalText(StripeMetadata.capture)
        let error: StripeFields? = try fields.optionalFields("last_payment_error")
        lastError = if let error { try StripeRefusal(error, status: 402) } else { nil }
        redirectURL = try stripeRedirectURL(fields)
        let charge: StripeFields? = try fields.optionalFields("latest_charge")
        let card: StripeFields? = try charge?.optionalFields("payment_method_details")?.optionalFields("card")
        networkTransactionID = try card?.optionalText("network_transaction_id")
        authentication = try card?.optionalFields("three_d_secure").flatMap(Self.authentication)
    }

    /// `nil` for a result that this does not know.
    private static func authentication(_ fields: StripeFields) throws(ProviderFault) -> ProviderAuthentication? {
        let result: ProviderAuthentication.Result
        switch try fields.optionalText("result") {
        case "authenticated": result = .authenticated
        case "attempt_acknowledged": result = .attempted
        case "exempted": result = .exempt
        case "failed": result = .notAuthenticated
        case "not_supported", "processing_error": result = .unavailable
        default: return nil
        }
        return ProviderAuthentication(
            result: result, indicator: try fields.optionalText("electronic_commerce_indicator"))
    }
}

/// The names under which our ids stand in the metadata of Stripe's objects.
enum StripeMetadata {
    static let attempt = "attempt_id"
    static let payment = "payment_id"
    static let capture = "capture_id"
    static let mandate = "mandate_id"
    static let refund = "refund_id"
    static let response = "dispute_response_id"
    static let customer = "customer_id"
    static let method = "payment_method_id"
}

/// Where an intent's next action sends the customer; `nil` when it has none or one of another kind. Only `https`: the
/// address is given to a browser.
func stripeRedirectURL(_ intent: StripeFields) throws(ProviderFault) -> String? {
    guard let action = try intent.optionalFields("next_action"),
        let url = try action.optionalFields("redirect_to_url")?.text("url")
    else { return nil }
    guard let address = WebAddress(url, max: 5_000), !address.isLoopback else {
        throw action.unusable("redirect_to_url", "is not https")
    }
    return url
}

extension ProviderDecline {
    /// A decline out of Stripe's error object. The card's brand is the stored method's: the error may carry the method, and what
    /// is read back of it may not.
    init(_ refusal: StripeRefusal, reference: String?) {
        self.init(
            code: refusal.name, networkCode: refusal.networkDeclineCode, adviceCode: refusal.adviceCode,
            networkAdvice: refusal.networkAdviceCode, reference: reference)
    }
}
