import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentStripe
import Telemetry
import TestKit
import Testing

@Suite("Methods in Stripe's vault") struct StripeVaultTests {
    /// A PaymentMethod's JSON.
    private static func method(
        customer: JSONValue = .null, type: String = "card", id: String = "pm_1"
    ) -> String {
        let details: JSONValue =
            type == "card" ? ["brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030] : ["last4": "3000"]
        return JSONValue.object([
            JSONMember(name: "id", value: .string(id)), JSONMember(name: "object", value: "payment_method"),
            JSONMember(name: "type", value: .string(type)), JSONMember(name: "customer", value: customer),
            JSONMember(name: type, value: details),
        ]).description
    }

    /// A customer's JSON.
    private static func made(_ customer: CustomerID, as id: String = "cus_1") -> FakeTransport.Step {
        .answer(200, #"{"id":"\#(id)","object":"customer","metadata":{"customer_id":"\#(customer)"}}"#)
    }

    /// A SetupIntent's JSON.
    private static func setup(_ status: String, for id: PaymentMethodID, _ more: String) -> FakeTransport.Step {
        .answer(
            200,
            #"{"id":"seti_1","object":"setup_intent","status":"\#(status)","#
                + #""metadata":{"payment_method_id":"\#(id)"},\#(more)}"#)
    }

    /// A customer's JSON, and a SetupIntent's that has kept a method.
    private static func kept(
        _ customer: CustomerID, _ method: String, for id: PaymentMethodID
    ) -> [FakeTransport.Step] {
        [made(customer), setup("succeeded", for: id, #""mandate":null,"payment_method":\#(method)"#)]
    }

    /// A wish to keep a card.
    private static func wish(
        _ token: String = "pm_1", type: String = "card", for id: PaymentMethodID = .made(at: StripeWorld.now),
        of customer: CustomerID = .made(at: StripeWorld.now)
    ) -> SaveMethodRequest {
        SaveMethodRequest(
            methodID: id, customerID: customer, type: type, token: token, returnURL: "https://shop.test/back",
            acceptance: nil)
    }

    @Test("a token is looked at by Stripe's name of the method; nothing is changed by it") func looks() async throws {
        let card = VaultedMethod(
            type: "card", card: VaultedCard(brand: "visa", last4: "4242", expMonth: 12, expYear: 2030))
        for (token, type, expected) in [
            ("pm_1", "card", card), ("sepa_debit/pm_1/mandate_1", "sepa_debit", VaultedMethod(type: "sepa_debit")),
        ] {
            let world = StripeWorld(.answer(200, Self.method(type: type)))
            #expect(try await world.adapter.look(at: token) == expected)
            #expect(world.methods == ["GET"] && world.paths == ["/v1/payment_methods/pm_1"])
        }
        let missing = #"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"m"}}"#
        #expect(try await StripeWorld(.answer(404, missing)).adapter.look(at: "pm_1") == nil)
        let unsent = StripeWorld()
        #expect(try await unsent.adapter.look(at: "../customers") == nil)
        #expect(unsent.transport.requests.isEmpty)
        await #expect(throws: ProviderFault.self) {
            try await StripeWorld(.answer(200, Self.method())).adapter.look(at: "pm_2")
        }
    }

    @Test("a card of Stripe's form is read before it is charged; its customer is made known where it is to be kept")
    func entered() async throws {
        let customer = CustomerID.made(at: StripeWorld.now)
        let once = StripeWorld(.answer(200, Self.method()))
        let card = VaultedCard(brand: "visa", last4: "4242", expMonth: 12, expYear: 2030)
        let expected = EnteredCard(token: "pm_1", customer: nil, card: card, fingerprint: nil)
        #expect(try await once.adapter.entered("pm_1", for: nil) == expected)
        #expect(once.methods == ["GET"] && once.paths == ["/v1/payment_methods/pm_1"])
        let kept = StripeWorld(steps: [.answer(200, Self.method()), Self.made(customer)])
        #expect(try await kept.adapter.entered("pm_1", for: customer)?.customer == "cus_1")
        #expect(kept.paths == ["/v1/payment_methods/pm_1", "/v1/customers"])
        // Somebody's already, no card, or nothing that Stripe could know.
        for method in [Self.method(customer: "cus_2"), Self.method(type: "sepa_debit")] {
            #expect(try await StripeWorld(.answer(200, method)).adapter.entered("pm_1", for: nil) == nil)
        }
        for token in ["sepa_debit/pm_1", "../customers", "tok_1"] {
            let unsent = StripeWorld()
            #expect(try await unsent.adapter.entered(token, for: customer) == nil)
            #expect(unsent.transport.requests.isEmpty)
        }
    }

    @Test("a token of Google Pay's becomes a card once, under its own name, and is read before it is charged")
    func ofGooglePay() async throws {
        let card = VaultedCard(brand: "visa", last4: "4242", expMonth: 12, expYear: 2030)
        let world = StripeWorld(.answer(200, Self.method()), .answer(200, Self.method()))
        let expected = EnteredCard(token: "pm_1", customer: nil, card: card, fingerprint: nil)
        #expect(try await world.adapter.entered(googlePay: "tok_1") == expected)
        #expect(world.methods == ["POST", "GET"])
        #expect(world.paths == ["/v1/payment_methods", "/v1/payment_methods/pm_1"])
        let made: ProviderHTTPRequest = try #require(world.transport.requests.first)
        #expect(made.text == "type=card&card[token]=tok_1" && made.header("Idempotency-Key") == "tok_1:method")
        // A token that is used up; a card that is somebody's by now; what is no token.
        let used = #"{"error":{"type":"invalid_request_error","code":"token_already_used","message":"m"}}"#
        await #expect(throws: ProviderFault.rejected(code: "token_already_used")) {
            try await StripeWorld(.answer(400, used)).adapter.entered(googlePay: "tok_1")
        }
        let owned = StripeWorld(.answer(200, Self.method()), .answer(200, Self.method(customer: "cus_2")))
        #expect(try await owned.adapter.entered(googlePay: "tok_1") == nil)
        for token in ["pm_1", "tok_1/../customers", ""] {
            let unsent = StripeWorld()
            #expect(try await unsent.adapter.entered(googlePay: token) == nil)
            #expect(unsent.transport.requests.isEmpty)
        }
    }

    @Test("Google makes tokens for Stripe by its publishable key, of the version that the connector speaks")
    func gateway() {
        func form(_ key: String?) -> CardForm? {
            let configuration = StripeConfiguration(
                secretKey: Secret("sk_test_1"), publishableKey: key, returnURL: "https://pay.test/back/")
            return StripeAdapter(configuration: configuration, transport: FakeTransport([])).cardForm
        }
        #expect(form(nil) == nil)
        let told: [String: String]? = form("pk_test_1")?.googlePay
        #expect(
            told == [
                "gateway": "stripe", "stripe:version": StripeConfiguration.apiVersion,
                "stripe:publishableKey": "pk_test_1",
            ])
    }

    @Test(
        "where the customer comes back to is told where it is known, and nothing in its place",
        arguments: [true, false])
    func comesBack(isKnown: Bool) async throws {
        let customer = CustomerID.made(at: StripeWorld.now)
        let request = SaveMethodRequest(
            methodID: .made(at: StripeWorld.now), customerID: customer, type: "card", token: "pm_1",
            returnURL: isKnown ? "https://shop.test/back" : "", acceptance: nil)
        let world = StripeWorld(steps: Self.kept(customer, Self.method(customer: "cus_1"), for: request.methodID))
        _ = try await world.adapter.save(request)
        let form: [Substring] = world.transport.requests.last?.text.split(separator: "&") ?? []
        let told: [Substring] = form.filter { $0.hasPrefix("return_url") }
        #expect(form.contains("payment_method=pm_1"))
        #expect(told == (isKnown ? ["return_url=https%3A%2F%2Fshop.test%2Fback"] : []))
    }

    @Test(
        "a bank that wants the owner of a method without a return_url has declined it; with one it may be asked for again"
    )
    func nowhere() async throws {
        let customer = CustomerID.made(at: StripeWorld.now)
        let id = PaymentMethodID.made(at: StripeWorld.now)
        let waiting: FakeTransport.Step = Self.setup(
            "requires_action", for: id, #""next_action":{"type":"use_stripe_sdk","use_stripe_sdk":{}}"#)
        let declined = SaveMethodAnswer.declined(ProviderDecline(code: "return_url_missing", reference: "seti_1"))
        let made: FakeTransport.Step = Self.made(customer)
        var keys: [String?] = []
        for url in ["", "https://shop.test/back"] {
            let request = SaveMethodRequest(
                methodID: id, customerID: customer, type: "card", token: "pm_1", returnURL: url, acceptance: nil)
            let world = StripeWorld(made, waiting)
            #expect(try await world.adapter.save(request) == declined)
            keys.append(world.transport.requests.last?.header("Idempotency-Key"))
            let asked = StripeWorld(waiting)
            #expect(try await asked.adapter.saved(request, reference: "seti_1") == declined)
        }
        #expect(keys == ["\(id):pm_1:setup:alone", "\(id):pm_1:setup"])
        let other: FakeTransport.Step = Self.setup("requires_action", for: id, #""next_action":{"type":"other"}"#)
        let request = SaveMethodRequest(
            methodID: id, customerID: customer, type: "card", token: "pm_1", returnURL: "", acceptance: nil)
        await #expect(throws: ProviderFault.unusable("$.next_action is no redirect")) {
            try await StripeWorld(other).adapter.saved(request, reference: "seti_1")
        }
    }

    @Test("a method of ours is kept once for each of Stripe's, and not as one that was detached") func keys()
        async throws
    {
        let customer = CustomerID.made(at: StripeWorld.now)
        let id = PaymentMethodID.made(at: StripeWorld.now)
        let request = SaveMethodRequest(
            methodID: id, customerID: customer, type: "card", token: "pm_1", returnURL: "https://shop.test/back",
            acceptance: nil)
        let world = StripeWorld(steps: Self.kept(customer, Self.method(customer: "cus_1"), for: id))
        guard case .saved(let saved) = try await world.adapter.save(request) else {
            Issue.record("it is not kept")
            return
        }
        #expect(saved.token == "pm_1" && saved.customer == "cus_1")
        #expect(world.transport.requests.last?.header("Idempotency-Key") == "\(id):pm_1:setup")
        let gone = StripeWorld(steps: Self.kept(customer, Self.method(), for: id))
        #expect(
            try await gone.adapter.save(request) == .declined(ProviderDecline(code: "resource_missing")))
    }

    @Test("an answer to another request keeps nothing: of another method of ours or Stripe's, customer or kind")
    func mixedUp() async throws {
        let customer = CustomerID.made(at: StripeWorld.now)
        let asked: SaveMethodRequest = Self.wish(of: customer)
        let ours: String = Self.method(customer: "cus_1")
        let other = PaymentMethodID.made(at: StripeWorld.now)
        let action = #""next_action":{"type":"redirect_to_url","redirect_to_url":{"url":"https://bank.test/"}}"#
        for steps in [
            Self.kept(customer, ours, for: other),
            Self.kept(customer, Self.method(customer: "cus_1", id: "pm_2"), for: asked.methodID),
            Self.kept(customer, Self.method(customer: "cus_2"), for: asked.methodID),
            Self.kept(customer, Self.method(customer: "cus_1", type: "sepa_debit"), for: asked.methodID),
            [Self.made(customer), Self.setup("requires_action", for: other, action)],
            [
                Self.made(customer),
                .answer(
                    200,
                    #"{"id":"seti_1","object":"setup_intent","status":"succeeded","payment_method":\#(ours)}"#),
            ],
        ] as [[FakeTransport.Step]] {
            let world = StripeWorld(steps: steps)
            await expectUnusable { () throws(ProviderFault) in try await world.adapter.save(asked) }
            // Nor when it is asked how the keeping stands, where Stripe's customer is not known.
            guard case .answer(_, let body, _) = steps[1], !body.contains("cus_2") else { continue }
            let later = StripeWorld(steps: [steps[1]])
            await expectUnusable { () throws(ProviderFault) in
                try await later.adapter.saved(asked, reference: "seti_1")
            }
        }
        // A test token of Stripe's becomes another name.
        let test: SaveMethodRequest = Self.wish("pm_card_visa", of: customer)
        let world = StripeWorld(steps: Self.kept(customer, ours, for: test.methodID))
        guard case .saved(let saved) = try await world.adapter.save(test) else {
            Issue.record("it is not kept")
            return
        }
        #expect(saved.token == "pm_1")
    }

    private func expectUnusable(_ work: () async throws(ProviderFault) -> SaveMethodAnswer) async {
        do throws(ProviderFault) {
            Issue.record("\(try await work())")
        } catch {
            guard case .unusable = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test(
        "a bank account's token is none of a card's, and nobody is asked to keep it as one",
        arguments: ["card", "google_pay", "apple_pay"])
    func notACard(type: String) async throws {
        let world = StripeWorld()
        await #expect(throws: ProviderFault.rejected(code: "token_malformed")) {
            try await world.adapter.save(Self.wish("sepa_debit/pm_1", type: type))
        }
        #expect(world.transport.requests.isEmpty)
    }

    @Test("a bank account is known by its last four, and an answer about another is none") func account() async throws {
        let account = BankAccount(
            iban: try IBAN("DE89 3704 0044 0532 0130 00"), holder: "Ada", email: "ada@shop.test")
        let id = PaymentMethodID.made(at: StripeWorld.now)
        let told = StripeWorld(.answer(200, Self.method(type: "sepa_debit")))
        #expect(try await told.adapter.token(of: account, as: id) == "pm_1")
        let other =
            #"{"id":"pm_1","object":"payment_method","type":"sepa_debit","sepa_debit":{"last4":"3001"}}"#
        await #expect(throws: ProviderFault.unusable("$.sepa_debit.last4 is of another account")) {
            try await StripeWorld(.answer(200, other)).adapter.token(of: account, as: id)
        }
    }

    @Test("what was attached before Stripe forgot its customer's key is kept for that customer, if it is ours")
    func forgotten() async throws {
        let customer = CustomerID.made(at: StripeWorld.now)
        let asked: SaveMethodRequest = Self.wish(of: customer)
        let attached: FakeTransport.Step = .answer(
            400, refusal("invalid_request_error", code: "payment_method_attached"))
        let method: FakeTransport.Step = .answer(200, Self.method(customer: "cus_0"))
        let saved: FakeTransport.Step = Self.kept(customer, Self.method(customer: "cus_0"), for: asked.methodID)[1]
        let world = StripeWorld(Self.made(customer), attached, method, Self.made(customer, as: "cus_0"), saved)
        guard case .saved(let kept) = try await world.adapter.save(asked) else {
            Issue.record("it is not kept")
            return
        }
        #expect(kept.token == "pm_1" && kept.customer == "cus_0")
        let form: [Substring] = world.transport.requests.last?.text.split(separator: "&") ?? []
        #expect(form.contains("customer=cus_0"))
        let key: String? = world.transport.requests.last?.header("Idempotency-Key")
        #expect(key == "\(asked.methodID):pm_1:setup:cus_0")
        // Another's, nobody's, and none at all: nothing is asked for again.
        let another: FakeTransport.Step = Self.made(.made(at: StripeWorld.now), as: "cus_0")
        let missing = #"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"m"}}"#
        for steps in [
            [method, another], [.answer(200, Self.method())], [.answer(404, missing)], [method, .answer(404, missing)],
        ] as [[FakeTransport.Step]] {
            let refused = StripeWorld(steps: [Self.made(customer), attached] + steps)
            await #expect(throws: ProviderFault.rejected(code: "payment_method_attached")) {
                try await refused.adapter.save(asked)
            }
            let reads: [String] = steps.map { _ in "GET" }
            #expect(refused.methods == ["POST", "POST"] + reads)
        }
    }

    @Test("by a wallet's token Stripe keeps nothing that could be removed") func tokenOfWallet() async throws {
        let world = StripeWorld()
        let asked = ForgetMethodRequest(methodID: .made(at: StripeWorld.now), token: "tok_1")
        #expect(try await world.adapter.forget(asked) == .forgotten)
        #expect(world.transport.requests.isEmpty)
    }
}
