import BillingCore
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Bookings in two currencies that a provider does not report") struct ReconciliationCurrencyTests {
    @Test("each currency is a case of its own, and written off the books agree in both") func dispute() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(try await world.payer())
            // What the dispute costs is kept in another currency.
            try await world.hear(
                ProviderDispute(
                    reference: "dp_1", taken: "ch_\(paid.attemptID)", paymentID: paid.id, amount: paid.amount,
                    fee: Money(minor: 1_500, currency: .eur), reason: "fraudulent", stage: .needsResponse,
                    openedAt: PaymentWorld.start, evidenceDueBy: PaymentWorld.start + .seconds(86_400)))
            let provider = ScriptedSettlements()
            provider.report([try world.line("t1", .charge, 1_299, own: paid.attemptID.rawValue)])
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconcile.pass()
            world.advance(days: 5)
            for _ in 0..<2 { try await reconcile.pass() }
            let opened: [String] = try await world.cases().sorted()
            #expect(opened == ["not_at_provider open 1299", "not_at_provider open 1500"])
            // After one of them the other still waits.
            for id in try await world.texts("SELECT id FROM reconciliation_cases ORDER BY id") {
                let now: Instant = world.clock.now
                _ = try await world.database.transaction { db in
                    try ResolveReconciliationCase.take(
                        .writeOff, with: ReconciliationCaseID(unchecked: id), note: "looked at", actor: "key_test",
                        at: now, in: db)
                }
                world.advance(days: 6)
                try await reconcile.pass()
            }
            let closed: [String] = try await world.cases().sorted()
            #expect(closed == ["not_at_provider written_off 1299", "not_at_provider written_off 1500"])
            let end = CivilDate(dayNumber: Int(world.clock.now.seconds / 86_400))
            let balances: [String] = try await world.settled(end)
            #expect(balances.count == 2)
            for line in balances { #expect(line.split(separator: " ")[3] == "0", "\(line)") }
        }
    }
}
