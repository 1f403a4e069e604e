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

    @Test(
        "a refund of a part that was not settled yet finds its line, though another part was, whichever line is first",
        arguments: [false, true])
    func refundedPart(isRefundFirst: Bool) async throws {
        try await withPayments { world in
            let held: PaymentRecord = try await Self.captured(4_000, in: world)
            let attempt: String = held.attemptID.rawValue
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            provider.report([try Exchange.line("t1", .charge, 5_000, 4_000, own: attempt, rate: "1.25")])
            world.advance(days: 1)
            try await reconcile.pass()
            _ = try await world.refund(held.id, 6_000)
            let refunds: [String] = try await world.texts("SELECT id FROM refunds")
            provider.report([
                try Exchange.line(
                    "t2", .charge, 7_500, 6_000, own: attempt, rate: "1.25", after: isRefundFirst ? 86_520 : 86_460),
                try Exchange.line("t3", .refund, -7_800, -6_000, own: refunds[0], rate: "1.3", after: 86_490),
            ])
            world.advance(days: 1)
            try await reconcile.pass()
            let lines: [String] = try await world.lines()
            #expect(lines.count == 3 && lines.allSatisfy { $0.hasSuffix(" matched own_reference") })
            #expect(try await world.cases().isEmpty)
            #expect(try await Exchange.held(world, "assets:provider:sandbox", "GBP") == 0)
            #expect(try await Exchange.held(world, "assets:provider:sandbox", "USD") == 5_000 + 7_500 - 7_800)
            #expect(try await Exchange.held(world, Exchange.position, "GBP") == 4_000)
            #expect(try await Exchange.held(world, Exchange.position, "USD") == -5_000)
            #expect(try await Exchange.held(world, "expense:exchange_loss", "USD") == 300)
            #expect(try await Exchange.violations(world) == [])
        }
    }

    @Test("of parts that are settled in two currencies each tells what it came to, and the payment no sum")
    func twoCurrencies() async throws {
        try await withPayments { world in
            let held: PaymentRecord = try await Self.captured(4_000, in: world)
            let attempt: String = held.attemptID.rawValue
            let provider = ScriptedSettlements()
            let pounds: (Int64) -> Money = { Money(minor: $0, currency: .gbp) }
            provider.report([
                try Exchange.line("t1", .charge, 5_000, 4_000, fee: 90, own: attempt, rate: "1.25"),
                try SettlementLine(
                    provider: "sandbox", id: "t2", kind: .charge, gross: pounds(6_000), fee: pounds(100),
                    net: pounds(5_900), references: SettlementLine.References(own: attempt),
                    occurredAt: PaymentWorld.start + .seconds(61)),
            ])
            world.advance(days: 1)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.lines() == ["t1 matched own_reference", "t2 matched own_reference"])
            let captures: [String] = try await world.texts("SELECT id FROM captures ORDER BY amount")
            let (whole, parts) = try await world.database.transaction(readOnly: true) { db in
                (
                    try PaymentSettlementStore.find([held.id], in: db),
                    try PaymentSettlementStore.find(movements: captures, in: db)
                )
            }
            #expect(whole.isEmpty)
            #expect(
                captures.map { parts[$0] } == [
                    PaymentSettlement(
                        amount: Money(minor: 5_000, currency: .usd), rate: "1.25",
                        fee: Money(minor: 90, currency: .usd)),
                    PaymentSettlement(amount: pounds(6_000), rate: nil, fee: pounds(100)),
                ])
        }
    }
}
