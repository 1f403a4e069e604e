package import PaymentContract
import BillingCore
import JSON
package import Telemetry

/// Keeps the access token: one for all calls, renewed ahead of its end, asked for once however many wait for it.
///
/// OAuth 2.0 client credentials (RFC 6749, section 4.4) with the client's name in HTTP Basic (section 2.3.1).
package actor PayPalTokens {
    private struct Token {
        let text: Secret
        let renewal: Instant
        let end: Instant
    }

    private typealias Outcome = Result<Token, ProviderFault>

    private let configuration: PayPalConfiguration
    private let exchange: PayPalExchange
    private var current: Token?
    private var renewing: Task<Outcome, Never>?

    package init(configuration: PayPalConfiguration, exchange: PayPalExchange) {
        self.configuration = configuration
        self.exchange = exchange
    }

    /// A token that is good for now. Asks once; repeating is the caller's.
    /// - Throws: ``ProviderFault/notSent(_:)`` whatever went wrong on the way to one: the call it is for has not been
    ///   sent. ``ProviderFault/unauthorized(code:)`` when PayPal refuses our credentials, and
    ///   ``ProviderFault/rateLimited(retryAfter:)``.
    package func token() async throws(ProviderFault) -> Secret {
        let now: Instant = exchange.now
        if let current, now < current.renewal { return current.text }
        switch await renewed() {
        case .success(let fresh): return fresh.text
        case .failure(let fault):
            // Renewal starts ahead of the end, so a failure then costs nothing yet.
            if let current, exchange.now < current.end { return current.text }
            throw fault
        }
    }

    /// Forgets a token that PayPal no longer takes; a newer one stays.
    package func discard(_ text: Secret) {
        if current?.text == text { current = nil }
    }

    private func renewed() async -> Outcome {
        if let renewing { return await renewing.value }
        // Not a child of the caller: the others that wait must get it even if this caller gives up.
        let task = Task<Outcome, Never> { [configuration, exchange] in
            do throws(ProviderFault) {
                return .success(try await Self.fetch(configuration, exchange))
            } catch {
                return .failure(Self.beforeSending(error))
            }
        }
        renewing = task
        let outcome: Outcome = await task.value
        if case .success(let fresh) = outcome { current = fresh }
        renewing = nil
        return outcome
    }

    private static func fetch(
        _ configuration: PayPalConfiguration, _ exchange: PayPalExchange
    ) async throws(ProviderFault) -> Token {
        let credentials: String = "\(configuration.clientID):\(configuration.clientSecret.reveal())"
        let request = ProviderHTTPRequest(
            method: "POST", url: configuration.baseURL + "/v1/oauth2/token",
            headers: [
                ("Authorization", "Basic " + Base64.standard.encode(credentials.utf8)),
                ("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"),
            ],
            body: Array("grant_type=client_credentials".utf8))
        let asked: Instant = exchange.now
        let answer: ProviderHTTPAnswer = try await exchange.once(request)
        let body: JSONValue = try PayPalWire.object(answer.body)
        guard answer.status == 200 else {
            let code: String? = body["error"]?.stringValue ?? body["name"]?.stringValue
            throw .unauthorized(code: code ?? "HTTP_\(answer.status)")
        }
        guard let text = body["access_token"]?.stringValue, isTokenText(text),
            let life = body["expires_in"]?.intValue, life > 0, life <= 400 * 86_400,
            body["token_type"]?.stringValue?.lowercased() == "bearer"
        else { throw .unusable("the token's fields") }
        let end: Instant = asked + .seconds(life)
        // A token that lives shorter than two margins is renewed half-way, or it would be fetched for every call.
        let margin: Duration = min(configuration.tokenMargin, .milliseconds(life * 500))
        return Token(text: Secret(text), renewal: end - margin, end: end)
    }

    private static func beforeSending(_ fault: ProviderFault) -> ProviderFault {
        switch fault {
        case .notSent, .rejected, .unauthorized, .rateLimited: fault
        case .timedOut: .notSent("no access token: no answer in time")
        case .unavailable(let status): .notSent("no access token: status \(status)")
        case .unusable(let what): .notSent("no access token: unusable answer: \(what)")
        }
    }

    /// RFC 6750, section 2.1: what may stand after `Bearer`. Anything else could add a header of its own.
    private static func isTokenText(_ text: String) -> Bool {
        guard (1...4_096).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
