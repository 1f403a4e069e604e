package import PaymentContract
import BillingCore
package import PaymentDomain
import JSON

/// Stripe as a provider: PaymentIntents, created and confirmed in one request.
///
/// It keeps no state. Every PaymentIntent carries our payment and attempt ids in its metadata, so that a lost answer
/// can be found again; every write goes under a key made of our id, which Stripe honors for at least 24 hours
/// (docs.stripe.com/api/idempotent_requests).
package struct StripeAdapter: PaymentProvider {
    /// The connector's own codes for ``ChargeAnswer/declined(_:)``.
    package enum DeclineCode {
        /// The key has run out and Stripe knows no PaymentIntent of the attempt that took money or still can.
        package static let neverCharged = "never_charged"
        /// The PaymentIntent was canceled: nothing is held.
        package static let canceled = "canceled"
        /// The customer was to authenticate and has not: what was held is let go.
        package static let notAuthenticated = "not_authenticated"
        /// The owner of a method to be kept is wanted by their bank, and Stripe was not told where they come back to.
        package static let returnURLMissing = "return_url_missing"
    }

    /// How long after an id was made its key is relied upon: the 24 hours Stripe promises, less one for clocks that
    /// disagree and requests that travel.
    static let keyLifetime: Duration = .seconds(23 * 3_600)
    /// When a charge that cannot be found never happened: the last use of the key, plus the hour that Stripe's search
    /// may lag behind, plus one for clocks.
    static let certainAfter: Duration = .seconds(25 * 3_600)

    /// How far clocks may disagree.
    static let clockTolerance: Duration = .seconds(3_600)

    package let name = "stripe"
    package let capabilities: ProviderCapabilities
    let client: StripeClient
    package var configuration: StripeConfiguration { client.configuration }

    /// A connector to one account.
    package init(configuration: StripeConfiguration, transport: any ProviderTransport) {
        client = StripeClient(configuration: configuration, transport: transport)
        capabilities = .stripe(multipleCapture: configuration.multipleCapture)
    }

    /// Creates and confirms a PaymentIntent. An attempt older than its key is looked for instead.
    /// - Note: After ``ChargeAnswer/actionRequired(reference:_:)`` Stripe goes on by itself once the customer has
    ///   authenticated. What became of it is ``outcome(of:)`` of the same request; another attempt would charge again.
    package func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        let age: Duration = try age(of: request)
        // An id from the future was made by a clock that has gone back since: its age is not known.
        guard age < Self.keyLifetime, age + Self.clockTolerance > .zero else { return try await outcome(of: request) }
        return try await submit(request, try chargeForm(request), mayHaveHappened: false)
    }

    /// Finds the charge by its metadata; where there is none, asks again under the same key while that is safe. Where
    /// Stripe refuses the repeat, or could not do it so that it is not sent, the account's list is read, which shows at
    /// once whether there is a PaymentIntent. So it is once the key has run out where Stripe does not search.
    /// - Returns: The refusal, or ``DeclineCode/neverCharged``, when it cannot have happened any more.
    /// - Throws: ``ProviderFault`` while that is not known.
    package func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        let age: Duration = try age(of: request)
        if let known = request.reference, let answer = try await finished(readIntent(known), request) { return answer }
        let search: Search = try await find(request)
        if case .charge(let answer) = search { return answer }
        let isSearched: Bool = if case .nothing = search { true } else { false }
        let form: StripeForm
        do throws(ProviderFault) { form = try chargeForm(request) } catch {
            guard case .rejected(let code) = error else { throw error }
            let decline = ProviderDecline(code: code)
            if isSearched, age >= Self.certainAfter { return .declined(decline) }
            return try await readBack(request, of: nil, otherwise: decline)
        }
        if age < Self.keyLifetime { return try await submit(request, form, mayHaveHappened: true) }
        let never = ProviderDecline(code: DeclineCode.neverCharged)
        guard isSearched else {
            return try await readBack(request, of: nil, absentAfter: Self.certainAfter, otherwise: never)
        }
        guard age >= Self.certainAfter else { throw .timedOut }
        return .declined(never)
    }

    package func reading(of decline: ProviderDecline) -> DeclineReading {
        switch decline.code {
        case DeclineCode.neverCharged: DeclineReading(Decline(code: "processing_error"))
        case DeclineCode.canceled: DeclineReading(Decline(code: "action_expired"))
        case DeclineCode.notAuthenticated: DeclineReading(.authenticationFailed)
        // The connector's own refusals of a request, which Stripe has no decline for.
        case "currency_unsupported", "capture_unsupported", "method_unsupported", "off_session_unsupported",
            "payer_country_missing", "payer_address_missing", "token_malformed":
            DeclineReading(Decline(code: "provider_configuration"))
        default:
            DeclineReading(
                stripe: decline.code, networkCode: decline.networkCode, adviceCode: decline.adviceCode,
                networkAdvice: decline.advice)
        }
    }

    private func submit(
        _ request: ChargeRequest, _ form: StripeForm, mayHaveHappened: Bool
    ) async throws(ProviderFault) -> ChargeAnswer {
        let key: String = "\(request.idempotencyKey):charge"
        let call = StripeCall(kind: .post(key: key), path: "/v1/payment_intents", form: form)
        let reply: StripeReply
        do throws(ProviderFault) { reply = try await client.send(call, mayHaveHappened: mayHaveHappened) } catch {
            guard mayHaveHappened, error == StripeClient.mismatched else { throw error }
            return try await readBack(
                request, of: nil, absentAfter: Self.certainAfter,
                otherwise: ProviderDecline(code: DeclineCode.neverCharged))
        }
        switch reply {
        case .object(let fields, let isReplay):
            let intent = try StripeIntent(fields)
            if !isReplay, intent.status == .succeeded, !request.capture { throw .unusable("\(intent.id) is captured") }
            // The stored answer is of then; the customer may have authenticated since.
            let standing: StripeIntent? = isReplay ? try await readIntent(intent.id) : intent
            if let answer = try await finished(standing, request) { return answer }
            throw fields.unusable("status", "is \(intent.status.rawValue) after the confirmation")
        case .refused(let refusal) where refusal.followsDoubt && refusal.status != 402 && refusal.intent == nil:
            return try await readBack(
                request, of: Self.customer(of: request, unless: refusal),
                otherwise: ProviderDecline(refusal, reference: nil))
        case .refused(let refusal): return try Self.answer(to: request, refused: refusal)
        case .stuck(let status):
            if case .charge(let answer) = try await find(request) { return answer }
            throw .unavailable(status)
        }
    }

    /// Whose list shows the attempt; `nil` for the whole account's, as where the customer is gone at Stripe.
    private static func customer(of request: ChargeRequest, unless refusal: StripeRefusal) -> String? {
        guard case .stored(_, let name) = request.source, refusal.parameter != "customer" else { return nil }
        return name
    }

    /// What the search says of an attempt.
    private enum Search {
        case charge(ChargeAnswer), nothing
        /// Stripe does not search, so that nothing is known.
        case refused
    }

    /// Looks for the attempt's PaymentIntent. Search may lag behind, so finding none means nothing by itself, and what
    /// it finds is read anew. Accounts in some countries, as in India, have none: a 400 without a code
    /// (docs.stripe.com/search#supported-countries).
    /// - Throws: ``ProviderFault/unusable(_:)`` when more than one has taken or refused money.
    private func find(_ request: ChargeRequest) async throws(ProviderFault) -> Search {
        var form = StripeForm()
        form.add("query", .text("metadata['\(StripeMetadata.attempt)']:'\(request.idempotencyKey)'"))
        let call = StripeCall(kind: .get, path: "/v1/payment_intents/search", form: form)
        let page: StripeFields
        switch try await client.send(call, mayHaveHappened: true) {
        case .object(let fields, _): page = fields
        case .refused: return .refused
        case .stuck(let status): throw .unavailable(status)
        }
        guard try page.text("object") == "search_result" else { throw page.unusable("object", "is not search_result") }
        var answers: [ChargeAnswer] = []
        for found in try page.list("data") {
            let id: String = try found.id(of: "payment_intent")
            guard let answer = try await finished(readIntent(id), request) else { continue }
            answers.append(answer)
        }
        guard answers.count < 2 else { throw .unusable("the attempt has \(answers.count) payment intents") }
        guard let answer: ChargeAnswer = answers.first else { return .nothing }
        return .charge(answer)
    }

    /// Reads a PaymentIntent as it is now; `nil` when there is none.
    func readIntent(_ id: String) async throws(ProviderFault) -> StripeIntent? {
        var form = StripeForm()
        form.add("expand", .list([.text("latest_charge")]))
        guard let fields = try await client.get("/v1/payment_intents/\(id)", form) else { return nil }
        let intent = try StripeIntent(fields)
        guard intent.id == id else { throw fields.unusable("id", "is another") }
        return intent
    }

    /// A charge that Stripe refused: a decline when the method was asked, a rejection of our request otherwise.
    private static func answer(
        to request: ChargeRequest, refused refusal: StripeRefusal
    ) throws(ProviderFault) -> ChargeAnswer {
        guard let fields = refusal.intent else {
            if refusal.status == 402 || refusal.isOfGoneMethod {
                return .declined(ProviderDecline(refusal, reference: nil))
            }
            throw .rejected(code: refusal.name)
        }
        let intent = try StripeIntent(fields)
        try intent.belongs(to: request)
        switch intent.status {
        case .requiresPaymentMethod, .canceled: return .declined(ProviderDecline(refusal, reference: intent.id))
        default: throw fields.unusable("status", "is \(intent.status.rawValue) after a refusal")
        }
    }

    func age(of request: ChargeRequest) throws(ProviderFault) -> Duration {
        guard let made = request.idempotencyKey.madeAt else { throw .rejected(code: "attempt_id_malformed") }
        return configuration.clock.now.duration(since: made)
    }
}

