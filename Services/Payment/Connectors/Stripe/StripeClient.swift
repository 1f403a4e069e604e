import PaymentContract
import BillingCore
import JSON

/// Sends requests to Stripe and repeats them, under the same key, as long as that is safe and of use.
struct StripeClient: Sendable {
    /// The key stands for a request with other parameters, which has ended; how, is not told.
    static let mismatched = ProviderFault.unusable("the key was used with other parameters")

    let configuration: StripeConfiguration
    let transport: any ProviderTransport

    /// Sends a request until there is a reply or the tries are used up.
    /// - Parameter mayHaveHappened: An earlier call under the same key ended without an answer.
    /// - Throws: ``ProviderFault``. `notSent`, `rateLimited`, `rejected` and `unauthorized` are thrown only when no try,
    ///   this call's or an earlier one's, can have been carried out: they say that nothing happened.
    func send(_ call: StripeCall, mayHaveHappened: Bool = false) async throws(ProviderFault) -> StripeReply {
        let request: ProviderHTTPRequest = call.request(configuration)
        var uncertain: ProviderFault? = mayHaveHappened ? .timedOut : nil
        var retry = 1
        while true {
            let missed: StripeTryFault
            switch await read(request) {
            case .reply(.refused(var refusal)):
                refusal.followsDoubt = uncertain != nil
                return .refused(refusal)
            case .reply(let reply): return reply
            case .fault(let fault): missed = fault
            }
            if missed.mayHaveHappened { uncertain = missed.fault }
            guard missed.mayRepeat,
                await configuration.retries.pause(before: retry, retryAfter: missed.retryAfter)
            else {
                throw Self.verdict(missed.fault, after: uncertain)
            }
            retry += 1
        }
    }

    /// Reads an object. Nothing that goes wrong with a read says anything about what is read.
    /// - Returns: `nil` when there is no such object.
    func get(_ path: String, _ form: StripeForm = StripeForm()) async throws(ProviderFault) -> StripeFields? {
        try Self.found(try await send(StripeCall(kind: .get, path: path, form: form), mayHaveHappened: true))
    }

    /// Reads a page of a list. Where so many objects are longer than an answer may be, a quarter of them is asked for, and so
    /// on down to one: a dispute, for one, carries all of its evidence.
    /// - Parameter most: How many objects the page may have.
    /// - Returns: The reply, and how many objects were asked for at last.
    func page(
        _ path: String, _ form: StripeForm, most: Int
    ) async throws(ProviderFault) -> (reply: StripeReply, limit: Int) {
        var limit: Int = most
        while true {
            var asked: StripeForm = form
            asked.add("limit", .integer(Int64(limit)))
            let call = StripeCall(kind: .get, path: path, form: asked)
            do throws(ProviderFault) {
                let reply: StripeReply = try await send(call, mayHaveHappened: true)
                return (reply: reply, limit: limit)
            } catch {
                guard limit > 1, error == .tooLong(ProviderHTTPRequest.longestAnswer) else { throw error }
                limit = max(limit / 4, 1)
            }
        }
    }

    /// The same where every refusal is a fault.
    /// - Returns: The list, `nil` where what it is about does not exist, and how many objects were asked for at last.
    func list(
        _ path: String, _ form: StripeForm, most: Int
    ) async throws(ProviderFault) -> (fields: StripeFields?, limit: Int) {
        let read: (reply: StripeReply, limit: Int) = try await page(path, form, most: most)
        return (fields: try Self.found(read.reply), limit: read.limit)
    }

    private static func found(_ reply: StripeReply) throws(ProviderFault) -> StripeFields? {
        switch reply {
        case .object(let fields, _): return fields
        case .refused(let refusal) where refusal.status == 404 && refusal.code == "resource_missing": return nil
        case .refused(let refusal): throw .unusable("a read was refused: \(refusal.name)")
        case .stuck(let status): throw .unavailable(status)
        }
    }

    /// Writes where a refusal and a stored failure are of no use to the caller: nothing is charged by these.
    /// - Throws: ``ProviderFault``; `rejected` with Stripe's code when it refuses.
    func write(_ path: String, _ form: StripeForm, key: String) async throws(ProviderFault) -> StripeFields {
        switch try await send(StripeCall(kind: .post(key: key), path: path, form: form)) {
        case .object(let fields, _): return fields
        case .refused(let refusal): throw .rejected(code: refusal.name)
        case .stuck(let status): throw .unavailable(status)
        }
    }

    private func read(_ request: ProviderHTTPRequest) async -> StripeReading {
        do throws(ProviderFault) {
            return StripeReading(try await transport.send(request))
        } catch {
            if case .notSent = error { return .fault(StripeTryFault(fault: error, mayHaveHappened: false)) }
            // The same request has the same answer.
            return .fault(StripeTryFault(fault: error, mayRepeat: error != .tooLong(request.maxAnswerBytes)))
        }
    }

    /// A last try that did nothing leaves the knowledge as the tries before it did.
    private static func verdict(_ last: ProviderFault, after uncertain: ProviderFault?) -> ProviderFault {
        guard let uncertain else { return last }
        if let code: String = last.refusalCode { return .unusable("refused after an unanswered try: \(code)") }
        return uncertain
    }
}
