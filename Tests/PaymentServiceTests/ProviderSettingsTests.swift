import BillingCore
import PaymentContract
import PaymentDomain
import PaymentService
import ServiceKit
import Testing

@Suite("Reading the settings of outside providers") struct ProviderSettingsTests {
    /// Settings are read without asking anybody.
    private struct NoTransport: ProviderTransport {
        func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
            throw .notSent("nobody is to be asked")
        }
    }

    private static let payPal: [String: String] = ["PAYPAL_CLIENT_ID": "client", "PAYPAL_CLIENT_SECRET": "secret"]

    private func providers(
        wallets: String?, environment: [String: String] = payPal
    ) throws(ServiceConfiguration.Invalid) -> [any PaymentProvider] {
        try providers(wallets.map { ["payment.paypal_wallets": $0] } ?? [:], environment)
    }

    private func providers(
        _ tunables: [String: String], _ environment: [String: String]
    ) throws(ServiceConfiguration.Invalid) -> [any PaymentProvider] {
        try ConfiguredProviders(
            tunables: tunables, environment: environment, mode: .sandbox, publicURL: "https://pay.example",
            transport: NoTransport()
        ).all
    }

    @Test(
        "Stripe captures a card in several parts where the account is said to have that, and only there",
        arguments: [(nil, false), ("", false), ("false", false), ("true", true)] as [(String?, Bool)])
    func multipleCapture(text: String?, expected: Bool) throws {
        let tunables: [String: String] = text.map { ["payment.stripe_multiple_capture": $0] } ?? [:]
        let found: [any PaymentProvider] = try providers(tunables, ["STRIPE_SECRET_KEY": "sk_test_1"])
        let card: ProviderCapabilities.Method? = found.first?.capabilities.methods.first { $0.type == "card" }
        #expect(card?.multipleCapture == expected)
    }

    @Test("Stripe's fields stand on our pages where its publishable key is given, one of the mode's")
    func cardForm() throws {
        func form(_ key: String?) throws -> CardForm? {
            let environment: [String: String] = ["STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_PUBLISHABLE_KEY": key ?? ""]
            return try (providers([:], environment).first as? any ProviderCardForm)?.cardForm
        }
        #expect(try form(nil) == nil)
        let found: CardForm = try #require(try form("pk_test_1"))
        #expect(found.name == "stripe" && found.key == "pk_test_1")
        #expect(found.script.hasPrefix("https://js.stripe.com/") && found.script.contains("advancedFraudSignals=false"))
        #expect(found.scripts == ["https://*.js.stripe.com"])
        for key in ["pk_live_1", "sk_test_1", "rk_test_1"] {
            #expect(throws: ServiceConfiguration.Invalid.self) { try form(key) }
        }
    }

    @Test(
        "a part of a charge has no least amount, and no digits that its provider does not count",
        arguments: [
            ("stripe", "USD", 1, true), ("stripe", "KWD", 10, true), ("stripe", "KWD", 11, false),
            ("paypal", "HUF", 100, true), ("paypal", "HUF", 150, false),
        ] as [(String, String, Int64, Bool)])
    func parts(name: String, code: String, minor: Int64, isTaken: Bool) throws {
        let environment: [String: String] = Self.payPal.merging(["STRIPE_SECRET_KEY": "sk_test_1"]) { $1 }
        let found: [any PaymentProvider] = try providers([:], environment)
        let provider: any PaymentProvider = try #require(found.first { $0.name == name })
        let part = Money(minor: minor, currency: try #require(Currency(code)))
        #expect((provider.capabilities.refusalOfPart(part) == nil) == isTaken)
    }

    @Test("whether Stripe captures in parts is true or false, and nothing starts with anything else") func noFlag() {
        let invalid: ServiceConfiguration.Invalid? = #expect(throws: ServiceConfiguration.Invalid.self) {
            try providers(["payment.stripe_multiple_capture": "yes"], [:])
        }
        #expect(invalid?.faults == ["payment.stripe_multiple_capture must be true or false"])
    }

    @Test(
        "PayPal takes the wallets that are named, and none where nothing is",
        arguments: [
            (nil, []), ("", []), ("google_pay", [.googlePay]), ("apple_pay, google_pay", [.applePay, .googlePay]),
        ] as [(String?, Set<Wallet>)])
    func wallets(text: String?, expected: Set<Wallet>) throws {
        #expect(try providers(wallets: text).map(\.capabilities.wallets) == [expected])
    }

    @Test(
        "a name that is no wallet's is told with those that are, and nothing starts",
        arguments: [
            ("applepay", "applepay"), ("apple_pay,Google_Pay", "Google_Pay"),
            ("samsung_pay,venmo", "samsung_pay, venmo"),
        ])
    func unknown(text: String, named: String) {
        let fault = "payment.paypal_wallets must be of google_pay, apple_pay, and names \(named)"
        for environment in [Self.payPal, [:]] {
            let invalid: ServiceConfiguration.Invalid? = #expect(throws: ServiceConfiguration.Invalid.self) {
                try providers(wallets: text, environment: environment)
            }
            #expect(invalid?.faults == [fault], "also before there is an account with PayPal")
        }
    }

    @Test("every fault is told at once, a secret in none") func together() {
        let environment: [String: String] = ["PAYPAL_CLIENT_SECRET": "s3cret", "STRIPE_SECRET_KEY": "sk_live_s3cret"]
        let invalid: ServiceConfiguration.Invalid? = #expect(throws: ServiceConfiguration.Invalid.self) {
            try providers(wallets: "none", environment: environment)
        }
        #expect(invalid?.faults.count == 3 && invalid?.description.contains("s3cret") == false)
    }
}
