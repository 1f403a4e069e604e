import Postgres
import TestKit
import Testing
import Threads

@Suite("Lost connections and limits", .serialized) struct RecoveryTests {
    @Test("a connection killed while idle is replaced before anybody notices") func killedIdle() async throws {
        try await withPool(connections: 1) { pool, database in
            let admin: PostgresPool = database.pool(connections: 1)
            let pid: Int = try await pool.backendPID()
            for _ in 0..<3 {
                let victim: Int = try await pool.backendPID()
                try await admin.prepare("SELECT pg_terminate_backend(\(victim)::int, 5000)")
                let successor: Int = try await pool.backendPID()
                #expect(successor != victim)
            }
            #expect(pid > 0)
            #expect(pool.statistics.reconnects == 3)
            #expect(pool.statistics.open == 1)
            await admin.shutdown()
        }
    }

    @Test("a connection killed within a transaction is a retryable error, and the next transaction works")
    func killedInTransaction() async throws {
        try await withPool(connections: 1) { pool, database in
            let admin: PostgresPool = database.pool(connections: 1)
            try await pool.prepare("CREATE TABLE t (n int)")
            let victim: Int = try await pool.backendPID()
            let gate = Gate()
            async let outcome = failure {
                try await pool.transaction { db in
                    try db.execute("INSERT INTO t VALUES (1)")
                    gate.pass()
                    try db.execute("INSERT INTO t VALUES (2)")
                }
            }
            try await gate.awaitVisitor()
            try await admin.prepare("SELECT pg_terminate_backend(\(victim)::int, 5000)")
            gate.open()
            let error = await outcome
            #expect(error?.kind == .connectionLost)
            #expect(error?.isRetryable == true)
            #expect(try await pool.count("SELECT count(*) FROM t") == 0)
            await admin.shutdown()
        }
    }

    @Test("a retried transaction survives the loss of its connection") func retried() async throws {
        try await withPool(connections: 1) { pool, database in
            let admin: PostgresPool = database.pool(connections: 1)
            try await pool.prepare("CREATE TABLE t (n int)")
            let victim: Int = try await pool.backendPID()
            let gate = Gate()
            async let outcome = pool.transactionRetrying { db in
                try db.execute("INSERT INTO t VALUES (1)")
                if gate.visitors == 0 { gate.pass() }
                return try db.execute("INSERT INTO t VALUES (2)")
            }
            try await gate.awaitVisitor()
            try await admin.prepare("SELECT pg_terminate_backend(\(victim)::int, 5000)")
            gate.open()
            #expect(try await outcome == 1)
            #expect(try await pool.count("SELECT count(*) FROM t") == 2)
            #expect(pool.statistics.retries == 1)
            await admin.shutdown()
        }
    }

    @Test("a connection lost during COMMIT leaves the outcome unknown, which is its own error")
    func lostDuringCommit() async throws {
        try await withPool(connections: 1) { pool, _ in
            try await pool.prepare(
                "CREATE TABLE t (n int)",
                """
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END $$
                """,
                """
                CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION die()
                """)
            let ledger = Ledger<Int>()
            let error = await failure {
                try await pool.transaction { db in
                    db.onCommit { ledger.add(1) }
                    try db.execute("INSERT INTO t VALUES (1)")
                }
            }
            #expect(error?.kind == .commitUnknown)
            #expect(error?.code == "08007")
            #expect(error?.isRetryable == false)
            #expect((error?.underlying as? PostgresError)?.kind == .connectionLost)
            #expect(ledger.entries.isEmpty)
            let retried = await failure {
                try await pool.transactionRetrying { db in try db.execute("INSERT INTO t VALUES (1)") }
            }
            #expect(retried?.kind == .commitUnknown)
            #expect(pool.statistics.retries == 0)
            #expect(try await pool.count("SELECT 1") == 1)
        }
    }

    @Test("a server that is away is an error after the queue's patience") func away() async throws {
        var configuration = PostgresConfiguration(url: "postgresql://nobody@127.0.0.1:1/none", connections: 2)
        configuration.queueTimeout = .milliseconds(200)
        let pool = PostgresPool(configuration, logger: quiet)
        let error = await failure { try await pool.transaction { _ in } }
        #expect(error?.kind == .connectionFailed)
        #expect(error?.isRetryable == true)
        try await eventually(within: .seconds(5)) { pool.statistics.connectFailures > 0 }
        await pool.shutdown()
    }

    @Test("a malformed URL is an error and not a crash") func malformed() async throws {
        var configuration = PostgresConfiguration(url: "postgresql://[broken", connections: 1)
        configuration.queueTimeout = .milliseconds(100)
        let pool = PostgresPool(configuration, logger: quiet)
        let error = await failure { try await pool.transaction { _ in } }
        #expect(error?.kind == .connectionFailed)
        await pool.shutdown()
    }