extension StripeIntent {
    /// Checks that this is the attempt's, over its amount.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    func belongs(to request: ChargeRequest) throws(ProviderFault) {
        guard attempt == request.idempotencyKey.rawValue else { throw .unusable("\(id) is of another attempt") }
        guard amount == request.amount else { throw .unusable("\(id) is over \(amount)") }
    }

    /// What the intent says of the charge; `nil` while it has not been confirmed.
    /// - Throws: ``ProviderFault/unusable(_:)`` when it is not what was asked for.
    func answer(to request: ChargeRequest) throws(ProviderFault) -> ChargeAnswer? {
        try belongs(to: request)
        let charge = ProviderCharge(
            reference: id, networkTransactionID: networkTransactionID, authentication: authentication)
        switch status {
        case .succeeded:
            // An authorization that was captured since stays what it was: captures are told apart from charges.
            guard request.capture else { return .authorized(charge) }
            guard received == request.amount else { throw .unusable("\(id) received \(received)") }
            return .captured(charge)
        case .requiresCapture:
            guard received.isPositive || capturable == request.amount else {
                throw .unusable("\(id) holds \(capturable)")
            }
            guard request.capture else { return .authorized(charge) }
            guard request.isForAuthenticated else { throw .unusable("\(id) is not captured") }
            return .pending(reference: id)
        case .requiresAction:
            guard let redirectURL else { throw .unusable("\(id) wants an action that is no redirect") }
            return .actionRequired(reference: id, .redirect(url: redirectURL))
        case .processing: return .pending(reference: id)
        case .canceled:
            return .declined(ProviderDecline(code: StripeAdapter.DeclineCode.canceled, reference: id))
        case .requiresPaymentMethod: return lastError.map { .declined(ProviderDecline($0, reference: id)) }
        case .requiresConfirmation: return nil
        }
    }
}
