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

@Suite("Links over open invoices") struct LinkInvoiceTests {
    /// A visit to a link over an invoice that is open.
    private static func opened(_ world: PaymentWorld) async throws -> (InvoiceID, CustomerID, Visit) {
        let invoice: InvoiceID = try await world.unpaidInvoice()
        let link: JSONValue = try await world.link(over: invoice)
        return (invoice, try await world.payment(of: invoice).customerID, Visit(world.code(link)))
    }

    private static func faults(_ world: PaymentWorld, _ body: String) async -> [String] {
        do {
            let input: CreateLinkInput = try world.read(body)
            let create = CreateLink(pool: world.database, settings: world.linkSettings)
            _ = try await create(world.call("/v1/payment_links", body: body), input)
            return []
        } catch let invalid as InvalidInput {
            return invalid.faults.map { "\($0.param) \($0.code)" }
        } catch let refused as any ProblemConvertible {
            let faults: [String] = refused.problem.errors.map { "\($0.param) \($0.code)" }
            return faults.isEmpty ? [refused.problem.code] : faults
        } catch { return ["\(error)"] }
    }

    @Test("a card pays the invoice's own payment, and the link is completed") func paid() async throws {
        try await withPayments { world in
            let invoice: InvoiceID = try await world.unpaidInvoice()
            let payment: PaymentRecord = try await world.payment(of: invoice)
            let link: JSONValue = try await world.link(over: invoice)
            #expect(link["invoice_id"]?.stringValue == invoice.rawValue)
            #expect(link["amount"]?.intValue == payment.amount.minor)
            #expect(link["customer_id"]?.stringValue == payment.customerID.rawValue)
            #expect(link["description"]?.stringValue == "Invoice INV-000001")
            #expect(link["payment_ids"] == .array([.string(payment.id.rawValue)]))
            let visit = Visit(world.code(link))
            let today = Instant(seconds: PaymentWorld.start.seconds + 10 * 86_400)
            world.clock.set(today)
            let seen: JSONValue = try await world.look(visit)
            #expect(seen["status"]?.stringValue == "active")
            #expect(seen["payment"]?["status"]?.stringValue == "failed")
            #expect(seen["payment"]?["failure"] == .null, "nothing was charged, so nobody has refused anything")
            let settled: PaymentRecord = try await world.payNow(visit)
            #expect(settled.id == payment.id && settled.status == .succeeded && settled.attempts == 2)
            #expect(settled.returnURL == "https://pay.example/pay/\(visit.code)")
            #expect(try await world.status(visit.code) == .completed)
            #expect(
                try await world.look(visit)["payment"]?["created_at"]?.stringValue == today.description,
                "the receipt is of the day it was paid")
            #expect(
                try await world.texts(
                    "SELECT body::jsonb->>'invoice_id' FROM outbox WHERE type = 'payment.succeeded.v1'")
                    == [invoice.rawValue])
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what is paid off session meanwhile is paid: the page shows it, and its card is not charged") func meanwhile()
        async throws
    {
        try await withPayments { world in
            let (invoice, customer, visit) = try await Self.opened(world)
            let card: String = try await world.card(visit)
            try await world.attach("5555555555554444", to: customer)
            await world.deliver([world.due(invoice, customer)])
            let under: JSONValue = try await world.pay(visit, card)
            #expect(under["payment"]?["status"]?.stringValue == "processing")
            await world.decide(try await world.payment(of: invoice))
            let paid: PaymentRecord = try await world.settled(try await world.payment(of: invoice).id)
            #expect(paid.status == .succeeded && paid.paymentMethodID?.rawValue != card)
            let seen: JSONValue = try await world.pay(visit, card)
            #expect(seen["status"]?.stringValue == "completed" && seen["payment"]?["card_last4"] == .null)
            #expect(world.provider.charges == 1)
        }
    }

