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

@Suite("Methods that a provider keeps") struct KeptMethodTests {
    private static let saved = SaveMethodAnswer.saved(
        SavedMethod(
            token: "sepa_debit/pm_1/mandate_1", customer: "cus_p", brand: nil, last4: "3000", expMonth: nil,
            expYear: nil, fingerprint: "f1"))

    private static let atBank = SaveMethodAnswer.actionRequired(
        reference: "seti_1", .redirect(url: "https://pages.example/3ds"))

    private static func body(_ customer: CustomerID, _ more: String = "") -> String {
        #"{"customer_id":"\#(customer)","type":"sepa_debit","provider":"pages","token":"pm_1","#
            + #""acceptance":{"ip_address":"192.0.2.1","user_agent":"x"}\#(more)}"#
    }

    private static func attach(
        _ world: PaymentWorld, _ customer: CustomerID, key: String? = nil
    ) async throws -> Reply<PaymentMethodResource> {
        let body: String = body(customer)
        return try await world.work.attach(world.call("/v1/payment_methods", key: key, body: body), world.read(body))
    }

    private static func id(_ reply: Reply<PaymentMethodResource>) throws -> PaymentMethodID {
        PaymentMethodID(unchecked: try parseJSON(reply.body)["id"]?.stringValue ?? "")
    }

