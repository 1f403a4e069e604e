import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Methods that are used on a page of their provider's") struct PageTests {
    private static func body(
        _ customer: CustomerID, type: String = "klarna", currency: String = "EUR", country: String = "DE",
        manual: Bool = false, url: String = "https://shop.example/back"
    ) -> String {
        #"{"amount":1299,"currency":"\#(currency)","customer_id":"\#(customer)","payment_method_type":"\#(type)","#
            + #""return_url":"\#(url)","payer":{"name":"Ada","country":"\#(country)"}"#
            + (manual ? #","capture_method":"manual"}"# : "}")
    }

    private static func create(_ world: PaymentWorld, _ body: String) async throws -> PaymentRecord {
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body, at: world.clock.now), world.read(body))
        return try await world.payment(world.id(reply))
    }

    /// A payment whose customer is on the provider's page.
    private static func onPage(
        _ world: PaymentWorld, _ body: String? = nil
    ) async throws -> PaymentRecord {
        let payment: PaymentRecord
        if let body {
            payment = try await create(world, body)
        } else {
            payment = try await create(world, Self.body(await world.customer()))
        }
        await world.decide(payment)
        let waiting: PaymentRecord = try await world.settled(payment.id)
        #expect(waiting.status == .requiresAction)
        return waiting
    }

    @Test("the customer is sent to the page, and the same attempt is asked about when they are back")
    func redirect() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await Self.onPage(world)
            let json: JSONValue = try parseJSON(encode(PaymentResource(payment)))
            #expect(json["next_action"]?["type"]?.stringValue == "redirect")
            #expect(json["next_action"]?["url"]?.stringValue == "https://pages.example/\(payment.attemptID)")
            #expect(json["next_action"]?["sync_path"]?.stringValue == "/v1/payments/\(payment.id)/sync")
            let before: PaymentRecord = try await world.work.sync(payment.id).payment
            #expect(before.status == .requiresAction, "the customer has not finished")
            #expect(try await world.published("payment.requires_action.v1") == 1, "nothing new is told twice")
            pages.settle(payment.attemptID, .captured(ProviderCharge(reference: "pg_done")))
            let done: PaymentRecord = try await world.work.sync(payment.id).payment
            #expect(done.status == .succeeded && done.attempts == 1 && done.nextAction == nil)
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.work.sync(payment.id).payment.status == .succeeded)
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.refund(payment.id, 300).status == 201)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a customer who never comes back is looked after by the sweeper; a declined one has failed")
    func swept() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let paid: PaymentRecord = try await Self.onPage(world)
            let declined: PaymentRecord = try await Self.onPage(world)
            pages.settle(paid.attemptID, .captured(ProviderCharge(reference: "pg_paid")))
            pages.settle(declined.attemptID, .declined(ProviderDecline(code: "insufficient_funds")))
            let asked: Int = pages.asked
            try await world.work.sweep.pass()
            #expect(pages.asked == asked, "it is not yet time to look")
            try await world.execute("UPDATE payments SET look_at = now()")
            try await world.work.sweep.pass()
            #expect(try await world.payment(paid.id).status == .succeeded)
            let failed: PaymentRecord = try await world.payment(declined.id)
            #expect(failed.status == .failed && failed.decline == .insufficientFunds)
            #expect(try await world.published("payment.failed.v1") == 1)
        }
    }

    @Test(
        "a customer who does not finish in time is given up at the provider and fails here, unless they just finished")
    func expired() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let late: PaymentRecord = try await Self.onPage(world)
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 86_401))
            try await world.work.sweep.pass()
            let failed: PaymentRecord = try await world.payment(late.id)
            #expect(failed.status == .failed && failed.declineCode == "action_expired")
            #expect(failed.decline?.declineClass == .action)

            let quick: PaymentRecord = try await Self.onPage(world)
            pages.settle(quick.attemptID, .captured(ProviderCharge(reference: "pg_quick")))
            pages.refuseReleases()
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 3 * 86_401))
            try await world.work.sweep.pass()
            #expect(try await world.payment(quick.id).status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("cancelling releases at the provider first; what the customer paid meanwhile counts") func canceled()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let given: PaymentRecord = try await Self.onPage(world)
            #expect(try await world.cancel(given.id).status == .canceled)
            #expect(try await world.published("payment.canceled.v1") == 1)

            let paid: PaymentRecord = try await Self.onPage(world)
            pages.settle(paid.attemptID, .captured(ProviderCharge(reference: "pg_paid")))
            pages.refuseReleases()
            #expect(try await world.cancel(paid.id).status == .processing)
            try await world.work.sweep.pass()
            #expect(try await world.payment(paid.id).status == .succeeded)
            #expect(try await world.published("payment.canceled.v1") == 1)
            #expect(try await world.booked(paid.id) == ["payment"])
        }
    }

    @Test("a bank that takes days leaves the payment processing, answers its caller, and is asked ever more rarely")
    func pending() async throws {
        let pages = PagesProvider()
        pages.begin(with: .pending(reference: "pg_bank"))
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await Self.create(world, Self.body(await world.customer()))
            await world.decide(payment)
            let looks: SQL = "SELECT looks FROM payments WHERE id = \(payment.id)"
            try await eventually(within: .seconds(20), "the bank is asked") { try await world.number(looks) == 1 }
            try await world.work.sweep.pass()
            #expect(try await world.number(looks) == 1)
            for expected: Int in 2...4 {
                try await world.execute("UPDATE payments SET look_at = now()")
                try await world.work.sweep.pass()
                #expect(try await world.number(looks) == expected)
            }
            let wait: Int = try await world.number(
                "SELECT extract(epoch FROM look_at - stepped_at)::int FROM payments WHERE id = \(payment.id)")
            #expect(wait == 40)
            #expect(try await world.payment(payment.id).status == .processing)
            pages.settle(payment.attemptID, .captured(ProviderCharge(reference: "pg_bank")))
            try await world.work.sync(attempt: payment.attemptID)
            #expect(try await world.payment(payment.id).status == .succeeded)
        }
    }

    @Test("a charge that nobody answered for is looked at soon again once the provider has an answer")
    func answeredLate() async throws {
        let pages = PagesProvider()
        pages.begin(with: .pending(reference: "pg_bank"))
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await Self.create(world, Self.body(await world.customer()))
            await world.decide(payment)
            let looks: SQL = "SELECT looks FROM payments"
            try await eventually(within: .seconds(20), "the bank is asked") { try await world.number(looks) == 1 }
            // As after ten looks without an answer.
            try await world.execute(
                "UPDATE payments SET looks = 10, look_at = NULL, stepped_at = now() - interval '1 day'")
            try await world.work.sweep.pass()
            #expect(try await world.number("SELECT extract(epoch FROM look_at - stepped_at)::int FROM payments") == 5)
            #expect(try await world.number(looks) == 1)
        }
    }

    @Test("a lost answer is asked about again, and a lost question leaves everything as it is") func lost() async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await Self.onPage(world)
            pages.goAway(true)
            #expect(try await world.work.sync(payment.id).payment.status == .requiresAction)
            await #expect(throws: ProviderFault.timedOut) { try await world.work.sync(attempt: payment.attemptID) }
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 86_401))
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .requiresAction)
            pages.goAway(false)
            pages.settle(payment.attemptID, .captured(ProviderCharge(reference: "pg_1")))
            pages.refuseReleases()
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .succeeded)
        }
    }

    @Test("a capture at another provider is booked, and is no fault of the sandbox's books") func captured()
        async throws
    {
        let pages = PagesProvider()
        pages.begin(with: .authorized(ProviderCharge(reference: "pg_1")))
        try await withPayments(beside: [pages]) { world in
            let made: PaymentRecord = try await Self.create(world, Self.body(world.customer(), manual: true))
            await world.decide(made)
            #expect(try await world.settled(made.id).status == .authorized)
            #expect(try await world.capture(made.id, 500).status == 201)
            #expect(try await world.booked(made.id) == ["capture"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "what no provider can do is refused with the field, and nothing is stored",
        arguments: [
            ("giropay", "EUR", "DE", false, "payment_method_type", "unsupported_method"),
            ("klarna", "JPY", "DE", false, "currency", "unsupported_currency"),
            ("klarna", "USD", "DE", false, "currency", "unsupported_currency"),
            ("klarna", "EUR", "FR", false, "payer.country", "unsupported_country"),
            ("sepa_debit", "EUR", "DE", true, "capture_method", "unsupported_capture_method"),
        ])
    func unsupported(
        type: String, currency: String, country: String, manual: Bool, field: String, code: String
    ) async throws {
        try await withPayments(beside: [PagesProvider()]) { (world: PaymentWorld) async throws -> Void in
            let customer: CustomerID = await world.customer()
            let body: String = Self.body(customer, type: type, currency: currency, country: country, manual: manual)
            let problem: Problem? = await #expect(throws: Problem.self) { try await Self.create(world, body) }
            #expect(problem?.errors.map(\.param) == [field] && problem?.errors.map(\.code) == [code])
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
        }
    }

    @Test("a card of the sandbox's is entered here: it has no page") func cardWithoutPage() async throws {
        try await withPayments { (world: PaymentWorld) async throws -> Void in
            let body: String = Self.body(await world.customer(), type: "card", currency: "EUR", country: "DE")
            let problem: Problem? = await #expect(throws: Problem.self) { try await Self.create(world, body) }
            #expect(problem?.errors.map(\.param) == ["payment_method_type"])
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
        }
    }

    @Test("every faulty field of the request is named") func faulty() async throws {
        try await withPayments(beside: [PagesProvider()]) { world in
            let bodies: [(String, [String])] = [
                (Self.body(await world.customer(), url: "http://evil.example/"), ["return_url"]),
                (Self.body(await world.customer(), url: "javascript:alert(1)"), ["return_url"]),
                (Self.body(await world.customer(), url: "http://127.0.0.1.evil.example/"), ["return_url"]),
                (Self.body(await world.customer(), url: "http://localhost:x@evil.example/"), ["return_url"]),
                (Self.body(await world.customer(), url: "https://%%%%"), ["return_url"]),
                (Self.body(await world.customer(), country: "de"), ["payer.country"]),
            ]
            for (body, fields) in bodies {
                do {
                    let _: CreatePaymentInput = try world.read(body)
                    Issue.record("\(body) was taken")
                } catch let faults as InvalidInput { #expect(faults.faults.map(\.param) == fields) }
            }
        }
    }

    @Test("several faulty fields are named at once, also what is checked beyond its form") func severalFaults() throws {
        func named<Input: JSONInput>(_ type: Input.Type, _ body: String) throws -> [String] {
            let json: JSONValue = try parseJSON(body)
            let invalid: InvalidInput? = #expect(throws: InvalidInput.self) { _ = try decode(type, from: json) }
            return invalid?.faults.map(\.param) ?? []
        }
        let customer = CustomerID.new(at: PaymentWorld.start)
        let card: [String] = try named(
            CreatePaymentMethodInput.self,
            #"{"customer_id":"\#(customer)","type":"card","card":{"number":"4242424242424242","exp_month":13,"#
                + #""exp_year":2049,"cvc":"abc"}}"#)
        #expect(card == ["card.exp_month", "card.cvc"])
        let absent: [String] = try named(CreatePaymentMethodInput.self, #"{"customer_id":"a b","type":"card"}"#)
        #expect(absent == ["customer_id", "card"])
        let kept: [String] = try named(
            CreatePaymentMethodInput.self, #"{"customer_id":"a b","type":"sepa_debit","provider":"pages","token":""}"#)
        #expect(kept == ["customer_id", "token"], "what is faulty is not missing, too")
        let payer: [String] = try named(
            CreatePaymentInput.self,
            #"{"amount":5000,"currency":"EUR","customer_id":"\#(customer)","payment_method_type":"klarna","#
                + #""return_url":"https://shop.example/back","payer":{"name":"","country":"de"}}"#)
        #expect(payer == ["payer.name", "payer.country"])
    }

    @Test("a payment on a provider's page cannot be confirmed here") func elsewhere() async throws {
        try await withPayments(beside: [PagesProvider()]) { world in
            let payment: PaymentRecord = try await Self.onPage(world)
            for passed: Bool? in [true, false, nil] {
                await #expect(throws: ContinuePayment.Failure.elsewhere) {
                    try await world.confirm(payment.id, passed: passed)
                }
            }
        }
    }
}
