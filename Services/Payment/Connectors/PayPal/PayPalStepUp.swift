import BillingCore
import JSON
import PaymentContract
import PaymentDomain

extension ChargeRequest {
    /// A card that is charged only once its customer has authenticated at PayPal. PayPal lets a card pass whose bank takes no
    /// part or cannot be asked (developer.paypal.com/docs/checkout/advanced/customize/3d-secure/response-parameters), and may
    /// complete the order as it is made, so the money is held first and taken when the result is known. A cryptogram is an
    /// authentication.
    var isForAuthenticated: Bool {
        guard stepUp else { return false }
        return switch source {
        case .stored: isOfCard && initiation == .customer
        case .walletCard(let card): card.cryptogram == nil
        case .redirect: false
        }
    }
}

extension PayPalAdapter {
    /// What a completed order says of the charge, after what was held for an authenticated customer is taken or let go.
    ///
    /// A crash between the steps leaves money held; the next look goes on from there. Each step has a key of its own, so that
    /// neither happens twice, and PayPal does not void what was captured.
    /// - Throws: ``ProviderFault``, never one that is certain: the money may be held or taken.
    func finished(_ order: PayPalOrder, _ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        do throws(ProviderFault) {
            guard let held: PayPalAuthorization = order.authorizations.first, order.captures.isEmpty else {
                return try await ended(try captured(order, request), order.authorizations.first, request)
            }
            let answer: ChargeAnswer = try authorized(order, request)
            switch answer {
            case .authorized where !order.isFit(for: request):
                try await letGo(held, request)
                return unauthenticated(held.id)
            case .authorized where request.capture: return try await taken(held, of: order, request)
            case .declined where held.status == .voided && !order.isFit(for: request): return unauthenticated(held.id)
            case .authorized, .captured, .declined, .actionRequired, .pending: return answer
            }
        } catch {
            throw error.afterwards
        }
    }

    /// Reads an order of which something may have been taken.
    /// - Throws: ``ProviderFault``, never one that is certain.
    func standing(of id: String) async throws(ProviderFault) -> PayPalOrder {
        do throws(ProviderFault) { return try await order(id) } catch { throw error.afterwards }
    }

    /// Says that the customer's bank did not authenticate them.
    func unauthenticated(_ reference: String) -> ChargeAnswer {
        .declined(ProviderDecline(code: DeclineCode.notAuthenticated, reference: reference))
    }

    private func taken(
        _ held: PayPalAuthorization, of order: PayPalOrder, _ request: ChargeRequest
    ) async throws(ProviderFault) -> ChargeAnswer {
        try requireFresh(request.idempotencyKey, configuration.paymentKeyLifetime)
        let body: JSONValue = [
            "amount": try PayPalAmount.charged(request.amount),
            "invoice_id": .string(request.idempotencyKey.rawValue), "final_capture": true,
        ]
        let path = "/v2/payments/authorizations/\(held.id)/capture"
        switch try await client.send(.post(path, key: request.idempotencyKey.rawValue + "-capture", body)) {
        case .done(let json):
            let capture = try PayPalCapture(try json.required())
            if let parent = capture.parent { try PayPalCheck.equal(parent, held.id, "authorization") }
            return try await ended(try answer(capture, of: order, request), held, request)
        // Somebody else may have taken it, or let it go.
        case .refused(let refusal):
            let standing: PayPalOrder = try await self.order(order.id)
            guard standing.captures.isEmpty else { return try captured(standing, request) }
            if case .declined(let decline) = try authorized(standing, request) { return .declined(decline) }
            // It contradicts what PayPal shows.
            if refusal.issue == .conflict { throw .unusable("the capture is refused: \(refusal.code)") }
            let decline = ProviderDecline(code: try refusal.finalCode(), reference: held.id)
            try await letGo(held, request)
            return .declined(decline)
        }
    }

    /// The answer of a capture; where it was declined, what is still held is let go first.
    private func ended(
        _ answer: ChargeAnswer, _ held: PayPalAuthorization?, _ request: ChargeRequest
    ) async throws(ProviderFault) -> ChargeAnswer {
        if case .declined = answer, let held, held.status == .created { try await letGo(held, request) }
        return answer
    }

    /// Voids an authorization. One whose time is over holds nothing.
    private func letGo(_ held: PayPalAuthorization, _ request: ChargeRequest) async throws(ProviderFault) {
        let path = "/v2/payments/authorizations/\(held.id)/void"
        switch try await client.send(.post(path, key: request.idempotencyKey.rawValue + "-void")) {
        case .done: return
        case .refused(let refusal) where ["PREVIOUSLY_VOIDED", "AUTHORIZATION_EXPIRED"].contains(refusal.code): return
        case .refused(let refusal): throw .unusable("what is held was not let go: \(refusal.code)")
        }
    }
}
