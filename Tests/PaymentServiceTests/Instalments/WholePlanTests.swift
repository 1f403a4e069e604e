import BillingCore
import JSON
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Instalment plans from the first payment to the last") struct WholePlanTests {
    static let terms: [(String, Int64, Int)] = [
        ("pay_in_3", 10_000, 3), ("pay_in_4", 9_999, 4), ("pay_in_6", 100_001, 6), ("pay_in_12", 120_000, 13),
    ]

    @Test("what is agreed is paid to the last unit, one payment an instalment, and the books say so", arguments: terms)
    func paidInTime(terms: String, amount: Int64, parts: Int) async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let agreed: JSONValue = try await world.agree(customer, terms, amount)
            let id: InstalmentPlanID = try world.id(agreed)
            #expect(agreed["status"]?.stringValue == "pending" && agreed.list("schedule").count == parts)
            try await world.rest()
            #expect(try await world.status(id) == "active")
            #expect(try await world.violations().isEmpty)
            for part in agreed.list("schedule") {
                let due: CivilDate = try #require(part["due_on"]?.stringValue.flatMap { CivilDate($0) })
                try await world.go(to: due)
                #expect(try await world.violations().isEmpty)
            }
            try await checkCompleted(world, id, agreed)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == parts)
            #expect(try await world.payments.published("instalment_plan.instalment_paid.v1") == parts)
        }
    }

    @Test("a leap of the clock over the whole plan pays every instalment and makes nobody late", arguments: terms)
    func leap(terms: String, amount: Int64, parts: Int) async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let agreed: JSONValue = try await world.agree(customer, terms, amount)
            try await world.go(days: 800)
            try await checkCompleted(world, try world.id(agreed), agreed)
            #expect(try await world.payments.published("instalment_plan.instalment_late.v1") == 0)
        }
    }

    @Test("an outcome is heard once, whatever breaks while it is heard, and one that was overtaken counts no more")
    func heardOnce() async throws {
        struct Broken: Error {}
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let agreed: JSONValue = try await world.agree(customer, "pay_in_3", 10_000)
            let now: Instant = world.now
            for payment in try await world.payments.texts("SELECT id FROM payments") {
                let id = PaymentID(unchecked: payment)
                await world.payments.decide(try await world.payments.payment(id))
                _ = try await world.payments.settled(id)
            }
            await #expect(throws: Broken.self) {
                try await world.database.transaction { db in
                    #expect(try InstalmentWorld.hearNews(at: now, in: db) == 1)
                    throw Broken()
                }
            }
            try await world.payments.execute(
                "INSERT INTO plan_news (payment_id, status, attempts) SELECT id, 'failed', 1 FROM payments")
            #expect(try await world.hear(at: now) == 2)
            #expect(try await world.hear(at: now) == 0)
            world.payments.clock.set(now.adding(.seconds(100 * 86_400)))
            try await world.rest()
            try await checkCompleted(world, try world.id(agreed), agreed)
        }
    }

    @Test("a plan that cannot take its outcome holds up no other, and takes it when it can") func oneStuck()
        async throws
    {
        try await withInstalments { world in
            var plans: [InstalmentPlanID] = []
            for _ in 0..<3 {
                let customer: CustomerID = try await world.payments.payer()
                plans.append(try world.id(try await world.agree(customer, "pay_in_3", 10_000)))
            }
            for payment in try await world.payments.texts("SELECT id FROM payments") {
                let id = PaymentID(unchecked: payment)
                await world.payments.decide(try await world.payments.payment(id))
                _ = try await world.payments.settled(id)
            }
            try await world.payments.execute(
                """
                CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stuck'; END $$
                """)
            try await world.payments.execute(
                SQL(
                    stringLiteral: """
                        CREATE TRIGGER stuck BEFORE UPDATE ON instalment_plans FOR EACH ROW
                        WHEN (OLD.id = '\(plans[1])') EXECUTE FUNCTION stuck()
                        """))
            #expect(try await world.hear(at: world.now) == 2)
            #expect(try await world.hear(at: world.now) == 0)
            var states: [String] = []
            for plan in plans { states.append(try await world.status(plan)) }
            #expect(states == ["active", "pending", "active"])
            try await world.payments.execute("DROP TRIGGER stuck ON instalment_plans")
            #expect(try await world.hear(at: world.now) == 1)
            #expect(try await world.status(plans[1]) == "active")
            #expect(try await world.violations().isEmpty)
        }
    }

    private func checkCompleted(
        _ world: InstalmentWorld, _ id: InstalmentPlanID, _ agreed: JSONValue
    ) async throws {
        let plan: JSONValue = try await world.read(id)
        let total: Int64 = agreed.int("total_payable")
        #expect(plan["status"]?.stringValue == "completed")
        #expect(plan.int("amount_paid") == total && plan.int("amount_owed") == 0)
        #expect(plan.list("schedule").reduce(0) { $0 + $1.int("principal") } == agreed.int("amount"))
        #expect(plan.list("schedule").reduce(0) { $0 + $1.int("charge") } == agreed.int("charge"))
        #expect(try await world.balance(InstalmentLedger.receivable) == 0)
        #expect(try await world.balance(InstalmentLedger.unearned) == 0)
        #expect(try await world.balance(Ledger.customerPayments) == -Int(agreed.int("amount")))
        let earned: Int = try await world.balance(InstalmentLedger.interest) + world.balance(InstalmentLedger.fees)
        #expect(earned == -Int(agreed.int("charge")))
        #expect(try await world.balance(Ledger.providerBalance("sandbox")) == Int(total))
        #expect(try await world.payments.published("instalment_plan.activated.v1") == 1)
        #expect(try await world.payments.published("instalment_plan.completed.v1") == 1)
        #expect(try await world.violations().isEmpty)
        #expect(
            try await world.payments.number("SELECT count(*) FROM instalment_plans WHERE next_step_at IS NOT NULL") == 0
        )
    }
}

