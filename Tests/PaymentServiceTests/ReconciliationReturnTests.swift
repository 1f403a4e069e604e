import BillingCore
import PaymentContract
import PaymentDomain
import PaymentExchange
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Refunds that fail after their provider has converted them") struct ReconciliationReturnTests {
    private typealias Exchange = ReconciliationExchangeTests
    private static let day: Int64 = 86_400

    /// What stands on an account in dollars.
    private static func dollars(_ world: PaymentWorld, _ account: String) async throws -> Int {
        try await Exchange.held(world, account, "USD")
    }

    /// A payment of 10 pounds and a refund of 3.33, which their provider has settled.
    private static func settled(
        _ world: PaymentWorld
    ) async throws -> (PaymentRecord, String, ScriptedSettlements, ReconcileProviders) {
        let paid: PaymentRecord = try await Exchange.pounds(world, 1_000)
        _ = try await world.refund(paid.id, 333)
        let refund: String = try #require(try await world.texts("SELECT id FROM refunds").first)
        let provider = ScriptedSettlements()
        let reconcile: ReconcileProviders = world.reconciliation([provider])
        provider.report([
            try Exchange.line("t1", .charge, 1_251, 1_000, own: paid.attemptID.rawValue, after: 60),
            try Exchange.line("t2", .refund, -440, -333, own: refund, after: 61),
        ])
        world.advance(days: 1)
        try await reconcile.pass()
        return (paid, refund, provider, reconcile)
    }

    @Test(
        "what comes back at another rate than it was settled at is a gain or a loss, and all of it can be refunded again",
        arguments: [438, 440, 443])
    func settledAndReturned(returned: Int64) async throws {
        try await withPayments { world in
            let (paid, refund, provider, reconcile) = try await Self.settled(world)
            #expect(try await world.lines().allSatisfy { $0.hasSuffix("matched own_reference") })
            try await Self.fail(refund, of: paid, in: world)
            provider.report([
                try Exchange.line("t3", .adjustment, returned, 333, own: refund, after: 2 * Self.day)
            ])
            world.advance(days: 6)
            for _ in 0..<2 { try await reconcile.pass() }
            #expect(try await world.lines().last == "t3 matched own_reference")
            #expect(try await world.cases().isEmpty)
            #expect(try await Self.dollars(world, "assets:provider:sandbox") == 1_251 - 440 + Int(returned))
            let (loss, gain) = (
                try await Self.dollars(world, "expense:exchange_loss"),
                try await Self.dollars(world, "income:exchange_gain")
            )
            #expect(loss == max(0, 440 - Int(returned)) && gain == min(0, 440 - Int(returned)))
            #expect(try await Exchange.held(world, Exchange.position, "GBP") == 1_000)
            #expect(try await Self.dollars(world, Exchange.position) == -1_251)
            #expect(try await Exchange.violations(world) == [])
            // Nothing is left on the exchange account when all is given back.
            _ = try await world.refund(paid.id, 1_000)
            let last: [String] = try await world.texts("SELECT id FROM refunds ORDER BY id DESC LIMIT 1")
            provider.report([try Exchange.line("t4", .refund, -1_290, -1_000, own: last[0], after: 8 * Self.day)])
            world.advance(days: 6)
            try await reconcile.pass()
            #expect(try await world.lines().last == "t4 matched own_reference")
            #expect(try await Exchange.held(world, Exchange.position, "GBP") == 0)
            #expect(try await Self.dollars(world, Exchange.position) == 0)
            #expect(try await Exchange.violations(world) == [])
        }
    }

    @Test("another amount than was refunded is still a case, and nothing is booked for it") func otherAmount()
        async throws
    {
        try await withPayments { world in
            let (paid, refund, provider, reconcile) = try await Self.settled(world)
            try await Self.fail(refund, of: paid, in: world)
            provider.report([try Exchange.line("t3", .adjustment, 400, 300, own: refund, after: 2 * Self.day)])
            world.advance(days: 2)
            try await reconcile.pass()
            #expect(try await world.lines().last == "t3 different own_reference")
            #expect(try await world.cases() == ["amount open -40"])
            #expect(try await Self.dollars(world, "assets:provider:sandbox") == 1_251)
            #expect(try await Exchange.violations(world) == [])
        }
    }

    @Test("what a dispute took beside a refund leaves nothing on the exchange account once the refund has failed")
    func besideDispute() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await Exchange.pounds(world, 10_000)
            _ = try await world.refund(paid.id, 3_000)
            let refund: String = try #require(try await world.texts("SELECT id FROM refunds").first)
            try await world.hear(world.told(paid, .lost, fee: nil))
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            let charge = "ch_\(paid.attemptID)"
            provider.report([
                try Exchange.line("t1", .charge, 12_500, 10_000, own: paid.attemptID.rawValue, after: 60),
                try Exchange.line("t2", .refund, -3_900, -3_000, own: refund, after: 61),
                try Exchange.line("t3", .dispute, -13_000, -10_000, source: "dp_1", taken: charge, after: 62),
            ])
            world.advance(days: 1)
            try await reconcile.pass()
            // Of what the dispute took 30 pounds, 39 dollars, were beyond what was left of the capture.
            #expect(try await Exchange.held(world, Exchange.position, "GBP") == -3_000)
            #expect(try await Self.dollars(world, Exchange.position) == 3_900)
            try await Self.fail(refund, of: paid, in: world)
            provider.report([
                try Exchange.line("t4", .adjustment, 3_900, 3_000, own: refund, after: 2 * Self.day)
            ])
            world.advance(days: 2)
            try await reconcile.pass()
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            #expect(try await Exchange.held(world, Exchange.position, "GBP") == 0)
            #expect(try await Self.dollars(world, Exchange.position) == 0)
            #expect(try await Self.dollars(world, "expense:exchange_loss") == 500)
            #expect(try await Self.dollars(world, "assets:provider:sandbox") == 12_500 - 13_000)
            #expect(try await Exchange.violations(world) == [])
        }
    }

    /// The news that a refund has failed.
    private static func fail(_ refund: String, of paid: PaymentRecord, in world: PaymentWorld) async throws {
        let reference: String = try #require(
            try await world.texts("SELECT provider_reference FROM refunds WHERE id = \(refund)").first)
        try await world.execute(
            """
            UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(world.clock.now)
            WHERE reference = \(reference)
            """)
        let told = ProviderRefund(
            reference: reference, taken: "ch_\(paid.attemptID)", refundID: nil,
            amount: Money(minor: 333, currency: .gbp), state: .failed(code: "account_closed"))
        for _ in 0..<2 { try await world.work.news.refund(told, at: "sandbox") }
    }

    @Test("one that was booked as it would be settled, and failed before its lines were read, is set right by both")
    func bookedInSettlementCurrency() async throws {
        try await withPayments { world in
            let id = PaymentID.new(at: PaymentWorld.start)
            try await Self.bookAndUndo(id, in: world)
            let provider = ScriptedSettlements()
            provider.report([
                try Exchange.line("t1", .charge, 12_500, 10_000, own: id.rawValue),
                try Exchange.line("t2", .refund, -5_300, -4_000, own: "re_1", after: 120),
                try Exchange.line("t3", .adjustment, 5_250, 4_000, own: "re_1", after: 180),
            ])
            world.advance(days: 2)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.lines().allSatisfy { $0.hasSuffix("matched own_reference") })
            #expect(try await world.cases().isEmpty)
            #expect(try await Self.dollars(world, "assets:provider:sandbox") == 12_500 - 5_300 + 5_250)
            // The refund was booked at 1.25.
            #expect(try await Self.dollars(world, "expense:exchange_loss") == 300)
            #expect(try await Self.dollars(world, "income:exchange_gain") == -250)
            #expect(try await Exchange.held(world, Exchange.position, "GBP") == 10_000)
            #expect(try await Exchange.violations(world) == [])
        }
    }

    /// A payment of 10,000 pounds and a refund of 4,000, exchanged as they are booked; the refund is undone.
    private static func bookAndUndo(_ id: PaymentID, in world: PaymentWorld) async throws {
        try await Exchange.bookPounds(id, in: world)
        let movement = ExchangeMovement(
            reference: "re_1", paymentID: id, amount: Money(minor: 4_000, currency: .gbp), provider: "sandbox")
        try await world.database.transaction { db in
            let postings: [Posting] = try BookExchange(policy: SettlementPolicy(["sandbox": .usd])).refund(
                movement, at: PaymentWorld.start, in: db)
            let entry = JournalEntry(
                id: .new(at: PaymentWorld.start), kind: .refund, reference: "re_1", paymentID: id,
                occurredAt: PaymentWorld.start, postings: postings)
            try LedgerStore.book([entry], in: db)
            _ = try LedgerStore.undo(refund: "re_1", of: id, at: PaymentWorld.start, in: db)
            try BookExchange.undo(refund: "re_1", in: db)
        }
    }

    @Test("a converted line of an adjustment whose payment is none of ours is booked, and holds up no other line")
    func unknownPayment() async throws {
        try await withPayments { world in
            let postings: [Posting] = try Ledger.capture(Money(minor: 700, currency: .gbp), provider: "sandbox")
            try await world.database.transaction { db in
                let id = JournalEntryID.new(at: PaymentWorld.start)
                let entry = JournalEntry(
                    id: id, kind: .adjustment, reference: id.rawValue, paymentID: .new(at: PaymentWorld.start),
                    occurredAt: PaymentWorld.start, postings: postings)
                try LedgerStore.book([entry], in: db)
            }
            let provider = ScriptedSettlements()
            provider.report([
                try Exchange.line("t1", .adjustment, 910, 700), try world.line("t2", .fee, -15, after: 61),
            ])
            world.advance(days: 2)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.lines() == ["t1 matched amount_and_time", "t2 matched booked_from_line"])
            #expect(try await Self.dollars(world, "assets:provider:sandbox") == 910 - 15)
            #expect(try await Exchange.held(world, "assets:provider:sandbox", "GBP") == 0)
        }
    }

    @Test("lines of a provider that cannot be booked hold up no other provider's") func faultOfOne() async throws {
        try await withPayments { world in
            try await world.database.transaction { db in
                // Somebody has booked it by another way.
                let entry = JournalEntry(
                    id: .new(at: PaymentWorld.start), kind: .providerFee, reference: "alpha:t1", paymentID: nil,
                    occurredAt: PaymentWorld.start,
                    postings: try Ledger.providerFee(Money(minor: 100, currency: .usd), provider: "alpha"))
                try LedgerStore.book([entry], in: db)
            }
            let head = "id,kind,currency,gross,fee,net,occurred_at,available_at,source"
            for name in ["alpha", "beta"] {
                try await world.load(
                    """
                    \(head)
                    t1,fee,USD,-1.00,0,-1.00,2027-01-15T08:00:00Z,,
                    t2,payout,USD,-5.00,0,-5.00,2027-01-15T08:00:00Z,2027-01-15T08:00:00Z,po_2
                    """, provider: name)
            }
            let reconcile: ReconcileProviders = world.reconciliation([])
            await #expect(throws: PostgresError.self) { try await reconcile.pass() }
            #expect(try await world.balance("assets:provider:beta") == -600)
            #expect(try await world.balance("assets:bank") == 500)
            #expect(
                try await world.number(
                    "SELECT count(*) FROM settlement_lines WHERE provider = 'alpha' AND state = 'open'")
                    == 2)
        }
    }
}
