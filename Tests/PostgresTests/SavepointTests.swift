import Postgres
import Testing

@Suite("Savepoints, pipelines and deferred statements", .serialized) struct SavepointTests {
    private func withTable(_ body: (PostgresPool) async throws -> Void) async throws {
        try await withPool(connections: 1) { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int UNIQUE)")
            try await body(pool)
        }
    }

    private func numbers(_ pool: PostgresPool) async throws -> [Int] {
        try await pool.transaction { db in try db.query("SELECT n FROM t ORDER BY n") { row in try row.next() } }
    }

    @Test("a failure inside undoes only what was done inside") func savepoint() async throws {
        try await withTable { pool in
            try await pool.transaction { db in
                try db.execute("INSERT INTO t VALUES (1)")
                do {
                    try db.savepoint {
                        try db.execute("INSERT INTO t VALUES (2)")
                        try db.execute("INSERT INTO t VALUES (1)")
                    }
                } catch let error as PostgresError {
                    #expect(error.isUniqueViolation)
                }
                try db.savepoint { _ = try db.execute("INSERT INTO t VALUES (3)") }
            }
            #expect(try await numbers(pool) == [1, 3])
        }
    }

    @Test("a savepoint may come first, be empty, nest and throw errors of the caller") func shapes() async throws {
        try await withTable { pool in
            try await pool.transaction { db in
                let value: Int = try db.savepoint { 7 }
                #expect(value == 7)
                do {
                    try db.savepoint {
                        try db.execute("INSERT INTO t VALUES (1)")
                        try db.savepoint { _ = try db.execute("INSERT INTO t VALUES (2)") }
                        throw Refused()
                    }
                } catch is Refused {}
                do { try db.savepoint { throw Refused() } } catch is Refused {}
                try db.savepoint {
                    do { try db.savepoint { _ = try db.execute("SELECT 1/0") } } catch {}
                    try db.execute("INSERT INTO t VALUES (3)")
                }
            }
            #expect(try await numbers(pool) == [3])
        }
    }

    @Test("a savepoint whose first statement cannot be sent leaves the one before it") func unsendable() async throws {
        try await withTable { pool in
            let unsendable: String = "2\0"
            try await pool.transaction { db in
                try db.savepoint { _ = try db.execute("INSERT INTO t VALUES (1)") }
                do {
                    try db.savepoint { _ = try db.execute("INSERT INTO t VALUES (\(unsendable)::int)") }
                    Issue.record("the savepoint should have failed")
                } catch let error as PostgresError {
                    #expect(error.kind == .invalidValue)
                }
                try db.savepoint { _ = try db.execute("INSERT INTO t VALUES (3)") }
            }
            #expect(try await numbers(pool) == [1, 3])
        }
    }

    @Test("a first statement that cannot be sent leaves the transaction one") func unsendableFirst() async throws {
        try await withTable { pool in
            let unsendable: String = "1\0"
            await #expect(throws: Refused.self) {
                try await pool.transaction { db in
                    do { try db.execute("INSERT INTO t VALUES (\(unsendable)::int)") } catch is PostgresError {}
                    try db.execute("INSERT INTO t VALUES (2)")
                    throw Refused()
                }
            }
            let found: [Int] = try await numbers(pool)
            #expect(found.isEmpty)
        }
    }

    @Test("a failure swallowed inside a savepoint fails the savepoint") func swallowed() async throws {
        try await withTable { pool in
            try await pool.transaction { db in
                do {
                    try db.savepoint {
                        try db.execute("INSERT INTO t VALUES (1)")
                        do { try db.execute("SELECT 1/0") } catch {}
                    }
                    Issue.record("the savepoint should have failed")
                } catch let error as PostgresError {
                    #expect(error.kind == .transactionAborted)
                }
                try db.execute("INSERT INTO t VALUES (2)")
            }
            #expect(try await numbers(pool) == [2])
        }
    }

    @Test("actions left inside a failed savepoint do not run") func actions() async throws {
        try await withTable { pool in
            let ledger = Ledger<String>()
            try await pool.transaction { db in
                db.onCommit { ledger.add("before") }
                do {
                    try db.savepoint {
                        db.onCommit { ledger.add("inside") }
                        throw Refused()
                    }
                } catch is Refused {}
                try db.savepoint { db.onCommit { ledger.add("kept") } }
            }
            #expect(ledger.entries == ["before", "kept"])
        }
    }

    @Test("a pipeline runs in order and counts each statement") func pipeline() async throws {
        try await withTable { pool in
            let counts: [Int] = try await pool.transaction { db in
                try db.pipeline([
                    "INSERT INTO t VALUES (\(1)), (\(2))", "INSERT INTO t VALUES (\(3)), (\(4))",
                    "UPDATE t SET n = n + 10 WHERE n > \(2)", "DELETE FROM t WHERE n = \(99)",
                ])
            }
            #expect(counts == [2, 2, 2, 0])
            #expect(try await numbers(pool) == [1, 2, 13, 14])
        }
    }

    @Test("a pipeline's first failure is thrown, the rest is not run, the session goes on") func failingPipeline()
        async throws
    {
        try await withTable { pool in
            let pid: Int = try await pool.backendPID()
            let error = await failure {
                try await pool.transaction { db in
                    try db.pipeline([
                        "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)", "SELECT 1/0", "SELECT new_text()",
                    ])
                }
            }
            #expect(error?.isUniqueViolation == true)
            try await pool.transaction { db in
                do {
                    try db.savepoint { _ = try db.pipeline(["INSERT INTO t VALUES (5)", "SELECT broken"]) }
                } catch let error as PostgresError {
                    #expect(error.code == "42703")
                }
                try db.pipeline(["INSERT INTO t VALUES (6)", "INSERT INTO t VALUES (7)"])
            }
            #expect(try await numbers(pool) == [6, 7])
            #expect(try await pool.backendPID() == pid)
        }
    }

    @Test("a pipeline reads the rows of its last statement") func pipelineRows() async throws {
        try await withTable { pool in
            let rows: [Int] = try await pool.transaction { db in
                try db.pipeline(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"], last: "SELECT n FROM t") {
                    row in
                    try row.next()
                }
            }
            #expect(rows.sorted() == [1, 2])
        }
    }

    @Test("a pipeline larger than every buffer does not block") func largePipeline() async throws {
        try await withTable { pool in
            let padding: String = String(repeating: "x", count: 2_000)
            let statements: [SQL] = (0..<3_000).map { "SELECT \($0)::int, \(padding)::text, repeat('y', 2000)" }
            let counts: [Int] = try await pool.transaction { db in try db.pipeline(statements) }
            #expect(counts.count == 3_000)
        }
    }

    @Test("enqueued statements run in order with the next one or with COMMIT") func enqueued() async throws {
        try await withTable { pool in
            try await pool.transaction { db in
                try db.enqueue("INSERT INTO t VALUES (1)")
                let count: Int? = try db.first("SELECT count(*) FROM t") { row in try row.next() }
                #expect(count == 1)
                try db.enqueue("INSERT INTO t VALUES (2)")
            }
            try await pool.transaction { db in try db.enqueue("INSERT INTO t VALUES (3)") }
            #expect(try await numbers(pool) == [1, 2, 3])
        }
    }

    @Test("an enqueued failure surfaces at COMMIT and rolls everything back") func enqueuedFailure() async throws {
        try await withTable { pool in
            let ledger = Ledger<Int>()
            let error = await failure {
                try await pool.transaction { db in
                    db.onCommit { ledger.add(1) }
                    try db.execute("INSERT INTO t VALUES (1)")
                    try db.enqueue("INSERT INTO t VALUES (1)")
                }
            }
            #expect(error?.isUniqueViolation == true)
            #expect(ledger.entries.isEmpty)
            let only = await failure { try await pool.transaction { db in try db.enqueue("SELECT 1/0") } }
            #expect(only?.code == "22012")
            let found: [Int] = try await numbers(pool)
            #expect(found.isEmpty)
        }
    }

    @Test("an enqueued failure stays inside its savepoint") func enqueuedInSavepoint() async throws {
        try await withTable { pool in
            try await pool.transaction { db in
                try db.enqueue("INSERT INTO t VALUES (1)")
                do {
                    try db.savepoint { try db.enqueue("INSERT INTO t VALUES (1)") }
                    Issue.record("the savepoint should have failed")
                } catch let error as PostgresError {
                    #expect(error.isUniqueViolation)
                }
                do {
                    try db.savepoint {
                        try db.enqueue("INSERT INTO t VALUES (2)")
                        throw Refused()
                    }
                } catch is Refused {}
                try db.savepoint { try db.enqueue("INSERT INTO t VALUES (3)") }
            }
            #expect(try await numbers(pool) == [1, 3])
        }
    }
}
