import BillingCore
package import PaymentContract

extension PayPalAdapter: ProviderVault {
    /// PayPal's vault has kept the method before its token comes here, so there is nothing to ask: a charge is the test.
    package func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer {
        guard !request.token.isEmpty else { throw .rejected(code: "token_malformed") }
        let token: String = "\(request.type):\(request.token)"
        return .saved(
            SavedMethod(
                token: token, customer: nil, brand: request.type, last4: nil, expMonth: nil, expYear: nil,
                fingerprint: nil))
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