@Suite("The first payment of an instalment plan") struct FirstPaymentTests {
    @Test("declined, the plan fails, nothing is booked and the payment cannot come back") func declined() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer(InstalmentWorld.poor)
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            #expect(try await world.status(id) == "failed")
            #expect(try await world.payments.texts("SELECT status FROM payments") == ["canceled"])
            #expect(try await world.payments.number("SELECT count(*) FROM journal_entries") == 0)
            #expect(try await world.payments.published("instalment_plan.failed.v1") == 1)
            try await world.go(days: 200)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("challenged and passed, the plan begins") func challenged() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer(InstalmentWorld.challenges)
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            #expect(try await world.status(id) == "pending")
            let payment = PaymentID(unchecked: try await world.payments.texts("SELECT id FROM payments")[0])
            _ = try await world.payments.confirm(payment, passed: true)
            try await world.rest()
            #expect(try await world.status(id) == "active")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("challenged and left alone, the plan fails when the time to finish is over") func abandoned() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer(InstalmentWorld.challenges)
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            world.payments.clock.advance(by: .seconds(22 * 3_600))
            try await world.rest()
            #expect(try await world.status(id) == "pending")
            world.payments.clock.advance(by: .seconds(2 * 3_600))
            try await world.rest()
            #expect(try await world.status(id) == "failed")
            #expect(try await world.payments.texts("SELECT status FROM payments") == ["canceled"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a plan whose first payment is not done can be canceled, and the payment with it") func canceled()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer(InstalmentWorld.challenges)
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            try await world.cancel(id)
            try await world.rest()
            #expect(try await world.status(id) == "canceled")
            #expect(try await world.payments.texts("SELECT status FROM payments") == ["canceled"])
            #expect(try await world.violations().isEmpty)
        }
    }
}
