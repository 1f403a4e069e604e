import Postgres
import TestKit
import Testing
import Threads

@Suite("Looks behind a COMMIT", .serialized) struct CommitLookTests {
    /// A look that notes the numbers it finds, or `nil` where it is missed.
    private static func look(_ sql: SQL, _ told: Ledger<[Int]?>) -> CommitLook {
        CommitLook(
            sql, { row in try row.next(Int.self) }, found: { told.add($0) }, missed: { told.add(nil) })
    }

    /// Inserts a number and looks behind its COMMIT. Where there is nothing to look for, `-1` is noted.
    private static func insert(
        _ number: Int, looking sql: SQL?, _ told: Ledger<[Int]?>, in pool: PostgresPool, after further: SQL? = nil
    ) async throws {
        try await pool.transaction { db in
            try db.enqueue("INSERT INTO t VALUES (\(number))")
            if let further { try db.execute(further) }
            db.onCommit(looking: { sql.map { Self.look($0, told) } }, otherwise: { told.add([-1]) })
        }
    }

    private static func awaitWord(_ count: Int, _ told: Ledger<[Int]?>) async throws {
        try await eventually(within: .seconds(10), "it is told") { told.entries.count == count }
    }

    private static let all: SQL = "SELECT n FROM t ORDER BY n"

