import BillingCore
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("A ledger from before there were totals") struct MigrationTests {
    @Test("keeps every entry, is summed up and sealed like any other, and stays append only") func carriedOver()
        async throws
    {
        try await withMigratedDatabase(service: "Payment", before: "0008", connections: 2) { lent in
            let world = LedgerWorld(database: lent.pool, configuration: lent.configuration)
            try await world.execute(
                """
                WITH e AS (INSERT INTO journal_entries (id, kind, reference, occurred_at)
                    SELECT 'je_' || n, 'payment', 'a' || n, 'epoch'::timestamptz + n * interval '1 hour'
                    FROM generate_series(1, 50) AS n)
                INSERT INTO journal_lines (entry_id, position, account, currency, amount)
                SELECT 'je_' || n, p, CASE p WHEN 1 THEN 'assets:provider:old' ELSE 'income:customer_payments' END, 'USD',
                    CASE p WHEN 1 THEN n ELSE -n END FROM generate_series(1, 50) AS n, generate_series(1, 2) AS p
                """)
            try await lent.applyRest(of: "Payment")
            #expect(try await world.balances() == world.summed())
            try await world.sealAll(limit: 7)
            #expect(try await world.balances() == world.summed())
            let early = Instant(seconds: 10 * 3_600)
            #expect(try await world.balances(before: early) == world.summed(before: early))
            let report: VerifyLedger.Report = try await VerifyLedger(pool: lent.pool)()
            #expect(report.faults.isEmpty && report.entries == 50 && report.last?.number == 8)
            await #expect(throws: PostgresError.self) { try await world.execute("UPDATE journal_lines SET amount = 1") }
        }
    }
}
