import BillingCore
import PaymentDomain
import PaymentLedger
import PaymentRecords
import Postgres
import Testing

@Suite("What reading a balance costs") struct ReadingCostTests {
    private static let entries = 20_000

    /// A payment every minute, two weeks long.
    private static func fill(_ world: LedgerWorld) async throws {
        try await world.execute(
            """
            WITH n AS (SELECT 'je_' || lpad(n::text, 26, '0') AS id,
                    \(LedgerWorld.start)::timestamptz + n * interval '1 minute' AS at FROM generate_series(1, \(entries)) AS n),
            e AS (INSERT INTO journal_entries (id, kind, reference, occurred_at) SELECT id, 'payment', id, at FROM n)
            INSERT INTO journal_lines (entry_id, position, account, currency, amount, occurred_at)
            SELECT id, p, CASE p WHEN 1 THEN 'assets:provider:sandbox' ELSE 'income:customer_payments' END, 'USD',
                CASE p WHEN 1 THEN 999 ELSE -999 END, at FROM n, generate_series(1, 2) AS p
            """)
        try await world.sealAll()
        try await world.execute("ANALYZE")
    }

    /// Balances, and how many lines and entries were read for them.
    private static func read(_ world: LedgerWorld, before: Instant?) async throws -> (sum: Int128, rows: Int64) {
        try await world.database.transaction(readOnly: true) { db in
            let already: Int64 = try rows(in: db)
            let sum: Int128 = try LedgerBalances.read(before: before, in: db).reduce(0) { $0 + $1.debits }
            return (sum, try rows(in: db) - already)
        }
    }

    /// How many rows the session has read, as far as it has not reported them yet.
    private static func rows(in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_xact_user_tables
            WHERE relname IN ('journal_lines', 'journal_entries')
            """
        ) { row in try row.next() } ?? -1
    }

    @Test("only what no seal covers, and the begun hour of an earlier time, is read line by line") func cost()
        async throws
    {
        try await withLedger { world in
            try await Self.fill(world)
            let all: (sum: Int128, rows: Int64) = try await Self.read(world, before: nil)
            #expect(all.sum == Int128(Self.entries) * 999 && all.rows == 0)
            // A week in, twenty minutes past the hour: forty lines of two accounts, and one more at the edge of each.
            let at: Instant = LedgerWorld.start.adding(.seconds(7 * 86_400 + 1_200))
            let then: (sum: Int128, rows: Int64) = try await Self.read(world, before: at)
            #expect(then.sum == Int128(7 * 1_440 + 19) * 999)
            #expect(then.rows <= 2 * 60, "\(then.rows) rows")
            for number in 0..<5 {
                let id = JournalEntryID.new(at: LedgerWorld.start)
                try await world.book([
                    JournalEntry(
                        id: id, kind: .payment, reference: "\(number)", paymentID: nil, occurredAt: LedgerWorld.start,
                        postings: try Ledger.capture(Money(minor: 1, currency: .usd), provider: "sandbox"))
                ])
            }
            let tail: (sum: Int128, rows: Int64) = try await Self.read(world, before: nil)
            #expect(tail.sum == all.sum + 5)
            #expect(tail.rows <= 3 * 5 + 1, "\(tail.rows) rows")
        }
    }
}
