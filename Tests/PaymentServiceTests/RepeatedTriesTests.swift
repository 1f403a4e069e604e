import BillingCore
import PaymentContract
import PaymentDomain
import PaymentService
import PaymentStripe
import ServiceKit
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("Tries of a provider's call") struct RepeatedTriesTests {
    /// Refuses our credentials, and keeps how long each request might have taken.
    private final class Refusing: ProviderTransport {
        private let seen = Mutex<[Duration?]>([])

        var limits: [Duration?] { seen.withLock { $0 } }

        func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
            seen.withLock { $0.append(request.limit) }
            let body = #"{"error":{"type":"invalid_request_error"}}"#
            return ProviderHTTPAnswer(status: 401, headers: [], body: Array(body.utf8))
        }
    }

    private static let environment: [String: String] = [
        "STRIPE_SECRET_KEY": "sk_test_1", "PAYPAL_CLIENT_ID": "client", "PAYPAL_CLIENT_SECRET": "secret",
    ]

    private func charge(_ token: String) -> ChargeRequest {
        let now: Instant = SystemClock().now
        return ChargeRequest(
            idempotencyKey: .made(at: now), paymentID: .made(at: now),
            source: .stored(token: token, providerCustomer: "cus_1"), amount: Money(minor: 1_999, currency: .usd))
    }

    private func providers(
        _ tunables: [String: String], over transport: any ProviderTransport
    ) throws(ServiceConfiguration.Invalid) -> [any PaymentProvider] {
        try ConfiguredProviders(
            tunables: tunables, environment: Self.environment, mode: .sandbox, publicURL: "https://pay.example",
            transport: transport
        ).all
    }

    @Test(
        "a request that is swallowed is sent again, and the charge goes through in the same call",
        .timeLimit(.minutes(1)))
    func swallowed() async throws {
        let asked: ChargeRequest = charge("pm_card_visa")
        let intent: String =
            #"{"id":"pi_1","object":"payment_intent","status":"succeeded","amount":1999,"currency":"usd","#
            + #""amount_received":1999,"amount_capturable":0,"metadata":{"attempt_id":"\#(asked.idempotencyKey)"}}"#
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(intent.utf8.count)\r\n\r\n"
        let server = try StallingServer(answering: head + intent, swallowing: 1)
        defer { server.stop() }
        let configuration = StripeConfiguration(
            baseURL: "http://127.0.0.1:\(server.port)", secretKey: Secret("sk_test_1"), returnURL: "",
            retries: ProviderRetryPolicy(firstWait: .milliseconds(1)))
        let way = RepeatedTries(over: ProviderHTTP(timeout: .seconds(600)), limit: .milliseconds(500))
        let answer: ChargeAnswer = try await StripeAdapter(configuration: configuration, transport: way).charge(asked)
        #expect(answer == .captured(ProviderCharge(reference: "pi_1")))
    }

    @Test(
        "a try ends with half of the time of its provider's calls, and not before five seconds",
        arguments: [
            ([:], 15_000, 15_000), (["payment.provider_timeout_seconds": "60"], 30_000, 30_000),
            (["payment.provider_timeout_seconds": "8"], 5_000, 5_000),
            (["payment.providers.stripe.timeout_seconds": "40"], 20_000, 15_000),
        ] as [([String: String], Int64, Int64)])
    func limits(tunables: [String: String], stripe: Int64, payPal: Int64) async throws {
        let transport = Refusing()
        for provider in try providers(tunables, over: transport) {
            let asked: ChargeRequest = charge(provider.name == "stripe" ? "pm_card_visa" : "card:8kk8451t")
            await #expect(throws: ProviderFault.self) { try await provider.charge(asked) }
        }
        #expect(transport.limits == [.milliseconds(stripe), .milliseconds(payPal)])
    }

    @Test("a time that cannot be is told once, and nothing starts") func noTime() {
        let invalid: ServiceConfiguration.Invalid? = #expect(throws: ServiceConfiguration.Invalid.self) {
            try providers(["payment.provider_timeout_seconds": "0"], over: Refusing())
        }
        #expect(invalid?.faults == ["payment.provider_timeout_seconds must be above zero"])
    }
}
