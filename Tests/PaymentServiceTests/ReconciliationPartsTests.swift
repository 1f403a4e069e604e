import BillingCore
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Charges that are captured in parts, and converted") struct ReconciliationPartsTests {
    private typealias Exchange = ReconciliationExchangeTests

    /// A payment of 100 pounds that was held, and captured in two parts.
    private static func captured(_ first: Int64, in world: PaymentWorld) async throws -> PaymentRecord {
        let customer: CustomerID = try await world.payer()
        let body =
            #"{"amount":10000,"currency":"GBP","customer_id":"\#(customer)","capture_method":"manual"}"#
        let made = try await world.work.create(world.call("/v1/payments", body: body), world.read(body))
        let created: PaymentRecord = try await world.payment(world.id(made))
        await world.decide(created)
        let held: PaymentRecord = try await world.settled(created.id)
        try await world.capture(held.id, first, final: false)
        try await world.capture(held.id, 10_000 - first)
        return held
    }

    /// All is matched, and the books have 100 pounds as they were settled.
    private static func expectSettled(_ world: PaymentWorld, as dollars: Int) async throws {
        #expect(try await world.lines() == ["t1 matched own_reference", "t2 matched own_reference"])
        #expect(try await world.cases().isEmpty)
        #expect(try await Exchange.held(world, "assets:provider:sandbox", "GBP") == 0)
        #expect(try await Exchange.held(world, "assets:provider:sandbox", "USD") == dollars)
        #expect(try await Exchange.held(world, Exchange.position, "GBP") == 10_000)
        #expect(try await Exchange.held(world, Exchange.position, "USD") == -dollars)
        #expect(try await world.number("SELECT settlement_amount FROM payments") == dollars)
        #expect(try await Exchange.violations(world) == [])
    }

    @Test(
        "each line is over its own part, though the provider tells what was captured in all by then",
        arguments: [6_000, 10_000] as [Int64])
    func parts(told: Int64) async throws {
        try await withPayments { world in
            let held: PaymentRecord = try await Self.captured(6_000, in: world)
            let attempt: String = held.attemptID.rawValue
            let provider = ScriptedSettlements()
            provider.report([
                try Exchange.line("t1", .charge, 7_500, told, own: attempt, rate: "1.25"),
                try Exchange.line("t2", .charge, 5_000, 10_000, own: attempt, rate: "1.25", after: 61),
            ])
            world.advance(days: 1)
            try await world.reconciliation([provider]).pass()
            try await Self.expectSettled(world, as: 12_500)
        }
    }

    @Test("equal parts are told apart by the order of time") func equalParts() async throws {
        try await withPayments { world in
            let held: PaymentRecord = try await Self.captured(5_000, in: world)
            let attempt: String = held.attemptID.rawValue
            let provider = ScriptedSettlements()
            provider.report([
                try Exchange.line("t1", .charge, 6_250, 10_000, own: attempt, rate: "1.25"),
                try Exchange.line("t2", .charge, 6_300, 10_000, own: attempt, rate: "1.26", after: 61),
            ])
            world.advance(days: 1)
            try await world.reconciliation([provider]).pass()
            try await Self.expectSettled(world, as: 12_550)
        }
    }
}