    @Test("a database that appears later is found without help") func appearsLater() async throws {
        try await withPool(connections: 1) { admin, database in
            let name: String = "refrain_late_\(UInt32.random(in: 0 ... .max))"
            var configuration: PostgresConfiguration = database.configuration(connections: 2)
            configuration.url = database.url.replacingLast(pathComponentWith: name)
            configuration.reconnectPause = .milliseconds(20)
            configuration.reconnectPauseLimit = .milliseconds(100)
            let pool = PostgresPool(configuration, logger: quiet)
            let waiting = Task { try await pool.count("SELECT 1") }
            try await eventually(within: .seconds(5)) { pool.statistics.connectFailures > 1 }
            try await OwnedThread.run("test") {
                let session = PostgresSession(database.configuration(), logger: quiet)
                try session.connect()
                try session.script("CREATE DATABASE \(name)")
                session.close()
            }
            #expect(try await waiting.value == 1)
            await pool.shutdown()
            try await OwnedThread.run("test") {
                let session = PostgresSession(database.configuration(), logger: quiet)
                try session.connect()
                try session.script("DROP DATABASE \(name)")
                session.close()
            }
            #expect(try await admin.count("SELECT 1") == 1)
        }
    }

    @Test("a statement that runs too long is stopped and the session goes on") func statementTimeout() async throws {
        try await withPool(connections: 1, { $0.statementTimeout = .milliseconds(100) }) { pool, _ in
            let pid: Int = try await pool.backendPID()
            let error = await failure { try await pool.prepare("SELECT pg_sleep(10)") }
            #expect(error?.kind == .statementTimeout)
            #expect(error?.isRetryable == false)
            #expect(try await pool.backendPID() == pid)
        }
    }

    @Test("a lock that is not granted in time is a retryable error") func lockTimeout() async throws {
        try await withPool(connections: 2, { $0.lockTimeout = .milliseconds(100) }) { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
            let gate = Gate()
            let holder = Task {
                try await pool.transaction { db in
                    try db.execute("SELECT 1 FROM t FOR UPDATE")
                    gate.pass()
                }
            }
            try await gate.awaitVisitor()
            let error = await failure { try await pool.prepare("UPDATE t SET n = 2") }
            #expect(error?.kind == .lockTimeout)
            #expect(error?.isRetryable == true)
            gate.open()
            try await holder.value
        }
    }

    @Test("a caller's deadline stops the running statement and keeps the session") func deadlineWhileRunning()
        async throws
    {
        try await withPool(connections: 1) { pool, _ in
            let pid: Int = try await pool.backendPID()
            let start: ContinuousClock.Instant = .now
            let error = await failure {
                try await pool.transaction(deadline: .now + .milliseconds(100)) { db in
                    try db.execute("SELECT pg_sleep(10)")
                }
            }
            #expect(error?.kind == .deadlineExceeded)
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(try await pool.backendPID() == pid)
        }
    }

    @Test("a session idle in its transaction is ended by the server") func idleInTransaction() async throws {
        try await withPool(connections: 1, { $0.idleInTransactionTimeout = .milliseconds(50) }) { pool, _ in
            let gate = Gate()
            async let outcome = failure {
                try await pool.transaction { db in
                    try db.execute("SELECT 1")
                    gate.pass()
                    try db.execute("SELECT 2")
                }
            }
            try await gate.awaitVisitor()
            try await withPool(connections: 1) { observer, _ in
                try await eventually(within: .seconds(5)) {
                    try await observer.count(
                        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND application_name = 'refrain-test'"
                    ) == 0
                }
            }
            gate.open()
            #expect(await outcome?.kind == .connectionLost)
        }
    }

    @Test("session settings are made at connection") func settings() async throws {
        try await withPool(
            connections: 1,
            {
                $0.schema = "odd \"name\\"
                $0.applicationName = "settings test"
                $0.statementTimeout = .milliseconds(1_234)
            }
        ) { pool, _ in
            let found: [String] = try await pool.transaction { db in
                try ["search_path", "application_name", "statement_timeout", "TimeZone", "lock_timeout"].map { name in
                    try db.first("SELECT current_setting(\(name))") { row in try row.next(String.self) } ?? ""
                }
            }
            #expect(found == ["\"odd \"\"name\\\"", "settings test", "1234ms", "UTC", "10s"])
        }
    }
}

extension String {
    /// The URL with another database name.
    fileprivate func replacingLast(pathComponentWith name: String) -> String {
        var parts = split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        parts[parts.count - 1] = name
        return parts.joined(separator: "/")
    }
}
