import BillingCore
import JSON
import PaymentContract
import PaymentPayPal
import Testing

@Suite("Methods in PayPal's vault") struct PayPalVaultTests {
    private typealias Step = FakePayPal.Step

    /// A payment token's JSON.
    private static func token(_ id: String, _ source: JSONValue) -> Step {
        .answer(200, ["id": .string(id), "customer": ["id": "customer_1"], "payment_source": source])
    }

    @Test("a payment token says what it is of; of a card, whose card, where all of it is told") func looks()
        async throws
    {
        let card: JSONValue = ["card": ["brand": "CHINA_UNION_PAY", "last_digits": "1881", "expiry": "2030-02"]]
        let whole = VaultedCard(brand: "unionpay", last4: "1881", expMonth: 2, expYear: 2030)
        for (token, source, expected) in [
            ("abc", card, VaultedMethod(type: "card", card: whole)),
            ("card:abc", card, VaultedMethod(type: "card", card: whole)),
            ("abc", ["card": ["brand": "VISA", "last_digits": "1881"]], VaultedMethod(type: "card")),
            ("paypal:abc", ["paypal": ["email_address": "a@example.com"]], VaultedMethod(type: "paypal")),
        ] as [(String, JSONValue, VaultedMethod)] {
            let world = FakeWorld([Self.token("abc", source)])
            #expect(try await world.adapter.look(at: token) == expected)
            #expect(world.fake.lines == ["GET /v3/vault/payment-tokens/abc"])
        }
    }

    @Test(
        "what its vault keeps is taken over as it is; it has no brand until PayPal names one",
        arguments: ["card", "paypal", "venmo"])
    func saves(type: String) async throws {
        let world = FakeWorld([])
        let made = Instant(seconds: 1_800_000_000)
        let request = SaveMethodRequest(
            methodID: .new(at: made), customerID: .new(at: made), type: type, token: "abc", returnURL: "",
            acceptance: nil)
        let saved = SavedMethod(
            token: "\(type):abc", customer: nil, brand: nil, last4: nil, expMonth: nil, expYear: nil, fingerprint: nil)
        #expect(try await world.adapter.save(request) == .saved(saved))
        #expect(world.fake.sent.isEmpty)
    }

    @Test(
        "what can be no token of PayPal's is not taken over, and nobody is asked",
        arguments: ["", "a/b", "a b", "a=", "paypal:abc", String(repeating: "a", count: 256)])
    func malformed(token: String) async throws {
        let world = FakeWorld([])
        let made = Instant(seconds: 1_800_000_000)
        let request = SaveMethodRequest(
            methodID: .new(at: made), customerID: .new(at: made), type: "paypal", token: token, returnURL: "",
            acceptance: nil)
        await #expect(throws: ProviderFault.rejected(code: "token_malformed")) {
            try await world.adapter.save(request)
        }
        #expect(world.fake.sent.isEmpty)
    }

    @Test("one that PayPal does not know is none; an answer about another, or of no kind, is no answer") func faults()
        async throws
    {
        let gone = FakeWorld([.refusal(404, "TOKEN_NOT_FOUND", name: "RESOURCE_NOT_FOUND")])
        #expect(try await gone.adapter.look(at: "abc") == nil)
        let unsent = FakeWorld([])
        #expect(try await unsent.adapter.look(at: "a/b") == nil)
        #expect(unsent.fake.sent.isEmpty)
        for step in [Self.token("abd", ["card": [:]]), Self.token("abc", [:]), .text(204)] {
            let world = FakeWorld([step])
            do throws(ProviderFault) {
                _ = try await world.adapter.look(at: "abc")
                Issue.record("it was read")
            } catch {
                guard case .unusable = error else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
        await #expect(throws: ProviderFault.rejected(code: "INVALID_TOKEN")) {
            try await FakeWorld([.refusal(422, "INVALID_TOKEN")]).adapter.look(at: "abc")
        }
    }
}
