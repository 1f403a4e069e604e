import BillingCore
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Verdicts that come late") struct LateVerdictTests {
    /// A payment that nobody has decided: of an invoice for this reason; without one, of a customer who orders.
    private func begun(_ world: PaymentWorld, reason: String?) async throws -> PaymentRecord {
        guard let reason else { return try await world.created(try await world.payer()) }
        let invoice = InvoiceID.new(at: PaymentWorld.start)
        await world.deliver([world.finalized(invoice, try await world.payer(), reason: reason)])
        return try await world.payment(of: invoice)
    }

    /// Lets time pass since an attempt was recorded.
    private func pass(_ seconds: Int64, since payment: PaymentRecord, in world: PaymentWorld) async throws -> Instant {
        // Ids of a process never go back in time, and this one's have seen other tests.
        let now: Instant = try #require(payment.attemptID.madeAt).adding(.seconds(seconds))
        world.clock.set(now)
        try await world.execute("UPDATE payments SET stepped_at = now() - make_interval(secs => \(Double(seconds)))")
        return now
    }

    /// Has it decided: by Fraud, or by the fallback as Fraud is silent.
    private func decide(_ payment: PaymentRecord, isSilent: Bool, in world: PaymentWorld) async throws -> PaymentRecord
    {
        if isSilent { try await world.work.sweep.pass() } else { await world.decide(payment) }
        return try await world.settled(payment.id)
    }

    @Test("let a renewal be charged hours later, under a key that providers still know", arguments: [false, true])
    func renewal(isSilent: Bool) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await begun(world, reason: "cycle")
            let now: Instant = try await pass(6 * 3_600, since: payment, in: world)
            world.provider.turn(.forgetful)
            let paid: PaymentRecord = try await decide(payment, isSilent: isSilent, in: world)
            #expect(world.provider.charges == 1)
            try await world.isChargedAnew(paid, since: now)
        }
    }

    @Test(
        "charge nobody who has ordered two minutes ago or earlier, whatever it is for",
        arguments: [nil, "signup", "upgrade"] as [String?], [false, true])
    func left(reason: String?, isSilent: Bool) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await begun(world, reason: reason)
            _ = try await pass(120, since: payment, in: world)
            let failed: PaymentRecord = try await decide(payment, isSilent: isSilent, in: world)
            #expect(failed.status == .failed && failed.declineCode == "processing_error" && failed.attempts == 1)
            #expect(world.provider.asked.isEmpty)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 0)
            #expect(try await world.published("payment.failed.v1") == 1)
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "change nothing for who is still waiting, nor for a renewal within the hour",
        arguments: [(nil, 119), ("signup", 119), ("cycle", 3_599)] as [(String?, Int64)])
    func inTime(reason: String?, seconds: Int64) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await begun(world, reason: reason)
            _ = try await pass(seconds, since: payment, in: world)
            let paid: PaymentRecord = try await decide(payment, isSilent: false, in: world)
            #expect(paid.status == .succeeded && paid.attemptID == payment.attemptID)
            #expect(try await world.number("SELECT count(*) FROM payment_attempts WHERE unsent") == 0)
            #expect(try await world.booked(payment.id) == ["payment"])
        }
    }

    @Test("are none for who has just ordered from an instance whose clock is minutes behind") func clocksApart()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await begun(world, reason: nil)
            world.clock.set(try #require(payment.attemptID.madeAt).adding(.seconds(600)))
            let paid: PaymentRecord = try await decide(payment, isSilent: false, in: world)
            #expect(paid.status == .succeeded && paid.attempts == 1)
            #expect(try await world.booked(payment.id) == ["payment"])
        }
    }

    @Test("leave the attempt with the new key to the sweeper where nobody can be reached then") func unreachable()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await begun(world, reason: "cycle")
            _ = try await pass(6 * 3_600, since: payment, in: world)
            world.provider.turn(.unreachable)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "another attempt has taken its place, and was not sent either") {
                try await world.number("SELECT count(*) FROM payment_attempts WHERE unsent AND number = 2") == 1
            }
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            let paid: PaymentRecord = try await world.settled(payment.id)
            #expect(paid.status == .succeeded && paid.attempts == 2)
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.violations() == [])
        }
    }
}
