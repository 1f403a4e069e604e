import BillingCore
import PaymentDomain
import PaymentLedger
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Reversals of what a provider has not reported") struct ReconciliationReversalTests {
    /// An adjustment of 100 by a slip, which is a case by now, beside a payment of 1,299 that its line confirms.
    private static func withSlip(
        _ body: (PaymentWorld, JournalEntryID, ReconcileProviders) async throws -> Void
    ) async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(try await world.payer())
            let slip: JournalEntryID = try await world.adjust(by: 100)
            let provider = ScriptedSettlements()
            provider.report([try world.line("t1", .charge, 1_299, own: paid.attemptID.rawValue)])
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 6)
            for _ in 0..<2 { try await reconcile.pass() }
            #expect(try await world.cases() == ["not_at_provider open -100"])
            try await body(world, slip, reconcile)
        }
    }

    /// Books and provider have the same now, and nothing is open.
    private static func expectAgreement(_ world: PaymentWorld) async throws {
        let today = CivilDate(dayNumber: Int(world.clock.now.seconds / 86_400))
        #expect(try await world.settled(today) == ["USD 1299 1299 0 0 0 0"])
    }

    @Test("the case ends with the reversal, and neither entry is looked for any more", arguments: [false, true])
    func resolved(isExplained: Bool) async throws {
        try await Self.withSlip { world, slip, reconcile in
            if isExplained { try await world.take(.explain, .notAtProvider) }
            try await world.reverse(slip)
            #expect(try await world.cases() == ["not_at_provider resolved -100"])
            let reversal: String = try #require(
                try await world.texts("SELECT id FROM journal_entries WHERE kind = 'reversal'").first)
            let noted: [String] = try await world.texts("SELECT actor || ': ' || note FROM reconciliation_cases")
            #expect(noted == ["key_test: \(isExplained ? "looked at; " : "")reversed by \(reversal)"])
            try await Self.expectAgreement(world)
            world.advance(days: 12)
            for _ in 0..<2 { try await reconcile.pass() }
            #expect(try await world.cases() == ["not_at_provider resolved -100"])
        }
    }

    @Test("what was written off is taken back a second time only once the write-off is") func writtenOff() async throws
    {
        try await Self.withSlip { world, slip, reconcile in
            try await world.take(.writeOff, .notAtProvider)
            let booked: String = try #require(
                try await world.texts("SELECT write_off_entry_id FROM reconciliation_cases").first)
            let writeOff = JournalEntryID(unchecked: booked)
            await #expect(throws: BookByHand.Failure.writtenOff(by: writeOff)) { try await world.reverse(slip) }
            try await Self.expectAgreement(world)
            for entry in [writeOff, slip] { try await world.reverse(entry) }
            world.advance(days: 12)
            for _ in 0..<2 { try await reconcile.pass() }
            try await Self.expectAgreement(world)
            #expect(try await world.cases() == ["not_at_provider written_off -100"])
        }
    }

    @Test("a case that was left open beside a reversal is not written off, but can be resolved") func leftOpen()
        async throws
    {
        try await Self.withSlip { world, slip, _ in
            try await world.reverse(slip)
            try await world.execute("UPDATE reconciliation_cases SET state = 'open', closed_at = NULL")
            await #expect(throws: ResolveReconciliationCase.Failure.reversed) {
                try await world.take(.writeOff, .notAtProvider)
            }
            try await Self.expectAgreement(world)
            try await world.take(.resolve, .notAtProvider)
            #expect(try await world.cases() == ["not_at_provider resolved -100"])
        }
    }
}
