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

@Suite("Payments that are recorded first and confirmed later") struct ConfirmingTests {
    /// `POST /v1/payments` with `"confirm": false`.
    private static func record(
        _ world: PaymentWorld, _ customer: CustomerID, _ more: String = "", key: String? = nil,
        price: String = #""amount":1299,"currency":"USD""#
    ) async throws -> PaymentRecord {
        let body = #"{\#(price),"customer_id":"\#(customer)","confirm":false\#(more)}"#
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", key: key, body: body, wait: .seconds(60)), world.read(body))
        #expect(reply.status == 201, "there is nothing to wait for")
        return try await world.payment(world.id(reply))
    }

    /// `POST /v1/payments/{id}/confirm`.
    private static func confirm(
        _ world: PaymentWorld, _ id: PaymentID, _ body: String = "{}", key: String? = nil, wait: Duration = .zero
    ) async throws -> Reply<PaymentResource> {
        try await world.work.confirm(
            world.call("/v1/payments/\(id)/confirm", key: key, body: body, wait: wait), id, world.read(body))
    }

    /// Confirms a payment, and Fraud approves its attempt.
    private static func pay(_ world: PaymentWorld, _ id: PaymentID, _ body: String = "{}") async throws -> PaymentRecord
    {
        #expect(try await confirm(world, id, body).status == 202)
        await world.decide(try await world.payment(id))
        return try await world.settled(id)
    }

    private static func refusal(_ world: PaymentWorld, _ id: PaymentID, _ body: String = "{}") async -> String {
        await world.refusal { try await confirm(world, id, body) }
    }

