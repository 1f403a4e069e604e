import BillingCore
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@Suite("How often providers are asked for their reports") struct ReconciliationReadingTests {
    @Test("a pass asks once for what was reported since the last one, though the time goes on while it reads")
    func once() async throws {
        try await withPayments { world in
            let provider = ScriptedSettlements(lag: .seconds(300))
            let clock = SteppingClock(from: PaymentWorld.start + .seconds(86_400))
            let reconcile = ReconcileProviders(
                providers: [provider], pool: world.database, clock: clock, policy: PaymentWorld.policy,
                logger: world.logger)
            for pass in 1...3 {
                try await reconcile.pass()
                #expect(provider.asked == pass)
            }
        }
    }

    @Test("a pass asks for each page that there is, and no more") func pages() async throws {
        try await withPayments { world in
            let provider = ScriptedSettlements(pageSize: 2, lag: .seconds(300))
            let clock = SteppingClock(from: PaymentWorld.start + .seconds(86_400))
            let reconcile = ReconcileProviders(
                providers: [provider], pool: world.database, clock: clock, policy: PaymentWorld.policy,
                logger: world.logger)
            // On the day on which the reading begins.
            provider.report(try (1...5).map { try world.line("t\($0)", .fee, -100, after: 60_000 + Int64($0)) })
            try await reconcile.pass()
            #expect(provider.asked == 3)
            #expect(try await world.lines().count == 5)
            try await reconcile.pass()
            #expect(provider.asked == 4)
        }
    }

    @Test("what waits to be matched is matched at once, and no provider is asked for its sake") func matched()
        async throws
    {
        try await withPayments { world in
            let provider = ScriptedSettlements(lag: .seconds(300))
            let looks = Looks([world.reconciliation([provider]).look], world.database)
            try await world.load(
                """
                id,kind,currency,gross,fee,net,occurred_at
                t1,fee,USD,-1.00,0,-1.00,2027-01-15T08:00:00Z
                """)
            #expect(try await looks.due() == ["reconcile what is due"])
            try await looks.pass()
            #expect(try await world.lines() == ["t1 matched booked_from_line"])
            #expect(provider.asked == 0)
        }
    }

    @Test("a line that cannot be booked is tried on, and its provider is asked at the loop's pace") func refused()
        async throws
    {
        try await withPayments { world in
            try await world.database.transaction { db in
                // Somebody has booked it by another way.
                let entry = JournalEntry(
                    id: .new(at: PaymentWorld.start), kind: .providerFee, reference: "sandbox:t1", paymentID: nil,
                    occurredAt: PaymentWorld.start,
                    postings: try Ledger.providerFee(Money(minor: 100, currency: .usd), provider: "sandbox"))
                try LedgerStore.book([entry], in: db)
            }
            let provider = ScriptedSettlements(lag: .seconds(300))
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            let looks = Looks([reconcile.look], world.database)
            provider.report([try world.line("t1", .fee, -100)])
            world.clock.advance(by: .seconds(600))
            await #expect(throws: PostgresError.self) { try await reconcile.pass() }
            #expect(try await world.lines() == ["t1 open"])
            #expect(provider.asked == 1)
            for _ in 0..<3 {
                world.clock.advance(by: .seconds(10))
                await #expect(throws: PostgresError.self) { try await looks.pass() }
            }
            #expect(provider.asked == 1)
            await #expect(throws: PostgresError.self) { try await reconcile.pass() }
            #expect(provider.asked == 2)
        }
    }
}

/// A clock that goes on by a tenth of a second each time it is read.
private final class SteppingClock: WallClock {
    private let start: Instant
    private let readings = Atomic<Int64>(0)

    init(from start: Instant) { self.start = start }

    var now: Instant { start + .milliseconds(100 * readings.add(1, ordering: .relaxed).newValue) }
}
