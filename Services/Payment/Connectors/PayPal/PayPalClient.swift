import PaymentContract
import BillingCore
import JSON
import Telemetry

/// One call of PayPal's REST API.
struct PayPalCall: Sendable {
    let method: String
    /// From the slash on.
    let path: String
    /// `PayPal-Request-Id`: under it the call counts once. At most 38 characters, the shortest limit of PayPal's APIs.
    let key: String?
    let body: JSONValue?
    /// Whether the body goes as the part `input` of a form, as where files may stand beside it.
    var asForm = false

    /// Reads a resource.
    static func get(_ path: String) -> PayPalCall { PayPalCall(method: "GET", path: path, key: nil, body: nil) }

    /// Removes a resource; what is removed stays so, so it needs no key.
    static func delete(_ path: String) -> PayPalCall { PayPalCall(method: "DELETE", path: path, key: nil, body: nil) }

    /// Does something, once per key.
    static func post(_ path: String, key: String, _ body: JSONValue = [:]) -> PayPalCall {
        PayPalCall(method: "POST", path: path, key: key, body: body)
    }
}

/// What PayPal says to a call, when it says something.
enum PayPalReply: Sendable {
    /// It did it, or did it before under the same key: the resource, `nil` where there is nothing to tell (204).
    case done(JSONValue?)
    /// It understood and will not: nothing happened under this key.
    case refused(PayPalRefusal)
}

/// Why PayPal will not: its error object.
struct PayPalRefusal: Sendable, Equatable {
    /// 400, 404 or 422; 403 for what the payer has not consented to.
    let status: Int
    /// The first issue, or the error's name where it gives none.
    let code: String
    /// Where the customer can cure it, if anywhere.
    let payerAction: String?
    /// The fault of an earlier try of the same call that may have taken effect.
    var doubt: ProviderFault?

    /// The fault for a refusal that is ours to cure.
    var rejection: ProviderFault {
        doubt ?? (PayPalIssue.ofOurAccount.contains(code) ? .unauthorized(code: code) : .rejected(code: code))
    }
}

/// Sends calls with a token, and tells certain answers from uncertain ones.
struct PayPalClient: Sendable {
    private let baseURL: String
    private let exchange: PayPalExchange
    private let tokens: PayPalTokens

    init(configuration: PayPalConfiguration, surroundings: PayPalSurroundings) {
        baseURL = configuration.baseURL
        exchange = PayPalExchange(retry: configuration.retry, surroundings: surroundings)
        tokens = PayPalTokens(configuration: configuration, exchange: exchange)
    }

    /// The time by the injected clock.
    var now: Instant { exchange.now }

    /// Sends a call, again under the same key while the policy allows.
    /// - Throws: ``ProviderFault``, of which `notSent`, `rejected` and `unauthorized` are certain: nothing happened.
    func send(_ call: PayPalCall) async throws(ProviderFault) -> PayPalReply {
        var mayRenew = true
        let (reply, doubt) = try await exchange.repeated { () throws(ProviderFault) in
            let answer: ProviderHTTPAnswer = try await authorized(call, mayRenew: &mayRenew)
            return try Self.reply(answer)
        }
        guard case .refused(var refusal) = reply else { return reply }
        refusal.doubt = doubt
        return .refused(refusal)
    }

    /// Sends with a token; a token that PayPal no longer takes is replaced once per call.
    private func authorized(
        _ call: PayPalCall, mayRenew: inout Bool
    ) async throws(ProviderFault) -> ProviderHTTPAnswer {
        let token: Secret = try await tokens.token()
        let answer: ProviderHTTPAnswer = try await exchange.once(request(call, token: token))
        guard answer.status == 401 else { return answer }
        await tokens.discard(token)
        guard mayRenew else { return answer }
        mayRenew = false
        return try await exchange.once(request(call, token: try await tokens.token()))
    }

    private func request(_ call: PayPalCall, token: Secret) -> ProviderHTTPRequest {
        var headers: [(name: String, value: String)] = [
            ("Authorization", "Bearer " + token.reveal()), ("Accept", "application/json"),
        ]
        if let key = call.key {
            headers.append(("PayPal-Request-Id", key))
            // The whole resource comes back, so that amounts and ids can be checked.
            headers.append(("Prefer", "return=representation"))
        }
        var body: [UInt8] = call.body?.serialized ?? []
        if call.body != nil {
            headers.append(("Content-Type", call.asForm ? PayPalWire.formType : "application/json"))
            if call.asForm { body = PayPalWire.form(input: body) }
        }
        return ProviderHTTPRequest(method: call.method, url: baseURL + call.path, headers: headers, body: body)
    }

    private static func reply(_ answer: ProviderHTTPAnswer) throws(ProviderFault) -> PayPalReply {
        switch answer.status {
        case 200, 201: return .done(try PayPalWire.object(answer.body))
        case 204: return .done(nil)
        case 400, 404, 422: return .refused(try refusal(answer))
        case 401, 403:
            let refusal: PayPalRefusal = try refusal(answer)
            // The payer's consent is wanted: nothing is wrong with ours.
            guard answer.status == 403, refusal.issue == .declined else { throw .unauthorized(code: refusal.code) }
            return .refused(refusal)
        // What is asked in the wrong way says nothing of the resource.
        case 402...499: throw .rejected(code: try refusal(answer).code)
        default: throw .unusable("status \(answer.status)")
        }
    }

    /// Reads an error object. One that is not PayPal's comes from something on the way, whose word counts for nothing.
    private static func refusal(_ answer: ProviderHTTPAnswer) throws(ProviderFault) -> PayPalRefusal {
        let body: JSONValue = try PayPalWire.object(answer.body)
        let issue: String? = body["details"]?[0]?["issue"]?.stringValue
        // OAuth's errors (RFC 6750, section 3.1) have `error`, all others `name`.
        guard let name = body["name"]?.stringValue ?? body["error"]?.stringValue, PayPalWire.isCode(issue ?? name)
        else {
            throw .unusable("status \(answer.status) without an error object")
        }
        let links: [JSONValue] = body["links"]?.arrayValue ?? []
        let action: JSONValue? = links.first { $0["rel"]?.stringValue == "payer-action" }
        return PayPalRefusal(
            status: answer.status, code: issue ?? name, payerAction: action?["href"]?.stringValue)
    }
}
