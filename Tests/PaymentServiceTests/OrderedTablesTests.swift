import Messaging
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("Tables in the order of their transactions", .timeLimit(.minutes(1))) struct OrderedTablesTests {
    private static let tables: [String] = Outbox.orderedTables + PaymentAssembly.orderedTables

    @Test("every table that keeps its rows' transactions is held against the server's counter") func all()
        async throws
    {
        try await withMigratedDatabase(service: "Payment") { database in
            let found: [String] = try await database.pool.transaction(readOnly: true) { db in
                try db.query(
                    """
                    SELECT table_name::text FROM information_schema.columns
                    WHERE table_schema = current_schema() AND column_name = 'xid' AND udt_name = 'xid8'
                    """
                ) { row in try row.next() }
            }
            #expect(Set(found) == Set(Self.tables))
        }
    }

    @Test("a ledger whose entries are of transactions yet to come ends the daemon, also while it runs") func restored()
        async throws
    {
        try await withMigratedDatabase(service: "Payment") { database in
            let watch = CounterWatch(pool: database.pool, tables: Self.tables, interval: .milliseconds(5))
            let running = Task { try await watch.run() }
            try await database.pool.transaction { db in
                try db.execute(
                    """
                    INSERT INTO journal_entries (id, kind, reference, occurred_at, xid)
                    VALUES ('je_restored', 'charge', 'pat_restored', now(), '9000000000000000')
                    """)
            }
            await #expect(throws: TransactionCounter.Behind.self) { try await running.value }
            await #expect(throws: TransactionCounter.Behind.self) { try await watch.look() }
        }
    }
}
