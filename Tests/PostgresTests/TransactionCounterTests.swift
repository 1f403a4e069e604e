import Postgres
import TestKit
import Testing
import Threads

@Suite("The server's transaction ids and those that tables have kept", .serialized) struct TransactionCounterTests {
    private static let tables = ["songs", "notes", "missing"]

    private func fault(_ pool: PostgresPool) async throws -> TransactionCounter.Behind? {
        do {
            try await pool.transaction(readOnly: true) { db in try TransactionCounter.check(Self.tables, in: db) }
            return nil
        } catch let fault as TransactionCounter.Behind { return fault }
    }

    private func prepare(_ pool: PostgresPool) async throws {
        try await pool.prepare(
            "CREATE TABLE songs (xid xid8 NOT NULL DEFAULT pg_current_xact_id(), n int)",
            "CREATE TABLE notes (xid xid8 NOT NULL DEFAULT pg_current_xact_id(), n int)")
    }

    @Test("what this server has written, was there before it, or is not there at all is no fault") func own()
        async throws
    {
        try await withPool { pool, _ in
            #expect(try await fault(pool) == nil)
            try await prepare(pool)
            #expect(try await fault(pool) == nil)
            try await pool.prepare("INSERT INTO songs (n) VALUES (1)", "INSERT INTO notes (xid, n) VALUES ('0', 1)")
            #expect(try await fault(pool) == nil)
        }
    }

    @Test("the highest id that the server has yet to give out is named, of whichever table it is in") func behind()
        async throws
    {
        try await withPool { pool, _ in
            try await prepare(pool)
            try await pool.prepare(
                "INSERT INTO songs (n) VALUES (1)",
                "INSERT INTO notes (xid, n) VALUES ('9', 1), ('9000000000000000', 2), ('10000000000000000', 3)")
            let found: TransactionCounter.Behind = try #require(try await fault(pool))
            #expect(found.table == "notes" && found.stored == "10000000000000000")
            #expect(found.description.contains(found.remedy) && found.description.contains("docs/operations.md"))
        }
    }

    @Test("the statement that the fault names moves the counter on, for a role without rights of its own") func remedy()
        async throws
    {
        try await withLentDatabase { database in
            let configuration: PostgresConfiguration = try await database.provision(schema: "music")
            let pool = PostgresPool(configuration, logger: quiet)
            try await prepare(pool)
            try await pool.prepare(
                """
                INSERT INTO songs (xid, n)
                SELECT (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 5000)::text::xid8, 1
                """)
            let remedy: String = try #require(try await fault(pool)).remedy
            try await OwnedThread.run("test") {
                let session = PostgresSession(configuration, logger: quiet)
                try session.connect()
                defer { session.close() }
                try session.script(remedy)
            }
            #expect(try await fault(pool) == nil)
            try await pool.prepare("INSERT INTO songs (n) VALUES (2)")
            #expect(try await pool.count("SELECT n FROM songs ORDER BY xid DESC LIMIT 1") == 2)
            await pool.shutdown()
        }
    }
}
