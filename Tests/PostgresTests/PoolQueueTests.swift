import Postgres
import TestKit
import Testing

/// Every way a caller can be answered, each exactly once: a second answer would trap, a missing one would hang.
@Suite("The pool's queue", .serialized) struct PoolQueueTests {
    /// A pool of one connection, held by a transaction at the gate.
    private func withBusyPool(
        _ adjust: (inout PostgresConfiguration) -> Void = { _ in },
        _ body: (PostgresPool, Gate, Task<Void, any Error>) async throws -> Void
    ) async throws {
        try await withPool(connections: 1, adjust) { pool, _ in
            let gate = Gate()
            let holder = Task { try await pool.transaction { _ in gate.pass() } }
            try await gate.awaitVisitor()
            try await body(pool, gate, holder)
            gate.open()
            try? await holder.value
        }
    }

    private func waiting(_ pool: PostgresPool, _ count: Int) async throws {
        try await eventually(within: .seconds(5), "\(count) waiting") { pool.statistics.queueDepth == count }
    }

    @Test("work runs in the order in which it came") func order() async throws {
        try await withBusyPool { pool, gate, holder in
            let ledger = Ledger<Int>()
            var tasks: [Task<Void, any Error>] = []
            for number in 1...5 {
                tasks.append(Task { try await pool.transaction { _ in ledger.add(number) } })
                try await waiting(pool, number)
            }
            #expect(pool.statistics.busy == 1)
            gate.open()
            try await holder.value
            for task in tasks { try await task.value }
            #expect(ledger.entries == [1, 2, 3, 4, 5])
            #expect(pool.statistics.waited >= 5)
            #expect(pool.statistics.waitTime > .zero)
        }
    }

    @Test("a full queue refuses at once") func full() async throws {
        try await withBusyPool({ $0.queueLimit = 2 }) { pool, gate, holder in
            let tasks = (0..<2).map { _ in Task { try await pool.transaction { _ in } } }
            try await waiting(pool, 2)
            let error = await failure { try await pool.transaction { _ in } }
            #expect(error?.kind == .queueFull)
            #expect(error?.isRetryable == true)
            #expect(pool.statistics.refused == 1)
            gate.open()
            for task in tasks { try await task.value }
            try await holder.value
        }
    }

    @Test("who waits too long is told so, and the work never runs") func queueTimeout() async throws {
        try await withBusyPool({ $0.queueTimeout = .milliseconds(80) }) { pool, gate, holder in
            let ledger = Ledger<Int>()
            let error = await failure { try await pool.transaction { _ in ledger.add(1) } }
            #expect(error?.kind == .queueTimeout)
            #expect(pool.statistics.timeouts == 1)
            #expect(pool.statistics.queueDepth == 0)
            gate.open()
            try await holder.value
            try await pool.transaction { _ in ledger.add(2) }
            #expect(ledger.entries == [2])
        }
    }

    @Test("a caller's deadline ends the wait earlier") func callersDeadline() async throws {
        try await withBusyPool { pool, _, _ in
            let start: ContinuousClock.Instant = .now
            let error = await failure {
                try await pool.transaction(deadline: .now + .milliseconds(60)) { _ in }
            }
            #expect(error?.kind == .deadlineExceeded)
            #expect(ContinuousClock.now - start < .seconds(2))
        }
    }

    @Test("a deadline that has passed starts nothing") func passedDeadline() async throws {
        try await withPool(connections: 1) { pool, _ in
            let ledger = Ledger<Int>()
            let error = await failure {
                try await pool.transaction(deadline: .now - .seconds(1)) { _ in ledger.add(1) }
            }
            #expect(error?.kind == .deadlineExceeded)
            #expect(ledger.entries.isEmpty)
        }
    }

    @Test("work of a caller cancelled while it waits never runs") func cancelledInQueue() async throws {
        try await withBusyPool { pool, gate, holder in
            let ledger = Ledger<Int>()
            let task = Task { try await pool.transaction { _ in ledger.add(1) } }
            try await waiting(pool, 1)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(pool.statistics.queueDepth == 0)
            #expect(pool.statistics.cancelled == 1)
            gate.open()
            try await holder.value
            try await pool.transaction { _ in ledger.add(2) }
            #expect(ledger.entries == [2])
        }
    }

    @Test("work of a caller cancelled beforehand never runs") func cancelledBefore() async throws {
        try await withPool(connections: 1) { pool, _ in
            let ledger = Ledger<Int>()
            let gate = Gate()
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                gate.open()
                try await pool.transaction { _ in ledger.add(1) }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(ledger.entries.isEmpty)
        }
    }

    @Test("work that has begun runs to its end although its caller was cancelled") func cancelledRunning() async throws
    {
        try await withPool(connections: 1) { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int)")
            let gate = Gate()
            let task = Task {
                try await pool.transaction { db in
                    gate.pass()
                    return try db.execute("INSERT INTO t VALUES (1)")
                }
            }
            try await gate.awaitVisitor()
            task.cancel()
            gate.open()
            #expect(try await task.value == 1)
            #expect(try await pool.count("SELECT count(*) FROM t") == 1)
        }
    }

    @Test("closing fails who waits, lets the running end, and refuses who comes later") func shutdown() async throws {
        try await withLentDatabase { database in
            let pool: PostgresPool = database.pool(connections: 1)
            try await pool.prepare("CREATE TABLE t (n int)")
            let gate = Gate()
            let running = Task {
                try await pool.transaction { db in
                    gate.pass()
                    return try db.execute("INSERT INTO t VALUES (1)")
                }
            }
            try await gate.awaitVisitor()
            let queued = Task { await failure { try await pool.transaction { _ in } } }
            try await waiting(pool, 1)
            let closing = Task { await pool.shutdown() }
            #expect(await queued.value?.kind == .shutdown)
            #expect(await failure { try await pool.transaction { _ in } }?.kind == .shutdown)
            gate.open()
            #expect(try await running.value == 1)
            await closing.value
            await pool.shutdown()
            #expect(pool.statistics.open == 0)
        }
    }

    @Test("a pool that is let go closes its connections") func letGo() async throws {
        try await withPool(connections: 1) { observer, database in
            do {
                let pool: PostgresPool = database.pool(connections: 3)
                try await pool.prepare("SELECT 1")
            }
            try await eventually(within: .seconds(5), "sessions closed") {
                try await observer.count(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                    """) == 0
            }
        }
    }

    @Test("a thousand callers at once, some cancelled, are each answered once") func storm() async throws {
        try await withPool(connections: 4, { $0.queueLimit = 2_000 }) { pool, _ in
            let answers: (done: Int, cancelled: Int) = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        let task = Task { try await pool.transaction { db in try db.execute("SELECT 1") } }
                        if number % 3 == 0 { task.cancel() }
                        return (try? await task.value) != nil
                    }
                }
                return await group.reduce(into: (0, 0)) { sum, isDone in
                    if isDone { sum.0 += 1 } else { sum.1 += 1 }
                }
            }
            #expect(answers.done + answers.cancelled == 1_000)
            #expect(answers.done >= 666)
            try await eventually(within: .seconds(5)) { pool.statistics.transactions >= answers.done }
            #expect(pool.statistics.queueDepth == 0)
            #expect(pool.statistics.busy == 0)
        }
    }
}
