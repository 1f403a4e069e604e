import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Payment links") struct LinkTests {
    @Test("a link is paid: one payment of its amount for its customer, and it is completed") func paid() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let link: JSONValue = try await world.link(customer, #","description":"Headset","metadata":{"order":"7"}"#)
            #expect(link["url"]?.stringValue == "https://pay.example/pay/\(world.code(link))")
            #expect(link["status"]?.stringValue == "active")
            let payment: PaymentRecord = try await world.payNow(Visit(world.code(link)))
            #expect(payment.status == .succeeded)
            #expect(payment.amount == Money(minor: 4_900, currency: .eur))
            #expect(payment.customerID == customer)
            #expect(payment.description == "Headset")
            #expect(Metadata.decode(payment.metadata)["order"] == "7")
            #expect(Metadata.decode(payment.metadata)["payment_link_id"] == link["id"]?.stringValue)
            #expect(try await world.status(world.code(link)) == .completed)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("pressing twice, reloading and a late repeat charge once") func twice() async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let method: String = try await world.card(visit)
            for _ in 0..<3 { try await world.pay(visit, method) }
            let id = PaymentID(unchecked: try await world.texts("SELECT id FROM payments")[0])
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .succeeded)
            let seen: JSONValue = try await world.pay(visit, method)
            #expect(seen["payment"]?["status"]?.stringValue == "succeeded")
            #expect(seen["status"]?.stringValue == "completed")
            #expect(try await world.number("SELECT count(*) FROM payment_attempts") == 1)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 1)
        }
    }

    @Test("eight devices that pay a link at the same moment make one payment") func twins() async throws {
        try await withPayments(connections: 10) { world in
            let code: String = world.code(try await world.link(await world.customer()))
            var cards: [(Visit, String)] = []
            for _ in 0..<8 {
                let visit = Visit(code)
                cards.append((visit, try await world.card(visit)))
            }
            let seen: Set<String> = try await withThrowingTaskGroup(of: String.self) { group in
                for (visit, method) in cards {
                    group.addTask { try await world.pay(visit, method)["payment"]?["id"]?.stringValue ?? "" }
                }
                return try await group.reduce(into: []) { $0.insert($1) }
            }
            #expect(seen.count == 1)
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.number("SELECT count(*) FROM payment_attempts") == 1)
            #expect(try await world.published("payment.created.v1") == 1)
        }
    }

    @Test("after a refusal another card tries the same payment again; the same card does not") func again() async throws
    {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let bad: String = try await world.card(visit, "4000000000009995")
            let id = PaymentID(unchecked: try await world.pay(visit, bad)["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .failed)
            let seen: JSONValue = try await world.pay(visit, bad)
            #expect(seen["payment"]?["failure"]?["code"]?.stringValue == "insufficient_funds")
            #expect(try await world.payment(id).attempts == 1)
            #expect(try await world.payNow(visit, "4000000000009995").attempts == 2)
            try await world.pay(visit, bad)
            let twice: PaymentRecord = try await world.payment(id)
            #expect(twice.status == .failed && twice.attempts == 2, "the first card has had its attempt")
            #expect(world.provider.charges == 2)
            let payment: PaymentRecord = try await world.payNow(visit)
            #expect(payment.id == id)
            #expect(payment.status == .succeeded)
            #expect(payment.attempts == 3)
        }
    }

    @Test("a challenge is answered on the page") func challenge() async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let waiting: PaymentRecord = try await world.payNow(visit, "4000002500003155")
            #expect(waiting.status == .requiresAction)
            try await world.answerChallenge(visit, "passed")
            await world.decide(try await world.payment(waiting.id))
            #expect(try await world.settled(waiting.id).status == .succeeded)
            #expect(await world.refusal { try await world.answerChallenge(visit, "passed") } == "payment_state")
        }
    }

    @Test("a link for two payments takes two visits, not three, and a refused one leaves its place") func several()
        async throws
    {
        try await withPayments { world in
            let code: String = world.code(try await world.link(await world.customer(), #","max_uses":2"#))
            try await world.payNow(Visit(code))
            let late = Visit(code)
            let held: String = try await world.card(late)
            let unlucky = Visit(code)
            #expect(try await world.payNow(unlucky, "4000000000009995").status == .failed)
            try await world.payNow(Visit(code))
            #expect(try await world.status(code) == .completed)
            #expect(await world.refusal { try await world.pay(late, held) } == "payment_link_state")
            #expect(await world.refusal { try await world.card(unlucky) } == "payment_link_state")
            #expect(try await world.violations().isEmpty)
        }
    }

    /// Pays with a card; the money is held until a person has looked at the payment.
    private func held(_ world: PaymentWorld, _ visit: Visit) async throws -> PaymentID {
        let seen: JSONValue = try await world.pay(visit, try await world.card(visit))
        let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
        try await world.execute(
            """
            UPDATE payments SET capture_method = 'manual', review_status = 'pending', review_captures = true
            WHERE id = \(id)
            """)
        await world.decide(try await world.payment(id), "review")
        #expect(try await world.settled(id).status == .authorized)
        return id
    }

    @Test(
        "money that is held for a person to look at has not paid the link, and nobody pays beside it",
        arguments: ["approve", "decline"])
    func held(decision: String) async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let id: PaymentID = try await held(world, visit)
            let seen: JSONValue = try await world.look(visit)
            #expect(seen["status"]?.stringValue == "active")
            #expect(seen["payment"]?["status"]?.stringValue == "processing")
            #expect(seen["payment"]?["held"] == .bool(true))
            for visitor in [visit, Visit(visit.code)] { try await world.pay(visitor, try await world.card(visitor)) }
            #expect(try await world.number("SELECT count(*) FROM payment_attempts") == 1)

            let body = #"{"decision":"\#(decision)"}"#
            _ = try await world.work.review(
                world.call("/v1/payments/\(id)/review", body: body), id, world.read(body))
            let after: JSONValue = try await world.look(visit)
            let isApproved: Bool = decision == "approve"
            #expect(after["status"]?.stringValue == (isApproved ? "completed" : "active"))
            #expect(after["payment"]?["status"]?.stringValue == (isApproved ? "succeeded" : "canceled"))
            #expect(after["payment"]?["held"] == .bool(false))
            if !isApproved {
                let paid: PaymentRecord = try await world.payNow(visit)
                #expect(paid.status == .succeeded && paid.id != id)
            }
            #expect(try await world.status(visit.code) == .completed)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a payment whose money is held has its place among those of a link for several") func heldPlace() async throws
    {
        try await withPayments { world in
            let code: String = world.code(try await world.link(await world.customer(), #","max_uses":2"#))
            try await world.payNow(Visit(code))
            _ = try await held(world, Visit(code))
            #expect(try await world.status(code) == .active)
            let late = Visit(code)
            #expect(try await world.look(late)["reserved"] == .bool(true), "no card is to be asked for")
            let card: String = try await world.card(late)
            #expect(await world.refusal { try await world.pay(late, card) } == "payment_link_reserved")
            #expect(try await world.number("SELECT count(*) FROM payments") == 2)
        }
    }

    @Test("only cards given on this page in this visit can pay") func strangers() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let stored: String = try await world.attach("4242424242424242", to: customer)["id"]?.stringValue ?? ""
            let visit = Visit(world.code(try await world.link(customer)))
            let others: String = try await world.card(Visit(visit.code))
            let elsewhere: String = try await world.card(Visit(world.code(try await world.link(customer))))
            for method in [stored, others, elsewhere] {
                #expect(await world.refusal { try await world.pay(visit, method) } == "invalid_request")
            }
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            #expect(try await world.number("SELECT count(*) FROM payment_methods WHERE is_default") == 1)
        }
    }

    @Test("nothing new is paid once a link has expired or is switched off") func over() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let end: String = PaymentWorld.start.adding(.seconds(60)).rfc3339
            let visit = Visit(world.code(try await world.link(customer, #","expires_at":"\#(end)""#)))
            let method: String = try await world.card(visit)
            world.clock.advance(by: .seconds(60))
            #expect(try await world.status(visit.code) == .expired)
            #expect(await world.refusal { try await world.pay(visit, method) } == "payment_link_state")

            let off = Visit(world.code(try await world.link(customer)))
            let begun: JSONValue = try await world.pay(off, try await world.card(off))
            let link: LinkStanding = try await world.standing(off.code)
            try await world.database.transaction { db in
                try LinkStore.deactivate(link.link.id, at: PaymentWorld.start, in: db)
            }
            #expect(await world.refusal { try await world.card(off) } == "payment_link_state")
            let id = PaymentID(unchecked: begun["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .succeeded, "what was under way goes on")
        }
    }

    @Test("a cancelled payment makes room for a new one") func canceled() async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let first: PaymentRecord = try await world.payNow(visit, "4000000000009995")
            try await world.cancel(first.id)
            let second: PaymentRecord = try await world.payNow(visit)
            #expect(second.id != first.id)
            #expect(second.status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a card number is in no row of any table") func secrecy() async throws {
        try await withPayments { world in
            for number in ["4242424242424242", "4000000000009995", "4000002500003155"] {
                let visit = Visit(world.code(try await world.link(await world.customer())))
                try await world.payNow(visit, number)
                let tables: [String] = try await world.texts(
                    "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
                for table in tables {
                    let query = SQL(stringLiteral: "SELECT t::text FROM \"\(table)\" t")
                    let rows: [String] = try await world.texts(query)
                    #expect(!rows.contains { $0.contains(number) }, "\(table)")
                }
            }
        }
    }

    @Test("a link takes so many cards an hour and no more") func testing() async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            for _ in 0..<LinkUseStore.methodsPerHour { _ = try await world.card(visit) }
            #expect(await world.refusal { try await world.card(visit) } == "rate_limited")
            // Ten minutes after the first of them, which are to be an hour old.
            try await world.execute("UPDATE payment_link_cards SET stored_at = stored_at - interval '10 minutes'")
            let problem: Problem? = await #expect(throws: Problem.self) { try await world.card(visit) }
            let wait: Int? = problem?.headers.first { $0.name == "Retry-After" }.flatMap { Int($0.value) }
            #expect(wait.map { (2_900...3_000).contains($0) } == true)
            try await world.execute("UPDATE payment_link_cards SET stored_at = stored_at - interval '50 minutes'")
            #expect(try await world.card(visit).hasPrefix("pm_"))
        }
    }

    @Test("on a link for several nobody shuts others out, whatever they call their visits, and who pays does not count")
    func tryingBesideOthers() async throws {
        try await withPayments { world in
            let code: String = world.code(try await world.link(await world.customer(), #","max_uses":0"#))
            let thief = Visit(code)
            for _ in 0..<LinkUseStore.methodsPerHour { _ = try await world.card(thief) }
            #expect(await world.refusal { try await world.card(thief) } == "rate_limited")
            #expect(await world.refusal { try await world.card(Visit(code)) } == "rate_limited")
            try await world.execute("UPDATE payment_link_cards SET visitor = 'of another address'")
            #expect(await world.refusal { try await world.card(thief) } == "rate_limited")
            for _ in 0...LinkUseStore.methodsPerHour {
                #expect(try await world.payNow(Visit(code)).status == .succeeded)
            }
            try await world.execute(
                """
                INSERT INTO payment_link_cards (payment_method_id, link_id, session, visitor)
                SELECT 'pm_' || n, link_id, 'session' || n, 'visitor' || n
                FROM generate_series(1, \(LinkUseStore.unpaidMethodsPerHour)::int) n,
                    (SELECT DISTINCT link_id FROM payment_link_cards) l
                """)
            #expect(try await world.card(Visit(code)).hasPrefix("pm_"), "one more for each that paid")
            try await world.execute("DELETE FROM payment_link_payments")
            try await world.execute("UPDATE payment_link_cards SET visitor = 'of another address'")
            #expect(await world.refusal { try await world.card(Visit(code)) } == "rate_limited")
        }
    }

    @Test("the same request under the same key makes one link") func repeated() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let first: JSONValue = try await world.link(customer, key: "k1")
            let second: JSONValue = try await world.link(customer, key: "k1")
            #expect(first == second)
            #expect(try await world.number("SELECT count(*) FROM payment_links") == 1)
        }
    }

    @Test("a request that is repeated once its link has expired is given its first answer") func repeatedLate()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let end: String = PaymentWorld.start.adding(.seconds(60)).rfc3339
            let more = #","expires_at":"\#(end)""#
            let first: JSONValue = try await world.link(customer, more, key: "k1")
            let body = #"{"amount":4900,"currency":"EUR","customer_id":"\#(customer)"\#(more)}"#
            let create = CreateLink(pool: world.database, settings: world.linkSettings())
            func late(_ key: String) async throws -> Reply<LinkResource> {
                let call = Call(
                    post: "/v1/payment_links", body: Array(body.utf8), key: IdempotencyKey(key), preferWait: .zero,
                    now: PaymentWorld.start.adding(.seconds(120)), receivedAt: PaymentWorld.start)
                return try await create(call, world.read(body))
            }
            let again: Reply<LinkResource> = try await late("k1")
            #expect(again.status == 201)
            #expect(try parseJSON(again.body) == first)
            #expect(await world.refusal { try await late("k2") } == "invalid_request")
            #expect(try await world.number("SELECT count(*) FROM payment_links") == 1)
            #expect(
                try await world.number("SELECT count(*) FROM idempotency_keys") == 1, "a refused request frees its key")
        }
    }

    @Test(
        "a fault of a new link is named and nothing is stored",
        arguments: [
            (#","methods":[]"#, "methods"), (#","methods":["cash"]"#, "methods[0]"),
            (#","methods":["paypal"]"#, "methods"), (#","methods":["card","crypto","card"]"#, "methods"),
            (#","brand":{"logo_url":"https://shop.example/l.png"}"#, "brand.name"),
            (#","brand":{"logo_url":"http://shop.example/l.png"}"#, "brand.logo_url"),
            (#","brand":{"logo_url":"javascript:alert(1)"}"#, "brand.logo_url"),
            (#","brand":{"accent_color":"red"}"#, "brand.accent_color"),
            (##","brand":{"accent_color":"#fff;}body{display:none"}"##, "brand.accent_color"),
            (#","language":"tlh""#, "language"), (#","success_url":"http://shop.example""#, "success_url"),
            (#","success_url":"https://user@shop.example/""#, "success_url"),
            (#","cancel_url":"data:text/html,x""#, "cancel_url"), (#","max_uses":-1"#, "max_uses"),
            (#","expires_at":"2001-01-01T00:00:00Z""#, "expires_at"), (#","colour":1"#, "colour"),
        ])
    func faults(more: String, param: String) async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            do {
                _ = try await world.link(customer, more)
                Issue.record("accepted: \(more)")
            } catch let problem as Problem {
                #expect(problem.errors.map(\.param) == [param])
            } catch let invalid as InvalidInput {
                #expect(invalid.faults.map(\.param) == [param])
            }
            #expect(try await world.number("SELECT count(*) FROM payment_links") == 0)
        }
    }

    @Test("a link for nobody is refused") func nobody() async throws {
        try await withPayments { world in
            #expect(await world.refusal { try await world.link(.new(at: PaymentWorld.start)) } == "invalid_request")
        }
    }
}
