import PaymentContract
import JSON
import Telemetry

/// One request to Stripe's API.
struct StripeCall: Sendable {
    enum Kind: Sendable, Equatable {
        /// A read; its parameters go into the query.
        case get
        /// A write, which happens at most once under its key.
        case post(key: String)
    }

    let kind: Kind
    /// From the slash on: `/v1/refunds`.
    let path: String
    let form: StripeForm

    /// The request on the wire, version and key included. A key never goes with a read.
    func request(_ configuration: StripeConfiguration) -> ProviderHTTPRequest {
        let query: String = form.encoded
        var headers: [(name: String, value: String)] = [
            ("Authorization", "Bearer \(configuration.secretKey.reveal())"),
            ("Stripe-Version", StripeConfiguration.apiVersion),
        ]
        switch kind {
        case .get:
            let url: String = configuration.baseURL + path + (query.isEmpty ? "" : "?\(query)")
            return ProviderHTTPRequest(method: "GET", url: url, headers: headers)
        case .post(let key):
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            headers.append(("Idempotency-Key", key))
            return ProviderHTTPRequest(
                method: "POST", url: configuration.baseURL + path, headers: headers, body: Array(query.utf8))
        }
    }
}

/// What Stripe said to a request. Not knowing is not a reply: a fault is thrown then.
enum StripeReply: Sendable {
    /// It did as asked; `isReplay` when the answer is the stored one of an earlier request under the key, so that the
    /// object may have moved on since.
    case object(StripeFields, isReplay: Bool)
    /// It did not, and a repeat under the same key gets the same.
    case refused(StripeRefusal)
    /// An earlier request under the key ended with this status, and the key answers with nothing else any more. Whether
    /// anything happened has to be read.
    case stuck(status: Int)
}

/// Stripe's error object, without its message: that may quote what the customer typed.
struct StripeRefusal: Sendable, Equatable {
    let status: Int
    /// `card_error`, `invalid_request_error`, `idempotency_error`, `api_error`.
    let type: String
    let code: String?
    /// Of which parameter it speaks.
    let parameter: String?
    let declineCode: String?
    /// The network's own code: `51`.
    let networkDeclineCode: String?
    /// Stripe's advice on another attempt: `do_not_try_again`.
    let adviceCode: String?
    /// The network's: `03`.
    let networkAdviceCode: String?
    /// The intent that failed, where the error carries one.
    let intent: StripeFields?
    /// An earlier request under the key ended without an answer.
    var followsDoubt = false

    /// The stored method or its customer is not there any more, or what the owner agreed to is over: no fault of the
    /// request.
    var isOfGoneMethod: Bool {
        switch code {
        case "payment_intent_mandate_invalid", "india_recurring_payment_mandate_canceled": true
        case "resource_missing": parameter == "payment_method" || parameter == "mandate" || parameter == "customer"
        default: false
        }
    }

    /// The most exact word there is for it.
    var name: String { declineCode ?? code ?? type }

    init(_ fields: StripeFields, status: Int) throws(ProviderFault) {
        self.status = status
        type = try fields.text("type")
        code = try fields.optionalText("code")
        parameter = try fields.optionalText("param")
        declineCode = try fields.optionalText("decline_code")
        networkDeclineCode = try fields.optionalText("network_decline_code")
        adviceCode = try fields.optionalText("advice_code")
        networkAdviceCode = try fields.optionalText("network_advice_code")
        let payment: StripeFields? = try fields.optionalFields("payment_intent")
        intent = if let payment { payment } else { try fields.optionalFields("setup_intent") }
    }
}

/// What one HTTP answer, or the lack of it, means for what is known.
enum StripeReading: Sendable {
    case reply(StripeReply)
    case fault(StripeTryFault)
}

/// A try that ended without a word on the request.
struct StripeTryFault: Sendable, Equatable {
    let fault: ProviderFault
    /// The request, or an earlier copy of it, may have been carried out.
    var mayHaveHappened = true
    /// The same request may go out again under its key.
    var mayRepeat = true
    var retryAfter: Int?
}

extension StripeReading {
    /// Reads an answer by Stripe's published error types and status codes. Only Stripe's own error object refuses:
    /// anything else may come from a proxy on the way, which knows nothing of what Stripe did.
    init(_ answer: ProviderHTTPAnswer) {
        let isReplay: Bool = answer.header("idempotent-replayed") == "true"
        switch answer.status {
        case 200..<300: self = Self.object(answer, isReplay: isReplay)
        case 500... where isReplay: self = .reply(.stuck(status: answer.status))
        case 408, 409, 424, 500...:
            // 409 is a copy of this request under way; the others leave open what was done.
            let mayRepeat: Bool = answer.header("stripe-should-retry") != "false"
            self = .fault(StripeTryFault(fault: .unavailable(answer.status), mayRepeat: mayRepeat))
        case 400..<500: self = Self.refusal(answer)
        default: self = .fault(StripeTryFault(fault: .unusable("status \(answer.status)"), mayRepeat: false))
        }
    }

    private static func object(_ answer: ProviderHTTPAnswer, isReplay: Bool) -> StripeReading {
        do throws(ProviderFault) {
            return .reply(.object(try StripeFields(body: answer.body), isReplay: isReplay))
        } catch {
            return .fault(StripeTryFault(fault: error, mayRepeat: false))
        }
    }

    private static func refusal(_ answer: ProviderHTTPAnswer) -> StripeReading {
        let refusal: StripeRefusal
        do throws(ProviderFault) {
            refusal = try StripeRefusal(StripeFields(body: answer.body).fields("error"), status: answer.status)
        } catch {
            if answer.status == 429 { return .fault(rateLimited(answer)) }
            return .fault(StripeTryFault(fault: error, mayRepeat: false))
        }
        switch answer.status {
        case 401, 403:
            // Checked before anything else at Stripe, so this try did nothing.
            let fault = ProviderFault.unauthorized(code: refusal.code ?? "status_\(answer.status)")
            return .fault(StripeTryFault(fault: fault, mayHaveHappened: false, mayRepeat: false))
        case 429 where refusal.code == "lock_timeout":
            // Raised while the request is carried out, so nothing is concluded from it.
            return .fault(StripeTryFault(fault: .unavailable(429), retryAfter: answer.retryAfter))
        case 429: return .fault(rateLimited(answer))
        default:
            guard refusal.type == "idempotency_error" else { return .reply(.refused(refusal)) }
            return .fault(StripeTryFault(fault: StripeClient.mismatched, mayRepeat: false))
        }
    }

    /// The rate limiter stands before the idempotency layer: the try did nothing.
    private static func rateLimited(_ answer: ProviderHTTPAnswer) -> StripeTryFault {
        StripeTryFault(
            fault: .rateLimited(retryAfter: answer.retryAfter), mayHaveHappened: false, retryAfter: answer.retryAfter)
    }
}

extension ProviderHTTPAnswer {
    /// The first header of a name given in lower case.
    package func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }

    /// The seconds of `Retry-After`; `nil` for a date or none.
    var retryAfter: Int? { header("retry-after").flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil } }
}
