import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentLinks
import PaymentRecords
import PaymentService
import PaymentStripe
import Postgres
import Telemetry
import TestKit
import Testing

@Suite("What a link's page offers") struct LinkOfferTests {
    /// Stripe's matrix, carried out by nobody.
    private final class Lender: PaymentProvider {
        let pages = PagesProvider()
        let name = "stripe"
        let capabilities: ProviderCapabilities = StripeAdapter(
            configuration: StripeConfiguration(secretKey: Secret("sk_test_x"), returnURL: "https://pay.example/"),
            transport: Deaf()
        ).capabilities

        func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
            try await pages.charge(request)
        }
        func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
            try await pages.charge(request)
        }
        func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
            try await pages.capture(request)
        }
        func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
            try await pages.release(request)
        }
        func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
            try await pages.refund(request)
        }
    }

    private struct Deaf: ProviderTransport {
        func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
            throw .notSent("nobody is there")
        }
    }

    private static func money(_ minor: Int64, _ currency: Currency) -> Money { Money(minor: minor, currency: currency) }

    @Test("what the link allows, the business offers, and a provider can do for currency, country and amount")
    func offered() async throws {
        try await withPayments(beside: [PagesProvider()]) { world in
            let settings: LinkSettings = world.linkSettings
            func types(
                _ settings: LinkSettings, _ methods: [LinkMethod] = LinkMethod.allCases,
                _ amount: Money = Self.money(4_900, .eur), _ country: String? = "DE"
            ) -> [String] { settings.offers(of: methods, amount, country: country).map(\.type) }
            let all: [LinkMethod] = LinkMethod.allCases
            #expect(types(settings) == ["card", "klarna", "bitcoin"])
            #expect(types(settings, all, Self.money(4_900, .eur), nil) == ["card", "klarna", "bitcoin"])
            #expect(types(settings, all, Self.money(4_900, .eur), "FR") == ["card", "bitcoin"])
            #expect(types(settings, all, Self.money(4_900, .usd), "DE") == ["card", "bitcoin"])
            #expect(types(settings, [.klarna, .card]) == ["klarna", "card"])
            let none = LinkSettings(
                publicURL: "https://pay.example", isSandbox: false, offered: all,
                providers: PaymentProviders([PagesProvider()]))
            #expect(types(none, [.card, .crypto]) == [], "only the sandbox takes numbers")
            let few = LinkSettings(
                publicURL: "https://pay.example", isSandbox: true, offered: [.klarna], providers: world.providers)
            #expect(types(few) == ["klarna"])
            let lender = LinkSettings(
                publicURL: "https://pay.example", isSandbox: true, offered: all,
                providers: PaymentProviders([Lender()]))
            #expect(types(lender, all, Self.money(4_999, .usd), "US") == ["klarna", "afterpay_clearpay"])
            #expect(types(lender, all, Self.money(5_000, .usd), "US") == ["klarna", "afterpay_clearpay", "affirm"])
            #expect(types(lender, all, Self.money(400_001, .usd), "US") == ["klarna", "affirm"])
            #expect(types(lender, all, Self.money(4_900, .eur), "NL") == ["ideal", "klarna"])
            #expect(types(lender, all, Self.money(5_000, .usd), "CA") == [], "lenders take the country's own currency")
            #expect(types(lender, all, Self.money(5_000, .usd), "DE") == [])
        }
    }

    @Test("a link that names no ways to pay allows all but instalments, and its page offers those that are possible")
    func everything() async throws {
        try await withPayments(beside: [PagesProvider()]) { world in
            let customer: CustomerID = await world.customer()
            try await world.execute("UPDATE customers SET country = 'DE' WHERE id = \(customer)")
            let link: JSONValue = try await world.link(customer)
            #expect(link["methods"]?.arrayValue?.compactMap(\.stringValue) == LinkMethod.byDefault.map(\.rawValue))
            let visit = Visit(world.code(link))
            try await world.serving { base in
                let page: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/\(visit.code)?token=EC-1")
                #expect(page.text.contains(#""methods":["card","klarna","bitcoin"]"#))
                #expect(page.text.contains(#""crypto":{"bitcoin":"BTC"}"#))
                #expect(page.text.contains(#""country":"DE""#) && page.text.contains(#""forms":{}"#))
            }
            try await world.pay(visit, by: "klarna")
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
        }
    }

    @Test("a coin without a rate is not offered, and a page that was loaded before is told so") func unpriced()
        async throws
    {
        try await withPayments(beside: [PagesProvider()]) { world in
            let visit = Visit(
                world.code(try await world.link(await world.customer(), #","methods":["card","crypto"]"#)))
            for (isPriced, expected) in [(true, ["card", "bitcoin"]), (false, ["card"])] {
                let settings: LinkSettings = world.linkSettings(pricesCoins: isPriced)
                let link: LinkRecord = try await world.standing(visit.code).link
                let offers: [LinkOffer] = try await world.database.transaction(readOnly: true) { db in
                    try settings.offers(on: link, country: nil, at: PaymentWorld.start, in: db)
                }
                #expect(offers.map(\.type) == expected)
            }
            let pay = PayLink(
                pool: world.database, work: world.work, settings: world.linkSettings(pricesCoins: false),
                limits: VisitLimits(), pause: .zero)
            let body = #"{"session":"\#(visit.session)","method":{"type":"bitcoin"}}"#
            let call: Call = world.page(visit, "pay", body)
            #expect(await world.refusal { try await pay(call, world.read(body)) } == "unsupported_method")
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
        }
    }

    @Test("a link that its customer cannot pay in their country is refused; one that leaves them a way is made")
    func payable() async throws {
        try await withPayments(beside: [PagesProvider()]) { world in
            let customer: CustomerID = await world.customer()
            let klarna = #","methods":["klarna"]"#
            let expected: [(SQL, String, [String])] = [
                ("'FR'", klarna, ["methods unsupported_method"]), ("'FR'", #","methods":["klarna","card"]"#, []),
                ("'DE'", klarna, []), ("NULL", klarna, []),
            ]
            for (country, more, refused) in expected {
                try await world.execute("UPDATE customers SET country = \(country)")
                var faults: [String] = []
                do { _ = try await world.link(customer, more) } catch let problem as Problem {
                    faults = problem.errors.map { "\($0.param) \($0.code)" }
                }
                #expect(faults == refused, "\(more)")
            }
            #expect(try await world.number("SELECT count(*) FROM payment_links") == 3)
        }
    }

    @Test("what a provider must be told of the payer is asked for on the page, and each missing detail is named")
    func payer() async throws {
        try await withPayments(beside: [Lender()]) { world in
            let customer: CustomerID = await world.customer()
            try await world.execute("UPDATE customers SET country = NULL WHERE id = \(customer)")
            let link = #"{"amount":4900,"currency":"USD","customer_id":"\#(customer)"}"#
            let create = CreateLink(pool: world.database, settings: world.linkSettings)
            let made = try parseJSON(
                try await create(world.call("/v1/payment_links", key: nil, body: link), world.read(link)).body)
            let visit = Visit(world.code(made))
            try await world.serving { base in
                let page: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/\(visit.code)")
                #expect(page.text.contains(#""klarna":{"fields":["country"],"countries":["US"]}"#))
                #expect(
                    page.text.contains(
                        #""afterpay_clearpay":{"fields":["name","email","country","line1","city","postal_code"],"#))
            }
            func faults(_ payer: String?) async throws -> [String] {
                do {
                    try await world.pay(visit, by: "afterpay_clearpay", payer: payer)
                    return []
                } catch let problem as Problem { return problem.errors.map { "\($0.param) \($0.code)" } }
            }
            let prefix = "method.payer."
            #expect(
                try await faults(nil)
                    == ["name", "email", "country", "line1", "city", "postal_code"].map { "\(prefix)\($0) required" })
            let most = #""name":"Ada","line1":"1 Main St","city":"Reno","postal_code":"89501","country":"US""#
            #expect(try await faults("{\(most)}") == ["\(prefix)email required"])
            for wrong in ["ada", "ada@", "@x.example", "ada@example", "a b@x.example", "ada@x@y.example"] {
                #expect(try await faults(#"{\#(most),"email":"\#(wrong)"}"#) == ["\(prefix)email invalid_email"])
            }
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
            #expect(try await faults(#"{\#(most),"email":"ada@example.com"}"#) == [])
            let stored: [String] = try await world.texts("SELECT payer->>'line1' FROM payment_methods")
            #expect(stored == ["1 Main St"])
        }
    }
}
