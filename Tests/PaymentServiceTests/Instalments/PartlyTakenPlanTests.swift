import BillingCore
import JSON
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Testing

@Suite("Plans whose held payments are captured in part at the provider") struct PartlyTakenPlanTests {
    /// Holds the one payment that waits for Fraud, and has a part of it captured at the provider's pages; the rest is let go.
    private static func take(_ amount: Int64, in world: InstalmentWorld) async throws -> PaymentRecord {
        let waiting: [String] = try await world.payments.texts("SELECT id FROM payments WHERE status = 'created'")
        let payment: PaymentRecord = try await world.payments.payment(PaymentID(unchecked: waiting[0]))
        await world.payments.decide(payment, "review", score: "0.6000")
        let held: PaymentRecord = try await world.payments.settled(payment.id)
        #expect(held.status == .authorized)
        try await world.payments.captureElsewhere(held, amount)
        try await world.payments.execute("UPDATE payments SET look_at = now() WHERE status = 'authorized'")
        try await world.payments.work.sweep.pass()
        let taken: PaymentRecord = try await world.payments.payment(payment.id)
        #expect(taken.status == .succeeded && taken.amountCaptured == amount)
        return taken
    }

    @Test("a settlement that is paid in part settles nothing: its money goes back and the plan goes on")
    func settlement() async throws {
        try await withInstalments { world in
            let plan: InstalmentPlanID = try await world.running(
                await world.payments.payer(), "pay_in_4", 40_000)
            _ = try await world.settle(plan)
            let taken: PaymentRecord = try await Self.take(10_000, in: world)
            try await world.rest()
            #expect(try await world.status(plan) == "active")
            let back: [String] = try await world.payments.texts(
                "SELECT amount || ' ' || status FROM refunds WHERE payment_id = \(taken.id)")
            #expect(back == ["10000 succeeded"])
            try await world.go(days: 100)
            #expect(try await world.status(plan) == "completed")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what goes back of a settlement is told as given back after another one has paid the plan off")
    func settledAgain() async throws {
        try await withInstalments { world in
            let plan: InstalmentPlanID = try await world.running(
                await world.payments.payer(), "pay_in_4", 40_000)
            _ = try await world.settle(plan)
            _ = try await Self.take(10_000, in: world)
            try await world.rest()
            _ = try await world.settle(plan)
            try await world.rest()
            let after: JSONValue = try await world.read(plan)
            #expect(after["status"]?.stringValue == "settled")
            #expect(after.int("amount_overpaid") == 10_000 && after.int("amount_refunded") == 10_000)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a first part that is paid in part lets the plan go on: the others are charged on their days")
    func first() async throws {
        try await withInstalments { world in
            let plan: InstalmentPlanID = try world.id(
                try await world.agree(await world.payments.payer(), "pay_in_4", 40_000))
            _ = try await Self.take(6_000, in: world)
            try await world.rest()
            try await world.go(days: 100)
            let others: [String] = try await world.parts(plan)
            #expect(others.dropFirst() == ["paid", "paid", "paid"])
            #expect(
                try await world.payments.number(
                    "SELECT count(*) FROM instalment_plans WHERE awaited_payment_id IS NOT NULL") == 0)
            #expect(try await world.violations().isEmpty)
        }
    }
}
