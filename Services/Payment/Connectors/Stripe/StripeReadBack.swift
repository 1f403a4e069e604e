import BillingCore
package import PaymentContract

extension StripeAdapter {
    /// How old an attempt is before its absence says anything: a copy of its request may be on its way until then. Longer
    /// than any call of ours is waited for.
    static let quietAfter: Duration = .seconds(120)
    /// How many pages of PaymentIntents are read, of a hundred each.
    static let readBackPages = 50

    /// What became of a charge whose answer was lost, once a repeat under its key is refused.
    ///
    /// Stripe keeps the result of every request that it began to carry out, and answers a repeat with it; one that is still
    /// carried out is a 409 (docs.stripe.com/api/idempotent_requests). So after a refusal of the repeat's own nothing was
    /// begun, or it has ended and left a PaymentIntent or none. The list of PaymentIntents, unlike the search, shows one as
    /// soon as it is there (docs.stripe.com/search#data-freshness), and no copy of the request can make one later: it
    /// would be refused as this one was.
    ///
    /// That the key stands for other parameters is no such refusal: the first request may have ended in a failure that
    /// Stripe puts right later, so that its PaymentIntent may yet appear.
    /// - Parameters:
    ///   - customer: Whose list is read; `nil` for the whole account's.
    ///   - absentAfter: How old the attempt is before a list without it says that there is none.
    ///   - decline: The answer when the list has none.
    /// - Throws: ``ProviderFault`` while a copy may be on its way, or the list cannot be read to its end.
    func readBack(
        _ request: ChargeRequest, of customer: String?, absentAfter: Duration = Self.quietAfter,
        otherwise decline: ProviderDecline
    ) async throws(ProviderFault) -> ChargeAnswer {
        if let id = try await listed(request, of: customer) {
            if let answer = try await finished(readIntent(id), request) { return answer }
            guard try age(of: request) >= Self.quietAfter else { throw .timedOut }
            // One that was never confirmed has taken nothing; canceled, it never will.
            let release = ReleaseRequest(idempotencyKey: request.idempotencyKey, reference: id)
            guard try await self.release(release) == .released else { throw .unusable("\(id) was never confirmed") }
            return .declined(decline)
        }
        guard try age(of: request) >= absentAfter else { throw .timedOut }
        return .declined(decline)
    }

    /// The id of the attempt's PaymentIntent among all that were made while its key could make one; `nil` when there is none.
    private func listed(
        _ request: ChargeRequest, of customer: String?
    ) async throws(ProviderFault) -> String? {
        guard let made = request.idempotencyKey.madeAt else { throw .rejected(code: "attempt_id_malformed") }
        var span = StripeForm()
        span.add("gte", .integer(made.seconds - Self.clockTolerance.wholeMicroseconds / 1_000_000))
        // So that it grows no longer: by then its key has run out.
        span.add("lte", .integer(made.seconds + Self.certainAfter.wholeMicroseconds / 1_000_000))
        var after: String?
        for _ in 0..<Self.readBackPages {
            var form = StripeForm()
            form.add("created", span)
            form.add("customer", customer)
            form.add("limit", .integer(100))
            form.add("starting_after", after)
            guard let page = try await client.get("/v1/payment_intents", form) else {
                throw .unusable("the account has no list of payment intents")
            }
            guard try page.text("object") == "list" else { throw page.unusable("object", "is not list") }
            let intents: [StripeFields] = try page.list("data")
            for intent in intents {
                let attempt: String? = try intent.optionalFields("metadata")?.optionalText(StripeMetadata.attempt)
                if attempt == request.idempotencyKey.rawValue { return try intent.id(of: "payment_intent") }
            }
            guard try page.flag("has_more"), let last = intents.last else { return nil }
            after = try last.id(of: "payment_intent")
        }
        throw .unusable("the account has too many payment intents")
    }

    /// Reads the PaymentIntent by its id.
    package func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        guard let known = request.reference, isStripeID(known) else { return nil }
        return try await readIntent(known)?.answer(to: request)
    }

    /// A PaymentIntent that was canceled, by a person or because its time was over, holds nothing.
    package func holds(_ reference: String) async throws(ProviderFault) -> Bool? {
        guard isStripeID(reference), let intent = try await readIntent(reference) else { return nil }
        return switch intent.status {
        case .requiresCapture: true
        case .canceled: false
        default: nil
        }
    }
}