    @Test("what the provider keeps becomes the default, is told of once, and is charged") func kept() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.saved)
        pages.begin(with: .captured(ProviderCharge(reference: "pg_1", networkTransactionID: "n1")))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = try await world.payer()
            let reply: Reply<PaymentMethodResource> = try await Self.attach(world, customer, key: "once")
            let json: JSONValue = try parseJSON(reply.body)
            #expect(reply.status == 201)
            #expect(json["status"]?.stringValue == "active" && json["last4"]?.stringValue == "3000")
            #expect(json["is_default"]?.boolValue == true && json["card"]?.isNull == true)
            #expect(try await Self.attach(world, customer, key: "once").isReplay)
            #expect(try await world.published("payment_method.attached.v1") == 2, "the card before, and this")
            let order = #"{"amount":500,"currency":"EUR","customer_id":"\#(customer)"}"#
            let made: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: order), world.read(order))
            let payment: PaymentRecord = try await world.payment(world.id(made))
            await world.decide(payment)
            let done: PaymentRecord = try await world.settled(payment.id)
            #expect(done.status == .succeeded && done.provider == "pages")
            #expect(
                try await world.texts(
                    "SELECT network_transaction_id FROM payment_attempts WHERE id = \(done.attemptID)")
                    == ["n1"])
        }
    }

    @Test("one that is not for the customer's country, where that is known, is not charged, and nothing is stored")
    func country() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.saved)
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            _ = try await Self.attach(world, customer)
            try await world.execute("UPDATE payment_methods SET type = 'klarna'")
            let order = #"{"amount":500,"currency":"EUR","customer_id":"\#(customer)"}"#
            let problem: Problem? = await #expect(throws: Problem.self) {
                try await world.work.create(world.call("/v1/payments", body: order), world.read(order))
            }
            #expect(problem?.errors.map(\.param) == ["payment_method_id"])
            #expect(problem?.errors.map(\.code) == ["unsupported_country"])
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            for country: String? in ["DE", nil] {
                try await world.execute("UPDATE customers SET country = \(country)")
                let made: Reply<PaymentResource> = try await world.work.create(
                    world.call("/v1/payments", body: order), world.read(order))
                #expect(made.status == 202)
            }
        }
    }

    @Test("more than the provider ever charges is not asked for, and nothing is stored") func tooMuch() async throws {
        let pages = PagesProvider(refusal: StripeAmount.refusal)
        pages.save(as: Self.saved)
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            _ = try await Self.attach(world, customer)
            let over = #"{"amount":100000000,"currency":"EUR","customer_id":"\#(customer)"}"#
            let problem: Problem? = await #expect(throws: Problem.self) {
                try await world.work.create(world.call("/v1/payments", body: over), world.read(over))
            }
            #expect(problem?.status == 422 && problem?.errors.map(\.param) == ["amount"])
            #expect(problem?.errors.map(\.code) == ["unsupported_amount"])
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            let most = #"{"amount":99999999,"currency":"EUR","customer_id":"\#(customer)"}"#
            let made: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: most), world.read(most))
            #expect(made.status == 202)
        }
    }

    @Test("a method that the bank wants its owner for waits, is no default, and cannot be charged") func waiting()
        async throws
    {
        let pages = PagesProvider()
        pages.save(as: Self.atBank)
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            let reply: Reply<PaymentMethodResource> = try await Self.attach(world, customer)
            let json: JSONValue = try parseJSON(reply.body)
            #expect(json["status"]?.stringValue == "requires_action")
            #expect(json["next_action"]?["url"]?.stringValue == "https://pages.example/3ds")
            #expect(try await world.published("payment_method.attached.v1") == 0)
            let order = #"{"amount":500,"currency":"EUR","customer_id":"\#(customer)"}"#
            await #expect(throws: Problem.self) {
                try await world.work.create(world.call("/v1/payments", body: order), world.read(order))
            }
            pages.save(as: Self.saved)
            let synced: JSONValue = try parseJSON(try await world.work.keep.sync(Self.id(reply)).body)
            #expect(synced["status"]?.stringValue == "active" && synced["is_default"]?.boolValue == true)
            #expect(try await world.published("payment_method.attached.v1") == 1)
        }
    }

    @Test("a method whose owner did not come back is asked about ever more rarely, and kept once the bank is content")
    func unreturned() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.atBank)
        try await withPayments(beside: [pages]) { world in
            let reply: Reply<PaymentMethodResource> = try await Self.attach(world, await world.customer())
            try await world.work.sweep.pass()
            #expect(pages.asked == 1, "the owner has a minute at first")
            for minutes in [1, 2, 4] {
                try await world.execute("UPDATE payment_methods SET look_at = now()")
                for _ in 0..<2 { try await world.work.sweep.pass() }
                let wait: SQL = "SELECT ceil(extract(epoch FROM look_at - stepped_at) / 60)::int FROM payment_methods"
                #expect(try await world.number(wait) == minutes)
            }
            #expect(pages.asked == 4)
            pages.save(as: Self.saved)
            try await world.execute("UPDATE payment_methods SET look_at = now()")
            try await world.work.sweep.pass()
            #expect(try await world.standing(Self.id(reply)) == ["active"])
            #expect(try await world.published("payment_method.attached.v1") == 1)
        }
    }

    @Test("a method whose owner has had the time there is fails, if the provider says that it still waits")
    func expired() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.atBank)
        try await withPayments(beside: [pages]) { world in
            let left: PaymentMethodID = try Self.id(try await Self.attach(world, await world.customer()))
            world.clock.set(PaymentWorld.start.adding(.seconds(86_399)))
            try await world.work.sweep.pass()
            #expect(try await world.standing(left) == ["requires_action"])
            pages.goAway(true)
            world.clock.set(PaymentWorld.start.adding(.seconds(86_400)))
            try await world.work.sweep.pass()
            #expect(try await world.standing(left) == ["requires_action"], "the owner may have been there")
            pages.goAway(false)
            try await world.work.sweep.pass()
            #expect(try await world.standing(left) == ["failed action_expired"])
            #expect(try await world.number("SELECT count(*) FROM payment_methods WHERE mandate_ended_at IS NULL") == 0)
            let done: PaymentMethodID = try Self.id(try await Self.attach(world, await world.customer()))
            pages.save(as: Self.saved)
            world.clock.set(PaymentWorld.start.adding(.seconds(200_000)))
            try await world.work.sweep.pass()
            #expect(try await world.standing(done) == ["active"])
            #expect(try await world.standing(left) == ["failed action_expired"])
        }
    }

    @Test("an answer of no use is asked for again ever more rarely, every hour at last") func unusable() async throws {
        let pages = PagesProvider()
        pages.fail(with: .unusable("status is unknown"))
        try await withPayments(beside: [pages]) { world in
            let id: PaymentMethodID = try Self.id(try await Self.attach(world, await world.customer()))
            for seconds in [6, 12, 24, 48] {
                let early: [PaymentMethodID] = try await world.stopped(for: seconds / 2)
                let late: [PaymentMethodID] = try await world.stopped(for: seconds + 1)
                #expect(early.isEmpty && late == [id], "\(seconds) seconds")
            }
            try await world.execute("UPDATE payment_methods SET looks = 50")
            let early: [PaymentMethodID] = try await world.stopped(for: 3_500)
            let late: [PaymentMethodID] = try await world.stopped(for: 3_601)
            #expect(early.isEmpty && late == [id])
            // What was asked in vain does not count for the owner's time.
            pages.fail(with: nil)
            pages.save(as: Self.atBank)
            try await world.work.keep.finish(id)
            #expect(try await world.number("SELECT looks FROM payment_methods") == 0)
        }
    }

    @Test("a lost answer is asked for again by the sweeper; a refusal says why") func lost() async throws {
        let pages = PagesProvider()
        pages.goAway(true)
        try await withPayments(beside: [pages]) { world in
            let first: Reply<PaymentMethodResource> = try await Self.attach(world, await world.customer())
            #expect(first.status == 202)
            pages.goAway(false)
            pages.save(as: Self.saved)
            try await world.work.sweep.pass()
            #expect(
                try await world.texts("SELECT status FROM payment_methods WHERE id = \(Self.id(first))") == ["active"])
            pages.save(as: .declined(ProviderDecline(code: "debit_not_authorized")))
            let second: Reply<PaymentMethodResource> = try await Self.attach(world, await world.customer())
            let json: JSONValue = try parseJSON(second.body)
            #expect(json["status"]?.stringValue == "failed")
            #expect(json["failure_code"]?.stringValue == "debit_not_authorized")
            #expect(try await world.published("payment_method.attached.v1") == 1)
        }
    }

    @Test("a provider that refuses our credentials has not refused the method: it is asked again") func unauthorized()
        async throws
    {
        let pages = PagesProvider()
        pages.fail(with: .unauthorized(code: "api_key_expired"))
        try await withPayments(beside: [pages]) { world in
            let reply: Reply<PaymentMethodResource> = try await Self.attach(world, await world.customer())
            #expect(reply.status == 202)
            pages.fail(with: nil)
            pages.save(as: Self.saved)
            try await world.work.sweep.pass()
            #expect(try await world.texts("SELECT status FROM payment_methods") == ["active"])
        }
    }

    @Test("a card is told as attached when it is kept, not when its request came") func told() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            world.clock.set(PaymentWorld.start.adding(.seconds(2)))
            try await world.attach("4242424242424242", to: customer)
            #expect(
                try await world.number(
                    "SELECT extract(epoch FROM time)::bigint FROM outbox WHERE type = 'payment_method.attached.v1'")
                    == Int(PaymentWorld.start.seconds + 2))
        }
    }

    @Test("a method that is taken off its customer is removed at its provider, which is asked until it answers")
    func removed() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.saved)
        try await withPayments(beside: [pages]) { world in
            let id: PaymentMethodID = try Self.id(try await Self.attach(world, await world.customer()))
            pages.goAway(true)
            for _ in 0..<2 { try await world.detach(id) }
            #expect(pages.forgotten.isEmpty, "nobody is asked before the intent is stored")
            try await world.work.remove.pass()
            try await world.work.remove.pass()
            #expect(pages.forgotten == [ForgetMethodRequest(methodID: id, token: "sepa_debit/pm_1/mandate_1")])
            #expect(try await world.removals() == ["processing"])
            // Silence is no answer: it is asked again when the next time has come, and only then.
            pages.goAway(false)
            try await world.execute("UPDATE method_removals SET due_at = now()")
            try await world.work.sweep.pass()
            #expect(try await world.removals() == ["succeeded"] && pages.forgotten.count == 2)
            try await world.execute("UPDATE method_removals SET due_at = now()")
            try await world.work.remove.pass()
            try await world.detach(id)
            #expect(try await world.removals() == ["succeeded"] && pages.forgotten.count == 2)
        }
    }

    @Test("what a provider never removes is left to a person; a method of the sandbox's is nobody else's")
    func refusesToForget() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.saved)
        pages.forget(as: .refused(code: "in_use"))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = try await world.payer()
            let card: String = try #require(try await world.texts("SELECT id FROM payment_methods").first)
            try await world.detach(PaymentMethodID(unchecked: card))
            #expect(try await world.removals() == [])
            try await world.detach(Self.id(try await Self.attach(world, customer)))
            try await world.work.remove.pass()
            #expect(try await world.removals() == ["failed in_use"])
            await #expect(throws: Problem.self) { try await world.detach(.new(at: PaymentWorld.start)) }
        }
    }

    @Test("a method stays at its provider while a payment depends on it, or another method is the same there")
    func stillNeeded() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.saved)
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            let first: PaymentMethodID = try Self.id(try await Self.attach(world, customer))
            let order = #"{"amount":500,"currency":"EUR","customer_id":"\#(customer)"}"#
            let payment: PaymentRecord = try await world.payment(
                world.id(try await world.work.create(world.call("/v1/payments", body: order), world.read(order))))
            let second: PaymentMethodID = try Self.id(try await Self.attach(world, customer))
            try await world.detach(first)
            try await world.work.remove.pass()
            #expect(try await world.removals() == ["processing"] && pages.forgotten.isEmpty)
            pages.begin(with: .captured(ProviderCharge(reference: "pg_1")))
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .succeeded)
            try await world.work.remove.pass()
            #expect(try await world.removals() == ["succeeded"] && pages.forgotten.isEmpty, "the second is the same")
            try await world.detach(second)
            try await world.work.remove.pass()
            #expect(pages.forgotten.map(\.methodID) == [second])
        }
    }

    @Test("a method that the provider did not keep is detached without touching the same one that it keeps since")
    func failedTwin() async throws {
        let pages = PagesProvider()
        pages.save(as: .declined(ProviderDecline(code: "debit_not_authorized")))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            let failed: PaymentMethodID = try Self.id(try await Self.attach(world, customer))
            pages.save(as: Self.saved)
            let kept: PaymentMethodID = try Self.id(try await Self.attach(world, customer))
            try await world.detach(failed)
            try await world.work.remove.pass()
            #expect(try await world.removals() == ["succeeded"])
            #expect(pages.forgotten.isEmpty, "the customer still pays with it")
            try await world.detach(kept)
            try await world.work.remove.pass()
            #expect(pages.forgotten.map(\.methodID) == [kept])
        }
    }

    @Test("an unknown provider, a kind it does not keep and contradictions are refused; nothing is stored")
    func refused() async throws {
        try await withPayments(beside: [PagesProvider()]) { world in
            let customer: CustomerID = await world.customer()
            for (provider, type, field) in [
                ("nobody", "sepa_debit", "provider"), ("sandbox", "card", "provider"), ("pages", "klarna", "type"),
                ("pages", "card", "type"),
            ] {
                let body =
                    #"{"customer_id":"\#(customer)","type":"\#(type)","provider":"\#(provider)","token":"pm_1"}"#
                let input: CreatePaymentMethodInput = try world.read(body)
                let problem: Problem? = await #expect(throws: Problem.self) {
                    try await world.work.attach(world.call("/v1/payment_methods", body: body), input)
                }
                #expect(problem?.errors.first?.param == field, "\(provider) \(type)")
            }
            for body in [
                #"{"customer_id":"\#(customer)","type":"card"}"#,
                #"{"customer_id":"\#(customer)","type":"card","provider":"pages"}"#,
                #"{"customer_id":"\#(customer)","type":"sepa_debit","token":"t"}"#,
            ] {
                #expect(throws: InvalidInput.self) { let _: CreatePaymentMethodInput = try world.read(body) }
            }
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
        }
    }
}

extension PaymentWorld {
    /// `POST /v1/payment_methods/{id}/detach`.
    fileprivate func detach(_ id: PaymentMethodID) async throws {
        _ = try await database.transaction { db in try work.remove.detach(id, at: Self.start, in: db) }
    }

    /// The methods that are asked about, where the last look at them was so many seconds ago and the first wait is 6.
    fileprivate func stopped(for seconds: Int) async throws -> [PaymentMethodID] {
        try await execute("UPDATE payment_methods SET stepped_at = now() - make_interval(secs => \(seconds))")
        return try await database.transaction { db in
            try KeptMethodStore.takeStopped(lostSeconds: 6, limit: 10, in: db)
        }
    }

    /// How a method stands, and why it failed.
    fileprivate func standing(_ method: PaymentMethodID) async throws -> [String] {
        try await texts("SELECT concat_ws(' ', status, failure_code) FROM payment_methods WHERE id = \(method)")
    }

    /// How the removals at providers stand.
    fileprivate func removals() async throws -> [String] {
        try await texts("SELECT concat_ws(' ', status, failure_code) FROM method_removals ORDER BY created_at")
    }
}
