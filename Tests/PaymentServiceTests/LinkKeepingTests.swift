import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("Links whose customers agree to later charges") struct LinkKeepingTests {
    private static let agreement = #","agreement":{"accepted":true,"language":"de"}"#

    /// A provider with a form for cards.
    private static func provider() -> PagesProvider {
        PagesProvider(
            cardForm: CardForm(
                name: "stripe", key: "pk_test_1", script: "https://js.pages.example/v3/", scripts: [], frames: [],
                asks: []),
            methods: [
                ProviderCapabilities.Method(
                    type: "card", separateCapture: true, partialCapture: true, multipleCapture: false,
                    partialRefund: true, offSession: true, tokenOnly: true)
            ])
    }

    /// What the form gave, and was handed over.
    private static func hand(
        _ world: PaymentWorld, _ pages: PagesProvider, _ visit: Visit, keep: Bool
    ) async throws -> String {
        pages.enter(
            EnteredCard(
                token: "pm_1", customer: nil,
                card: VaultedCard(brand: "visa", last4: "4242", expMonth: 4, expYear: 2040), fingerprint: "fp_1"))
        let body = #"{"session":"\#(visit.session)","form":{"token":"pm_1","keep":\#(keep)}}"#
        let reply: Reply<LinkCardResource> = try await world.payLink.keep(
            world.page(visit, "card", body), world.read(body))
        return try parseJSON(reply.body)["payment_method_id"]?.stringValue ?? ""
    }

    /// Pays under the agreement, as far as the sweeper has to do with it.
    private static func paid(
        _ world: PaymentWorld, _ visit: Visit, _ card: String, _ agreement: String = agreement
    ) async throws -> PaymentRecord {
        let seen: JSONValue = try await world.pay(visit, card, agreement)
        let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
        await world.decide(try await world.payment(id))
        let payment: PaymentRecord = try await world.settled(id)
        // Nothing else that waits is moved on by this.
        let keeping: [Look] = world.work.sweep.looks.filter { $0.name == "sweep: agreed methods" }
        #expect(keeping.count == 1)
        try await Looks(keeping, world.database).pass()
        return payment
    }

    private static func methods(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts(
            """
            SELECT CASE WHEN single_use THEN 'once' WHEN is_default THEN 'default' ELSE 'kept' END
                || CASE WHEN mandate_id IS NULL THEN '' ELSE ', agreed' END
            FROM payment_methods ORDER BY id
            """)
    }

    @Test("who signs up on a page has the card that pays kept, and what is due next is charged to it") func signUp()
        async throws
    {
        let pages: PagesProvider = Self.provider()
        pages.begin(with: .captured(ProviderCharge(reference: "pi_1", networkTransactionID: "nti_1")))
        try await withPayments(beside: [pages]) { world in
            let invoice: InvoiceID = try await world.unpaidInvoice()
            let customer: CustomerID = try await world.payment(of: invoice).customerID
            let link: JSONValue = try await world.link(over: invoice)
            #expect(link["keep_method"]?.stringValue == "always")
            let visit = Visit(world.code(link))
            let card: String = try await Self.hand(world, pages, visit, keep: true)
            #expect(try await Self.methods(world) == ["once"])
            #expect(try await Self.paid(world, visit, card).status == .succeeded)
            #expect(try await Self.methods(world) == ["default, agreed"])
            let told: [String] = try await world.texts(
                """
                SELECT (body::jsonb->>'is_default') || ' ' || (body::jsonb->>'is_for_later') FROM outbox
                WHERE type = 'payment_method.attached.v1'
                """)
            #expect(told == ["true true"])
            let agreed: [String] = try await world.texts(
                """
                SELECT wording || ' ' || language || ' ' || (ip_address <> '') || ' ' || (user_agent <> '')
                FROM payment_link_agreements WHERE payment_method_id = \(card)
                """)
            #expect(agreed == ["later-charges-1 de true true"])
            let next = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(next, customer)])
            await world.decide(try await world.payment(of: next))
            #expect(try await world.settled(try await world.payment(of: next).id).status == .succeeded)
            let charges: [ChargeRequest] = pages.charges
            #expect(charges.map(\.keepsMethod) == [true, false])
            #expect(charges.map(\.initiation) == [.customer, .merchant(networkTransactionID: "nti_1")])
            #expect(charges[1].mandate?.hasPrefix("mdt_") == true)
            #expect(
                charges.map(\.source).allSatisfy { $0 == .stored(token: "pm_1", providerCustomer: "cus_\(customer)") })
            try await world.work.sweep.pass()
            #expect(
                try await world.number("SELECT count(*) FROM outbox WHERE type = 'payment_method.attached.v1'") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a kept card whose bank asks for its customer is tried once more with them, as any other is") func stepUp()
        async throws
    {
        let pages: PagesProvider = Self.provider()
        pages.begin(with: .captured(ProviderCharge(reference: "pi_1")))
        try await withPayments(beside: [pages]) { world in
            let visit = Visit(world.code(try await world.link(over: try await world.unpaidInvoice())))
            let card: String = try await Self.hand(world, pages, visit, keep: true)
            let customer: CustomerID = try await Self.paid(world, visit, card).customerID
            pages.begin(with: .declined(ProviderDecline(code: "authentication_required")))
            let payment: PaymentRecord = try await world.created(customer)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).decline != nil)
            #expect(pages.charges.suffix(2).map(\.stepUp) == [false, true])
        }
    }

    @Test(
        "a method that is still to be kept, and came after the agreement, becomes the default all the same; one before not"
    )
    func wishes() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let visit = Visit(world.code(try await world.link(customer, #","keep_method":"always""#)))
            world.clock.advance(by: .seconds(60))
            let card: String = try await world.card(visit)
            let payment: JSONValue = try await world.pay(visit, card, Self.agreement)
            for (id, hours) in [("pm_before", -1), ("pm_after", 1)] {
                try await world.execute(
                    """
                    INSERT INTO payment_methods SELECT (m).* FROM (
                        SELECT jsonb_populate_record(m, jsonb_build_object('id', \(id)::text, 'status', 'pending',
                            'wants_default', true, 'created_at',
                            \(world.clock.now)::timestamptz + make_interval(hours => \(hours)))) AS m
                        FROM payment_methods m WHERE m.id = \(card)) AS copies
                    """)
            }
            let id = PaymentID(unchecked: payment["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .succeeded)
            let due: [AgreedMethod] = try await world.database.transaction { db in
                try PageAgreementStore.due(limit: 5, in: db)
            }
            #expect(due.map(\.methodID.rawValue) == [card])
            try await world.work.sweep.pass()
            #expect(try await world.texts("SELECT id FROM payment_methods WHERE is_default") == [card])
            #expect(
                try await world.texts("SELECT id FROM payment_methods WHERE wants_default ORDER BY id") == ["pm_after"])
        }
    }

    @Test(
        "what is owed under a plan is not collected by that, nor what is being tried meanwhile; by another default it is",
        arguments: [false, true])
    func besidePlan(isUnderWay: Bool) async throws {
        try await withInstalments { world in
            let payments: PaymentWorld = world.payments
            let customer: CustomerID = await payments.customer()
            let named: String = try #require(
                try await payments.attach(InstalmentWorld.good, to: customer)["id"]?.stringValue)
            let plan: InstalmentPlanID = try world.id(
                try await world.agree(customer, "pay_in_4", 40_000, method: named))
            try await world.rest()
            func refuse() async throws {
                payments.provider.refuse(with: ProviderDecline(code: "expired_card"))
                try await world.rest()
                payments.provider.refuse(with: nil)
            }
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 14))
            #expect(try await world.runDue() == 1)
            if !isUnderWay { try await refuse() }
            let visit = Visit(payments.code(try await payments.link(customer, #","keep_method":"always""#)))
            let card: String = try await payments.card(visit, "5555555555554444")
            #expect(try await Self.paid(payments, visit, card).status == .succeeded)
            #expect(try await payments.texts("SELECT id FROM payment_methods WHERE is_default") == [card])
            if isUnderWay { try await refuse() }
            try await world.rest()
            let tried: [String] = try await payments.texts(
                "SELECT payment_method_id || ' ' || attempts || ' ' || status FROM payments WHERE off_session")
            #expect(tried == ["\(named) 1 failed"])
            #expect(try await world.read(plan)["payment_method_id"]?.stringValue == named)
            if isUnderWay {
                try await payments.attach(InstalmentWorld.good, to: customer)
            } else {
                // The same one, by a word of its own.
                let method: PaymentMethodRecord = try await payments.database.transaction { db in
                    try MakeMethodDefault()(PaymentMethodID(unchecked: card), at: payments.clock.now, in: db)
                }
                #expect(method.isDefault)
            }
            try await world.rest()
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a declined card is kept for nothing; the next one's own agreement counts") func declined() async throws {
        try await withPayments { world in
            let invoice: InvoiceID = try await world.unpaidInvoice()
            let visit = Visit(world.code(try await world.link(over: invoice)))
            world.provider.refuse(with: ProviderDecline(code: "insufficient_funds"))
            let first: String = try await world.card(visit)
            #expect(try await Self.paid(world, visit, first).status == .failed)
            #expect(try await Self.methods(world) == ["kept, agreed"])
            world.provider.refuse(with: nil)
            let second: String = try await world.card(visit, "5555555555554444")
            #expect(try await Self.paid(world, visit, second, "").status == .succeeded)
            #expect(try await Self.methods(world) == ["kept, agreed", "kept"])
            #expect(try await world.number("SELECT count(*) FROM payments WHERE keeps_method") == 0)
            #expect(try await world.number("SELECT count(*) FROM payment_methods WHERE is_default") == 0)
        }
    }

    @Test("where there is a default already the page offers it, and a default of after the agreement stays")
    func offered() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            try await world.attach("5555555555554444", to: customer)
            world.provider.refuse(with: ProviderDecline(code: "insufficient_funds"))
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            await world.decide(try await world.payment(of: invoice))
            #expect(try await world.settled(try await world.payment(of: invoice).id).status == .failed)
            world.provider.refuse(with: nil)
            let link: JSONValue = try await world.link(over: invoice)
            #expect(link["keep_method"]?.stringValue == "offered")
            let visit = Visit(world.code(link))
            world.clock.advance(by: .seconds(60))
            let card: String = try await world.card(visit)
            #expect(try await Self.paid(world, visit, card).status == .succeeded)
            #expect(try await world.texts("SELECT id FROM payment_methods WHERE is_default") == [card])
            let other = Visit(world.code(try await world.link(customer, #","keep_method":"always""#)))
            world.clock.advance(by: .seconds(60))
            let seen: JSONValue = try await world.pay(other, try await world.card(other), Self.agreement)
            world.clock.advance(by: .seconds(60))
            let last: String = try await world.attach("5555555555554444", to: customer)["id"]?.stringValue ?? ""
            try await world.execute("UPDATE payment_methods SET default_since = \(world.clock.now) WHERE id = \(last)")
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .succeeded)
            try await world.work.sweep.pass()
            #expect(try await world.texts("SELECT id FROM payment_methods WHERE is_default") == [last])
            #expect(try await world.number("SELECT count(*) FROM payment_link_agreements WHERE kept_at IS NULL") == 0)
        }
    }

    @Test("of two agreements the later one counts, whichever payment went through last", arguments: [[0, 1], [1, 0]])
    func lastWord(order: [Int]) async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            var cards: [String] = []
            var payments: [PaymentID] = []
            for number in ["4242424242424242", "5555555555554444"] {
                let visit = Visit(world.code(try await world.link(customer, #","keep_method":"always""#)))
                world.clock.advance(by: .seconds(20))
                cards.append(try await world.card(visit, number))
                let seen: JSONValue = try await world.pay(visit, cards[cards.count - 1], Self.agreement)
                payments.append(PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? ""))
            }
            for index in order {
                world.clock.advance(by: .seconds(20))
                await world.decide(try await world.payment(payments[index]))
                #expect(try await world.settled(payments[index]).status == .succeeded)
                try await world.work.sweep.pass()
            }
            #expect(try await world.texts("SELECT id FROM payment_methods WHERE is_default") == [cards[1]])
        }
    }

    @Test(
        "money that is held until a person has looked keeps the card once that person lets it pass",
        arguments: ["approve", "decline"])
    func held(decision: String) async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer(), #","keep_method":"always""#)))
            let seen: JSONValue = try await world.pay(visit, try await world.card(visit), Self.agreement)
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            try await world.execute(
                """
                UPDATE payments SET capture_method = 'manual', review_status = 'pending', review_captures = true
                WHERE id = \(id)
                """)
            await world.decide(try await world.payment(id), "review")
            #expect(try await world.settled(id).status == .authorized)
            try await world.work.sweep.pass()
            #expect(try await Self.methods(world) == ["kept, agreed"])
            let body = #"{"decision":"\#(decision)"}"#
            _ = try await world.work.review(
                world.call("/v1/payments/\(id)/review", body: body), id, world.read(body))
            try await world.work.sweep.pass()
            #expect(try await Self.methods(world) == [decision == "approve" ? "default, agreed" : "kept, agreed"])
        }
    }

    @Test("an agreement that nobody asked for, of what is used once, or beside a plan, is refused, and nothing begins")
    func refused() async throws {
        let pages: PagesProvider = Self.provider()
        try await withPayments(beside: [pages]) { world in
            let never: JSONValue = try await world.link(await world.customer())
            #expect(never["keep_method"]?.stringValue == "never")
            let visit = Visit(world.code(never))
            let card: String = try await Self.hand(world, pages, visit, keep: true)
            #expect(await world.refusal { try await world.pay(visit, card, Self.agreement) } == "invalid_request")
            let always = Visit(world.code(try await world.link(await world.customer(), #","keep_method":"always""#)))
            let once: String = try await Self.hand(world, pages, always, keep: false)
            #expect(await world.refusal { try await world.pay(always, once, Self.agreement) } == "invalid_request")
            let unsaid = #","agreement":{"accepted":false,"language":"de"}"#
            #expect(await world.refusal { try await world.pay(always, once, unsaid) } != "none")
            let plan =
                Self.agreement + #","instalments":{"terms":"t","offer":"\#(String(repeating: "0", count: 32))","#
                + #""language":"de","accepted":true}"#
            #expect(await world.refusal { try await world.pay(always, once, plan) } != "none")
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
        }
    }
}