    @Test(
        "nobody is asked for anything before it is confirmed; who confirms it waits for its outcome, and a repeat is told the same"
    )
    func whole() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let recorded: PaymentRecord = try await Self.record(
                world, customer, #","description":"Two seats","metadata":{"order":"7"}"#)
            #expect(recorded.status == .requiresConfirmation && recorded.attempts == 0)
            #expect(
                recorded.paymentMethodID == nil && recorded.actionExpiresAt == PaymentWorld.start + .seconds(86_400))
            try await world.work.sweep.pass()
            #expect(
                try await world.number(
                    "SELECT count(*) FROM outbox WHERE type LIKE 'payment.%' AND type NOT LIKE 'payment_method%'") == 0)
            #expect(world.provider.charges == 0)
            async let reply = Self.confirm(world, recorded.id, key: "once", wait: .seconds(20))
            try await eventually(within: .seconds(10), "an attempt begins") {
                try await world.published("payment.created.v1") == 1
            }
            let begun: PaymentRecord = try await world.payment(recorded.id)
            #expect(begun.status == .created && begun.attempts == 1 && begun.actionExpiresAt == nil)
            await world.decide(begun)
            let answered: Reply<PaymentResource> = try await reply
            #expect(answered.status == 200)
            let told: JSONValue = try parseJSON(answered.body)
            #expect(told["status"]?.stringValue == "succeeded" && told["attempts"] == 1)
            #expect(told["description"]?.stringValue == "Two seats" && told["metadata"]?["order"]?.stringValue == "7")
            #expect(told["confirmation_expires_at"] == .null)
            let again: Reply<PaymentResource> = try await Self.confirm(world, recorded.id, key: "once")
            #expect(again.isReplay && again.body == answered.body && again.status == 200)
            #expect(world.provider.charges == 1)
            let numbers: [String] = try await world.texts("SELECT number::text FROM payment_attempts")
            #expect(numbers == ["1"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("the method is what the confirmation names, else what it was recorded with, else the default of then")
    func methods() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let without: PaymentRecord = try await Self.record(world, customer)
            #expect(await Self.refusal(world, without.id) == "invalid_request", "there is no default yet")
            #expect(try await world.payment(without.id).status == .requiresConfirmation)
            func attached(_ number: String) async throws -> String {
                try await world.attach(number, to: customer)["id"]?.stringValue ?? ""
            }
            let visa: String = try await attached("4242424242424242")
            let named: PaymentRecord = try await Self.record(world, customer, #","payment_method_id":"\#(visa)""#)
            let overruled: PaymentRecord = try await Self.record(world, customer, #","payment_method_id":"\#(visa)""#)
            #expect(named.paymentMethodID?.rawValue == visa && named.provider != "none")
            let master: String = try await attached("5555555555554444")
            #expect(try await Self.pay(world, without.id).paymentMethodID?.rawValue == master)
            #expect(try await Self.pay(world, named.id).paymentMethodID?.rawValue == visa)
            let third: PaymentRecord = try await Self.pay(
                world, overruled.id, #"{"payment_method_id":"\#(master)"}"#)
            #expect(third.paymentMethodID?.rawValue == master && third.status == .succeeded)
            let stranger: String =
                try await world.attach("4242424242424242", to: world.customer())["id"]?.stringValue ?? ""
            let own: PaymentRecord = try await Self.record(world, customer)
            #expect(await Self.refusal(world, own.id, #"{"payment_method_id":"\#(stranger)"}"#) == "invalid_request")
            await #expect(throws: Problem.self) {
                try await Self.record(world, customer, #","payment_method_id":"\#(stranger)""#)
            }
            #expect(try await world.number("SELECT count(*) FROM payments") == 4)
        }
    }

    @Test("of many confirmations at once one charges it, and the others are told how it stands") func race()
        async throws
    {
        try await withPayments(connections: 8) { world in
            let customer: CustomerID = try await world.payer()
            let payment: PaymentRecord = try await Self.record(world, customer)
            let ends: [String] = await withTaskGroup(of: String.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        do {
                            return String(try await Self.confirm(world, payment.id, key: "k\(number)").status)
                        } catch let problem as any ProblemConvertible { return problem.problem.code } catch {
                            return "\(error)"
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(ends.filter { $0 == "202" }.count == 1)
            #expect(ends.filter { $0 == "payment_state" }.count == 39)
            await world.decide(try await world.payment(payment.id))
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(world.provider.charges == 1)
            #expect(try await world.number("SELECT count(*) FROM payment_attempts") == 1)
            #expect(try await world.published("payment.created.v1") == 1)
            #expect(try await world.number("SELECT count(*) FROM idempotency_keys") == 1, "refused keys are free")
        }
    }

    @Test("repeats of one confirmation at once are answered by its outcome, each") func repeats() async throws {
        try await withPayments(connections: 8) { world in
            let payment: PaymentRecord = try await Self.record(world, try await world.payer())
            async let first = Self.confirm(world, payment.id, key: "once", wait: .seconds(20))
            try await eventually(within: .seconds(10), "an attempt begins") {
                try await world.published("payment.created.v1") == 1
            }
            async let second = Self.confirm(world, payment.id, key: "once", wait: .seconds(20))
            async let other = Self.refusal(world, payment.id)
            #expect(await other == "payment_state", "the first caller waits on")
            await world.decide(try await world.payment(payment.id))
            let (one, two): (Reply<PaymentResource>, Reply<PaymentResource>) = (try await first, try await second)
            #expect(one.status == 200 && two.status == 200 && one.body == two.body)
        }
    }

    @Test("one that is canceled unconfirmed ends without anybody's having heard of it, and does nothing more")
    func canceled() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await Self.record(world, try await world.payer())
            await #expect(throws: (any Error).self) { try await world.capture(payment.id) }
            await #expect(throws: (any Error).self) { try await world.refund(payment.id, nil) }
            #expect(try await world.work.sync(payment.id).payment.status == .requiresConfirmation)
            #expect(try await world.cancel(payment.id).status == .canceled)
            #expect(await Self.refusal(world, payment.id) == "payment_state")
            #expect(try await world.published("payment.canceled.v1") == 0)
            #expect(try await world.number("SELECT count(*) FROM payment_attempts") == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("one that nobody confirms in time, by the business clock, is canceled") func expired() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let left: PaymentRecord = try await Self.record(world, customer)
            let json: JSONValue = try parseJSON(encode(PaymentResource(left)))
            let end: Instant = PaymentWorld.start + .seconds(86_400)
            #expect(json["confirmation_expires_at"]?.stringValue == end.rfc3339)
            world.clock.set(end.adding(.seconds(-1)))
            try await world.work.sweep.pass()
            #expect(try await world.payment(left.id).status == .requiresConfirmation)
            let taken: PaymentRecord = try await Self.record(world, customer)
            _ = try await Self.confirm(world, taken.id)
            world.clock.set(end)
            try await world.work.sweep.pass()
            #expect(try await world.payment(left.id).status == .canceled)
            #expect(try await world.payment(taken.id).status != .canceled, "it was confirmed in time")
            #expect(await Self.refusal(world, left.id) == "payment_state")
        }
    }

    @Test("once its time is over it is not charged, though nobody has canceled it yet") func late() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await Self.record(world, try await world.payer())
            let end: Instant = try #require(payment.actionExpiresAt)
            let call = Call(
                post: "/v1/payments/\(payment.id)/confirm", body: Array("{}".utf8), key: nil, preferWait: .zero,
                now: end,
                receivedAt: PaymentWorld.start)
            let input: ConfirmPaymentInput = try world.read("{}")
            #expect(await world.refusal { try await world.work.confirm(call, payment.id, input) } == "payment_state")
            #expect(try await world.payment(payment.id).attempts == 0)
        }
    }

    @Test("who confirms without a method begins no further attempt at what has failed meanwhile") func overtaken()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let poor: String = try await world.attach("4000000000000002", to: customer)["id"]?.stringValue ?? ""
            try await world.execute("UPDATE payment_methods SET is_default = false")
            let payment: PaymentRecord = try await Self.record(world, customer)
            // There is no default: it is asked again for a moment, as the news of one may be under way.
            async let unnamed = Self.refusal(world, payment.id)
            #expect(try await Self.pay(world, payment.id, #"{"payment_method_id":"\#(poor)"}"#).status == .failed)
            try await world.attach("4242424242424242", to: customer)
            #expect(["payment_state", "invalid_request"].contains(await unnamed))
            #expect(try await world.payment(payment.id).attempts == 1)
        }
    }

    @Test("a wallet's card is taken by the confirmation, not before; one that has grown old is not") func wallet()
        async throws
    {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let card: String = try await world.attachWallet(tokens.token(), to: customer)
            let named = #","payment_method_id":"\#(card)""#
            let left: PaymentRecord = try await Self.record(world, customer, named)
            let paid: PaymentRecord = try await Self.record(world, customer, named)
            #expect(try await Self.pay(world, paid.id).status == .succeeded, "the other one has not taken it")
            #expect(await Self.refusal(world, left.id) == "invalid_request", "it pays once")
            let old: String = try await world.attachWallet(tokens.token(id: "message-2"), to: customer)
            let late: PaymentRecord = try await Self.record(world, customer, #","payment_method_id":"\#(old)""#)
            try await world.execute("UPDATE wallet_credentials SET usable_until = \(PaymentWorld.start)")
            #expect(await Self.refusal(world, late.id) == "invalid_request")
            #expect(try await world.payment(late.id).status == .requiresConfirmation)
            #expect(world.provider.charges == 1)
        }
    }

    @Test(
        "a method that is used on its provider's page is named by the confirmation, and leads back where the payment says"
    )
    func onPage() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            let euros = #""amount":1299,"currency":"EUR""#
            let klarna = #""payment_method_type":"klarna","payer":{"name":"Ada","country":"DE"}"#
            let told: PaymentRecord = try await Self.record(
                world, customer, #","return_url":"https://shop.example/back""#, price: euros)
            let untold: PaymentRecord = try await Self.record(world, customer, price: euros)
            #expect(await Self.refusal(world, untold.id, "{\(klarna)}") == "invalid_request", "nowhere to come back to")
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
            let later = #"{\#(klarna),"return_url":"https://shop.example/later"}"#
            for (id, body, url) in [
                (told.id, "{\(klarna)}", "https://shop.example/back"), (untold.id, later, "https://shop.example/later"),
            ] {
                let waiting: PaymentRecord = try await Self.pay(world, id, body)
                #expect(waiting.status == .requiresAction && waiting.returnURL == url)
                pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_\(id)")))
                #expect(try await world.work.sync(id).payment.status == .succeeded)
            }
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a payment that failed is tried with another method: one payment, one charge") func another() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000000000000002")
            let payment: PaymentRecord = try await Self.record(world, customer)
            let failed: PaymentRecord = try await Self.pay(world, payment.id)
            #expect(failed.status == .failed && failed.attempts == 1)
            #expect(await Self.refusal(world, payment.id) == "payment_state", "the same method has not been seen to")
            let good: String = try await world.attach("4242424242424242", to: customer)["id"]?.stringValue ?? ""
            let named = #"{"payment_method_id":"\#(good)"}"#
            let paid: PaymentRecord = try await Self.pay(world, payment.id, named)
            #expect(paid.status == .succeeded && paid.attempts == 2 && paid.decline == nil)
            #expect(await Self.refusal(world, payment.id, named) == "payment_state")
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what collects an invoice goes by the customer's default method") func ofInvoice() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000000000000002")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            await world.decide(try await world.payment(of: invoice))
            let failed: PaymentRecord = try await world.settled(world.payment(of: invoice).id)
            let good: String = try await world.attach("4242424242424242", to: customer)["id"]?.stringValue ?? ""
            #expect(
                await Self.refusal(world, failed.id, #"{"payment_method_id":"\#(good)"}"#) == "payment_of_invoice")
            #expect(try await world.payment(failed.id).attempts == 1)
        }
    }

    @Test("and so does what collects an instalment") func ofInstalment() async throws {
        try await withInstalments { world in
            let payments: PaymentWorld = world.payments
            let customer: CustomerID = try await payments.payer()
            _ = try await world.running(customer, "pay_in_3", 10_000)
            try await payments.attach(InstalmentWorld.expired, to: customer)
            try await world.go(days: 31)
            let failed: [String] = try await payments.texts("SELECT id FROM payments WHERE status = 'failed'")
            let payment = PaymentID(unchecked: try #require(failed.first))
            let good: String = try await payments.attach(InstalmentWorld.good, to: customer)["id"]?.stringValue ?? ""
            let refused: String = await Self.refusal(payments, payment, #"{"payment_method_id":"\#(good)"}"#)
            #expect(failed.count == 1 && refused == "payment_of_instalment")
            #expect(try await payments.payment(payment).attempts == 1)
        }
    }

    @Test("what is agreed to, and that nobody is there, is said with the confirmation") func agreed() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let first: PaymentRecord = try await Self.pay(
                world, Self.record(world, customer).id, #"{"acceptance":{"type":"offline"}}"#)
            #expect(first.status == .succeeded && first.mandateID != nil && !first.offSession)
            let recorded: PaymentRecord = try await Self.record(world, customer)
            let away = #"{"off_session":true}"#
            let reply: Reply<PaymentResource> = try await Self.confirm(world, recorded.id, away, key: "away")
            await world.decide(try await world.payment(recorded.id))
            let later: PaymentRecord = try await world.settled(recorded.id)
            let again: Reply<PaymentResource> = try await Self.confirm(world, recorded.id, away, key: "away")
            #expect(again.isReplay && again.body == reply.body, "what came of it is told, whatever it is now")
            #expect(await Self.refusal(world, recorded.id, away) == "payment_state")
            #expect(later.status == .succeeded && later.offSession && later.mandateID == first.mandateID)
            #expect(world.provider.asked.map(\.keepsMethod) == [true, false])
        }
    }

    @Test(
        "the sandbox's challenge is answered the same way: passed, the caller waits for the outcome; failed, there is one"
    )
    func challenge() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000002500003155")
            let passed: PaymentRecord = try await Self.pay(world, Self.record(world, customer).id)
            let failed: PaymentRecord = try await Self.pay(world, Self.record(world, customer).id)
            #expect(passed.status == .requiresAction && failed.status == .requiresAction)
            async let reply = Self.confirm(
                world, passed.id, #"{"challenge":"passed"}"#, key: "passed", wait: .seconds(20))
            try await eventually(within: .seconds(10), "another attempt begins") {
                try await world.payment(passed.id).attempts == 2
            }
            await world.decide(try await world.payment(passed.id))
            let answered: Reply<PaymentResource> = try await reply
            #expect(answered.status == 200)
            #expect(try parseJSON(answered.body)["status"]?.stringValue == "succeeded")
            let over: Reply<PaymentResource> = try await Self.confirm(
                world, failed.id, #"{"challenge":"failed"}"#, key: "failed", wait: .seconds(20))
            #expect(over.status == 200)
            #expect(try parseJSON(over.body)["status"]?.stringValue == "failed")
            let again: Reply<PaymentResource> = try await Self.confirm(
                world, failed.id, #"{"challenge":"failed"}"#, key: "failed")
            #expect(again.isReplay && again.body == over.body)
            #expect(
                await Self.refusal(world, failed.id, #"{"return_url":"https://shop.example/"}"#) == "invalid_request")
        }
    }

    @Test("each field that does not fit is named, and nothing is stored") func faults() async throws {
        func named<Input: JSONInput>(_ type: Input.Type, _ body: String) throws -> [String] {
            let json: JSONValue = try parseJSON(body)
            let invalid: InvalidInput? = #expect(throws: InvalidInput.self) { _ = try decode(type, from: json) }
            return invalid?.faults.map(\.param) ?? []
        }
        let customer = CustomerID.new(at: PaymentWorld.start)
        let method = PaymentMethodID.new(at: PaymentWorld.start)
        let start = #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)","confirm":false"#
        let page = #""payment_method_type":"klarna","return_url":"https://shop.example/back""#
        #expect(try named(CreatePaymentInput.self, start + ",\(page)}") == ["payment_method_type"])
        #expect(try named(CreatePaymentInput.self, start + #","off_session":true}"#) == ["off_session"])
        #expect(try named(CreatePaymentInput.self, start + #","acceptance":{"type":"offline"}}"#) == ["acceptance"])
        #expect(try named(CreatePaymentInput.self, start + #","return_url":"ftp://x"}"#) == ["return_url"])
        let both = #""payment_method_id":"\#(method)",\#(page)"#
        #expect(try named(ConfirmPaymentInput.self, "{\(both)}") == ["payment_method_type"])
        #expect(try named(ConfirmPaymentInput.self, #"{"payer":{"country":"DE"}}"#) == ["payer"])
        #expect(
            try named(ConfirmPaymentInput.self, #"{"challenge":"passed","payment_method_id":"\#(method)"}"#)
                == ["payment_method_id"])
        #expect(
            try named(ConfirmPaymentInput.self, #"{"challenge":"passed","off_session":true}"#) == ["off_session"])
        try await withPayments { world in
            let absent = PaymentID.new(at: PaymentWorld.start)
            for body in ["{}", #"{"payment_method_id":"\#(method)"}"#] {
                #expect(await world.refusal { try await Self.confirm(world, absent, body, key: body) } == "not_found")
            }
            let keys: Int = try await world.number("SELECT count(*) FROM idempotency_keys")
            #expect(keys == 0)
        }
    }
}
