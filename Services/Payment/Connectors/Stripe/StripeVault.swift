import BillingCore
package import PaymentContract

extension StripeAdapter: ProviderVault {
    /// What wallets' sheets give for Stripe; a card there.
    private static let wallets: Set<String> = ["google_pay", "apple_pay"]

    /// Saves a card, a wallet's or a bank account under a Stripe customer of its own for each of ours.
    package func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer {
        let named: StripeToken?
        if Self.wallets.contains(request.type), request.token.hasPrefix("tok_") {
            named = StripeToken(try await cardMethod(of: request.token, key: "\(request.methodID):token"))
        } else {
            named = Self.token(of: request)
        }
        guard let token: StripeToken = named else { throw .rejected(code: "token_malformed") }
        let customer: String = try await createCustomer(request.customerID)
        let answer: SaveMethodAnswer = try await setup(request, token, of: customer)
        // It was kept under this key, and detached since: Stripe attaches it to nobody any more.
        if case .saved(let method) = answer, method.customer == nil {
            return .declined(ProviderDecline(code: "resource_missing"))
        }
        return answer
    }

    /// What Stripe calls a kind of ours.
    static func kind(of type: String) -> String { wallets.contains(type) ? "card" : type }

    /// What is to be kept, by its name at Stripe; `nil` for what is no PaymentMethod's name, as a wallet's `tok_…`, and for
    /// one of another kind.
    static func token(of request: SaveMethodRequest) -> StripeToken? {
        let kind: String = kind(of: request.type)
        let token = StripeToken(kind == "card" ? request.token : "\(kind)/\(request.token)")
        return token?.type == kind ? token : nil
    }

    /// The PaymentMethod of a wallet's token: Google Pay's sheet gives a Token (`tok_…`, with the gateway `stripe`), which
    /// becomes one; Stripe's own buttons give one at once (docs.stripe.com/google-pay, docs.stripe.com/apple-pay). Made once
    /// under a key, as long as that lives; a token is used up by it, so that nothing is made twice after that.
    func cardMethod(of token: String, key: String) async throws(ProviderFault) -> String {
        guard isStripeID(token) else { throw .rejected(code: "token_malformed") }
        var card = StripeForm()
        card.add("token", .text(token))
        var form = StripeForm()
        form.add("type", .text("card"))
        form.add("card", card)
        let fields: StripeFields = try await client.write("/v1/payment_methods", form, key: key)
        guard try fields.text("type") == "card" else { throw fields.unusable("type", "is another") }
        return try fields.id(of: "payment_method")
    }

    package func saved(
        _ request: SaveMethodRequest, reference: String
    ) async throws(ProviderFault) -> SaveMethodAnswer {
        try await setup(reference, for: request, Self.token(of: request))
    }

    package func look(at token: String) async throws(ProviderFault) -> VaultedMethod? {
        let id: String = name(of: token)
        guard isStripeID(id), let fields: StripeFields = try await client.get("/v1/payment_methods/\(id)") else {
            return nil
        }
        guard try fields.id(of: "payment_method") == id else { throw fields.unusable("id", "is another") }
        let type: String = try fields.text("type")
        guard type == "card" else { return VaultedMethod(type: type) }
        return VaultedMethod(type: type, card: try VaultedCard(fields.fields(type)))
    }

    /// Detaches the method from its customer: Stripe charges it no more, and nobody can attach it again. What Stripe
    /// refuses or has stored as a failure is settled by a look at the method. By the name of a wallet's token it keeps
    /// nothing.
    package func forget(_ request: ForgetMethodRequest) async throws(ProviderFault) -> ForgetMethodAnswer {
        if request.token.hasPrefix("tok_") { return .forgotten }
        guard let token = StripeToken(request.token) else { return .refused(code: "token_malformed") }
        let path: String = "/v1/payment_methods/\(token.method)/detach"
        let call = StripeCall(kind: .post(key: "\(request.methodID):detach"), path: path, form: StripeForm())
        switch try await client.send(call) {
        case .object(let fields, _):
            guard try fields.id(of: "payment_method") == token.method else { throw fields.unusable("id", "is another") }
            guard try fields.optionalReference("customer") == nil else {
                throw fields.unusable("customer", "is still there")
            }
            return .forgotten
        case .refused(let refusal):
            return try await isAttached(token) ? .refused(code: refusal.name) : .forgotten
        case .stuck(let status):
            guard try await !isAttached(token) else { throw .unavailable(status) }
            return .forgotten
        }
    }

    package func name(of token: String) -> String { StripeToken(token)?.method ?? token }

    private func isAttached(_ token: StripeToken) async throws(ProviderFault) -> Bool {
        guard let fields = try await client.get("/v1/payment_methods/\(token.method)") else { return false }
        guard try fields.id(of: "payment_method") == token.method else { throw fields.unusable("id", "is another") }
        return try fields.optionalReference("customer") != nil
    }
}
