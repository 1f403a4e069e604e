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

    package func saved(
        _ request: SaveMethodRequest, reference: String
    ) async throws(ProviderFault) -> SaveMethodAnswer { try await save(request) }
}
