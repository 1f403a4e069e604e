import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

/// The first plan day is 15 January 2027; pay in 4 is due then and 14, 28 and 42 days later.
@Suite("Instalments whose payments end without money") struct HeldInstalmentTests {
    /// A plan whose second part is held until a person has looked.
    private func held(_ world: InstalmentWorld, _ customer: CustomerID) async throws -> (InstalmentPlanID, PaymentID) {
        let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
        world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 14))
        #expect(try await world.runDue() == 1)
        let payment: PaymentID = try await self.payment(world, plan, 1)
        await world.payments.decide(try await world.payments.payment(payment), "review")
        #expect(try await world.payments.settled(payment).status == .authorized)
        return (plan, payment)
    }

    private func payment(_ world: InstalmentWorld, _ plan: InstalmentPlanID, _ part: Int) async throws -> PaymentID {
        try #require(
            try await world.read(plan).list("schedule")[part]["payment_id"]?.stringValue.flatMap { PaymentID($0) })
    }

    private func decline(_ world: InstalmentWorld, _ payment: PaymentID) async throws {
        try await decide(world, payment, "decline")
    }

    private func decide(_ world: InstalmentWorld, _ payment: PaymentID, _ decision: String) async throws {
        let body = #"{"decision":"\#(decision)"}"#
        _ = try await world.payments.work.review(
            world.payments.call("/v1/payments/\(payment)/review", body: body), payment, world.payments.read(body))
    }

    @Test("a declined review waits for another card, which is charged at once; the plan goes on") func declinedReview()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let (plan, id) = try await held(world, customer)
            try await decline(world, id)
            try await world.rest()
            let failed: PaymentRecord = try await world.payments.payment(id)
            #expect(failed.status == .failed && failed.decline == .reviewDeclined)
            #expect(try await world.payments.published("payment.canceled.v1") == 0)
            #expect(try await world.parts(plan) == ["paid", "due", "scheduled", "scheduled"])
            try await world.go(days: 16)
            #expect(try await world.payments.payment(id).attempts == 1, "the same card is not tried again")
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            try await world.go(days: 100)
            #expect(try await world.status(plan) == "completed")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a review that is declined days later leaves the customer as many days as one on the due day")
    func declinedLater() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let (plan, id) = try await held(world, customer)
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 20))
            try await decline(world, id)
            try await world.rest()
            for (day, status) in [(20, "due"), (23, "due"), (24, "late"), (80, "late"), (81, "defaulted")] {
                try await world.go(days: day)
                #expect(try await world.parts(plan)[1] == status, "day \(day)")
                let fees: Int = try await world.balance(InstalmentLedger.lateFees)
                #expect(fees == (status == "due" ? 0 : -500), "day \(day)")
            }
            #expect(try await world.status(plan) == "defaulted")
            #expect(try await world.payments.payment(id).attempts == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a hold that lapses is tried again, and the plan goes on") func lapsed() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let (plan, id) = try await held(world, customer)
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 22))
            try await world.payments.work.sweep.pass()
            let failed: PaymentRecord = try await world.payments.payment(id)
            #expect(failed.status == .failed && failed.decline == .holdReleased)
            try await world.rest()
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(try await world.payments.payment(id).attempts == 2)
            try await world.go(days: 100)
            #expect(try await world.status(plan) == "completed")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("it cannot be canceled by request while the plan asks for it, nor after the default") func notByRequest()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let (plan, id) = try await held(world, customer)
            func refused() async throws {
                await #expect(throws: CancelPayment.Failure.ofInstalment) { try await world.payments.cancel(id) }
            }
            try await refused()
            try await decline(world, id)
            try await world.rest()
            try await refused()
            try await world.go(days: 200)
            #expect(try await world.status(plan) == "defaulted")
            try await refused()
            #expect(CancelPayment.Failure.ofInstalment.problem.code == "payment_of_instalment")
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            _ = try await world.settle(plan)
            try await world.rest()
            #expect(try await world.status(plan) == "completed")
            #expect(try await world.payments.payment(id).status == .canceled, "nothing is left to ask for")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what is held is captured whole, or not at all", arguments: [false, true]) func whole(settlement: Bool)
        async throws
    {
        try await withInstalments { world in
            let payments: PaymentWorld = world.payments
            let customer: CustomerID = try await payments.payer()
            let id: PaymentID
            if settlement {
                let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
                _ = try await world.settle(plan)
                id = PaymentID(
                    unchecked: try await payments.texts("SELECT id FROM payments WHERE status = 'created'")[0])
                await payments.decide(try await payments.payment(id), "review")
                #expect(try await payments.settled(id).status == .authorized)
            } else {
                id = try await held(world, customer).1
            }
            try await payments.execute("UPDATE payments SET review_status = 'approved' WHERE id = \(id)")
            for (amount, final) in [(1_000, true), (nil, false)] as [(Int64?, Bool)] {
                await #expect(throws: CapturePayment.Failure.partOfInstalment) {
                    try await payments.capture(id, amount, final: final)
                }
            }
            #expect(try await payments.number("SELECT count(*) FROM captures") == 0)
            try await payments.capture(id)
            #expect(try await payments.payment(id).status == .succeeded)
            try await world.rest()
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what closes a part gives up its failed payment, whatever else the plan still asks for") func reduced()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.expired, to: customer)
            for day in [14, 28] { try await world.go(days: day) }
            let (open, closed) = (try await payment(world, plan, 1), try await payment(world, plan, 2))
            try await world.reduce(plan, by: 20_000)
            #expect(try await world.parts(plan) == ["paid", "late", "canceled", "canceled"])
            #expect(try await world.payments.payment(closed).status == .canceled)
            #expect(try await world.payments.payment(open).status == .failed)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await world.status(plan) == "completed")
            #expect(try await world.balance(Ledger.providerBalance("sandbox")) == 20_500)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "money that a reviewer takes after the plan was paid off goes back out of what was captured",
        arguments: [0, 2_500] as [Int64])
    func approvedTooLate(refunded: Int64) async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.challenges, to: customer)
            try await world.go(days: 14)
            let id: PaymentID = try await payment(world, plan, 1)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            _ = try await world.settle(plan)
            _ = try await world.payments.confirm(id, passed: true)
            await world.payments.decide(try await world.payments.payment(id), "review")
            #expect(try await world.payments.settled(id).status == .authorized)
            try await world.rest()
            #expect(try await world.status(plan) == "settled")
            try await decide(world, id, "approve")
            #expect(try await world.payments.payment(id).status == .succeeded)
            if refunded > 0 { _ = try await world.payments.refund(id, refunded) }
            try await world.rest()
            let after: JSONValue = try await world.read(plan)
            #expect(after.int("amount_overpaid") == 10_000 && after.int("amount_refunded") == 10_000)
            #expect(try await world.balance(Ledger.providerBalance("sandbox")) == 40_000)
            let captures: [String] = try await world.payments.texts("SELECT reference FROM sandbox_captures")
            #expect(captures.count == 1)
            #expect(
                try await world.payments.texts("SELECT DISTINCT refunded_reference FROM sandbox_refunds") == captures,
                "providers refund captures, not what was authorized")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a payment under way whose part is closed meanwhile, and that then fails, is given up") func closedMeanwhile()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.challenges, to: customer)
            try await world.go(days: 14)
            let id: PaymentID = try await payment(world, plan, 1)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            _ = try await world.settle(plan)
            _ = try await world.payments.confirm(id, passed: true)
            let settlement = PaymentID(
                unchecked: try await world.payments.texts(
                    "SELECT id FROM payments WHERE status = 'created' AND id <> \(id)")[0])
            await world.payments.decide(try await world.payments.payment(settlement))
            #expect(try await world.payments.settled(settlement).status == .succeeded)
            _ = try await world.hear(at: world.now)
            #expect(try await world.status(plan) == "settled")
            await world.payments.decide(try await world.payments.payment(id), "block", score: "0.9900")
            #expect(try await world.payments.payment(id).status == .failed)
            try await world.rest()
            #expect(try await world.payments.payment(id).status == .canceled)
            #expect(try await world.violations().isEmpty)
        }
    }
}
