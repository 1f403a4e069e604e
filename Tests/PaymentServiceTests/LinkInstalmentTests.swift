import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentInstalments
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Links paid in instalments") struct LinkInstalmentTests {
    /// A page of a link that allows instalments.
    private struct Page: Sendable {
        let world: InstalmentWorld
        let visit: Visit
        let amount: Int64

        var payments: PaymentWorld { world.payments }
        var link: PayLink { payments.payLink(instalments: world.settings) }

        /// `GET /pay/{code}/instalments`.
        func offers() async throws -> [JSONValue] {
            var offers: [JSONValue] = []
            try await payments.serving(instalments: world.settings) { base in
                let answer: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/\(visit.code)/instalments")
                offers = try parseJSON(answer.text).list("data")
            }
            return offers
        }

        func offer(_ terms: String) async throws -> JSONValue {
            try #require(try await offers().first { $0["terms"]?.stringValue == terms })
        }

        /// `POST /pay/{code}/pay` with a plan.
        @discardableResult
        func agree(_ terms: String, _ fingerprint: String, _ card: String) async throws -> JSONValue {
            let plan = #"{"terms":"\#(terms)","offer":"\#(fingerprint)","language":"de","accepted":true}"#
            let body =
                #"{"session":"\#(visit.session)","payment_method_id":"\#(card)","instalments":\#(plan)}"#
            return try parseJSON(
                try await link(payments.page(visit, "pay", body), payments.read(body)).body)
        }

        /// Gives a card and agrees to what is on offer now.
        @discardableResult
        func begin(_ terms: String, _ number: String = InstalmentWorld.good) async throws -> JSONValue {
            let fingerprint: String = try await offer(terms)["fingerprint"]?.stringValue ?? ""
            return try await agree(terms, fingerprint, try await payments.card(visit, number))
        }

        func look() async throws -> JSONValue { try await payments.look(visit, link) }

        func plans(_ status: String) async throws -> Int {
            try await payments.number("SELECT count(*) FROM instalment_plans WHERE status = \(status)")
        }
    }

    private static func withPage(
        amount: Int64 = 4_900, connections: Int = 4, _ body: (Page) async throws -> Void
    ) async throws {
        try await withInstalments(connections: connections) { world in
            let customer: CustomerID = await world.payments.customer()
            let link =
                #"{"amount":\#(amount),"currency":"EUR","customer_id":"\#(customer)","methods":["card","instalments"],"metadata":{"order":"7"}}"#
            let create = CreateLink(
                pool: world.database, settings: world.payments.linkSettings(instalments: world.settings))
            let made: JSONValue = try parseJSON(
                try await create(
                    world.payments.call("/v1/payment_links", key: nil, body: link), world.payments.read(link)
                ).body)
            try await body(Page(world: world, visit: Visit(world.payments.code(made)), amount: amount))
        }
    }

    @Test("the page says to the unit what is paid when, and nothing is stored", arguments: [3_000, 9_999, 40_001])
    func preview(amount: Int64) async throws {
        try await Self.withPage(amount: amount) { page in
            let offers: [JSONValue] = try await page.offers()
            #expect(offers.count == (amount < 12_000 ? 2 : amount < 30_000 ? 3 : 4))
            for offer in offers {
                let parts: [JSONValue] = offer.list("schedule")
                #expect(parts.reduce(0) { $0 + $1.int("principal") } == amount)
                #expect(parts.reduce(0) { $0 + $1.int("charge") } == offer.int("charge"))
                #expect(parts.reduce(0) { $0 + $1.int("amount") } == offer.int("total_payable"))
                #expect(
                    parts.first?["due_on"]?.stringValue == CivilDate(dayNumber: InstalmentWorld.today).description)
                #expect(offer["fingerprint"]?.stringValue?.count == 32)
            }
            let late: [JSONValue?] = offers.map { $0["late"]?["fee"] }
            #expect(late.prefix(2) == [.null, .number("500")])
            if amount > 30_000 {
                let twelve: JSONValue? = offers.first { $0["terms"]?.stringValue == "pay_in_12" }
                #expect(twelve?["late"]?["fee_share"]?.stringValue == "0.05" && twelve?["late"]?.int("fee") == 1_500)
                #expect(twelve?.list("schedule").first?.int("number") == 0, "the down payment")
            }
            #expect(try await page.payments.number("SELECT count(*) FROM instalment_plans") == 0)
            #expect(try await page.payments.number("SELECT count(*) FROM payments") == 0)
        }
    }

    @Test(
        "the card of the page pays the first part now and the others on their days",
        arguments: [("pay_in_3", 4_900), ("pay_in_12", 40_001)])
    func whole(terms: String, amount: Int64) async throws {
        try await Self.withPage(amount: amount) { page in
            let offer: JSONValue = try await page.offer(terms)
            let card: String = try await page.payments.card(page.visit)
            try await page.agree(terms, offer["fingerprint"]?.stringValue ?? "", card)
            try await page.world.rest()
            let seen: JSONValue = try await page.look()
            #expect(seen["status"]?.stringValue == "completed")
            #expect(seen["payment"]?["status"]?.stringValue == "succeeded")
            #expect(seen["payment"]?.int("amount") == offer.list("schedule")[0].int("amount"))
            #expect(seen["payment"]?["instalments"]?["schedule"] == offer["schedule"])
            #expect(seen["payment"]?["instalments"]?["total_payable"] == offer["total_payable"])
            let other: JSONValue = try await page.payments.look(Visit(page.visit.code), page.link)
            #expect(other["payment"]?["instalments"] == .null, "the plan is nobody else's business")
            #expect(try await page.plans("active") == 1)
            #expect(try await page.world.violations().isEmpty)
            try await page.world.go(days: 800)
            #expect(try await page.plans("completed") == 1)
            let charged: [String] = try await page.payments.texts(
                "SELECT DISTINCT payment_method_id || ' ' || status FROM payments")
            #expect(charged == ["\(card) succeeded"])
            let total: Int = try await page.payments.number("SELECT sum(amount_captured)::bigint FROM payments")
            #expect(Int64(total) == offer.int("total_payable"))
            #expect(try await page.world.violations().isEmpty)
        }
    }

    @Test("how the customer agreed is kept with the plan and with the card, which does not become the default")
    func agreement() async throws {
        try await Self.withPage { page in
            try await page.begin("pay_in_3")
            try await page.world.rest()
            try await page.world.go(days: 40)
            let row: [String] = try await page.payments.texts(
                "SELECT wording || ' ' || language || ' ' || ip_address || ' ' || user_agent FROM instalment_agreements"
            )
            #expect(row == ["instalments-1 de 127.0.0.1 test"])
            let later: [String] = try await page.payments.texts(
                """
                SELECT p.off_session::text || ' ' || coalesce((p.mandate_id = m.mandate_id)::text, 'none')
                FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id ORDER BY p.id
                """)
            #expect(later.dropFirst() == ["true true"])
            #expect(try await page.payments.number("SELECT count(*) FROM payment_methods WHERE is_default") == 0)
            let metadata: [String] = try await page.payments.texts(
                "SELECT (metadata->>'order') || ' ' || (metadata ? 'payment_link_id')::text FROM instalment_plans")
            #expect(metadata == ["7 true"])
        }
    }

    @Test("pressing eight times at once, reloading and a late repeat begin one plan") func twice() async throws {
        try await Self.withPage(connections: 10) { page in
            let fingerprint: String = try await page.offer("pay_in_3")["fingerprint"]?.stringValue ?? ""
            let card: String = try await page.payments.card(page.visit)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await page.agree("pay_in_3", fingerprint, card) } }
                try await group.waitForAll()
            }
            try await page.world.rest()
            try await page.agree("pay_in_3", fingerprint, card)
            let late: String = await page.payments.refusal { try await page.payments.card(page.visit) }
            #expect(late == "payment_link_state")
            #expect(try await page.payments.number("SELECT count(*) FROM instalment_plans") == 1)
            #expect(try await page.payments.number("SELECT count(*) FROM payments") == 1)
            #expect(try await page.payments.number("SELECT count(*) FROM payment_attempts") == 1)
        }
    }

    @Test(
        "a declined first part leaves no plan, says why, and its repeat begins nothing; then all is paid at once",
        arguments: [true, false])
    func declined(newsIsHere: Bool) async throws {
        try await Self.withPage { page in
            let fingerprint: String = try await page.offer("pay_in_4")["fingerprint"]?.stringValue ?? ""
            let poor: String = try await page.payments.card(page.visit, InstalmentWorld.poor)
            let begun: JSONValue = try await page.agree("pay_in_4", fingerprint, poor)
            let first = PaymentID(unchecked: begun["payment"]?["id"]?.stringValue ?? "")
            if newsIsHere {
                try await page.world.rest()
            } else {
                await page.payments.decide(try await page.payments.payment(first))
                _ = try await page.payments.settled(first)
            }
            let seen: JSONValue = try await page.look()
            #expect(seen["status"]?.stringValue == "active")
            #expect(seen["payment"]?["status"]?.stringValue == "failed")
            #expect(seen["payment"]?["failure"]?["code"]?.stringValue == "insufficient_funds")
            try await page.agree("pay_in_4", fingerprint, poor)
            #expect(try await page.payments.number("SELECT count(*) FROM payments") == 1)
            let paid: PaymentRecord = try await page.payments.payNow(page.visit)
            #expect(paid.status == .succeeded && paid.amount.minor == page.amount && paid.id != first)
            try await page.world.rest()
            #expect(try await page.plans("failed") == 1)
            #expect(try await page.plans("pending") == 0)
            #expect(try await page.payments.payment(first).status == .canceled)
            #expect(try await page.look()["status"]?.stringValue == "completed")
            #expect(try await page.payments.published("instalment_plan.failed.v1") == 1)
            #expect(try await page.world.violations().isEmpty)
        }
    }

    @Test("a plan can follow another plan, or the whole, that was declined") func again() async throws {
        try await Self.withPage { page in
            let whole: PaymentRecord = try await page.payments.payNow(page.visit, InstalmentWorld.poor)
            #expect(whole.status == .failed)
            try await page.begin("pay_in_3", InstalmentWorld.poor)
            try await page.world.rest()
            #expect(try await page.look()["payment"]?["status"]?.stringValue == "failed")
            try await page.begin("pay_in_4")
            try await page.world.rest()
            let seen: JSONValue = try await page.look()
            #expect(seen["payment"]?["instalments"]?["terms"]?.stringValue == "pay_in_4")
            #expect(seen["status"]?.stringValue == "completed")
            #expect(try await page.payments.payment(whole.id).status == .canceled)
            #expect(try await page.plans("failed") == 1)
            #expect(try await page.plans("active") == 1)
            #expect(try await page.payments.number("SELECT count(*) FROM payments WHERE amount_captured > 0") == 1)
            #expect(try await page.world.violations().isEmpty)
        }
    }

    @Test("money that comes for a plan which never began goes back, and the link is still to be paid") func late()
        async throws
    {
        try await Self.withPage { page in
            let begun: JSONValue = try await page.begin("pay_in_4")
            let first = PaymentID(unchecked: begun["payment"]?["id"]?.stringValue ?? "")
            let charge: UnheardCharge = try await page.payments.failUnheard(first)
            try await page.world.rest()
            #expect(try await page.plans("failed") == 1)
            try await page.payments.takeLate(charge)
            try await page.world.rest()
            #expect(try await page.payments.payment(first).amountRefunded == 1_225)
            #expect(try await page.look()["status"]?.stringValue == "active")
            let paid: PaymentRecord = try await page.payments.payNow(page.visit)
            #expect(paid.status == .succeeded && paid.amount.minor == page.amount)
            #expect(try await page.look()["status"]?.stringValue == "completed")
            #expect(try await page.world.violations() == [])
        }
    }

    @Test("a plan whose customer has to authenticate begins when they have") func authenticated() async throws {
        try await Self.withPage { page in
            try await page.begin("pay_in_3", InstalmentWorld.challenges)
            try await page.world.rest()
            #expect(try await page.look()["payment"]?["status"]?.stringValue == "requires_action")
            #expect(try await page.plans("pending") == 1)
            try await page.payments.answerChallenge(page.visit, "passed")
            try await page.world.rest()
            #expect(try await page.plans("active") == 1)
            #expect(try await page.look()["payment"]?["status"]?.stringValue == "succeeded")
        }
    }

    @Test("who agreed to what is not on offer any more begins nothing") func changed() async throws {
        try await Self.withPage { page in
            let fingerprint: String = try await page.offer("pay_in_3")["fingerprint"]?.stringValue ?? ""
            let card: String = try await page.payments.card(page.visit)
            func refusal(_ terms: String, _ offer: String) async -> String {
                await page.payments.refusal { try await page.agree(terms, offer, card) }
            }
            #expect(await refusal("pay_in_4", fingerprint) == "instalment_offer_changed")
            #expect(await refusal("pay_in_6", fingerprint) == "invalid_request", "too little for these")
            #expect(await refusal("pay_in_5", fingerprint) == "invalid_request")
            page.payments.clock.set(page.world.now.adding(.seconds(86_400)))
            #expect(await refusal("pay_in_3", fingerprint) == "instalment_offer_changed")
            #expect(try await page.payments.number("SELECT count(*) FROM instalment_plans") == 0)
            #expect(try await page.payments.number("SELECT count(*) FROM payments") == 0)
        }
    }

    @Test("every fault of an agreement is named, and nothing is stored") func faults() async throws {
        try await Self.withPage { page in
            func faults(_ plan: String, _ more: String = "") -> [String] {
                let body = #"{"session":"\#(page.visit.session)"\#(more),"instalments":\#(plan)}"#
                do {
                    let _: PayLinkInput = try page.payments.read(body)
                    return []
                } catch let invalid as InvalidInput {
                    return invalid.faults.map { "\($0.param) \($0.code)" }
                } catch { return ["\(error)"] }
            }
            let card = #","payment_method_id":"pm_0123456789abcdefghjkmnpqrs""#
            let missing: [String] = faults("{}", card)
            #expect(
                ["instalments.terms required", "instalments.offer required", "instalments.language required"]
                    .allSatisfy(missing.contains), "\(missing)")
            let good = #""terms":"pay_in_3","offer":"0123456789abcdef0123456789abcdef","language":"de""#
            #expect(faults("{\(good)}", card) == ["instalments.accepted plan_not_accepted"])
            #expect(faults(#"{\#(good),"accepted":false}"#, card) == ["instalments.accepted plan_not_accepted"])
            #expect(
                faults(#"{\#(good),"accepted":true}"#, #","method":{"type":"klarna"}"#)
                    == ["instalments conflicting_fields"])
        }
    }

    @Test("a page offers instalments where its link names them and a card, and an amount that the terms take")
    func offered() async throws {
        try await withInstalments { world in
            let settings: LinkSettings = world.payments.linkSettings(instalments: world.settings)
            func types(_ methods: [LinkMethod], _ minor: Int64, _ currency: Currency = .eur) -> [String] {
                settings.offers(of: methods, Money(minor: minor, currency: currency), country: nil).map(\.type)
            }
            #expect(types([.instalments, .card], 3_000) == ["instalments", "card"])
            #expect(types([.card, .instalments], 2_999) == ["card"])
            #expect(types([.card, .instalments], 1_000_001) == ["card"])
            #expect(types([.card, .instalments], 3_000, .jpy) == ["card"])
            #expect(types([.instalments], 3_000) == [])
            #expect(types(LinkMethod.byDefault, 3_000) == ["card"])
            let customer: CustomerID = await world.payments.customer()
            let link: JSONValue = try await world.payments.link(customer)
            let visit = Visit(world.payments.code(link))
            let page = Page(world: world, visit: visit, amount: 4_900)
            #expect(try await page.offers().isEmpty)
            let card: String = try await world.payments.card(visit)
            let refusal: String = await world.payments.refusal {
                try await page.agree("pay_in_3", "0123456789abcdef0123456789abcdef", card)
            }
            #expect(refusal == "unsupported_method")
        }
    }
}
