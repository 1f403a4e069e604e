import PaymentStripe
import PaymentContract
import BillingCore
import Glibc
import JSON
import Telemetry
import TestKit

/// The Stripe double, started for a test, and a connector to it.
final class StripeDouble: Sendable {
    let port: Int
    let clock: ManualClock
    private let process: ChildProcess
    /// The double takes any key that looks like one of the test mode.
    private let secretKey: String = "sk_test_" + String(repeating: "x", count: 12)

    /// Starts it.
    /// - Parameter strict: Whether an answer of its own that breaks Stripe's schema is a 500.
    /// - Throws: ``MissingInfrastructure``: `PEERS` names the folder of the doubles.
    init(strict: Bool = true) async throws {
        port = try ChildProcess.freePort()
        clock = ManualClock(SystemClock().now)
        let script: String = try testSetting("PEERS") + "/stripe-mock/stripe_mock.py"
        process = ChildProcess(["python3", script, "--port", "\(port)"] + (strict ? ["--strict"] : []))
        try process.start()
        for _ in 0..<1_000 {
            do {
                _ = try await control("requests")
                return
            } catch ProviderFault.notSent {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        throw MissingInfrastructure("the Stripe double does not answer")
    }

    func stop() { process.kill() }

    func adapter(
        limitMilliseconds: Int = 10_000, returnURL: String = "https://pay.test/back/", searchLags: Bool = false
    ) -> StripeAdapter {
        var retries = ProviderRetryPolicy()
        retries.sleep = { _ in }
        let configuration = StripeConfiguration(
            baseURL: "http://127.0.0.1:\(port)", secretKey: Secret(secretKey), returnURL: returnURL, retries: retries,
            clock: clock)
        let socket = SocketTransport(port: port, limitMilliseconds: limitMilliseconds)
        return StripeAdapter(
            configuration: configuration, transport: searchLags ? LaggingSearch(transport: socket) : socket)
    }

    /// A Stripe whose search has not caught up.
    private struct LaggingSearch: ProviderTransport {
        let transport: SocketTransport

        func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
            guard request.url.contains("/search?") else { return try await transport.send(request) }
            let nothing = #"{"object":"search_result","data":[],"has_more":false}"#
            return ProviderHTTPAnswer(status: 200, headers: [], body: Array(nothing.utf8))
        }
    }

    /// Calls the double's controls: a read without a body, a write with one.
    @discardableResult
    func control(_ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        let request = ProviderHTTPRequest(
            method: body == nil ? "GET" : "POST", url: "http://127.0.0.1:\(port)/_mock/\(path)", headers: [],
            body: body?.serialized ?? [])
        let answer = try await SocketTransport(port: port, limitMilliseconds: 20_000).send(request)
        return try parseJSON(answer.body, limits: JSONLimits(maxBytes: 1 << 28, maxValues: 50_000_000))
    }

    /// Stores a bank account at the double, as a page of the provider's would.
    func bankAccount(_ iban: String) async throws -> String {
        try await method("type=sepa_debit&sepa_debit[iban]=\(iban)", key: "method")
    }

    /// Stores a card at the double, as Stripe's own fields on a page would.
    func card() async throws -> String {
        try await method("type=card&card[token]=tok_visa", key: "\(UInt64.random(in: 0 ... .max))")
    }

    private func method(_ form: String, key: String) async throws -> String {
        let request = ProviderHTTPRequest(
            method: "POST", url: "http://127.0.0.1:\(port)/v1/payment_methods",
            headers: [
                ("Authorization", "Bearer \(secretKey)"), ("Stripe-Version", StripeConfiguration.apiVersion),
                ("Content-Type", "application/x-www-form-urlencoded"), ("Idempotency-Key", key),
            ], body: Array(form.utf8))
        let answer = try await SocketTransport(port: port, limitMilliseconds: 20_000).send(request)
        guard let id: String = try parseJSON(answer.body)["id"]?.stringValue else {
            throw MissingInfrastructure("the double stored no method")
        }
        return id
    }

    func clearFaults() async throws {
        let request = ProviderHTTPRequest(method: "DELETE", url: "http://127.0.0.1:\(port)/_mock/faults", headers: [])
        _ = try await SocketTransport(port: port, limitMilliseconds: 20_000).send(request)
    }

    func objects(_ kind: String) async throws -> [JSONValue] { try await control("objects?\(kind)").arrayValue ?? [] }

    /// The succeeded charges in the double's books, by our attempt.
    func charged() async throws -> [String: [JSONValue]] {
        let charges: [JSONValue] = try await objects("charge").filter { $0["status"] == "succeeded" }
        return Dictionary(grouping: charges) { $0["metadata"]?["attempt_id"]?.stringValue ?? "" }
    }

    func request(
        _ token: String = "pm_card_visa", minor: Int64 = 1_999, currency: Currency = .usd, customer: String? = nil,
        capture: Bool = true, offSession: Bool = false
    ) -> ChargeRequest {
        ChargeRequest(
            idempotencyKey: .made(at: clock.now), paymentID: .made(at: clock.now),
            source: .stored(token: token, providerCustomer: customer),
            amount: Money(minor: minor, currency: currency), capture: capture,
            initiation: offSession ? .merchant(networkTransactionID: nil) : .customer)
    }

    /// What the double holds against the client: breaches of Stripe's rules and of its schemas.
    func complaints() async throws -> [JSONValue] {
        let broken: [JSONValue] = try await control("requests").arrayValue?.compactMap { $0["schema_errors"] } ?? []
        return (try await control("violations").arrayValue ?? []) + broken
    }
}

/// Runs a test against a double of its own.
func withStripe(strict: Bool = true, _ body: (StripeDouble) async throws -> Void) async throws {
    let double = try await StripeDouble(strict: strict)
    defer { double.stop() }
    try await body(double)
}
