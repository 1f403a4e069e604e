package import PaymentContract
import BillingCore
import PaymentDomain

extension StripeAdapter {
    /// How long after its id was made a capture of several may be new to Stripe; later it is looked for before it is asked
    /// for. No state of the PaymentIntent holds a second one back once the key has run out.
    static let newCaptureFor: Duration = .seconds(60)

    /// Captures all or a part of a PaymentIntent's authorization. Without ``StripeConfiguration/multipleCapture`` the
    /// one capture is final: Stripe releases the rest.
    package func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        guard isStripeID(request.reference) else { return .refused(code: "reference_malformed") }
        guard request.isFinal || configuration.multipleCapture else {
            return .refused(code: "multiple_capture_unsupported")
        }
        let form: StripeForm
        do throws(UnitRefusal) {
            form = try captureForm(request)
        } catch {
            return .refused(code: error.stripeCode)
        }
        if configuration.multipleCapture, !isNew(request), let answer = try await captured(request) { return answer }
        let path: String = "/v1/payment_intents/\(request.reference)/capture"
        let key: String = "\(request.idempotencyKey):capture"
        var reply: StripeReply = try await client.send(StripeCall(kind: .post(key: key), path: path, form: form))
        if case .stuck = reply, let answer = try await captured(request) { return answer }
        if case .stuck = reply, !configuration.multipleCapture {
            // The state guards a single capture better than the key does: Stripe refuses a second one.
            let next: String = nextKey(after: key, made: request.idempotencyKey.madeAt)
            let again = StripeCall(kind: .post(key: next), path: path, form: form)
            reply = try await client.send(again, mayHaveHappened: true)
        }
        switch reply {
        case .object(let fields, _):
            guard let answer = try answer(to: request, StripeIntent(fields)) else {
                throw fields.unusable("amount_received", "is not what was captured")
            }
            return answer
        case .refused(let refusal):
            // The key may have run out since the capture succeeded under it.
            if let answer = try await captured(request) { return answer }
            return .refused(code: refusal.name)
        case .stuck(let status):
            if let answer = try await captured(request) { return answer }
            throw .unavailable(status)
        }
    }

    private func captureForm(_ request: CaptureRequest) throws(UnitRefusal) -> StripeForm {
        var form = StripeForm()
        form.add("amount_to_capture", .integer(try StripeAmount.units(of: request.amount, for: .part)))
        if configuration.multipleCapture { form.add("final_capture", .flag(request.isFinal)) }
        var metadata = StripeForm()
        metadata.add(StripeMetadata.capture, .text(request.idempotencyKey.rawValue))
        form.add("metadata", metadata)
        return form
    }

    private func isNew(_ request: CaptureRequest) -> Bool {
        guard let made: Instant = request.idempotencyKey.madeAt else { return false }
        let age: Duration = configuration.clock.now.duration(since: made)
        return age < Self.newCaptureFor && age + Self.clockTolerance > .zero
    }

    /// Whether the PaymentIntent shows that the capture happened.
    private func captured(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer? {
        guard let intent = try await readIntent(request.reference) else { return nil }
        // Of several captures only the last is named; a single one that bears no name (it was made by hand) is known
        // by its amount.
        let isNamed: Bool = intent.capture == request.idempotencyKey.rawValue
        guard isNamed || (intent.capture == nil && !configuration.multipleCapture) else { return nil }
        return try answer(to: request, intent)
    }

    /// The answer that a captured PaymentIntent gives; `nil` when it does not show the capture. Of several captures the amount
    /// says nothing: it is known by its name, which is sent with it and so stands in the answer.
    private func answer(
        to request: CaptureRequest, _ intent: StripeIntent
    ) throws(ProviderFault) -> CaptureAnswer? {
        guard intent.id == request.reference else { throw .unusable("\(intent.id) is another payment intent") }
        guard intent.received.currency == request.amount.currency else {
            throw .unusable("\(intent.id) is in \(intent.received.currency)")
        }
        if configuration.multipleCapture, intent.capture != request.idempotencyKey.rawValue { return nil }
        let isDone: Bool = intent.status == .succeeded || (!request.isFinal && intent.status == .requiresCapture)
        let isCovered: Bool =
            configuration.multipleCapture
            ? intent.received.minor >= request.amount.minor : intent.received == request.amount
        return isDone && isCovered && intent.received.isPositive ? .captured(reference: intent.id) : nil
    }

    /// Another key for a write that its object's state lets happen only once: a new one every minute, so that a failure
    /// stored under one of them does not hold it up for a day.
    func nextKey(after key: String, made: Instant?) -> String {
        let now: Instant = configuration.clock.now
        return "\(key):\(now.duration(since: made ?? now).wholeMicroseconds / 60_000_000)"
    }

    /// Cancels a PaymentIntent that is not captured: what it holds goes back to the customer. Each minute has a key of
    /// its own: canceling twice is canceling once, and a refusal stored under one key does not hold it up for a day.
    package func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        guard isStripeID(request.reference) else { return .refused(code: "reference_malformed") }
        let path: String = "/v1/payment_intents/\(request.reference)/cancel"
        let key: String = nextKey(after: "\(request.idempotencyKey):release", made: request.idempotencyKey.madeAt)
        switch try await client.send(StripeCall(kind: .post(key: key), path: path, form: StripeForm())) {
        case .object(let fields, _):
            let intent = try StripeIntent(fields)
            guard intent.id == request.reference else { throw fields.unusable("id", "is another") }
            // A PaymentIntent of which a part was captured ends as succeeded.
            guard intent.status == .canceled || intent.status == .succeeded, intent.capturable.isZero else {
                throw fields.unusable("status", "is \(intent.status.rawValue) after the release")
            }
            return .released
        case .refused(let refusal):
            if try await readIntent(request.reference)?.status == .canceled { return .released }
            return .refused(code: refusal.name)
        case .stuck(let status):
            if try await readIntent(request.reference)?.status == .canceled { return .released }
            throw .unavailable(status)
        }
    }
}