    @Test("a collection and two links of one invoice that are paid at the same moment begin one attempt") func atOnce()
        async throws
    {
        try await withPayments(connections: 10) { world in
            let invoice: InvoiceID = try await world.unpaidInvoice()
            let customer: CustomerID = try await world.payment(of: invoice).customerID
            var cards: [(Visit, String)] = []
            for _ in 0..<2 {
                let code: String = world.code(try await world.link(over: invoice))
                for _ in 0..<3 {
                    let visit = Visit(code)
                    cards.append((visit, try await world.card(visit)))
                }
            }
            try await world.attach("5555555555554444", to: customer)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (visit, card) in cards { group.addTask { try await world.pay(visit, card) } }
                group.addTask { await world.deliver([world.due(invoice, customer)]) }
                try await group.waitForAll()
            }
            #expect(try await world.number("SELECT count(*) FROM payment_attempts WHERE number > 1") == 1)
            await world.decide(try await world.payment(of: invoice))
            #expect(try await world.settled(try await world.payment(of: invoice).id).status == .succeeded)
            for (visit, _) in cards { #expect(try await world.status(visit.code) == .completed) }
            _ = try await world.link(customer)
            let listed: [InvoiceID?] = try await world.database.transaction(readOnly: true) { db in
                try LinkStore.list(customer: customer, invoice: invoice, after: nil, limit: 5, in: db).map(
                    \.link.invoiceID)
            }
            #expect(listed == [invoice, invoice])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an invoice that is withdrawn can be paid by no link, and a link for it is refused") func withdrawn()
        async throws
    {
        try await withPayments { world in
            let (invoice, customer, visit) = try await Self.opened(world)
            let card: String = try await world.card(visit)
            #expect(try await world.look(visit)["withdrawn"] == .bool(false))
            await world.deliver([world.voided(invoice, customer)])
            #expect(try await world.status(visit.code) == .deactivated)
            #expect(try await world.look(visit)["withdrawn"] == .bool(true))
            #expect(await world.refusal { try await world.pay(visit, card) } == "payment_link_state")
            #expect(await world.refusal { try await world.card(visit) } == "payment_link_state")
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(await Self.faults(world, #"{"invoice_id":"\#(invoice)"}"#) == ["invoice_state"])
        }
    }

    @Test("money that was on its way when the invoice was withdrawn is no receipt: it goes back") func givenBack()
        async throws
    {
        try await withPayments { world in
            let (invoice, customer, visit) = try await Self.opened(world)
            world.provider.turn(.away)
            try await world.pay(visit, try await world.card(visit))
            let payment: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "it is asked in vain") { world.provider.readInVain == 1 }
            await world.deliver([world.voided(invoice, customer)])
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            #expect(try await world.settled(payment.id).status == .succeeded)
            let seen: JSONValue = try await world.look(visit)
            #expect(seen["status"]?.stringValue == "deactivated" && seen["payment"] == .null)
            #expect(await Self.faults(world, #"{"invoice_id":"\#(invoice)"}"#) == ["invoice_state"])
        }
    }

    @Test("who turns back at a provider's page leaves the payment failed, and pays it with a card") func turnedBack()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let invoice: InvoiceID = try await world.unpaidInvoice()
            let id: PaymentID = try await world.payment(of: invoice).id
            try await world.execute("UPDATE customers SET country = 'DE'")
            let visit = Visit(world.code(try await world.link(over: invoice, #","methods":["card","klarna"]"#)))
            try await world.pay(visit, by: "klarna", seen: 1)
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .requiresAction)
            #expect(
                try await world.texts("SELECT return_url FROM payment_methods")
                    == ["https://pay.example/pay/\(visit.code)?payment_id=\(id)"])
            #expect(try await world.look(visit)["payment"]?["cancelable"] == .bool(true))
            try await world.giveUp(visit)
            let left: PaymentRecord = try await world.payment(id)
            #expect(left.status == .failed && left.decline == .holdReleased)
            #expect(try await world.look(visit)["payment"]?["failure"] == .null)
            #expect(try await world.published("payment.canceled.v1") == 0)
            let paid: PaymentRecord = try await world.payNow(visit)
            #expect(paid.id == id && paid.status == .succeeded && paid.attempts == 3)
        }
    }

    @Test("an attempt that was never sent is not given up: it fails by itself after two minutes, and another card pays")
    func unsent() async throws {
        try await withPayments { world in
            let invoice: InvoiceID = try await world.unpaidInvoice()
            let visit = Visit(world.code(try await world.link(over: invoice)))
            try await world.pay(visit, try await world.card(visit))
            let payment: PaymentRecord = try await world.payment(of: invoice)
            world.provider.turn(.unreachable)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "it is known that nothing was sent") {
                try await world.number("SELECT count(*) FROM payment_attempts WHERE unsent") == 1
            }
            #expect(try await world.look(visit)["payment"]?["cancelable"] == .bool(false))
            #expect(await world.refusal { try await world.giveUp(visit) } == "payment_state")
            // Ids of a process never go back in time, and this one's have seen other tests.
            let madeAt: Instant = try #require(payment.attemptID.madeAt)
            world.clock.set(madeAt.adding(.seconds(119)))
            try await world.work.sweep.pass()
            #expect(try await world.payment(of: invoice).status == .processing)
            #expect(try await world.look(visit)["payment"]?["slow"] == .bool(false), "it fails soon")
            world.clock.set(madeAt.adding(.seconds(121)))
            world.provider.turn(.well)
            let asked: Int = world.provider.asked.count
            try await world.work.sweep.pass()
            let failed: PaymentRecord = try await world.payment(of: invoice)
            #expect(failed.status == .failed && failed.declineCode == "processing_error" && failed.attempts == 2)
            #expect(world.provider.asked.count == asked, "the provider is back, and nobody asks it")
            #expect(try await world.published("payment.failed.v1") == 2)
            // So late the cards may be beyond their ends.
            world.clock.set(PaymentWorld.start)
            #expect(try await world.look(visit)["payment"]?["status"]?.stringValue == "failed")
            let paid: PaymentRecord = try await world.payNow(visit, "5555555555554444")
            #expect(paid.id == payment.id && paid.status == .succeeded && paid.attempts == 3)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("bad input is told by field, and nothing is stored") func badInput() async throws {
        try await withPayments { world in
            let invoice: InvoiceID = try await world.unpaidInvoice()
            let own = #""invoice_id":"\#(invoice)""#
            let customer: CustomerID = try await world.payment(of: invoice).customerID
            let cases: [(String, [String])] = [
                ("{}", ["amount required", "currency required", "customer_id required"]),
                (#"{"amount":100,"customer_id":"\#(customer)"}"#, ["currency required"]),
                (
                    #"{\#(own),"amount":100,"currency":"EUR","customer_id":"\#(customer)"}"#,
                    ["amount conflicting_fields", "currency conflicting_fields", "customer_id conflicting_fields"]
                ),
                (#"{\#(own),"max_uses":2}"#, ["max_uses conflicting_fields"]),
                (#"{\#(own),"max_uses":0}"#, ["max_uses conflicting_fields"]),
                (#"{\#(own),"methods":["card","instalments"]}"#, ["methods conflicting_fields"]),
                (#"{"invoice_id":"nonsense"}"#, ["invoice_id invalid_id"]),
                (
                    #"{"invoice_id":"\#(InvoiceID.new(at: PaymentWorld.start))"}"#, ["invoice_id unknown_invoice"]
                ),
                (#"{\#(own),"methods":["sepa_debit"]}"#, ["methods unsupported_method"]),
            ]
            for (body, expected) in cases {
                #expect(await Self.faults(world, body) == expected, "\(body)")
            }
            #expect(try await world.number("SELECT count(*) FROM payment_links") == 0)
            let visit = Visit(world.code(try await world.link(over: invoice, #","max_uses":1"#)))
            try await world.payNow(visit)
            #expect(await Self.faults(world, "{\(own)}") == ["invoice_state"])
        }
    }
}
