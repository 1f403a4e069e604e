import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentContract
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Instalment plans that are paid off, canceled, reduced or refunded") struct ChangedPlanTests {
    @Test("a plan can be paid off after any instalment; charges not yet earned are not asked for", arguments: 0..<12)
    func settled(after paid: Int) async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_12", 120_000)
            // The down payment is paid on the first day, instalment k after k months; ten days more have begun a month.
            let start = CivilDate(dayNumber: InstalmentWorld.today)
            try await world.go(to: start.adding(months: paid).adding(days: 10))
            let before: JSONValue = try await world.read(id)
            let owed: Int64 = before.int("amount_owed")
            let settling: JSONValue = try await world.settle(id)
            let settlement: JSONValue = try #require(settling["settlement"])
            #expect(settlement.int("amount") + settlement.int("rebate") == owed)
            #expect(settlement.int("rebate") > 0 && settlement["status"]?.stringValue == "processing")
            try await world.rest()
            let after: JSONValue = try await world.read(id)
            #expect(after["status"]?.stringValue == "settled" && after.int("amount_owed") == 0)
            #expect(after["settlement"]?["status"]?.stringValue == "succeeded")
            #expect(after.int("amount_paid") == before.int("amount_paid") + settlement.int("amount"))
            let interest: Int64 = before.int("charge") - settlement.int("rebate")
            #expect(try await world.balance(InstalmentLedger.interest) == -Int(interest))
            #expect(try await world.balance(InstalmentLedger.receivable) == 0)
            #expect(try await world.payments.published("instalment_plan.settled.v1") == 1)
            try await world.go(days: 500)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == paid + 2)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a settlement that is declined leaves the plan as it was; its schedule goes on") func declined() async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            _ = try await world.settle(id)
            try await expectProblem(409, "instalment_plan_busy") { _ = try await world.settle(id) }
            try await expectProblem(409, "instalment_plan_busy") { try await world.cancel(id) }
            try await world.rest()
            #expect(try await world.status(id) == "active")
            #expect(try await world.read(id)["settlement"]?["status"]?.stringValue == "failed")
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.go(days: 31)
            #expect(try await world.parts(id) == ["paid", "paid", "scheduled"])
            _ = try await world.settle(id)
            try await world.rest()
            #expect(try await world.status(id) == "settled")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a challenged settlement that nobody finishes is given up and the schedule goes on") func abandoned()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            try await world.payments.attach(InstalmentWorld.challenges, to: customer)
            _ = try await world.settle(id)
            try await world.rest()
            #expect(try await world.status(id) == "active")
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.go(days: 90)
            #expect(try await world.status(id) == "completed")
            #expect(try await world.payments.texts("SELECT status FROM instalment_settlements") == ["failed"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an instalment the customer confirms while another payment pays off the plan is given back")
    func paidTwice() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.challenges, to: customer)
            try await world.go(days: 14)
            let challenged = PaymentID(
                unchecked: try await world.read(id).list("schedule")[1]["payment_id"]?.stringValue ?? "")
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            _ = try await world.settle(id)
            _ = try await world.payments.confirm(challenged, passed: true)
            try await world.rest()
            #expect(try await world.read(id).int("amount_owed") == 0)
            #expect(try await world.balance(Ledger.providerBalance("sandbox")) == 40_000)
            #expect(try await world.read(id).int("amount_refunded") == 10_000)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a canceled plan asks for nothing more; refunds give back what was paid") func canceled() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_6", 60_000)
            try await world.go(days: 35)
            let plan: JSONValue = try await world.cancel(id)
            #expect(plan["status"]?.stringValue == "canceled" && plan.int("amount_owed") == 0)
            #expect(plan.int("amount_paid") == 20_300)
            #expect(try await world.cancel(id)["status"]?.stringValue == "canceled", "again is harmless")
            for part in plan.list("schedule").prefix(2) {
                let payment = PaymentID(unchecked: part["payment_id"]?.stringValue ?? "")
                _ = try await world.payments.refund(payment, nil)
            }
            try await world.go(days: 400)
            #expect(try await world.read(id).int("amount_refunded") == 20_300)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 2)
            #expect(try await world.balance(Ledger.providerBalance("sandbox")) == 0)
            #expect(try await world.payments.published("instalment_plan.canceled.v1") == 1)
            #expect(try await world.payments.published("instalment_plan.completed.v1") == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what is taken back of the purchase shortens the plan from its end") func reduced() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 9_000)
            try await world.reduce(id, by: 4_000)
            #expect(try await world.parts(id) == ["paid", "scheduled", "canceled"])
            try await expectProblem(422, "invalid_request") { try await world.reduce(id, by: 2_001) }
            try await world.go(days: 90)
            #expect(try await world.status(id) == "completed")
            #expect(try await world.read(id).int("amount_paid") == 5_000)
            #expect(try await world.balance(Ledger.customerRefunds) == 4_000)
            try await expectProblem(409, "instalment_plan_state") { try await world.reduce(id, by: 1) }
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a plan of which nothing was paid is canceled when all of its purchase is taken back, and told of so")
    func reducedToNothing() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let name = "payment.instalments.terms.later"
            let settings = try InstalmentSettings([
                "\(name).count": "3", "\(name).first": "after_interval", "\(name).currencies.EUR": "100,1000000",
            ])
            let order = PlanOrder(
                customerID: customer, paymentMethodID: nil, amount: Money(minor: 9_000, currency: .eur), terms: "later",
                offer: nil, description: nil, metadata: "{}")
            let now: Instant = world.now
            let id: InstalmentPlanID = try await world.database.transaction { db in
                try AgreePlan(settings: settings, providers: world.payments.providers)(order, at: now, in: db).id
            }
            try await world.reduce(id, by: 4_000)
            #expect(try await world.payments.published("instalment_plan.canceled.v1") == 0)
            try await world.reduce(id, by: 5_000)
            #expect(try await world.status(id) == "canceled")
            #expect(
                try await world.payments.texts(
                    "SELECT type || ' ' || count(*) FROM outbox WHERE type LIKE 'instalment_plan.%' GROUP BY type ORDER BY type"
                ) == ["instalment_plan.activated.v1 1", "instalment_plan.canceled.v1 1"])
            #expect(try await world.balance(InstalmentLedger.receivable) == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("refunding an instalment's payment gives money back and leaves the schedule as it is") func refunded()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 9_000)
            let first = PaymentID(
                unchecked: try await world.read(id).list("schedule")[0]["payment_id"]?.stringValue ?? "")
            _ = try await world.payments.refund(first, 1_000)
            try await world.rest()
            let plan: JSONValue = try await world.read(id)
            #expect(plan.int("amount_refunded") == 1_000 && plan.int("amount_owed") == 6_000)
            try await world.go(days: 90)
            #expect(try await world.status(id) == "completed")
            #expect(try await world.balance(Ledger.customerRefunds) == 1_000)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what a plan's state does not allow is refused with the state") func refused() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let done: InstalmentPlanID = try await world.running(customer, "pay_in_3", 9_000)
            try await world.go(days: 90)
            #expect(try await world.status(done) == "completed")
            try await expectProblem(409, "instalment_plan_state") { _ = try await world.settle(done) }
            try await expectProblem(409, "instalment_plan_state") { try await world.cancel(done) }
            let waiting: JSONValue = try await world.agree(customer, "pay_in_3", 9_000)
            try await expectProblem(409, "instalment_plan_state") { _ = try await world.settle(world.id(waiting)) }
            try await expectProblem(404, "not_found") { _ = try await world.settle(.new(at: world.now)) }
            #expect(ChangePlan.Failure.notPossible(.completed).problem.detail?.contains("completed") == true)
        }
    }

    @Test("amounts, currencies and terms that are not offered are refused by name and nothing is stored")
    func notOffered() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let cases: [(String, Int64, String, String)] = [
                ("pay_in_3", 2_999, "EUR", "amount_too_small"), ("pay_in_3", 150_001, "EUR", "amount_too_large"),
                ("pay_in_3", 10_000, "JPY", "currency_not_allowed"), ("pay_in_5", 10_000, "EUR", "unknown_terms"),
            ]
            for (terms, amount, currency, code) in cases {
                do {
                    _ = try await world.agree(customer, terms, amount, currency: currency)
                    Issue.record("\(code) was not refused")
                } catch let failure as any ProblemConvertible {
                    #expect(failure.problem.status == 422 && failure.problem.errors.map(\.code) == [code])
                }
            }
            try await expectProblem(422, "invalid_request") {
                _ = try await world.agree(.new(at: world.now), "pay_in_3", 9_000)
            }
            #expect(try await world.payments.number("SELECT count(*) FROM instalment_plans") == 0)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 0)
        }
    }

    private func expectProblem(
        _ status: Int, _ code: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
            Issue.record("nothing was refused", sourceLocation: sourceLocation)
        } catch let failure as any ProblemConvertible {
            #expect(
                failure.problem.status == status && failure.problem.code == code, "\(failure.problem)",
                sourceLocation: sourceLocation)
        }
    }
}

