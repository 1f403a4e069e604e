import BillingCore
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Looking for bookings of long ago") struct ReconciliationLookTests {
    /// A correction by hand of what stands at the provider.
    private static func adjust(_ world: PaymentWorld, by minor: Int64, at time: Instant) async throws {
        let amount = Money(minor: minor, currency: .usd)
        let id = JournalEntryID.new(at: PaymentWorld.start)
        let entry = JournalEntry(
            id: id, kind: .adjustment, reference: id.rawValue, paymentID: nil, occurredAt: time,
            postings: [
                Posting(account: "assets:provider:sandbox", amount: amount),
                Posting(account: "equity:opening_balance", amount: try amount.negated()),
            ])
        try await world.database.transaction { db in try LedgerStore.book([entry], in: db) }
    }

    @Test("eighteen centuries in which nothing was booked are passed over at once", .timeLimit(.minutes(1)))
    func longAgo() async throws {
        try await withPayments { world in
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            let paid: PaymentRecord = try await world.paid(try await world.payer())
            provider.report([try world.line("t1", .charge, 1_299, own: paid.attemptID.rawValue)])
            world.advance(days: 10)
            try await reconcile.pass()
            #expect(try await world.cases().isEmpty)
            // The years 204 and 2001.
            let oldest = Instant(seconds: -55_700_000_000)
            for time in [oldest, Instant(seconds: 1_000_000_000)] { try await Self.adjust(world, by: 100, at: time) }
            try await world.execute("UPDATE settlement_cursors SET checked_until = \(oldest)")
            try await reconcile.pass()
            #expect(try await world.cases() == ["not_at_provider open -100", "not_at_provider open -100"])
            let end: Instant = world.clock.now - .seconds(5 * 86_400)
            #expect(
                try await world.number("SELECT count(*) FROM settlement_cursors WHERE checked_until = \(end)") == 1)
        }
    }

    @Test("what a provider lists from before its reading began is not stored, unless it has an id of ours")
    func before()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(try await world.payer())
            let provider = ScriptedSettlements(lookBack: .seconds(30 * 86_400))
            provider.report([
                try world.line("old_payout", .payout, -50_000, source: "po_1", after: -9 * 86_400),
                try world.line("old_fee", .fee, -25, after: -2 * 86_400),
                try world.line("old_charge", .charge, 1_000, own: "INVOICE-7", source: "ch_1", after: -86_400),
                try world.line("ours", .charge, 1_299, own: paid.attemptID.rawValue, after: -86_400),
                try world.line("new_fee", .fee, -30),
            ])
            for _ in 0..<3 {
                world.advance(days: 1)
                try await world.reconciliation([provider]).pass()
            }
            #expect(
                try await world.lines() == ["ours matched own_reference", "new_fee matched booked_from_line"])
            #expect(try await world.cases().isEmpty)
            #expect(try await world.balance("assets:provider:sandbox") == 1_299 - 30)
            let violations: [String] = try await world.database.transaction { db in
                try ReconciliationConsistency.violations(in: db)
            }
            #expect(violations.isEmpty)
        }
    }

    @Test("an adjustment dated long before there was an account is looked for, and no line is read for its sake")
    func begins() async throws {
        try await withPayments { world in
            try await Self.adjust(world, by: 100, at: Instant(seconds: 1_000_000_000))
            let provider = ScriptedSettlements()
            provider.fail(true)
            try await world.reconciliation([provider]).pass()
            #expect(
                try await world.texts("SELECT (window_from AT TIME ZONE 'UTC')::text FROM settlement_cursors")
                    == ["2027-01-15 00:00:00"])
            #expect(try await world.cases() == ["not_at_provider open -100"])
        }
    }
}
