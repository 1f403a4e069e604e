import JSON
import PaymentContract

extension ProviderAuthentication {
    /// What PayPal says of its 3-D Secure (`authentication_result` of an order's card). Who bears fraud is PayPal's word, not
    /// a conclusion from the status (developer.paypal.com/docs/checkout/advanced/customize/3d-secure/response-parameters).
    /// - Returns: `nil` where it did not run.
    init?(paypal json: JSONValue?) {
        guard let secure: JSONValue = json?["three_d_secure"] else { return nil }
        let result: Result
        switch secure["authentication_status"]?.stringValue {
        case "Y": result = .authenticated
        case "A": result = .attempted
        case "N", "R": result = .notAuthenticated
        default: result = .unavailable
        }
        let shift: String? = json?["liability_shift"]?.stringValue
        self.init(result: result, indicator: nil, isShifted: shift == "POSSIBLE" || shift == "YES")
    }
}

extension PayPalOrder {
    /// Whether the payer of a stored card has been at their bank. The order may stay as it was made then: only this says so.
    /// Without a word of the bank's the payer is still to go there, unless there is no way left.
    var isAuthenticationOver: Bool {
        switch authentication?.result {
        case .authenticated, .attempted, .notAuthenticated: true
        case .exempt, .unavailable: payerAction == nil
        case nil: false
        }
    }

    /// Whether what came of the payer's authentication lets the charge go on: a no never does, and where the payer was to
    /// authenticate, neither does a bank that could not ask them or was not asked.
    func isFit(for request: ChargeRequest) -> Bool {
        switch authentication?.result {
        case .authenticated, .attempted: true
        case .notAuthenticated: false
        case .exempt, .unavailable, nil: !request.stepUp
        }
    }
}
