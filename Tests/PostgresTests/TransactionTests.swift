import Postgres
import TestKit
import Testing

@Suite("Transactions", .serialized) struct TransactionTests {
    @Test("what the body writes is there after it returns") func commit() async throws {
        try await withPool { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)")
            let affected: Int = try await pool.transaction { db in
                try db.execute("INSERT INTO t VALUES (1), (2), (3)")
            }
            #expect(affected == 3)
            #expect(try await pool.count("SELECT count(*) FROM t") == 3)
        }
    }

    @Test("an error thrown by the body rolls back and is thrown on") func rollback() async throws {
        try await withPool { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)")
            await #expect(throws: Refused.self) {
                try await pool.transaction { db in
                    try db.execute("INSERT INTO t VALUES (1)")
                    throw Refused()
                }
            }
            #expect(try await pool.count("SELECT count(*) FROM t") == 0)
            try await eventually(pool) { $0.rollbacks == 1 }
        }
    }

    @Test("a violated constraint is named and not retryable") func constraint() async throws {
        try await withPool { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int CONSTRAINT only_once UNIQUE)", "INSERT INTO t VALUES (1)")
            let error = await failure { try await pool.prepare("INSERT INTO t VALUES (\(1))") }
            #expect(error?.isUniqueViolation == true)
            #expect(error?.constraint == "only_once")
            #expect(error?.code == "23505")
            #expect(error?.isRetryable == false)
            #expect(error?.label == "unique_violation")
            #expect(error?.statement == "INSERT INTO t VALUES ($1)")
        }
    }

    @Test("a deferred constraint that refuses COMMIT is reported and nothing stays") func deferredConstraint()
        async throws
    {
        try await withPool { pool, _ in
            try await pool.prepare(
                "CREATE TABLE parent (id int PRIMARY KEY)",
                "CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
            let error = await failure { try await pool.prepare("INSERT INTO child VALUES (9)") }
            #expect(error?.kind == .foreignKeyViolation)
            #expect(try await pool.count("SELECT count(*) FROM child") == 0)
        }
    }

    @Test("a body that swallows a failed statement does not commit by mistake") func swallowedFailure() async throws {
        try await withPool { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)")
            let error = await failure {
                try await pool.transaction { db in
                    try db.execute("INSERT INTO t VALUES (1)")
                    do { try db.execute("SELECT 1/0") } catch {}
                }
            }
            #expect(error?.kind == .transactionAborted)
            #expect((error?.underlying as? PostgresError)?.code == "22012")
            #expect(try await pool.count("SELECT count(*) FROM t") == 0)
        }
    }

    @Test("actions run after COMMIT, in order, and only then") func onCommit() async throws {
        try await withPool { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)")
            let ledger = Ledger<String>()
            try await pool.transaction { db in
                db.onCommit { ledger.add("first") }
                try db.execute("INSERT INTO t VALUES (1)")
                db.onCommit { ledger.add("second") }
                #expect(ledger.entries.isEmpty)
            }
            #expect(ledger.entries == ["first", "second"])
            await #expect(throws: Refused.self) {
                try await pool.transaction { db in
                    db.onCommit { ledger.add("never") }
                    try db.execute("INSERT INTO t VALUES (1)")
                    throw Refused()
                }
            }
            let refused = await failure {
                try await pool.transaction { db in
                    db.onCommit { ledger.add("never") }
                    do { try db.execute("SELECT 1/0") } catch {}
                }
            }
            #expect(refused != nil)
            #expect(ledger.entries.count == 2)
        }
    }

    @Test("what is to come after the other actions does so whenever it was left, and goes with its savepoint")
    func afterOthers() async throws {
        try await withPool { pool, _ in
            let ledger = Ledger<String>()
            try await pool.transaction { db in
                db.afterOthers { ledger.add("last") }
                try db.execute("SELECT 1")
                do {
                    try db.savepoint {
                        db.afterOthers { ledger.add("never") }
                        throw Refused()
                    }
                } catch is Refused {}
                db.onCommit { ledger.add("first") }
            }
            #expect(ledger.entries == ["first", "last"])
        }
    }

    @Test("a read-only transaction refuses writes") func readOnly() async throws {
        try await withPool { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)")
            let error = await failure {
                try await pool.transaction(readOnly: true) { db in try db.execute("INSERT INTO t VALUES (1)") }
            }
            #expect(error?.code == "25006")
            let count: Int? = try await pool.transaction(readOnly: true) { db in
                try db.first("SELECT count(*) FROM t") { row in try row.next() }
            }
            #expect(count == 0)
        }
    }

    @Test("all statements of a snapshot see one state, and it refuses writes") func snapshot() async throws {
        try await withPool { pool, database in
            try await pool.prepare("CREATE TABLE t (n int)")
            let gate = Gate()
            let counting: @Sendable (borrowing PostgresTransaction) throws -> [Int?] = { db in
                let before: Int? = try db.first("SELECT count(*) FROM t") { row in try row.next() }
                gate.pass()
                return [before, try db.first("SELECT count(*) FROM t") { row in try row.next() }]
            }
            async let seen: [Int?] = pool.transaction(snapshot: true, counting)
            try await gate.awaitVisitor()
            try await pool.transaction { db in try db.execute("INSERT INTO t VALUES (1)") }
            gate.open()
            #expect(try await seen == [0, 0])
            async let each: [Int?] = pool.transaction(readOnly: true, counting)
            try await gate.awaitVisitor(2)
            try await pool.transaction { db in try db.execute("INSERT INTO t VALUES (1)") }
            gate.open()
            #expect(try await each == [1, 2], "without it each statement sees what is there by then")
            let error = await failure {
                try await pool.transaction(snapshot: true) { db in try db.execute("INSERT INTO t VALUES (1)") }
            }
            #expect(error?.code == "25006")
        }
    }

    @Test("a transaction that asks nothing costs nothing and succeeds") func empty() async throws {
        try await withPool { pool, _ in
            let ledger = Ledger<Int>()
            let value: Int = try await pool.transaction { db in
                db.onCommit { ledger.add(1) }
                return 42
            }
            #expect(value == 42)
            #expect(ledger.entries == [1])
        }
    }

    @Test("ending the transaction by hand is noticed") func manualCommit() async throws {
        try await withPool { pool, _ in
            let error = await failure {
                try await pool.transaction { db in
                    try db.execute("SELECT 1")
                    try db.execute("COMMIT")
                }
            }
            #expect(error?.kind == .invalidStatement)
            let one: Int = try await pool.count("SELECT 1")
            #expect(one == 1)
        }
    }

    @Test("COPY through execute is refused and the pool recovers") func copyThroughExecute() async throws {
        try await withPool(connections: 1) { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)")
            let error = await failure { try await pool.prepare("COPY t FROM STDIN") }
            #expect(error?.kind == .invalidStatement)
            let one: Int = try await pool.count("SELECT 1")
            #expect(one == 1)
        }
    }

    @Test("losers of a race are retried and in the end all have their way") func serialization() async throws {
        try await withPool(connections: 4) { pool, _ in
            try await pool.prepare("CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 0)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await pool.transactionRetrying(attempts: 50) { db in
                            try db.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                            let n: Int = try db.first("SELECT n FROM t WHERE id = 1") { row in try row.next() } ?? 0
                            try db.execute("UPDATE t SET n = \(n + 1) WHERE id = 1")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.count("SELECT n FROM t") == 8)
        }
    }

    @Test("a deadlock's victim is told that it may try again") func deadlock() async throws {
        try await withPool(connections: 2) { pool, _ in
            try await pool.prepare("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
            let gate = Gate()
            async let first = failure {
                try await pool.transaction { db in
                    try db.execute("SELECT 1 FROM t WHERE id = 1 FOR UPDATE")
                    gate.pass()
                    try db.execute("SELECT 1 FROM t WHERE id = 2 FOR UPDATE")
                }
            }
            async let second = failure {
                try await pool.transaction { db in
                    try db.execute("SELECT 1 FROM t WHERE id = 2 FOR UPDATE")
                    gate.pass()
                    try db.execute("SELECT 1 FROM t WHERE id = 1 FOR UPDATE")
                }
            }
            try await gate.awaitVisitor(2)
            gate.open()
            gate.open()
            let errors: [PostgresError] = [await first, await second].compactMap { $0 }
            #expect(errors.map(\.kind) == [.deadlock])
            #expect(errors.first?.isRetryable == true)
        }
    }

    private func eventually(
        _ pool: PostgresPool, _ condition: (PostgresPoolStatistics) -> Bool
    ) async throws {
        try await TestKit.eventually(within: .seconds(5)) { condition(pool.statistics) }
    }
}
