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

@Suite("Links paid on a page of a provider's") struct LinkMethodTests {
    private static let methods = #","methods":["card","klarna","crypto","paypal","sepa_debit","google_pay"]"#

    /// A visit to a new link of a customer in Germany.
    private static func visit(_ world: PaymentWorld, _ more: String = "") async throws -> Visit {
        let customer: CustomerID = await world.customer()
        try await world.execute("UPDATE customers SET country = 'DE' WHERE id = \(customer)")
        return Visit(world.code(try await world.link(customer, methods + more)))
    }

    /// Chooses a way to pay; Fraud lets it pass, and the provider is asked.
    @discardableResult
    private static func begun(
        _ world: PaymentWorld, _ visit: Visit, by type: String = "klarna", seen: Int? = nil
    ) async throws -> PaymentRecord {
        let answer: JSONValue = try await world.pay(visit, by: type, seen: seen)
        let id = PaymentID(unchecked: answer["payment"]?["id"]?.stringValue ?? "")
        await world.decide(try await world.payment(id))
        return try await world.settled(id)
    }

    @Test("the customer is led away, comes back to the link's page, and it is paid once") func redirect() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world, #","metadata":{"order":"7"}"#)
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            let action: JSONValue? = try await world.look(visit)["payment"]?["next_action"]
            #expect(action?["type"]?.stringValue == "redirect")
            #expect(action?["url"]?.stringValue == "https://pages.example/\(waiting.attemptID)")
            #expect(action?["expires_at"]?.stringValue == waiting.actionExpiresAt?.rfc3339)
            let row: [String] = try await world.texts(
                "SELECT return_url || ' ' || (payer->>'country') || ' ' || single_use::text FROM payment_methods")
            #expect(row == ["https://pay.example/pay/\(visit.code)?payment_id=\(waiting.id) DE true"])
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_done")))
            for _ in 0..<3 {
                let seen: JSONValue = try await world.look(visit)
                #expect(seen["payment"]?["status"]?.stringValue == "succeeded")
                #expect(seen["payment"]?["method"]?.stringValue == "klarna")
                #expect(seen["payment"]?["next_action"] == .null)
                #expect(seen["status"]?.stringValue == "completed")
            }
            let paid: PaymentRecord = try await world.payment(waiting.id)
            #expect(paid.amount == Money(minor: 4_900, currency: .eur) && paid.attempts == 1)
            #expect(Metadata.decode(paid.metadata)["order"] == "7")
            #expect(try await world.booked(paid.id) == ["payment"])
            let other: JSONValue = try await world.look(Visit(visit.code))
            #expect(other["payment"]?["status"]?.stringValue == "succeeded")
            #expect(other["payment"]?["method"] == .null, "what it was paid with is nobody else's business")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("who leaves a provider's page keeps the place of a link for several for half an hour") func place()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world, #","max_uses":2"#)
            let others: [Visit] = [Visit(visit.code), Visit(visit.code)]
            try await world.payNow(others[0])
            let left: PaymentRecord = try await Self.begun(world, visit)
            #expect(left.actionExpiresAt == world.clock.now.adding(.seconds(1_800)))
            #expect(await world.refusal { try await world.pay(others[1], by: "klarna") } == "payment_link_reserved")
            world.clock.advance(by: .seconds(1_801))
            try await world.work.sweep.pass()
            #expect(try await world.payment(left.id).declineCode == "action_expired")
            #expect(try await world.look(others[1])["reserved"] == .bool(false))
            #expect(try await world.payNow(others[1]).status == .succeeded)
            #expect(try await world.status(visit.code) == .completed)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("pressing twice, reloading and a late repeat begin one attempt, whatever the second press chooses")
    func twice() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            for _ in 0..<3 { try await world.pay(visit, by: "klarna") }
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            try await world.pay(visit, by: "bitcoin")
            try await world.pay(visit, try await world.card(visit))
            #expect(try await world.payment(waiting.id).attemptID == waiting.attemptID)
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_1")))
            _ = try await world.look(visit)
            for seen: Int in [0, 1, 2] { try await world.pay(visit, by: "klarna", seen: seen) }
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.number("SELECT count(*) FROM payment_attempts") == 1)
            #expect(try await world.number("SELECT count(*) FROM payment_methods WHERE single_use") == 1)
        }
    }

    @Test("eight devices that choose different ways at the same moment make one payment") func twins() async throws {
        try await withPayments(connections: 10, beside: [PagesProvider()]) { world in
            let code: String = try await Self.visit(world).code
            let seen: Set<String> = try await withThrowingTaskGroup(of: String.self) { group in
                for place in 0..<8 {
                    let type: String = place.isMultiple(of: 2) ? "klarna" : "bitcoin"
                    group.addTask {
                        try await world.pay(Visit(code), by: type)["payment"]?["id"]?.stringValue ?? ""
                    }
                }
                return try await group.reduce(into: []) { $0.insert($1) }
            }
            #expect(seen.count == 1)
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.number("SELECT count(*) FROM payment_methods WHERE single_use") == 1)
            #expect(try await world.published("payment.created.v1") == 1)
        }
    }

    @Test("who saw the refusal tries again, in the same way, another or by card; a repeat that did not see it does not")
    func declined() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let first: PaymentRecord = try await Self.begun(world, visit)
            pages.settle(first.attemptID, .declined(ProviderDecline(code: "insufficient_funds")))
            let seen: JSONValue = try await world.look(visit)
            #expect(seen["payment"]?["status"]?.stringValue == "failed")
            #expect(seen["payment"]?["failure"]?["code"]?.stringValue == "insufficient_funds")
            #expect(seen["payment"]?["attempts"] == .number("1"))
            for stale: Int? in [nil, 0, 2] { try await world.pay(visit, by: "klarna", seen: stale) }
            #expect(try await world.payment(first.id).attempts == 1, "these had not seen it")
            let second: PaymentRecord = try await Self.begun(world, visit, seen: 1)
            #expect(second.id == first.id && second.attempts == 2 && second.status == .requiresAction)
            #expect(second.attemptID != first.attemptID && second.paymentMethodID != first.paymentMethodID)
            pages.settle(second.attemptID, .declined(ProviderDecline(code: "insufficient_funds")))
            #expect(try await world.look(visit)["payment"]?["attempts"] == .number("2"))
            let paid: PaymentRecord = try await world.payNow(visit)
            #expect(paid.id == first.id && paid.status == .succeeded && paid.attempts == 3)
            #expect(try await world.look(visit)["payment"]?["card_last4"]?.stringValue == "4242")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a bank that takes its time is waited for, and a customer who does not come back may try again")
    func pendingAndExpired() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            pages.settle(waiting.attemptID, .pending(reference: "pg_bank"))
            #expect(try await world.look(visit)["payment"]?["status"]?.stringValue == "processing")
            try await world.pay(visit, by: "klarna", seen: 1)
            #expect(try await world.payment(waiting.id).attempts == 1)
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_bank")))
            try await world.work.sync(attempt: waiting.attemptID)
            #expect(try await world.look(visit)["status"]?.stringValue == "completed")

            let late: Visit = try await Self.visit(world)
            let left: PaymentRecord = try await Self.begun(world, late)
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 86_401))
            try await world.work.sweep.pass()
            let seen: JSONValue = try await world.look(late)
            #expect(seen["payment"]?["status"]?.stringValue == "failed")
            #expect(seen["payment"]?["failure"]?["decline_class"]?.stringValue == "action")
            #expect(try await Self.begun(world, late, seen: 1).id == left.id)
        }
    }

    @Test("a transfer shows whole coins, the address, a QR image of it, and what is still missing") func transfer()
        async throws
    {
        let pages = PagesProvider()
        func asking(_ amount: String) -> ChargeAnswer {
            .actionRequired(
                reference: "tr_1",
                .transfer(
                    CryptoTransfer(
                        asset: "BTC", address: "bc1qexample", amount: amount,
                        uri: "bitcoin:bc1qexample?amount=\(amount)", expiresAt: PaymentWorld.start)))
        }
        pages.begin(with: asking("155400"))
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let waiting: PaymentRecord = try await Self.begun(world, visit, by: "bitcoin")
            let action: JSONValue? = try await world.look(visit)["payment"]?["next_action"]
            #expect(action?["type"]?.stringValue == "transfer")
            #expect(action?["amount"]?.stringValue == "0.001554")
            #expect(action?["asset"]?.stringValue == "BTC")
            #expect(action?["address"]?.stringValue == "bc1qexample")
            #expect(action?["expires_at"]?.stringValue == PaymentWorld.start.rfc3339)
            let path: String = action?["qr"]?.stringValue ?? ""
            #expect(path == "/pay/\(visit.code)/transfer.svg?session=\(visit.session)")
            try await world.serving { base in
                let image: LinkPageTests.Answer = try await LinkPageTests.get(base, path)
                #expect(image.status == 200 && image["Content-Type"] == "image/svg+xml")
                #expect(image.text.contains("bitcoin:bc1qexample?amount=155400"))
                #expect(image["Cache-Control"] == "no-store")
            }
            pages.settle(waiting.attemptID, asking("400"))
            #expect(try await world.look(visit)["payment"]?["next_action"]?["amount"]?.stringValue == "0.000004")
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "tr_1")))
            #expect(try await world.look(visit)["payment"]?["status"]?.stringValue == "succeeded")
            try await world.serving { base in
                let gone: LinkPageTests.Answer = try await LinkPageTests.get(base, path)
                #expect(gone.status == 404)
            }
        }
    }

    @Test("once enough is on its way the page shows nothing that a wallet could pay once more")
    func enoughOnItsWay() async throws {
        let pages = PagesProvider()
        pages.begin(
            with: .actionRequired(
                reference: "tr_1",
                .transfer(
                    CryptoTransfer(
                        asset: "BTC", address: "bc1qexample", amount: "0", uri: "bitcoin:bc1qexample",
                        expiresAt: PaymentWorld.start))))
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            try await Self.begun(world, visit, by: "bitcoin")
            let action: JSONValue? = try await world.look(visit)["payment"]?["next_action"]
            #expect(action?["type"]?.stringValue == "transfer")
            #expect(action?["amount"]?.stringValue == "0")
            #expect(action?["uri"] == .null && action?["qr"] == .null)
            try await world.serving { base in
                let image: LinkPageTests.Answer = try await LinkPageTests.get(
                    base, "/pay/\(visit.code)/transfer.svg?session=\(visit.session)")
                #expect(image.status == 404)
            }
        }
    }

    @Test("a page that is looked at all the time asks the provider now and then, and a provider away hides nothing")
    func pace() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let waiting: PaymentRecord = try await Self.begun(world, visit)
            let calm = PayLink(
                pool: world.database, work: world.work, settings: world.linkSettings, limits: VisitLimits(),
                pause: .seconds(600))
            let asked: Int = pages.asked
            for _ in 0..<5 { _ = try await world.look(visit, calm) }
            #expect(pages.asked == asked + 1)
            pages.goAway(true)
            #expect(try await world.look(visit)["payment"]?["status"]?.stringValue == "requires_action")
            pages.goAway(false)
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_1")))
            #expect(try await world.look(visit)["status"]?.stringValue == "completed")
        }
    }

    @Test("what a page does not offer is refused, and so is a payer whose country no provider serves")
    func refused() async throws {
        try await withPayments(beside: [PagesProvider()]) { world in
            let visit: Visit = try await Self.visit(world)
            for type: String in ["paypal", "sepa_debit", "google_pay", "crypto", "card", "klarna "] {
                let code: String = await world.refusal { try await world.pay(visit, by: type) }
                #expect(code == "unsupported_method", "\(type)")
            }
            let abroad: String = await world.refusal {
                try await world.pay(visit, by: "klarna", payer: #"{"country":"FR"}"#)
            }
            #expect(abroad == "unsupported_method")
            let only: Visit = Visit(world.code(try await world.link(await world.customer(), #","methods":["card"]"#)))
            #expect(await world.refusal { try await world.pay(only, by: "klarna") } == "unsupported_method")
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
            let bodies: [(String, [String])] = [
                ("", ["payment_method_id"]), (#","method":{"type":"klarna","payer":{}}"#, ["method.payer.country"]),
                (#","method":{"type":""}"#, ["method.type"]),
                (#","method":{"type":"klarna"},"payment_method_id":"\#(PaymentMethodID.sample)""#, ["method"]),
            ]
            for (more, fields) in bodies {
                let faults: InvalidInput? = #expect(throws: InvalidInput.self) {
                    let _: PayLinkInput = try world.read(#"{"session":"\#(visit.session)"\#(more)}"#)
                }
                #expect(faults?.faults.map(\.param) == fields)
            }
        }
    }
}
