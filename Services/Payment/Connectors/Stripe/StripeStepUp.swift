import BillingCore
import PaymentContract

extension ChargeRequest {
    /// A stored card that is charged only once its customer has authenticated at Stripe. Stripe lets a card pass whose bank
    /// takes no part or does not answer (docs.stripe.com/payments/3d-secure/authentication-flow), so the money is held first
    /// and taken when the result is known.
    var isForAuthenticated: Bool {
        guard case .stored(let text, _) = source, case .card? = StripeToken(text) else { return false }
        return stepUp && proof == nil
    }
}

extension StripeAdapter {
    /// What a PaymentIntent says of the charge, after what was held for an authenticated customer is taken or let go.
    ///
    /// A crash between the steps leaves money held; the next look goes on from there. Both steps go by the intent's state,
    /// so that neither happens twice.
    /// - Returns: `nil` without one, and while it has not been confirmed.
    /// - Throws: ``ProviderFault``, never one that is certain: the money may be held or taken.
    func finished(_ found: StripeIntent?, _ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        guard let intent = found else { return nil }
        let answer: ChargeAnswer? = try intent.answer(to: request)
        guard request.isForAuthenticated, intent.status == .requiresCapture, intent.received.isZero else {
            return answer
        }
        switch intent.authentication?.result {
        case .authenticated, .attempted: return request.capture ? try await taken(intent, request) : answer
        case .notAuthenticated, .exempt, .unavailable, nil: return try await letGo(intent, request)
        }
    }

    private func taken(_ held: StripeIntent, _ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        let intent: StripeIntent = try await moved(held, by: "capture", request)
        guard intent.status == .succeeded || intent.status == .canceled else {
            throw .unusable("\(held.id) is \(intent.status.rawValue) after the capture")
        }
        return try intent.answer(to: request)
    }

    private func letGo(_ held: StripeIntent, _ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        let intent: StripeIntent = try await moved(held, by: "cancel", request)
        guard intent.status == .canceled else {
            throw .unusable("\(held.id) is \(intent.status.rawValue) after the release")
        }
        return .declined(ProviderDecline(code: DeclineCode.notAuthenticated, reference: held.id))
    }

    /// The PaymentIntent after a step that its state lets happen once. Where Stripe refuses the step or keeps a failure of its
    /// own under the key, somebody else may have taken it.
    private func moved(
        _ intent: StripeIntent, by step: String, _ request: ChargeRequest
    ) async throws(ProviderFault) -> StripeIntent {
        var form = StripeForm()
        form.add("expand", .list([.text("latest_charge")]))
        let key: String = nextKey(after: "\(request.idempotencyKey):\(step)", made: request.idempotencyKey.madeAt)
        let call = StripeCall(kind: .post(key: key), path: "/v1/payment_intents/\(intent.id)/\(step)", form: form)
        if case .object(let fields, isReplay: false) = try await client.send(call, mayHaveHappened: true) {
            let moved = try StripeIntent(fields)
            guard moved.id == intent.id else { throw fields.unusable("id", "is another") }
            return moved
        }
        guard let standing = try await readIntent(intent.id) else { throw .unusable("\(intent.id) is gone") }
        return standing
    }
}
