import BillingCore
import PaymentInstalments
import Postgres
import TestKit
import Testing

/// The first plan day is 15 January 2027.
@Suite("Due plans, and one among them that cannot go on") struct DuePlanTests {
    @Test("a plan that cannot take its step is put off and holds up no other; it takes it when it can") func oneBad()
        async throws
    {
        try await withInstalments { world in
            var plans: [InstalmentPlanID] = []
            for _ in 0..<3 {
                plans.append(try await world.running(try await world.payments.payer(), "pay_in_3", 9_000))
            }
            try await world.payments.execute(
                "CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stuck'; END $$")
            try await world.payments.execute(
                SQL(
                    stringLiteral: """
                        CREATE TRIGGER stuck BEFORE UPDATE ON instalments FOR EACH ROW
                        WHEN (OLD.plan_id = '\(plans[1])') EXECUTE FUNCTION stuck()
                        """))
            world.payments.clock.advance(by: .seconds(31 * 86_400))
            #expect(try await world.runDue() == 3)
            #expect(try await begun(world) == [plans[0], plans[2]].sorted())
            #expect(try await world.runDue() == 0, "it is not looked at again at once")
            try await world.payments.execute("DROP TRIGGER stuck ON instalments")
            world.payments.clock.advance(by: .seconds(60))
            #expect(try await world.runDue() == 1)
            #expect(try await begun(world) == plans.sorted())
            try await world.rest()
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a payment whose row somebody holds puts its own plan off only") func oneHeld() async throws {
        try await withMigratedDatabase(service: "Payment", connections: 1) { lent in
            let world = try InstalmentWorld(PaymentWorld(lent.pool))
            let customer: CustomerID = try await world.payments.payer()
            let failing: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            try await world.go(days: 1)
            let other: InstalmentPlanID = try await world.running(
                try await world.payments.payer(), "pay_in_4", 40_000)
            try await world.go(days: 14)
            #expect(try await begun(world) == [failing])
            try await world.payments.execute("SET lock_timeout = '200ms'")
            let somebody = PostgresSession(lent.configuration, logger: world.payments.logger)
            try somebody.connect()
            defer { somebody.close() }
            try somebody.begin()
            try somebody.execute("SELECT id FROM payments WHERE status = 'failed' FOR UPDATE")
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 15))
            #expect(try await world.runDue() == 2)
            #expect(try await begun(world) == [failing, other].sorted())
            let tries: SQL = "SELECT max(attempts) FROM payments WHERE off_session"
            #expect(try await world.payments.number(tries) == 1)
            somebody.rollback()
            world.payments.clock.advance(by: .seconds(60))
            #expect(try await world.runDue() == 1)
            #expect(try await world.payments.number(tries) == 2)
        }
    }

    /// The plans of which an instalment was charged without the customer.
    private func begun(_ world: InstalmentWorld) async throws -> [InstalmentPlanID] {
        try await world.payments.texts(
            """
            SELECT DISTINCT i.plan_id FROM instalments i JOIN payments p ON p.instalment_id = i.id
            WHERE p.off_session ORDER BY 1
            """
        ).map { InstalmentPlanID(unchecked: $0) }
    }
}
