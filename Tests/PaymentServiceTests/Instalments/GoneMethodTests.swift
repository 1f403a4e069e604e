import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

/// The first plan day is 15 January 2027; pay in 4 is due then and 14, 28 and 42 days later.
@Suite("Instalments whose method is taken off its customer") struct GoneMethodTests {
    private static let other = "5555555555554444"

    /// A running plan that names a card, whose customer has made another one the default since, and both cards.
    private func begun(
        _ world: InstalmentWorld
    ) async throws -> (plan: InstalmentPlanID, named: PaymentMethodID, byDefault: PaymentMethodID) {
        let customer: CustomerID = await world.payments.customer()
        let named: String = try #require(
            try await world.payments.attach(InstalmentWorld.good, to: customer)["id"]?.stringValue)
        let plan: JSONValue = try await world.agree(customer, "pay_in_4", 40_000, method: named)
        try await world.rest()
        let byDefault: String = try #require(
            try await world.payments.attach(Self.other, to: customer)["id"]?.stringValue)
        try await world.rest()
        return (try world.id(plan), PaymentMethodID(unchecked: named), PaymentMethodID(unchecked: byDefault))
    }

    private func detach(_ world: InstalmentWorld, _ method: PaymentMethodID) async throws {
        let now: Instant = world.now
        _ = try await world.database.transaction { db in
            try world.payments.work.remove.detach(method, at: now, in: db)
        }
    }

    /// What was tried off session, in order.
    private func attempts(_ world: InstalmentWorld) async throws -> [String] {
        try await world.payments.texts(
            """
            SELECT a.payment_method_id || ' ' || a.status FROM payment_attempts a JOIN payments p ON p.id = a.payment_id
            WHERE p.off_session ORDER BY a.payment_id, a.number
            """)
    }

    @Test("are charged to the default, though it is older than the attempt; nobody is late by it") func charged()
        async throws
    {
        try await withInstalments { world in
            let (plan, named, byDefault) = try await begun(world)
            try await detach(world, named)
            try await world.go(days: 100)
            #expect(try await world.status(plan) == "completed")
            #expect(try await attempts(world) == Array(repeating: "\(byDefault) succeeded", count: 3))
            #expect(try await world.payments.published("instalment_plan.instalment_late.v1") == 0)
            #expect(try await world.balance(InstalmentLedger.lateFees) == 0)
            #expect(try await world.read(plan)["payment_method_id"] == .null)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("are tried with the default at once where the method was refused before", arguments: [true, false])
    func refused(isHeard: Bool) async throws {
        try await withInstalments { world in
            let (plan, named, byDefault) = try await begun(world)
            world.payments.provider.refuse(with: ProviderDecline(code: "expired_card"))
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 14))
            #expect(try await world.runDue() == 1)
            #expect(try await world.assess() == 1)
            try await world.settlePayments()
            if isHeard {
                #expect(try await world.hear(at: world.now) == 1)
                #expect(try await world.runDue() == 0, "it waits")
            }
            #expect(try await attempts(world) == ["\(named) failed"])
            world.payments.provider.refuse(with: nil)
            try await detach(world, named)
            try await world.rest()
            #expect(try await attempts(world) == ["\(named) failed", "\(byDefault) succeeded"])
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("are tried with the default once for all days that have passed") func refusedDaysAgo() async throws {
        try await withInstalments { world in
            let (plan, named, byDefault) = try await begun(world)
            world.payments.provider.refuse(with: ProviderDecline(code: "expired_card"))
            for day in [14, 20] { try await world.go(days: day) }
            world.payments.provider.refuse(with: ProviderDecline(code: "insufficient_funds"))
            try await detach(world, named)
            try await world.rest()
            #expect(try await attempts(world) == ["\(named) failed", "\(byDefault) failed"])
            let next: JSONValue? = try await world.read(plan).list("schedule")[1]["next_attempt_on"]
            #expect(next?.stringValue == "2027-02-05")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("are paid off with the default where the caller names no method") func settled() async throws {
        try await withInstalments { world in
            let (plan, named, byDefault) = try await begun(world)
            try await detach(world, named)
            _ = try await world.settle(plan)
            try await world.rest()
            #expect(try await world.status(plan) == "settled")
            let paid: [String] = try await world.payments.texts("SELECT payment_method_id FROM payments ORDER BY id")
            #expect(paid == [named.rawValue, byDefault.rawValue])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("0061: those that waited for a new default although there was one are told of again") func waiting()
        async throws
    {
        try await withMigratedDatabase(service: "Payment", before: "0061") { lent in
            let world = PaymentWorld(lent.pool)
            try await world.execute(
                """
                INSERT INTO instalment_terms (name, currency, count, interval, first_instalment, grace_days,
                    default_after_days, retry_days)
                VALUES ('pay_in_4', 'EUR', 4, 'two_weeks', 'at_purchase', 3, 60, '{1}')
                """)
            // Of three customers the last has no default method, and the second one's instalment was declined by its bank.
            try await world.execute(
                """
                INSERT INTO payment_methods (id, customer_id, type, fingerprint, provider, provider_token, is_default,
                    status, created_at)
                SELECT m.id || n, 'cus_' || n, 'card', m.id || n, 'sandbox', 'tok', m.id = 'pm_new' AND n < 3,
                    CASE WHEN m.id = 'pm_new' OR n = 2 THEN 'active' ELSE 'detached' END, 'epoch'
                FROM generate_series(1, 3) AS n, (VALUES ('pm_old'), ('pm_new')) AS m(id)
                """)
            try await world.execute(
                """
                INSERT INTO instalment_plans (id, customer_id, payment_method_id, terms_id, status, amount, currency,
                    started_on, day, purchase_left, created_at)
                SELECT 'plan_' || n, 'cus_' || n, 'pm_old' || n, t.id, 'active', 400, 'EUR', 'epoch', 'epoch', 400, 'epoch'
                FROM generate_series(1, 3) AS n, instalment_terms t
                """)
            try await world.execute(
                """
                INSERT INTO instalments (id, plan_id, number, due_on, status, principal, charge, late_fee, paid,
                    earned_before, earning_from)
                SELECT 'part_' || n, 'plan_' || n, 1, 'epoch', 'due', 400, 0, 0, 0, 0, 'epoch'
                FROM generate_series(1, 3) AS n
                """)
            try await world.execute(
                """
                INSERT INTO payments (id, customer_id, payment_method_id, provider, amount, currency, status, attempt_id,
                    off_session, instalment_id, created_at)
                SELECT 'pay_' || n, 'cus_' || n, CASE n WHEN 2 THEN 'pm_old2' END, 'sandbox', 400, 'EUR', 'failed',
                    'att_' || n, true, 'part_' || n, 'epoch'
                FROM generate_series(1, 3) AS n
                """)
            try await world.execute("DELETE FROM plan_news")
            try await lent.applyRest(of: "Payment")
            let told: [String] = try await world.texts(
                "SELECT payment_id || ' ' || status || ' ' || attempts FROM plan_news")
            #expect(told == ["pay_1 failed 1"])
        }
    }
}
