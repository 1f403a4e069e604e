import BillingCore
package import PaymentContract

extension StripeAdapter: ProviderVault {
    /// What wallets' sheets give for Stripe; a card there.
    private static let wallets: Set<String> = ["google_pay", "apple_pay"]

    /// Saves a card, a wallet's or a bank account under a Stripe customer of its own for each of ours.
    package func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer {
        let text: String
        switch request.type {
        case "card": text = request.token
        case _ where Self.wallets.contains(request.type): text = try await walletMethod(request)
        default: text = "\(request.type)/\(request.token)"
        }
        guard let token = StripeToken(text) else { throw .rejected(code: "token_malformed") }
        let customer: String = try await createCustomer(request.customerID)
        let acceptance: StripeSetupRequest.Acceptance? = request.acceptance.map {
            StripeSetupRequest.Acceptance(
                acceptedAt: $0.acceptedAt, ipAddress: $0.ipAddress, userAgent: $0.userAgent)
        }
        let setup = StripeSetupRequest(
            methodID: request.methodID, token: token, customer: customer, returnURL: request.returnURL,
            acceptance: acceptance)
        return SaveMethodAnswer(try await save(setup))
    }

    /// The PaymentMethod of a wallet's token: Google Pay's sheet gives a Token (`tok_…`, with the gateway `stripe`), which
    /// becomes one; Stripe's own buttons give one at once (docs.stripe.com/google-pay, docs.stripe.com/apple-pay). Made once
    /// for a method of ours, as long as the key lives; a token is used up by it, so that nothing is made twice after that.
    private func walletMethod(_ request: SaveMethodRequest) async throws(ProviderFault) -> String {
        guard request.token.hasPrefix("tok_") else { return request.token }
        guard isStripeID(request.token) else { throw .rejected(code: "token_malformed") }
        var card = StripeForm()
        card.add("token", .text(request.token))
        var form = StripeForm()
        form.add("type", .text("card"))
        form.add("card", card)
        let fields: StripeFields = try await client.write("/v1/payment_methods", form, key: "\(request.methodID):token")
        guard try fields.text("type") == "card" else { throw fields.unusable("type", "is another") }
        return try fields.id(of: "payment_method")
    }

    package func saved(
        _ request: SaveMethodRequest, reference: String
    ) async throws(ProviderFault) -> SaveMethodAnswer {
        SaveMethodAnswer(try await setup(reference))
    }
}

extension SaveMethodAnswer {
    fileprivate init(_ answer: StripeSaveAnswer) {
        self =
            switch answer {
            case .saved(let method): .saved(SavedMethod(method))
            case .actionRequired(let reference, let action): .actionRequired(reference: reference, action)
            case .pending(let reference): .pending(reference: reference)
            case .declined(let decline): .declined(decline)
            }
    }
}

extension SavedMethod {
    fileprivate init(_ method: StripeSavedMethod) {
        self.init(
            token: method.token.description, customer: method.customer, brand: method.brand, last4: method.last4,
            expMonth: method.expiryMonth.map(Int.init), expYear: method.expiryYear.map(Int.init),
            fingerprint: method.fingerprint)
    }
}