    private func withTable(
        connections: Int = 1, patience: Duration = .seconds(10), _ body: (PostgresPool) async throws -> Void
    ) async throws {
        try await withPool(connections: connections, { $0.lookPatience = patience }) { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)")
            try await body(pool)
        }
    }

    @Test("it sees what was committed, and the session goes on") func found() async throws {
        try await withTable { pool in
            let told = Ledger<[Int]?>()
            let pid: Int = try await pool.backendPID()
            for number in 1...3 { try await Self.insert(number, looking: Self.all, told, in: pool) }
            try await Self.awaitWord(3, told)
            #expect(told.entries == [[1], [1, 2], [1, 2, 3]])
            #expect(try await pool.backendPID() == pid)
            #expect(pool.statistics.rollbacks == 0)
        }
    }

    @Test("where there is none, or nothing to commit, the action in its place runs; after a rollback neither")
    func otherwise() async throws {
        try await withTable { pool in
            let told = Ledger<[Int]?>()
            try await Self.insert(1, looking: nil, told, in: pool)
            #expect(told.entries == [[-1]])
            try await pool.transaction { db in
                db.onCommit(looking: { Self.look(Self.all, told) }, otherwise: { told.add([-2]) })
                db.onCommit(looking: { Self.look(Self.all, told) }, otherwise: { told.add([-3]) })
            }
            #expect(told.entries == [[-1], [-2]], "one look, one action")
            await #expect(throws: Refused.self) {
                try await pool.transaction { db in
                    try db.execute("INSERT INTO t VALUES (2)")
                    db.onCommit(looking: { Self.look(Self.all, told) }, otherwise: { told.add([-4]) })
                    throw Refused()
                }
            }
            try await pool.transaction { db in
                do {
                    try db.savepoint {
                        db.onCommit(looking: { Self.look(Self.all, told) }, otherwise: { told.add([-5]) })
                        throw Refused()
                    }
                } catch is Refused {}
            }
            try await Self.insert(3, looking: Self.all, told, in: pool)
            try await Self.awaitWord(3, told)
            #expect(told.entries.compactMap { $0 }.last == [1, 3])
        }
    }

    @Test("one that fails leaves the transaction good and the session usable") func failing() async throws {
        try await withTable { pool in
            try await pool.prepare("CREATE TABLE u (n int)")
            let told = Ledger<[Int]?>()
            let pid: Int = try await pool.backendPID()
            try await Self.insert(1, looking: "SELECT n FROM u", told, in: pool, after: "DROP TABLE u")
            try await Self.awaitWord(1, told)
            try await Self.insert(2, looking: "SELECT 1 / (n - n) FROM t", told, in: pool)
            try await Self.insert(3, looking: "SELECT n::text || 'x' FROM t", told, in: pool)
            try await Self.insert(4, looking: Self.all, told, in: pool)
            try await Self.awaitWord(4, told)
            #expect(told.entries == [nil, nil, nil, [1, 2, 3, 4]])
            #expect(try await pool.backendPID() == pid)
            #expect(pool.statistics.rollbacks == 0)
        }
    }

    @Test("one that takes long holds up neither the caller nor those who would have got its rows") func slow()
        async throws
    {
        try await withTable(connections: 3, patience: .milliseconds(20)) { pool in
            let told = Ledger<[Int]?>()
            let gate = Gate()
            let holder = Task {
                try await pool.transaction { db in
                    try db.execute("SELECT pg_advisory_xact_lock(7)")
                    gate.pass()
                }
            }
            try await gate.awaitVisitor()
            try await Self.insert(1, looking: "SELECT 1 FROM pg_advisory_xact_lock(7)", told, in: pool)
            try await Self.awaitWord(1, told)
            #expect(told.entries == [nil])
            #expect(try await pool.count("SELECT count(*) FROM t") == 1)
            gate.open()
            try await holder.value
            for number in 2...10 { try await Self.insert(number, looking: Self.all, told, in: pool) }
            try await Self.awaitWord(10, told)
            // No word is given twice.
            #expect(try await pool.count("SELECT count(*) FROM t") == told.entries.count)
        }
    }

    @Test("a session that is lost in it leaves the transaction good, and is replaced") func lost() async throws {
        try await withTable { pool in
            let told = Ledger<[Int]?>()
            try await Self.insert(
                1, looking: "SELECT 1 FROM pg_terminate_backend(pg_backend_pid()), pg_sleep(5)", told, in: pool)
            try await Self.awaitWord(1, told)
            #expect(told.entries == [nil])
            try await Self.insert(2, looking: Self.all, told, in: pool)
            try await Self.awaitWord(2, told)
            #expect(told.entries.compactMap { $0 }.last == [1, 2])
            #expect(pool.statistics.open == 1)
            #expect(pool.statistics.rollbacks == 0)
        }
    }

    @Test("behind a COMMIT that is refused nothing is told, and the session goes on") func refused() async throws {
        try await withTable { pool in
            try await pool.prepare("ALTER TABLE t ADD CONSTRAINT once UNIQUE (n) DEFERRABLE INITIALLY DEFERRED")
            let told = Ledger<[Int]?>()
            let pid: Int = try await pool.backendPID()
            try await Self.insert(1, looking: Self.all, told, in: pool)
            let late = await failure { try await Self.insert(1, looking: Self.all, told, in: pool) }
            #expect(late?.kind == .uniqueViolation)
            // Fails before COMMIT, which it travels with.
            let early = await failure { try await Self.insert(1 << 40, looking: Self.all, told, in: pool) }
            #expect(early?.kind == .invalidValue)
            try await Self.insert(2, looking: Self.all, told, in: pool)
            try await Self.awaitWord(2, told)
            #expect(told.entries == [[1], [1, 2]])
            #expect(try await pool.backendPID() == pid)
        }
    }

    @Test("a session whose prepared statement is gone commits all the same") func stale() async throws {
        try await withTable { pool in
            let told = Ledger<[Int]?>()
            try await Self.insert(1, looking: Self.all, told, in: pool)
            try await Self.awaitWord(1, told)
            try await pool.transaction { db in
                let name: String? = try db.first(
                    "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO t%'"
                ) { row in try row.next() }
                try db.execute(("DEALLOCATE \(identifier: try #require(name))" as SQL).unprepared)
            }
            for number in 2...4 { try await Self.insert(number, looking: Self.all, told, in: pool) }
            try await Self.awaitWord(4, told)
            #expect(told.entries.compactMap { $0 }.last == [1, 2, 3, 4])
            #expect(try await pool.count("SELECT count(*) FROM t") == 4)
        }
    }

    @Test("a connection that is lost during COMMIT leaves its outcome unknown, and nothing is told") func unknown()
        async throws
    {
        try await withTable { pool in
            try await pool.prepare(
                """
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END $$
                """,
                """
                CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION die()
                """)
            let told = Ledger<[Int]?>()
            let error = await failure { try await Self.insert(1, looking: Self.all, told, in: pool) }
            #expect(error?.kind == .commitUnknown)
            #expect(try await pool.count("SELECT count(*) FROM t") == 0)
            #expect(told.entries.isEmpty)
        }
    }

    @Test("batches of a group are followed by theirs, also when its items are run one by one") func grouped()
        async throws
    {
        try await withTable { pool in
            let told = Ledger<[Int]?>()
            let gate = Gate()
            let group = GroupCommit<Int, Int>(pool, maxBatch: 10) { db, items in
                if items == [0] { gate.pass() }
                try db.execute("INSERT INTO t SELECT 6 / unnest(\(items.map { $0 - 3 })::int[])")
                db.onCommit(looking: { Self.look(Self.all, told) }, otherwise: { told.add([-1]) })
                return items.map { .success($0) }
            }
            let first = Task { try await group.submit(0) }
            try await gate.awaitVisitor()
            let rest = (4...6).map { number in Task { try await group.submit(number) } }
            let bad = Task { await failure { try await group.submit(3) } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 4 }
            gate.open()
            _ = try await first.value
            for task in rest { _ = try await task.value }
            #expect(await bad.value?.code == "22012")
            try await Self.awaitWord(4, told)
            #expect(told.entries.compactMap { $0 }.first == [-2])
            #expect(told.entries.compactMap { $0 }.last == [-2, 2, 3, 6])
        }
    }

    @Test("on a session of one's own it is told by the time that COMMIT returns") func ownSession() async throws {
        try await withLentDatabase { database in
            var configuration: PostgresConfiguration = database.configuration()
            configuration.lookPatience = .seconds(10)
            let told = Ledger<[Int]?>()
            try await OwnedThread.run("test") { [configuration] in
                let session = PostgresSession(configuration, logger: quiet)
                try session.connect()
                try session.execute("CREATE TABLE t (n int)")
                try session.transaction { db in
                    try db.execute("INSERT INTO t VALUES (1)")
                    db.onCommit(looking: { Self.look(Self.all, told) }, otherwise: { told.add([-1]) })
                }
                #expect(told.entries == [[1]])
                session.close()
            }
        }
    }
}
