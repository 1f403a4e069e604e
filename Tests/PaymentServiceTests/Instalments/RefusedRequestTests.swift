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
@Suite("Instalments whose provider refuses our requests") struct RefusedRequestTests {
    private func payment(_ world: InstalmentWorld, _ plan: InstalmentPlanID) async throws -> PaymentID {
        try #require(
            try await world.read(plan).list("schedule")[1]["payment_id"]?.stringValue.flatMap { PaymentID($0) })
    }

    /// The second part is tried on the morning of a day, and the provider refuses us.
    private func tryInVain(
        _ world: InstalmentWorld, _ plan: InstalmentPlanID, day: Int, code: String = "provider_credentials"
    ) async throws {
        world.payments.provider.refuse(with: ProviderDecline(code: code))
        world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + day))
        try await refuseDue(world, plan)
    }

    /// What is due is tried once, in vain.
    private func refuseDue(_ world: InstalmentWorld, _ plan: InstalmentPlanID) async throws {
        #expect(try await world.runDue() == 1, "\(world.now)")
        #expect(try await world.assess() == 1)
        let id: PaymentID = try await payment(world, plan)
        #expect(try await world.payments.settled(id).status == .failed)
        #expect(try await world.hear(at: world.now) == 1)
        #expect(try await world.runDue() == 0, "not again at once")
    }

    /// Somebody sees to the provider, and the next attempt is due.
    private func repair(_ world: InstalmentWorld) async throws {
        world.payments.provider.refuse(with: nil)
        world.payments.clock.advance(by: .seconds(6 * 3_600))
        try await world.rest()
    }

    private func attempts(_ world: InstalmentWorld, _ payment: PaymentID) async throws -> [String] {
        try await world.payments.texts(
            "SELECT status FROM payment_attempts WHERE payment_id = \(payment) ORDER BY number")
    }

    @Test(
        "nobody is late by it, whatever time passes; once the provider is seen to, all that is due is charged",
        arguments: ["provider_credentials", "provider_configuration"])
    func nobodyIsLate(code: String) async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            for day in [14, 15, 18, 22, 90] { try await tryInVain(world, plan, day: day, code: code) }
            #expect(try await world.parts(plan) == ["paid", "due", "scheduled", "scheduled"])
            #expect(try await world.violations().isEmpty)
            try await repair(world)
            #expect(try await world.status(plan) == "completed")
            #expect(try await world.read(plan).int("amount_paid") == 40_000)
            let id: PaymentID = try await payment(world, plan)
            #expect(try await attempts(world, id) == Array(repeating: "failed", count: 5) + ["succeeded"])
            #expect(try await world.payments.published("instalment_plan.instalment_late.v1") == 0)
            #expect(try await world.balance(InstalmentLedger.lateFees) == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("however often it is tried, no network has heard of it: none of its card's attempts is used up")
    func manyTries() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await tryInVain(world, plan, day: 14, code: "provider_configuration")
            for _ in 0..<16 {
                world.payments.clock.advance(by: .seconds(6 * 3_600))
                try await refuseDue(world, plan)
            }
            let declines: [String] = try await world.payments.texts(
                "SELECT DISTINCT decline_code FROM payment_attempts WHERE decline_code IS NOT NULL")
            #expect(declines == ["provider_configuration"])
            #expect(try await world.parts(plan) == ["paid", "due", "scheduled", "scheduled"])
            try await repair(world)
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(try await world.balance(InstalmentLedger.lateFees) == 0)
        }
    }

    @Test("a judged decline has every retry before it, and days count again") func retriesAreLeft() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            try await world.rest()
            for day in [14, 16, 22] { try await tryInVain(world, plan, day: day) }
            try await repair(world)
            let id: PaymentID = try await payment(world, plan)
            // Three that nobody judged, the one of the due day, and those of the four retry days.
            #expect(try await attempts(world, id) == Array(repeating: "failed", count: 8))
            #expect(try await world.status(plan) == "active")
            for (day, status) in [(25, "active"), (26, "late")] {
                try await world.go(days: day)
                #expect(try await world.status(plan) == status, "its grace runs from day 22")
            }
            #expect(try await attempts(world, id).count == 8)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("meanwhile the plan can be changed, and no day counts by it") func changed() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            for day in [14, 18] { try await tryInVain(world, plan, day: day) }
            world.payments.clock.advance(by: .seconds(3_600))
            try await world.reduce(plan, by: 10_000)
            #expect(try await world.parts(plan) == ["paid", "due", "scheduled", "canceled"])
            #expect(try await world.read(plan).list("schedule")[1].int("late_fee") == 0)
            try await repair(world)
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "canceled"])
            _ = try await world.settle(plan)
            try await world.rest()
            #expect(try await world.read(plan).int("amount_paid") == 30_000)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a new default method is tried at once") func otherMethod() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await tryInVain(world, plan, day: 14)
            world.payments.provider.refuse(with: nil)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(try await world.violations().isEmpty)
        }
    }
}
