import Postgres
import TestKit
import Testing

@Suite("Prepared statements", .serialized) struct StatementCacheTests {
    private func preparedCount(_ pool: PostgresPool) async throws -> Int {
        try await pool.count("SELECT count(*) FROM pg_prepared_statements")
    }

    @Test("a statement is prepared once per session") func once() async throws {
        try await withPool(connections: 1) { pool, _ in
            _ = try await pool.count("SELECT \(1)::int")
            let before: Int = try await preparedCount(pool)
            for number in 0..<20 { #expect(try await pool.count("SELECT \(number)::int") == number) }
            #expect(try await preparedCount(pool) == before)
        }
    }

    @Test("the cache is bounded and what it forgets is closed on the server") func bounded() async throws {
        try await withPool(connections: 1, { $0.preparedStatementLimit = 16 }) { pool, _ in
            for number in 0..<200 {
                let sql = SQL(stringLiteral: "SELECT \(number)")
                let found: Int = try await pool.count(sql)
                #expect(found == number)
            }
            let prepared: Int = try await preparedCount(pool)
            #expect(prepared <= 16 + 33)
            let first: Int = try await pool.count("SELECT 0")
            #expect(first == 0)
        }
    }

    @Test("many new statements in one pipeline overflow the cache without harm") func overflowInPipeline() async throws
    {
        try await withPool(connections: 1, { $0.preparedStatementLimit = 16 }) { pool, _ in
            for round in 0..<3 {
                let statements: [SQL] = (0..<100).map { SQL(stringLiteral: "SELECT \($0 % 40), \(round)") }
                let counts: [Int] = try await pool.transaction { db in try db.pipeline(statements) }
                #expect(counts.count == 100)
                let error = await failure {
                    try await pool.transaction { db in
                        try db.pipeline(["SELECT 1/0"] + statements.map { $0 + SQL(stringLiteral: ", \(round)") })
                    }
                }
                #expect(error?.code == "22012")
            }
            #expect(try await pool.count("SELECT 5") == 5)
        }
    }

    @Test("a plan made while a table was empty finds its rows by key when the table has grown") func youngTable()
        async throws
    {
        try await withPool(connections: 1, { $0.plansReadWholeTables = false }) { pool, _ in
            try await pool.prepare("CREATE TABLE t (id text PRIMARY KEY, other text)")
            let find: SQL = """
                SELECT count(*) FROM unnest(\(["7", "8"])::text[], \(["", ""])::text[]) AS w(id, other) JOIN t ON t.id = w.id
                """
            #expect(try await pool.count(find) == 0)
            try await pool.prepare("INSERT INTO t SELECT n::text, repeat('x', 100) FROM generate_series(1, 5000) n")
            let read: Int = try await pool.transaction { db in
                #expect(try db.first(find) { row in try row.next(Int.self) } == 2)
                let read: SQL = "SELECT pg_stat_get_xact_tuples_returned('t'::regclass)"
                return try db.first(read) { row in try row.next(Int.self) } ?? -1
            }
            #expect(read == 0)
        }
    }

    @Test("unprepared statements leave nothing behind") func unprepared() async throws {
        try await withPool(connections: 1) { pool, _ in
            _ = try await preparedCount(pool)
            let before: Int = try await preparedCount(pool)
            for number in 0..<10 {
                #expect(try await pool.count(("SELECT \(number)::int" as SQL).unprepared) == number)
            }
            #expect(try await preparedCount(pool) == before)
        }
    }

    @Test("a refused statement may be mended and used again") func refused() async throws {
        try await withPool(connections: 1) { pool, _ in
            let missing = await failure { try await pool.count("SELECT n FROM later") }
            #expect(missing?.code == "42P01")
            try await pool.prepare("CREATE TABLE later (n int)", "INSERT INTO later VALUES (3)")
            #expect(try await pool.count("SELECT n FROM later") == 3)
        }
    }

    @Test("a plan made stale by a migration is made anew without an error") func stale() async throws {
        try await withPool(connections: 1) { pool, database in
            let migrator: PostgresPool = database.pool(connections: 1)
            try await migrator.prepare("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
            let columns: @Sendable (borrowing PostgresTransaction) throws -> [String] = { db in
                try db.query("SELECT * FROM t") { row in
                    row.skip()
                    return try row.next(String.self)
                }
            }
            #expect(try await pool.count("SELECT * FROM t") == 1)
            try await migrator.prepare("ALTER TABLE t ADD COLUMN name text DEFAULT 'x'")
            #expect(try await pool.transaction(columns) == ["x"])
            try await migrator.prepare("ALTER TABLE t ALTER COLUMN n TYPE bigint")
            let later = await failure {
                try await pool.transaction { db in
                    try db.execute("SELECT 1")
                    try db.execute("SELECT * FROM t")
                }
            }
            #expect(later?.kind == .stalePlan)
            #expect(later?.isRetryable == true)
            #expect(try await pool.transaction(columns) == ["x"])
            await migrator.shutdown()
        }
    }

    @Test("a session on which a plan became stale is rolled back and goes on") func rollbackAfterStale() async throws {
        try await withPool(connections: 1) { pool, database in
            let migrator: PostgresPool = database.pool(connections: 1)
            try await migrator.prepare("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
            #expect(try await pool.count("SELECT n FROM t") == 1)
            let pid: Int = try await pool.backendPID()
            try await migrator.prepare("ALTER TABLE t ALTER COLUMN n TYPE bigint")
            #expect(try await pool.count("SELECT n FROM t") == 1)
            await #expect(throws: Refused.self) {
                try await pool.transaction { db in
                    try db.execute("SELECT 1")
                    throw Refused()
                }
            }
            #expect(try await pool.backendPID() == pid)
            await migrator.shutdown()
        }
    }

    @Test("statements closed behind our back are prepared again") func deallocated() async throws {
        try await withPool(connections: 1) { pool, _ in
            #expect(try await pool.count("SELECT 11") == 11)
            try await pool.transaction { db in
                let name: String? = try db.first(
                    "SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT 11'"
                ) { row in try row.next() }
                try db.execute(("DEALLOCATE \(identifier: try #require(name))" as SQL).unprepared)
            }
            #expect(try await pool.count("SELECT 11") == 11)
        }
    }
}
