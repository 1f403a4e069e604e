import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import TestKit
import Testing

/// The first plan day is 15 January 2027; pay in 4 is due then and 14, 28 and 42 days later.
@Suite("Money of an instalment that comes after another amount was asked for") struct LateInstalmentMoneyTests {
    /// A plan whose second part, of 10,000, was refused on its day, and its payment as it was then.
    private func refused(
        _ world: InstalmentWorld, _ customer: CustomerID
    ) async throws -> (InstalmentPlanID, PaymentRecord) {
        let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
        world.payments.provider.refuse(with: ProviderDecline(code: "expired_card"))
        try await world.go(days: 14)
        world.payments.provider.refuse(with: nil)
        let id: PaymentID = try #require(
            try await world.read(plan).list("schedule")[1]["payment_id"]?.stringValue.flatMap { PaymentID($0) })
        let payment: PaymentRecord = try await world.payments.payment(id)
        #expect(payment.status == .failed && payment.amount.minor == 10_000)
        return (plan, payment)
    }

    /// The provider takes what it was asked for after all, and tells of it twice.
    private func capture(_ asked: PaymentRecord, _ world: InstalmentWorld) async throws {
        let hooks = WebhookWorld(world.payments)
        _ = try await world.payments.provider.sandbox.charge(world.payments.asked(asked))
        for _ in 0..<2 {
            try await hooks.deliver(hooks.charge(asked))
            try await hooks.work()
        }
        #expect(try await hooks.stored() == ["done", "done"])
        try await world.rest()
    }

    @Test("what was asked for before the late fee pays the part, and the fee is waived") func beforeLateFee()
        async throws
    {
        try await withInstalments { world in
            let (plan, asked) = try await refused(world, world.payments.payer())
            try await world.go(days: 18)
            #expect(try await world.parts(plan)[1] == "late")
            #expect(try await world.payments.payment(asked.id).amount.minor == 10_500)
            try await capture(asked, world)
            let payment: PaymentRecord = try await world.payments.payment(asked.id)
            #expect(payment.status == .succeeded && payment.amountCaptured == 10_000)
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            let part: JSONValue = try await world.read(plan).list("schedule")[1]
            #expect(part.int("paid") == 10_000 && part.int("late_fee") == 0)
            #expect(try await world.balance(InstalmentLedger.lateFees) == 0)
            #expect(try await world.balance(InstalmentLedger.receivable) == 20_000)
            #expect(try await world.balance(Ledger.providerBalance("sandbox")) == 20_000)
            #expect(try await world.violations() == [])
        }
    }

    @Test("what was asked for before a part of the purchase was taken back pays what is left; the rest goes back")
    func beforeReduction() async throws {
        try await withInstalments { world in
            let (plan, asked) = try await refused(world, world.payments.payer())
            try await world.reduce(plan, by: 24_000)
            #expect(try await world.payments.payment(asked.id).amount.minor == 6_000)
            try await capture(asked, world)
            #expect(try await world.status(plan) == "completed")
            let after: JSONValue = try await world.read(plan)
            #expect(after.int("amount_overpaid") == 4_000 && after.int("amount_refunded") == 4_000)
            #expect(try await world.balance(Ledger.providerBalance("sandbox")) == 16_000)
            #expect(try await world.violations() == [])
        }
    }

    @Test("once a further attempt has paid the part with its fee, what the first one took is given back, all of it")
    func besideAnother() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let (plan, asked) = try await refused(world, customer)
            try await world.go(days: 18)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await world.read(plan).list("schedule")[1].int("paid") == 10_500)
            try await capture(asked, world)
            for _ in 0..<2 { try await world.payments.work.sweep.pass() }
            #expect(
                try await world.payments.texts(
                    """
                    SELECT concat_ws('|', description, status, amount, amount_captured, amount_refunded) FROM payments
                    WHERE instalment_id IS NULL
                    """) == ["Charged beside \(asked.id)|succeeded|10000|10000|10000"])
            #expect(
                try await world.payments.texts("SELECT concat_ws(' ', reason, status, amount) FROM refunds")
                    == ["paid_after_it_had_ended succeeded 10000"])
            #expect(try await world.balance(Ledger.providerBalance("sandbox")) == 20_500)
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(try await world.violations() == [])
        }
    }
}
