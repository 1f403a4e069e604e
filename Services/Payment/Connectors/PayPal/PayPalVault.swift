import BillingCore
import JSON
package import PaymentContract

extension PayPalAdapter: ProviderVault {
    /// PayPal's vault has kept the method before its token comes here, so there is nothing to ask: a charge is the test. A
    /// card's brand is learned from the declines that name it. What can be none of its tokens is not taken over: with that
    /// nobody would ever be asked.
    package func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer {
        let token: String = "\(request.type):\(request.token)"
        guard (try? PayPalToken(token)) != nil else { throw .rejected(code: "token_malformed") }
        return .saved(
            SavedMethod(
                token: token, customer: nil, brand: nil, last4: nil, expMonth: nil, expYear: nil,
                fingerprint: nil))
    }

    /// Reads the payment token.
    package func look(at token: String) async throws(ProviderFault) -> VaultedMethod? {
        guard let known = try? PayPalToken(token) else { return nil }
        switch try await client.send(.get("/v3/vault/payment-tokens/" + known.id)) {
        case .done(let json?):
            try PayPalCheck.equal(json["id"]?.stringValue, known.id, "payment token")
            guard let sources: [JSONMember] = json["payment_source"]?.objectValue, sources.count == 1 else {
                throw .unusable("payment_token.payment_source")
            }
            return VaultedMethod(type: sources[0].name, card: VaultedCard(payPal: sources[0].value))
        case .done(nil): throw .unusable("payment_token")
        case .refused(let refusal) where refusal.status == 404: return nil
        case .refused(let refusal): throw refusal.rejection
        }
    }

    /// Deletes the payment token. An agreement from before the vault is the payer's to end.
    package func forget(_ request: ForgetMethodRequest) async throws(ProviderFault) -> ForgetMethodAnswer {
        guard let token = try? PayPalToken(request.token) else { return .refused(code: "token_malformed") }
        guard token.kind != .billingAgreement else { return .refused(code: "billing_agreement") }
        switch try await client.send(.delete("/v3/vault/payment-tokens/" + token.id)) {
        case .done: return .forgotten
        case .refused(let refusal) where refusal.status == 404: return .forgotten
        case .refused(let refusal): return .refused(code: refusal.code)
        }
    }

    package func name(of token: String) -> String { (try? PayPalToken(token))?.id ?? token }

    package func saved(
        _ request: SaveMethodRequest, reference: String
    ) async throws(ProviderFault) -> SaveMethodAnswer { try await save(request) }
}

extension VaultedCard {
    /// Reads `card_response`, in which nothing has to be there: `nil` for less than a whole card. Its expiry is `2030-12`.
    fileprivate init?(payPal json: JSONValue) {
        let expiry: [Int] = (json["expiry"]?.stringValue ?? "").split(separator: "-").compactMap { Int($0) }
        guard let brand: String = PayPalFields.brand(json),
            let last4: String = json["last_digits"]?.stringValue, expiry.count == 2
        else { return nil }
        self.init(brand: brand, last4: last4, expMonth: expiry[1], expYear: expiry[0])
    }
}
