import BillingCore
import Foundation
import PaymentContract
import PaymentDomain
import PaymentService
import ServiceKit
import Synchronization
import TestKit
import Testing

@Suite("What a live Payment needs") struct LiveSettingsTests {
    /// Hands out PayPal's token, and answers all else with a status that no provider has: nobody asks again.
    private final class Recording: ProviderTransport {
        private let bodies = Mutex<[String]>([])

        /// What providers were asked for, forms and JSON alike.
        var asked: String {
            let whole: String = bodies.withLock { $0.joined(separator: "\n") }.replacing(#"\/"#, with: "/")
            return whole.removingPercentEncoding ?? whole
        }

        func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
            if request.url.hasSuffix("/oauth2/token") {
                let token = #"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#
                return ProviderHTTPAnswer(status: 200, headers: [], body: Array(token.utf8))
            }
            bodies.withLock { $0.append(String(decoding: request.body, as: UTF8.self)) }
            return ProviderHTTPAnswer(status: 302, headers: [], body: [])
        }
    }

    private static let stripe: [String: String] = ["STRIPE_SECRET_KEY": "sk_live_1"]
    private static let payPal: [String: String] = ["PAYPAL_CLIENT_ID": "client", "PAYPAL_CLIENT_SECRET": "secret"]

    private func providers(
        _ environment: [String: String], _ tunables: [String: String] = [:], mode: RefrainMode = .live,
        beside others: [any PaymentProvider] = [], publicURL: String = "https://billing.example",
        transport: any ProviderTransport = Recording()
    ) throws(ServiceConfiguration.Invalid) -> [any PaymentProvider] {
        try ConfiguredProviders(
            tunables: tunables, environment: environment, mode: mode, publicURL: publicURL, beside: others,
            transport: transport
        ).all
    }

    private func faults(
        _ environment: [String: String], _ tunables: [String: String] = [:], mode: RefrainMode = .live
    ) -> [String] {
        do {
            _ = try providers(environment, tunables, mode: mode)
            return []
        } catch { return error.faults }
    }

    @Test(
        "customers come back from their banks to this service's public address, or to one that is configured",
        arguments: [stripe, payPal],
        [
            (nil, "https://billing.example", "https://billing.example/pay/return/"),
            ("", "https://billing.example", "https://billing.example/pay/return/"),
            ("https://shop.example/back?payment=", "https://billing.example", "https://shop.example/back?payment="),
        ] as [(String?, String, String)])
    func comingBack(_ environment: [String: String], _ given: (String?, String, String)) async throws {
        let (setting, publicURL, expected) = given
        let transport = Recording()
        let found: [any PaymentProvider] = try providers(
            environment, setting.map { ["payment.return_url": $0] } ?? [:], publicURL: publicURL, transport: transport)
        let now: Instant = SystemClock().now
        let token: String = environment == Self.stripe ? "pm_card_visa" : "card:8kk8451t"
        // Ids go on from the last one of the process, which other tests have made in years to come.
        let request = ChargeRequest(
            idempotencyKey: .first(at: now), paymentID: .first(at: now),
            source: .stored(token: token, providerCustomer: "cus_1"), amount: Money(minor: 1_999, currency: .usd))
        await #expect(throws: ProviderFault.self) { try await found[0].charge(request) }
        #expect(transport.asked.contains(expected + request.paymentID.rawValue), "\(transport.asked)")
    }

    @Test(
        "a live service refuses to send customers anywhere but over TLS",
        arguments: ["http://127.0.0.1:8001/pay/return/", "http://shop.example/", "shop.example/back", "https://"])
    func plainReturn(_ url: String) {
        let fault = "payment.return_url must be an https address in live mode"
        #expect(faults(Self.stripe, ["payment.return_url": url]) == [fault])
        #expect(faults(["STRIPE_SECRET_KEY": "sk_test_1"], ["payment.return_url": url], mode: .sandbox) == [])
    }

    @Test("the committed tunables suit a live service") func committed() throws {
        let path = "/Tests/PaymentServiceTests/LiveSettingsTests.swift"
        let root: String = String(#filePath.prefix(#filePath.count - path.count))
        let read = try ServiceConfiguration(
            service: "payment",
            environment: [
                "BILLING_DB_URL": "postgres://", "KAFKA_BROKERS": "localhost:1",
                "REDIS_BILLING_URL": "redis://127.0.0.1", "REFRAIN_CONFIG": "\(root)/deploy/config/refrain.yaml",
            ])
        #expect(read.tunables["payment.instalments.terms.pay_in_3.count"] == "3")
        #expect(faults(Self.stripe.merging(Self.payPal) { $1 }, read.tunables) == [])
        #expect(read.tunables["payment.return_url"] == "", "the service's own address, whatever that is")
    }

    @Test("a live service has a provider, of any kind; a sandbox has its own") func noProvider() throws {
        let found: [String] = faults([:])
        #expect(found.count == 1 && found[0].contains("STRIPE_SECRET_KEY") && found[0].contains("PAYPAL_CLIENT_ID"))
        #expect(faults([:], mode: .sandbox) == [])
        #expect(faults(Self.payPal) == [])
        let crypto: [any PaymentProvider] = try providers(Self.payPal)
        #expect(try providers([:], beside: crypto).isEmpty, "one that is configured elsewhere is enough")
    }

    @Test("a live service has a key of its own on disk; a sandbox may do without") func encryptionKey() throws {
        let file: URL = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        func faults(_ path: String?, _ mode: RefrainMode = .live) -> [String] {
            do {
                _ = try EncryptionKey(path: path, mode: mode)
                return []
            } catch { return error.faults }
        }
        for missing in [nil, ""] {
            #expect(faults(missing) == ["ENCRYPTION_KEY_PATH must be set in live mode"])
            #expect(faults(missing, .sandbox) == [])
        }
        let unusable = ["ENCRYPTION_KEY_PATH must name a readable file of at least 32 bytes"]
        #expect(faults(file.path) == unusable && faults(file.path, .sandbox) == unusable)
        try Data(repeating: 7, count: 31).write(to: file)
        #expect(faults(file.path) == unusable)
        try Data(repeating: 7, count: 32).write(to: file)
        #expect(faults(file.path) == [])
    }
}
