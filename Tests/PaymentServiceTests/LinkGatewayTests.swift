import BillingCore
import Foundation
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("Links paid with Google Pay through a provider's gateway") struct LinkGatewayTests {
    /// Google knows the merchant, and nothing is opened here.
    private static let wallets = LinkWallets(
        country: "DE", google: nil, googleMerchant: LinkWallets.GoogleMerchant(id: "BCR2", isTest: false), apple: nil)
    private static let money = Money(minor: 4_900, currency: .eur)

    /// A provider with a form for cards, that is a gateway of Google's or not.
    private static func provider(
        isGateway: Bool = true, types: [String] = ["card", "google_pay"]
    ) -> PagesProvider {
        let pages = PagesProvider(
            cardForm: CardForm(
                name: "stripe", key: "pk_test_1", script: "https://js.pages.example/v3/", scripts: [], frames: [],
                asks: [],
                googlePay: isGateway ? ["gateway": "pages", "pages:publishableKey": "pk_test_1"] : nil),
            methods: types.map { type in
                ProviderCapabilities.Method(
                    type: type, separateCapture: true, partialCapture: true, multipleCapture: false,
                    partialRefund: true, offSession: true, tokenOnly: true)
            })
        pages.enter(card("pm_1"), ofGooglePay: "tok_1")
        pages.enter(card("pm_typed"))
        return pages
    }

    private static func card(_ token: String) -> EnteredCard {
        EnteredCard(
            token: token, customer: nil,
            card: VaultedCard(brand: "visa", last4: "4242", expMonth: 4, expYear: 2040), fingerprint: "fp_1")
    }

    private static func settings(_ providers: [any PaymentProvider], _ wallets: LinkWallets?) -> LinkSettings {
        LinkSettings(
            publicURL: "https://pay.example", isSandbox: false, offered: LinkMethod.allCases,
            providers: PaymentProviders(providers), wallets: wallets)
    }

    private static func types(_ settings: LinkSettings) -> [String] {
        settings.offers(of: [.googlePay, .card], money, country: "DE").map(\.type)
    }

    /// `POST /pay/{code}/card` with what Google's sheet made for the provider; the method's id.
    private static func hand(
        _ world: PaymentWorld, _ visit: Visit, _ token: String = "tok_1", more: String = #","wallet":"google_pay""#,
        wallets: LinkWallets? = wallets
    ) async throws -> String {
        let body = #"{"session":"\#(visit.session)","form":{"token":"\#(token)"\#(more)}}"#
        let reply: Reply<LinkCardResource> = try await world.payLink(wallets: wallets).keep(
            world.page(visit, "card", body), world.read(body))
        return try parseJSON(reply.body)["payment_method_id"]?.stringValue ?? ""
    }

    /// What handing it over is refused with.
    private static func refusal(
        _ world: PaymentWorld, _ visit: Visit, _ token: String = "tok_1", more: String = #","wallet":"google_pay""#,
        wallets: LinkWallets? = wallets
    ) async -> String {
        await world.refusal { try await hand(world, visit, token, more: more, wallets: wallets) }
    }

    private static func visit(_ world: PaymentWorld, _ more: String = "") async throws -> Visit {
        Visit(world.code(try await world.link(await world.customer(), more)))
    }

    @Test("it is offered where a gateway of Google's takes it, Google knows the merchant, and nobody opens tokens")
    func offered() {
        #expect(Self.types(Self.settings([Self.provider()], Self.wallets)) == ["google_pay", "card"])
        let unknown = LinkWallets(country: "DE", google: nil, apple: nil)
        for wallets in [nil, unknown] { #expect(Self.types(Self.settings([Self.provider()], wallets)) == ["card"]) }
        #expect(Self.types(Self.settings([Self.provider(isGateway: false)], Self.wallets)) == ["card"])
        #expect(Self.types(Self.settings([Self.provider(types: ["card"])], Self.wallets)) == ["card"])
        let google: LinkWallets.GooglePay? = Self.settings([Self.provider()], Self.wallets).googlePay(
            Self.money, country: "DE")
        #expect(google?.merchantID == "BCR2" && google?.isTest == false)
        // Google takes prices of two decimals at most.
        let dinars: [(Int64, [String])] = [(4_500, ["google_pay", "card"]), (4_505, ["card"])]
        for (minor, expected) in dinars {
            let amount = Money(minor: minor, currency: Currency("KWD") ?? .usd)
            #expect(amount.currency.exponent == 3)
            let settings: LinkSettings = Self.settings([Self.provider()], Self.wallets)
            #expect(settings.offers(of: [.googlePay, .card], amount, country: "DE").map(\.type) == expected)
            #expect((settings.googleGateway(amount, country: "DE") == nil) == (minor == 4_505))
        }
        guard case .provider(let told)? = google?.recipient else {
            Issue.record("tokens are made for another")
            return
        }
        #expect(told == ["gateway": "pages", "pages:publishableKey": "pk_test_1"])
    }

    @Test("where a provider charges what is opened here, tokens are opened here, and the gateway's are refused")
    func opened() async throws {
        try await withPayments(beside: [Self.provider()]) { world in
            let wallets = LinkWallets(
                country: "DE",
                google: LinkWallets.GooglePay(
                    merchantID: "BCR2", recipient: .direct(publicKey: "BGV5"), isTest: true),
                googleMerchant: LinkWallets.GoogleMerchant(id: "BCR2", isTest: true), apple: nil)
            let settings: LinkSettings = world.linkSettings(wallets: wallets)
            #expect(settings.googleGateway(Self.money, country: "DE") == nil)
            guard case .direct? = settings.googlePay(Self.money, country: "DE")?.recipient else {
                Issue.record("tokens are not opened here")
                return
            }
            let visit: Visit = try await Self.visit(world)
            #expect(await Self.refusal(world, visit, wallets: wallets) == "unsupported_method")
        }
    }

    @Test("the provider is asked what the token is, and it pays once; handed over again it is the same method")
    func paid() async throws {
        let pages: PagesProvider = Self.provider()
        pages.begin(with: .captured(ProviderCharge(reference: "pi_1")))
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let method: String = try await Self.hand(world, visit)
            #expect(try await Self.hand(world, visit) == method)
            let seen: JSONValue = try await world.pay(visit, method)
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .succeeded)
            _ = try await world.pay(visit, method)
            #expect(try await world.payment(id).attempts == 1)
            #expect(pages.charges.map(\.source) == [.stored(token: "pm_1", providerCustomer: nil)])
            #expect(pages.charges.allSatisfy { $0.initiation == .customer && !$0.keepsMethod })
            let kept: [String] = try await world.texts("SELECT type || ' ' || single_use::text FROM payment_methods")
            #expect(kept == ["card true"])
            #expect(try await world.look(visit)["payment"]?["card_last4"]?.stringValue == "4242")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "a token that the provider does not know, one of its form's, and one where the wallet is not offered: none is kept"
    )
    func refused() async throws {
        let pages: PagesProvider = Self.provider(types: ["card", "google_pay", "bitcoin"])
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world, #","methods":["google_pay","crypto"]"#)
            #expect(await Self.refusal(world, visit, "tok_unknown") == "invalid_request")
            #expect(await Self.refusal(world, visit, "pm_typed") == "invalid_request")
            let kept: String = await Self.refusal(world, visit, more: #","wallet":"google_pay","keep":true"#)
            #expect(kept.contains("conflicting_fields"))
            #expect(await Self.refusal(world, visit, "pm_typed", more: "") == "unsupported_method")
            let plain: Visit = try await Self.visit(world, #","methods":["card"]"#)
            #expect(await Self.refusal(world, plain) == "unsupported_method")
            #expect(await Self.refusal(world, visit, wallets: nil) == "unsupported_method")
            pages.fail(with: .rejected(code: "token_already_used"))
            #expect(await Self.refusal(world, visit) == "invalid_request")
            pages.fail(with: .timedOut)
            #expect(await Self.refusal(world, visit) == "unavailable")
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
        }
    }

    @Test("the page tells Google of the gateway, loads Google's script, and lets Google in beside the form's provider")
    func page() async throws {
        try await withPayments(beside: [Self.provider()]) { world in
            let visit: Visit = try await Self.visit(world, #","methods":["google_pay","card"]"#)
            try await world.serving(wallets: Self.wallets) { base in
                let answer: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/\(visit.code)")
                #expect(answer.text.contains(#""methods":["google_pay","card"]"#))
                #expect(answer.text.contains(#""environment":"PRODUCTION","merchant":"BCR2""#))
                #expect(
                    answer.text.contains(
                        #""tokenization":{"type":"PAYMENT_GATEWAY","parameters":{"gateway":"pages","#
                            + #""pages:publishableKey":"pk_test_1"}},"for_provider":true"#))
                #expect(answer.text.contains(#"src="https://pay.google.com/gp/p/js/pay.js""#))
                let policy: String = answer["Content-Security-Policy"]
                #expect(policy.contains("script-src 'self' https://pay.google.com https://js.pages.example;"))
                #expect(policy.contains("frame-src https://pay.google.com https://js.pages.example"))
            }
        }
    }

    @Test("live pages need the merchant's id with Google, pages of the sandbox none, and all a country")
    func configured() throws {
        let file: URL = FileManager.default.temporaryDirectory.appendingPathComponent("gateway-\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        func wallets(_ text: String, isLive: Bool) throws -> LinkWallets? {
            try Data(text.utf8).write(to: file)
            var environment: [String: String] = [
                "BILLING_DB_URL": "postgres://localhost/test", "KAFKA_BROKERS": "localhost:1",
                "REDIS_BILLING_URL": "redis://127.0.0.1", "REFRAIN_CONFIG": file.path,
            ]
            if isLive {
                environment["REFRAIN_MODE"] = "live"
                environment["REFRAIN_DB_PASSWORD"] = "s3cret-enough"
                environment["REFRAIN_PUBLIC_URL"] = "https://billing.example"
            }
            let configuration = try ServiceConfiguration(service: "payment", environment: environment)
            return try LinkWallets(configuration, environment: environment, apple: nil)
        }
        let country = "payment:\n  merchant_country: \"DE\"\n"
        let merchant = country + "  google_pay_merchant: \"BCR2\"\n"
        let tested: LinkWallets.GoogleMerchant? = try wallets(country, isLive: false)?.googleMerchant
        #expect(tested?.isTest == true && tested?.id == nil)
        let live: LinkWallets.GoogleMerchant? = try wallets(merchant, isLive: true)?.googleMerchant
        #expect(live?.isTest == false && live?.id == "BCR2")
        let unknown: LinkWallets? = try wallets(country, isLive: true)
        #expect(unknown == nil)
        let nowhere: LinkWallets? = try wallets("payment:\n  google_pay_merchant: \"BCR2\"\n", isLive: false)
        #expect(nowhere == nil)
    }
}
