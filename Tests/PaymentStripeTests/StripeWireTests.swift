import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import Telemetry
import TestKit
import Testing

@Suite("Stripe's wire") struct StripeWireTests {
    @Test("nested names and lists are written in brackets, every reserved byte as a percent code") func form() {
        var inner = StripeForm()
        inner.add("a b", .text("x&y=z+%/ü"))
        inner.add("empty", .text(""))
        inner.add("absent", nil as String?)
        var form = StripeForm()
        form.add("n", .integer(-5))
        form.add("b", .flag(true))
        form.add("l", .list([.text("p"), .fields(inner), .list([.integer(1)])]))
        form.add("f", inner)
        form.add("none", StripeForm())
        #expect(
            form.encoded
                == "n=-5&b=true&l[0]=p&l[1][a%20b]=x%26y%3Dz%2B%25%2F%C3%BC&l[1][empty]=&l[2][0]=1"
                + "&f[a%20b]=x%26y%3Dz%2B%25%2F%C3%BC&f[empty]=")
    }

    @Test("a write carries the key, a read never does, both carry the version") func headers() async throws {
        let asked = request()
        let world = StripeWorld(
            .answer(200, intent("succeeded", for: asked).description, ["Idempotent-Replayed": "true"]),
            .answer(200, intent("succeeded", for: asked).description))
        _ = try await world.adapter.charge(asked)
        let sent = world.transport.requests
        #expect(sent.map(\.method) == ["POST", "GET"])
        #expect(sent.map { $0.header("Idempotency-Key") } == ["\(asked.idempotencyKey):charge", nil])
        #expect(sent.allSatisfy { $0.header("Stripe-Version") == "2026-10-28.endive" })
        #expect(sent.allSatisfy { $0.header("Authorization")?.hasPrefix("Bearer sk_test_") == true })
        #expect(sent[0].header("Content-Type") == "application/x-www-form-urlencoded")
        #expect(sent[1].body.isEmpty && sent[1].url.hasSuffix("/v1/payment_intents/pi_1?expand[0]=latest_charge"))
    }

    @Test("the secret key is in no description") func secret() {
        let world = StripeWorld()
        var text = ""
        dump(world.adapter.configuration, to: &text)
        #expect(!text.contains("sk_test") && !"\(world.adapter.configuration)".contains("sk_test"))
    }

    @Test("waits double from half a second, vary down to their half, and heed the provider up to a limit")
    func waits() {
        var policy = ProviderRetryPolicy()
        policy.draw = { $0.lowerBound }
        let shortest: [Duration?] = (1...3).map { policy.wait(before: $0) }
        #expect(shortest == [.milliseconds(250), .milliseconds(500), .seconds(1)])
        policy.draw = { $0.upperBound }
        let longest: [Duration?] = (1...4).map { policy.wait(before: $0) }
        #expect(longest == [.milliseconds(500), .seconds(1), .seconds(2), nil])
        #expect(policy.wait(before: 1, retryAfter: 5) == .seconds(5))
        #expect(policy.wait(before: 1, retryAfter: 9) == nil)
        var many = ProviderRetryPolicy(retries: 200)
        many.draw = { $0.upperBound }
        #expect(many.wait(before: 200) == .seconds(8))
        #expect(ProviderRetryPolicy(firstWait: .zero).wait(before: 3) == .zero)
    }

    @Test("tokens read back as they were written, anything else is none")
    func tokens() {
        for text in ["pm_1", "sepa_debit/pm_1", "sepa_debit/pm_1/mandate_2"] {
            #expect(StripeToken(text)?.description == text)
        }
        for text in [
            "", "card_1", "pm_1/", "/pm_1", "sepa_debit/", "sepa_debit/ba_1", "pm_1/../x", "pm_ü", "ideal/pm_1",
        ] {
            #expect(StripeToken(text) == nil, "\(text)")
        }
    }

    @Test("a bank account has one name at Stripe, with its mandate and without") func names() {
        let vault: StripeAdapter = StripeWorld().adapter
        for token in ["pm_1", "sepa_debit/pm_1", "sepa_debit/pm_1/mandate_2"] {
            #expect(vault.name(of: token) == "pm_1")
        }
        #expect(vault.name(of: "tok_1") == "tok_1", "no method yet")
    }

    @Test("an id tells the millisecond it was made") func made() {
        let now: Instant = AttemptID.made(at: StripeWorld.now).madeAt ?? .epoch
        #expect(now == StripeWorld.now)
        let text = "att_00000003e8000000000000000a"
        #expect(AttemptID(unchecked: text).madeAt == Instant(microseconds: ((3 * 32 + 14) * 32 + 8) * 1_000))
        let latest = "att_7zzzzzzzzz0000000000000000"
        #expect(AttemptID(unchecked: latest).madeAt == Instant(microseconds: ((1 << 48) - 1) * 1_000))
        for other in ["att_x", "cap_00000003e8000000000000000a", "att_"] {
            #expect(AttemptID(unchecked: other).madeAt == nil)
        }
        #expect(CustomerID(unchecked: "my-customer").madeAt == nil)
    }
}

@Suite("What Stripe can do") struct StripeCapabilityTests {
    @Test("methods say where they work and how they are captured") func methods() throws {
        let world = StripeWorld()
        let methods = world.adapter.capabilities.methods
        #expect(
            methods.map(\.type) == [
                "card", "google_pay", "apple_pay", "sepa_debit", "ideal", "klarna", "afterpay_clearpay", "affirm",
            ])
        #expect(methods.filter(\.offSession).map(\.type) == ["card", "google_pay", "apple_pay", "sepa_debit"])
        #expect(!methods.filter(\.separateCapture).map(\.type).contains("ideal"))
        #expect(methods.allSatisfy { !$0.multipleCapture && $0.partialRefund })
        #expect(methods.allSatisfy { $0.currencies?.isSubset(of: world.adapter.capabilities.currencies) ?? true })
        let several = StripeWorld(multipleCapture: true).adapter.capabilities.methods
        #expect(several.filter(\.multipleCapture).map(\.type) == ["card", "google_pay", "apple_pay"])
    }

    @Test(
        "lenders take the currency of the customer's country alone",
        arguments: [
            ("klarna", "USD", "DE", .currency), ("klarna", "EUR", "DE", nil), ("klarna", "EUR", "SE", .currency),
            ("klarna", "SEK", "SE", nil), ("klarna", "EUR", "JP", .country), ("klarna", "USD", nil, nil),
            ("afterpay_clearpay", "AUD", "US", .currency), ("afterpay_clearpay", "AUD", "AU", nil),
            ("affirm", "USD", "CA", .currency), ("affirm", "CAD", "CA", nil), ("card", "USD", "DE", nil),
        ] as [(String, String, String?, ProviderCapabilities.Obstacle?)])
    func localCurrency(
        type: String, currency: String, country: String?, obstacle: ProviderCapabilities.Obstacle?
    ) {
        let wish = ProviderCapabilities.Wish(type: type, currency: currency, amount: 10_000, country: country)
        #expect(StripeWorld().adapter.capabilities.obstacle(to: wish) == obstacle)
    }
}
