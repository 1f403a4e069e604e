import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Coming back to a link from a provider's page, or not") struct LinkReturnTests {
    /// A visit to a new link of a customer in Germany.
    private static func visit(_ world: PaymentWorld, _ more: String = "") async throws -> Visit {
        let customer: CustomerID = await world.customer()
        try await world.execute("UPDATE customers SET country = 'DE' WHERE id = \(customer)")
        return Visit(world.code(try await world.link(customer, #","methods":["card","klarna"]"# + more)))
    }

    /// Chooses Klarna; Fraud lets it pass, and the customer is to go to the provider's page.
    private static func begun(
        _ world: PaymentWorld, _ visit: Visit, seen: Int? = nil
    ) async throws -> PaymentRecord {
        let answer: JSONValue = try await world.pay(visit, by: "klarna", seen: seen)
        let id = PaymentID(unchecked: answer["payment"]?["id"]?.stringValue ?? "")
        await world.decide(try await world.payment(id))
        let payment: PaymentRecord = try await world.settled(id)
        #expect(payment.status == .requiresAction)
        return payment
    }

    /// How the payment that a page shows stands.
    private static func status(_ seen: JSONValue) -> String? { seen["payment"]?["status"]?.stringValue }

    @Test("who comes back in another tab sees the payment they came from, and may only look", arguments: [0, 3])
    func elsewhere(maxUses: Int) async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world, #","max_uses":\#(maxUses)"#)
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            let back: [String] = try await world.texts("SELECT return_url FROM payment_methods")
            #expect(back == ["https://pay.example/pay/\(visit.code)?payment_id=\(waiting.id)"])
            let other = Visit(visit.code)
            let seen: JSONValue = try await world.look(other, cameFrom: waiting.id)
            #expect(seen["payment"]?["id"]?.stringValue == waiting.id.rawValue)
            #expect(seen["payment"]?["next_action"]?["url"]?.stringValue?.hasPrefix("https://pages.example/") == true)
            #expect(seen["payment"]?["method"] == .null && seen["payment"]?["cancelable"] == .bool(false))
            #expect(await world.refusal { try await world.giveUp(other) } == "not_found")
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_1")))
            #expect(try await Self.status(world.look(other, cameFrom: waiting.id)) == "succeeded")
            #expect(try await world.look(Visit(visit.code))["payment"] == .null, "nobody else sees it")
            let strange: Visit = try await Self.visit(world, #","max_uses":0"#)
            #expect(try await world.look(strange, cameFrom: waiting.id)["payment"] == .null, "it is not of that link")
        }
    }

    @Test("after a refusal there, the other tab pays by itself, and the first one's payment is shown no more")
    func refusedElsewhere() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world, #","max_uses":0"#)
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            pages.settle(waiting.attemptID, .declined(ProviderDecline(code: "insufficient_funds")))
            let other = Visit(visit.code)
            #expect(try await Self.status(world.look(other, cameFrom: waiting.id)) == "failed")
            let paid: PaymentRecord = try await world.payNow(other)
            #expect(paid.id != waiting.id && paid.status == .succeeded)
            let seen: JSONValue = try await world.look(other, cameFrom: waiting.id)
            #expect(seen["payment"]?["id"]?.stringValue == paid.id.rawValue)
            #expect(seen["payment"]?["card_last4"]?.stringValue == "4242")
        }
    }

    @Test("another attempt leads back to the same payment, and one in its place is shown for it") func successors()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world, #","max_uses":0"#)
            let first: PaymentRecord = try await Self.begun(world, visit)
            pages.settle(first.attemptID, .declined(ProviderDecline(code: "insufficient_funds")))
            #expect(try await Self.status(world.look(visit)) == "failed")
            #expect(try await Self.begun(world, visit, seen: 1).id == first.id)
            #expect(
                try await world.texts("SELECT DISTINCT return_url FROM payment_methods") == [
                    "https://pay.example/pay/\(visit.code)?payment_id=\(first.id)"
                ])
            try await world.giveUp(visit)
            let paid: PaymentRecord = try await world.payNow(visit)
            let seen: JSONValue = try await world.look(Visit(visit.code), cameFrom: first.id)
            #expect(seen["payment"]?["id"]?.stringValue == paid.id.rawValue && Self.status(seen) == "succeeded")
        }
    }

    @Test("the page asks by the address that the provider leads back to") func address() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world, #","max_uses":0"#)
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            try await world.serving { base in
                let page: LinkPageTests.Answer = try await LinkPageTests.get(
                    base, "/pay/\(visit.code)?payment_id=\(waiting.id)&token=EC-1")
                #expect(page.status == 200)
                let path = "/pay/\(visit.code)/status?session=\(Visit("").session)&payment_id="
                let seen: LinkPageTests.Answer = try await LinkPageTests.get(base, path + waiting.id.rawValue)
                #expect(seen.status == 200 && seen.text.contains(#""status":"requires_action""#))
                #expect(try await LinkPageTests.get(base, path + "pay_1").status == 422)
                let given: LinkPageTests.Answer = try await LinkPageTests.post(
                    base, "/pay/\(visit.code)/cancel", #"{"session":"\#(visit.session)"}"#)
                #expect(given.status == 202 && given.text.contains(#""status":"canceled""#))
            }
        }
    }

    @Test("who turns back gives the payment up and pays in another way, once", arguments: [true, false])
    func turnedBack(byItsVisit: Bool) async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let first: PaymentRecord = try await Self.begun(world, visit)
            let who: Visit = byItsVisit ? visit : Visit(visit.code)
            #expect(try await world.look(who)["payment"]?["cancelable"] == .bool(true))
            for _ in 0..<2 { #expect(try await Self.status(world.giveUp(who)) == "canceled") }
            #expect(try await world.payment(first.id).status == .canceled)
            #expect(try await world.published("payment.canceled.v1") == 1)
            let paid: PaymentRecord = try await world.payNow(who)
            #expect(paid.id != first.id && paid.status == .succeeded)
            #expect(try await world.status(visit.code) == .completed)
            #expect(await world.refusal { try await world.giveUp(who) } == "payment_state")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("who has finished there has paid, whatever they give up afterwards") func finished() async throws {
        let pages = PagesProvider()
        pages.refuseReleases()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_1")))
            #expect(try await Self.status(world.giveUp(visit)) == "processing")
            try await world.pay(visit, try await world.card(visit))
            #expect(try await world.number("SELECT count(*) FROM payment_attempts") == 1, "it may still go through")
            try await world.work.sync(attempt: waiting.attemptID)
            #expect(try await world.look(visit)["status"]?.stringValue == "completed")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("while the provider does not say that it has let go, nothing else begins") func silence() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            pages.goAway(true)
            #expect(try await Self.status(world.giveUp(visit)) == "processing")
            try await world.pay(visit, try await world.card(visit))
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            pages.goAway(false)
            try await world.work.sweep.pass()
            #expect(try await world.payment(waiting.id).status == .canceled)
            #expect(try await world.payNow(visit).status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("only what waits elsewhere is given up on the page") func underWay() async throws {
        try await withPayments { world in
            let visit: Visit = try await Self.visit(world)
            #expect(await world.refusal { try await world.giveUp(visit) } == "not_found")
            let seen: JSONValue = try await world.pay(visit, try await world.card(visit))
            #expect(seen["payment"]?["cancelable"] == .bool(false))
            #expect(await world.refusal { try await world.giveUp(visit) } == "payment_state")
            let challenged: Visit = try await Self.visit(world)
            #expect(try await world.payNow(challenged, "4000002500003155").status == .requiresAction)
            #expect(await world.refusal { try await world.giveUp(challenged) } == "payment_state")
        }
    }
}