@Suite("Offers of instalment plans") struct InstalmentOfferTests {
    private func offers(_ body: String) throws -> [JSONValue] {
        let input: OfferInput = try decode(OfferInput.self, from: parseJSON(body))
        let day = CivilDate(dayNumber: InstalmentWorld.today)
        let offers: [OfferResource] = try InstalmentWorld.committed().offers(input, on: day)
        return try offers.map { try parseJSON(encode($0)) }
    }

    @Test("every schedule adds up to the purchase and the charge") func sums() throws {
        let found: [JSONValue] = try offers(#"{"amount":100001,"currency":"EUR"}"#)
        #expect(found.compactMap { $0["terms"]?.stringValue } == ["pay_in_3", "pay_in_4", "pay_in_6", "pay_in_12"])
        for offer in found {
            #expect(offer.list("schedule").reduce(0) { $0 + $1.int("amount") } == offer.int("total_payable"))
            #expect(offer.list("schedule").reduce(0) { $0 + $1.int("principal") } == 100_001)
            #expect(offer.int("total_payable") == 100_001 + offer.int("charge"))
        }
        #expect(found[3]["annual_percentage_rate"]?.stringValue == "13.79")
        #expect(found[1]["annual_percentage_rate"]?.stringValue == "0")
    }

    @Test("every route is described with an example") func documented() throws {
        let routes = InstalmentPlanRoutes(settings: try InstalmentWorld.committed(), providers: PaymentProviders([]))
        let document: JSONValue = openAPIDocument(title: "Payment", endpoints: routes.endpoints)
        let paths: JSONValue = try #require(document["paths"])
        for path in ["", "/offers", "/{id}", "/{id}/settle", "/{id}/cancel", "/{id}/reduce"] {
            #expect(paths["/v1/instalment_plans\(path)"] != nil)
        }
    }

    @Test("only what fits is offered; when nothing does, the reason is told") func unfit() throws {
        #expect(try offers(#"{"amount":5000,"currency":"EUR"}"#).count == 2)
        #expect(throws: InstalmentProduct.Unavailable.currency) { try offers(#"{"amount":5000,"currency":"JPY"}"#) }
        #expect(throws: InstalmentProduct.Unavailable.below(30_000)) {
            try offers(#"{"amount":5000,"currency":"EUR","terms":"pay_in_12"}"#)
        }
    }

    @Test("settings that make no sense are named, all of them") func settings() throws {
        let start = "payment.instalments.terms.odd"
        let faulty: [String: String] = [
            "\(start).count": "5", "\(start).interval": "year", "\(start).late_fee.EUR": "-1",
            "\(start).currencies.EUR": "10", "\(start).colour": "red", "payment.instalments.action_hours": "0",
        ]
        let error = try #require(throws: (any Error).self) { try InstalmentSettings(faulty) }
        for name in ["count", "interval", "late_fee", "currencies", "colour", "action_hours"] {
            #expect("\(error)".contains(name))
        }
        #expect(throws: (any Error).self) {
            try InstalmentSettings(["\(start).count": "12", "\(start).currencies.EUR": "5,10"])
        }
        #expect(try InstalmentSettings([:]).products.isEmpty)
    }
}
