import BillingCore
import Foundation
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Links paid on a provider's form for cards") struct LinkFormTests {
    private static let form = CardForm(
        name: "stripe", key: "pk_test_1", script: "https://js.pages.example/v3/?x=1&y=2",
        scripts: ["https://*.js.pages.example"],
        frames: ["https://*.pages.example"], asks: ["https://api.pages.example"])

    /// A provider with a form, whose visitors have entered a card on it.
    private static func provider(_ tokens: String...) -> PagesProvider {
        let pages = PagesProvider(
            cardForm: form,
            methods: [
                ProviderCapabilities.Method(
                    type: "card", separateCapture: true, partialCapture: true, multipleCapture: false,
                    partialRefund: true, offSession: true, tokenOnly: true)
            ])
        for token in tokens {
            pages.enter(
                EnteredCard(
                    token: token, customer: nil,
                    card: VaultedCard(brand: "visa", last4: "4242", expMonth: 4, expYear: 2040), fingerprint: "fp_1"))
        }
        return pages
    }

    /// Agrees to three instalments on a link's page, by the terms that it shows.
    private static func agree(
        with card: PaymentMethodID, on visit: Visit, _ link: PayLink, _ world: InstalmentWorld
    ) async throws {
        let payments: PaymentWorld = world.payments
        let offers: [OfferResource] = try world.settings.offersPaidAtOnce(
            for: Money(minor: 4_900, currency: .eur), at: payments.clock.now)
        let offer: JSONValue = try parseJSON(encode(try #require(offers.first { $0.terms == "pay_in_3" })))
        let body =
            #"{"session":"\#(visit.session)","payment_method_id":"\#(card)","instalments":{"terms":"pay_in_3","#
            + #""offer":"\#(offer["fingerprint"]?.stringValue ?? "")","language":"en","accepted":true}}"#
        _ = try await link(payments.page(visit, "pay", body), payments.read(body))
    }

    /// `POST /pay/{code}/card` with what the form gave; the method's id.
    private static func hand(
        _ world: PaymentWorld, _ visit: Visit, _ token: String = "pm_1", keep: Bool = false
    ) async throws -> PaymentMethodID {
        let body = #"{"session":"\#(visit.session)","form":{"token":"\#(token)","keep":\#(keep)}}"#
        let reply: Reply<LinkCardResource> = try await world.payLink.keep(
            world.page(visit, "card", body), world.read(body))
        return PaymentMethodID(unchecked: try parseJSON(reply.body)["payment_method_id"]?.stringValue ?? "")
    }

    private static func visit(_ world: PaymentWorld, _ more: String = "") async throws -> Visit {
        Visit(world.code(try await world.link(await world.customer(), more)))
    }

    @Test("the token is charged once, with its customer, under its own name, and shown with its card on the receipt")
    func paid() async throws {
        let pages: PagesProvider = Self.provider("pm_1")
        pages.begin(with: .captured(ProviderCharge(reference: "pi_1")))
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let method: PaymentMethodID = try await Self.hand(world, visit)
            let seen: JSONValue = try await world.pay(visit, method.rawValue)
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .succeeded)
            let charge: ChargeRequest = try #require(pages.charges.first)
            #expect(charge.source == .stored(token: "pm_1", providerCustomer: nil))
            #expect(charge.initiation == .customer && !charge.keepsMethod && pages.charges.count == 1)
            #expect(pages.enteredFor == [nil])
            #expect(try await world.texts("SELECT fingerprint FROM payment_methods") == ["pages:fp_1"])
            let receipt: JSONValue = try await world.look(visit)
            #expect(receipt["status"]?.stringValue == "completed")
            #expect(receipt["payment"]?["card_last4"]?.stringValue == "4242")
            #expect(receipt["payment"]?["card_brand"]?.stringValue == "visa")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "a card that pays once is nobody's to charge: not by the merchant, not as the default, not at a further provider"
    )
    func once() async throws {
        let pages: PagesProvider = Self.provider("pm_1")
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let method: PaymentMethodID = try await Self.hand(world, visit)
            let customer: String = try await world.texts("SELECT customer_id FROM payment_methods")[0]
            let body =
                #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)","payment_method_id":"\#(method)"}"#
            let refused: String = await world.refusal {
                try await world.work.create(world.call("/v1/payments", body: body), world.read(body))
            }
            #expect(refused == "invalid_request")
            let listed: [PaymentMethodRecord] = try await world.database.transaction(readOnly: true) { db in
                try PaymentMethodStore.list(customer: nil, after: nil, limit: 10, in: db)
            }
            #expect(listed.isEmpty)
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            #expect(try await world.number("SELECT count(*) FROM outbox WHERE type LIKE 'payment.method%'") == 0)
        }
    }

    @Test("handed over twice it is one method, and another visit's, a used one or an unknown one is refused")
    func repeated() async throws {
        let pages: PagesProvider = Self.provider("pm_1")
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let first: PaymentMethodID = try await Self.hand(world, visit)
            #expect(try await Self.hand(world, visit) == first)
            #expect(await world.refusal { try await Self.hand(world, visit, "pm_unknown") } == "invalid_request")
            let other = Visit(visit.code)
            #expect(await world.refusal { try await world.pay(other, first.rawValue) } == "invalid_request")
            pages.fail(with: .rejected(code: "resource_missing"))
            #expect(await world.refusal { try await Self.hand(world, visit, "pm_2") } == "invalid_request")
            pages.fail(with: .timedOut)
            #expect(await world.refusal { try await Self.hand(world, visit, "pm_3") } == "unavailable")
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 1)
        }
    }

    @Test("a declined card makes room for another one, never for itself") func declined() async throws {
        let pages: PagesProvider = Self.provider("pm_1", "pm_2")
        pages.begin(with: .declined(ProviderDecline(code: "insufficient_funds")))
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let first: PaymentMethodID = try await Self.hand(world, visit)
            let seen: JSONValue = try await world.pay(visit, first.rawValue)
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .failed)
            try await world.pay(visit, first.rawValue)
            #expect(try await world.payment(id).attempts == 1)
            pages.begin(with: .captured(ProviderCharge(reference: "pi_2")))
            let second: PaymentMethodID = try await Self.hand(world, visit, "pm_2")
            try await world.pay(visit, second.rawValue)
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .succeeded)
            #expect(pages.charges.map(\.source) == ["pm_1", "pm_2"].map { .stored(token: $0, providerCustomer: nil) })
        }
    }

    @Test("a card whose bank asks for its customer is charged once, and the one entered next with its customer")
    func softDecline() async throws {
        let pages: PagesProvider = Self.provider("pm_1", "pm_2")
        pages.takeOnce()
        pages.begin(with: .declined(ProviderDecline(code: "authentication_required")))
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let first: PaymentMethodID = try await Self.hand(world, visit)
            let seen: JSONValue = try await world.pay(visit, first.rawValue)
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            let refused: PaymentRecord = try await world.settled(id)
            #expect(refused.status == .failed && refused.decline == .authenticationRequired && refused.attempts == 1)
            pages.begin(with: .captured(ProviderCharge(reference: "pi_2")))
            let second: PaymentMethodID = try await Self.hand(world, visit, "pm_2")
            try await world.pay(visit, second.rawValue)
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .succeeded)
            #expect(pages.charges.map(\.stepUp) == [false, true])
        }
    }

    @Test("a card that was charged begins no other payment, not even once the first was given up") func spent()
        async throws
    {
        let pages: PagesProvider = Self.provider("pm_1")
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let card: PaymentMethodID = try await Self.hand(world, visit)
            let seen: JSONValue = try await world.pay(visit, card.rawValue)
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            #expect(try await world.settled(id).status == .requiresAction)
            try await world.giveUp(visit)
            #expect(try await world.payment(id).status == .canceled)
            #expect(await world.refusal { try await world.pay(visit, card.rawValue) } == "not_found")
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(pages.charges.count == 1)
        }
    }

    @Test("a plan is agreed to with a card that its provider keeps for it, and later parts are charged to that card")
    func plan() async throws {
        let pages: PagesProvider = Self.provider("pm_1")
        pages.begin(with: .captured(ProviderCharge(reference: "pi_1")))
        try await withInstalments(beside: [pages]) { world in
            let payments: PaymentWorld = world.payments
            let visit: Visit = try await Self.visit(payments, #","methods":["card","instalments"]"#)
            let link: PayLink = payments.payLink(instalments: world.settings)
            func agree(_ card: PaymentMethodID) async throws {
                try await Self.agree(with: card, on: visit, link, world)
            }
            let once: PaymentMethodID = try await Self.hand(payments, visit)
            #expect(await payments.refusal { try await agree(once) } == "unsupported_method")
            #expect(try await payments.number("SELECT count(*) FROM instalment_plans") == 0)
            pages.enter(
                EnteredCard(
                    token: "pm_2", customer: nil,
                    card: VaultedCard(brand: "visa", last4: "4242", expMonth: 4, expYear: 2040), fingerprint: nil))
            let kept: PaymentMethodID = try await Self.hand(payments, visit, "pm_2", keep: true)
            #expect(try await payments.number("SELECT count(*) FROM payment_methods WHERE NOT single_use") == 0)
            try await agree(kept)
            try await world.rest()
            #expect(
                try await payments.number("SELECT count(*) FROM outbox WHERE type = 'payment_method.attached.v1'") == 1)
            try await world.go(days: 100)
            #expect(try await payments.number("SELECT count(*) FROM instalment_plans WHERE status = 'completed'") == 1)
            // An outcome may be asked for once more.
            let charges: [ChargeRequest] = pages.charges.reduce(into: []) { charges, asked in
                if charges.last?.idempotencyKey != asked.idempotencyKey { charges.append(asked) }
            }
            let customer: String = try await payments.texts("SELECT DISTINCT customer_id FROM payments")[0]
            #expect(charges.count == 3)
            for charge in charges {
                #expect(charge.source == .stored(token: "pm_2", providerCustomer: "cus_\(customer)"))
            }
            #expect(charges.map(\.keepsMethod) == [true, false, false])
            #expect(charges.map { $0.initiation == .customer } == [true, false, false])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a plan whose first part is declined leaves no card that could be charged again") func declinedPlan()
        async throws
    {
        let pages: PagesProvider = Self.provider("pm_1")
        pages.begin(with: .declined(ProviderDecline(code: "insufficient_funds")))
        try await withInstalments(beside: [pages]) { world in
            let payments: PaymentWorld = world.payments
            let (visit, link) = (
                try await Self.visit(payments, #","methods":["card","instalments"]"#),
                payments.payLink(instalments: world.settings)
            )
            let card: PaymentMethodID = try await Self.hand(payments, visit, keep: true)
            try await Self.agree(with: card, on: visit, link, world)
            try await world.rest()
            #expect(try await payments.number("SELECT count(*) FROM instalment_plans WHERE status = 'failed'") == 1)
            let left: [String] = try await payments.texts(
                "SELECT single_use::text || ' ' || (mandate_ended_at IS NOT NULL)::text FROM payment_methods")
            #expect(left == ["true true"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("after a plan whose bank asked for its customer the next card is charged with them") func softDeclinedPlan()
        async throws
    {
        let pages: PagesProvider = Self.provider("pm_1", "pm_2")
        pages.takeOnce()
        pages.begin(with: .declined(ProviderDecline(code: "authentication_required")))
        try await withInstalments(beside: [pages]) { world in
            let payments: PaymentWorld = world.payments
            let visit: Visit = try await Self.visit(payments, #","methods":["card","instalments"]"#)
            let link: PayLink = payments.payLink(instalments: world.settings)
            let card: PaymentMethodID = try await Self.hand(payments, visit, keep: true)
            try await Self.agree(with: card, on: visit, link, world)
            try await world.rest()
            #expect(try await payments.texts("SELECT decline_code FROM payments") == ["authentication_required"])
            pages.begin(with: .captured(ProviderCharge(reference: "pi_2")))
            let next: PaymentMethodID = try await Self.hand(payments, visit, "pm_2")
            let seen: JSONValue = try await payments.pay(visit, next.rawValue)
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            await payments.decide(try await payments.payment(id))
            #expect(try await payments.settled(id).status == .succeeded)
            #expect(pages.charges.last?.stepUp == true && pages.charges.first?.stepUp == false)
        }
    }

    @Test(
        "a plan whose first payment is left on its bank's page, or that is canceled before, leaves none, either",
        arguments: [false, true])
    func unbegunPlan(isCanceled: Bool) async throws {
        let pages: PagesProvider = Self.provider("pm_1")
        try await withInstalments(beside: [pages]) { world in
            let payments: PaymentWorld = world.payments
            let visit: Visit = try await Self.visit(payments, #","methods":["card","instalments"]"#)
            let link: PayLink = payments.payLink(instalments: world.settings)
            let card: PaymentMethodID = try await Self.hand(payments, visit, keep: true)
            try await Self.agree(with: card, on: visit, link, world)
            let plans: [String] = try await payments.texts("SELECT id FROM instalment_plans WHERE status = 'pending'")
            let plan: InstalmentPlanID = try #require(plans.first.flatMap { InstalmentPlanID($0) })
            if isCanceled {
                try await world.cancel(plan)
            } else {
                try await world.rest()
                #expect(try await payments.texts("SELECT status FROM payments") == ["requires_action"])
                payments.clock.advance(by: .seconds(24 * 3_600))
                try await world.rest()
            }
            #expect(try await world.status(plan) == (isCanceled ? "canceled" : "failed"))
            #expect(try await payments.texts("SELECT status FROM payments") == ["canceled"])
            let left: [String] = try await payments.texts(
                "SELECT single_use::text || ' ' || (mandate_ended_at IS NOT NULL)::text FROM payment_methods")
            #expect(left == ["true true"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a link that ends while the provider is asked keeps no card") func ended() async throws {
        let pages: PagesProvider = Self.provider("pm_1")
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            pages.whileKeeping { try await world.execute("UPDATE payment_links SET deactivated_at = created_at") }
            #expect(await world.refusal { try await Self.hand(world, visit) } == "payment_link_state")
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
        }
    }

    @Test("the page is told whose form it shows, and lets in that provider alone") func page() async throws {
        let pages: PagesProvider = Self.provider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world, #","methods":["card"]"#)
            try await world.serving { base in
                let answer: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/\(visit.code)")
                #expect(answer.text.contains(#""card_form":{"name":"stripe","key":"pk_test_1"}"#))
                #expect(answer.text.contains(#"src="https://js.pages.example/v3/?x=1&amp;y=2""#))
                let policy: String = answer["Content-Security-Policy"]
                #expect(policy.contains("script-src 'self' https://js.pages.example https://*.js.pages.example;"))
                #expect(policy.contains("connect-src 'self' https://api.pages.example;"))
                #expect(policy.contains("frame-src https://js.pages.example https://*.pages.example"))
                #expect(!policy.contains("pay.google.com"))
            }
        }
    }

    @Test("the document demands no card, in whose place a wallet or a form may stand; who hands nothing over is told")
    func schemas() throws {
        let described: JSONValue = schema(of: LinkCardInput.self)
        #expect(described["required"] == ["session"])
        #expect(described["properties"]?["card"]?["type"] == ["object", "null"])
        let nothing: JSONValue = try parseJSON("{}")
        let error: InvalidInput? = #expect(throws: InvalidInput.self) { try decode(LinkCardInput.self, from: nothing) }
        #expect(Set(error?.faults.map { "\($0.param) \($0.code)" } ?? []) == ["session required", "card required"])
    }
}
