import Postgres
import Synchronization
import TestKit
import Testing
import Threads

@Suite("Group commit", .serialized) struct GroupCommitTests {
    /// Inserts numbers; a negative one makes the whole batch throw, a zero is refused alone.
    private func group(
        _ pool: PostgresPool, maxBatch: Int = 100, lanes: Int = 1, interval: Duration = .zero, burst: Int = 1,
        gather: Duration = .zero, queueLimit: Int = 4096, gate: Gate? = nil
    ) -> GroupCommit<Int, Int> {
        GroupCommit(
            pool, maxBatch: maxBatch, lanes: lanes, interval: interval, burst: burst, gather: gather,
            queueLimit: queueLimit
        ) { db, items in
            if let gate, items.contains(1_000_000) { gate.pass() }
            let good: [Int] = items.filter { $0 != 0 }
            try db.execute("INSERT INTO t SELECT unnest(\(good)::int[])")
            return items.map { $0 == 0 ? .failure(Refused()) : .success($0 * 2) }
        }
    }

    private func withTable(
        connections: Int = 2, _ body: (PostgresPool) async throws -> Void
    ) async throws {
        try await withPool(connections: connections) { pool, _ in
            try await pool.prepare("CREATE TABLE t (n int CHECK (n > 0) UNIQUE)")
            try await body(pool)
        }
    }

    @Test("one item alone is done at once") func single() async throws {
        try await withTable { pool in
            let group = group(pool)
            let doubled: Int = try await group.submit(21)
            #expect(doubled == 42)
            let stored: Int = try await pool.count("SELECT n FROM t")
            #expect(stored == 21)
            #expect(group.statistics.batches == 1)
        }
    }

    @Test("what waits while a batch runs becomes the next batch") func batching() async throws {
        try await withTable { pool in
            let gate = Gate()
            let group = group(pool, gate: gate)
            let first = Task { try await group.submit(1_000_000) }
            try await gate.awaitVisitor()
            let rest = (1...50).map { number in Task { try await group.submit(number) } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 50 }
            gate.open()
            #expect(try await first.value == 2_000_000)
            for (index, task) in rest.enumerated() { #expect(try await task.value == (index + 1) * 2) }
            #expect(group.statistics.batches == 2)
            #expect(group.statistics.largestBatch == 50)
            #expect(try await pool.count("SELECT count(*) FROM t") == 51)
        }
    }

    @Test("with an interval the first item is done at once and what follows it closely goes together") func interval()
        async throws
    {
        try await withTable { pool in
            let group = group(pool, interval: .milliseconds(400))
            let began: ContinuousClock.Instant = .now
            _ = try await group.submit(100)
            let rest = (1...20).map { number in Task { try await group.submit(number) } }
            for (index, task) in rest.enumerated() { #expect(try await task.value == (index + 1) * 2) }
            #expect(ContinuousClock.now - began >= .milliseconds(400))
            #expect(group.statistics.batches == 2)
        }
    }

    @Test("with a burst a few items come close together without waiting, and a steady stream still travels in batches")
    func burst() async throws {
        try await withTable { pool in
            let group = group(pool, interval: .seconds(30), burst: 3)
            for number in 1...3 { #expect(try await group.submit(number) == number * 2) }
            #expect(group.statistics.batches == 3)
            let fourth = Task { try await group.submit(4) }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 1 }
            #expect(group.statistics.batches == 3)
            fourth.cancel()
            await #expect(throws: CancellationError.self) { try await fourth.value }
        }
    }

    @Test("what comes close behind a batch waits for what comes with it; what comes alone does not wait")
    func gather() async throws {
        try await withTable { pool in
            let group = group(pool, gather: .seconds(2))
            let begin: ContinuousClock.Instant = .now
            _ = try await group.submit(1)
            #expect(.now - begin < .seconds(2))
            let together = (2...9).map { number in Task { try await group.submit(number) } }
            for task in together { _ = try await task.value }
            #expect(group.statistics.batches == 2)
            #expect(group.statistics.largestBatch == 8)
        }
    }

    @Test("what comes one by one, now and then, does not wait; what comes after several does") func gathersStreams()
        async throws
    {
        try await withTable { pool in
            let gather: Duration = .milliseconds(100)
            let gate = Gate()
            let group = group(pool, gather: gather, gate: gate)
            // Not close behind the last one, and not long after it.
            @Sendable func later(_ number: Int) async throws -> Duration {
                let time: ContinuousClock.Instant = .now + gather * 7
                try await eventually(within: .seconds(5)) { ContinuousClock.now > time }
                let begin: ContinuousClock.Instant = .now
                _ = try await group.submit(number)
                return ContinuousClock.now - begin
            }
            _ = try await group.submit(1)
            var alone: [Duration] = []
            for number in 2...4 { alone.append(try await later(number)) }
            // The quickest of them, as a busy machine may delay any.
            let quickest: Duration = try #require(alone.min())
            #expect(quickest < gather)
            let first = Task { try await group.submit(1_000_000) }
            try await gate.awaitVisitor()
            let two = (5...6).map { number in Task { try await group.submit(number) } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 2 }
            gate.open()
            _ = try await first.value
            for task in two { _ = try await task.value }
            #expect(group.statistics.largestBatch == 2)
            let behind: Duration = try await later(7)
            #expect(behind >= gather)
        }
    }

    @Test("a full batch waits for nothing") func gathersNoMore() async throws {
        try await withTable { pool in
            let group = group(pool, maxBatch: 1, gather: .seconds(60))
            let begin: ContinuousClock.Instant = .now
            _ = try await group.submit(1)
            _ = try await group.submit(2)
            #expect(.now - begin < .seconds(60))
        }
    }

    @Test("an item that comes alone is handed to the pool by its caller, not by a task of its own") func handedOver()
        async throws
    {
        try await withTable(connections: 1) { pool in
            let group = group(pool)
            let gate = Gate()
            let holder = Task { try await pool.transaction { _ in gate.pass() } }
            try await gate.awaitVisitor()
            let waiting = Ledger<Int>()
            let executor = WatchedExecutor { waiting.add(pool.statistics.queueDepth) }
            let alone = Task { try await withTaskExecutorPreference(executor) { try await group.submit(1) } }
            try await eventually(within: .seconds(5)) { !waiting.entries.isEmpty }
            gate.open()
            let answer: Int = try await alone.value
            #expect(answer == 2)
            try await holder.value
            #expect(waiting.entries == [1])
        }
    }

    @Test("a batch is no larger than its limit") func maxBatch() async throws {
        try await withTable { pool in
            let gate = Gate()
            let group = group(pool, maxBatch: 10, gate: gate)
            let first = Task { try await group.submit(1_000_000) }
            try await gate.awaitVisitor()
            let rest = (1...35).map { number in Task { try await group.submit(number) } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 35 }
            gate.open()
            _ = try await first.value
            for task in rest { _ = try await task.value }
            #expect(group.statistics.batches == 5)
            #expect(group.statistics.largestBatch == 10)
        }
    }

    @Test("one bad item harms no other") func isolation() async throws {
        try await withTable { pool in
            let gate = Gate()
            let group = group(pool, gate: gate)
            let first = Task { try await group.submit(1_000_000) }
            try await gate.awaitVisitor()
            let numbers: [Int] = [1, 2, -3, 4, 0, 5]
            let tasks = numbers.map { number in Task { try await group.submit(number) } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == numbers.count }
            gate.open()
            _ = try await first.value
            for (number, task) in zip(numbers, tasks) {
                switch number {
                case 0: await #expect(throws: Refused.self) { try await task.value }
                case ..<0:
                    let error = await failure { try await task.value }
                    #expect(error?.kind == .checkViolation)
                default: #expect(try await task.value == number * 2)
                }
            }
            #expect(group.statistics.splits == 1)
            #expect(try await pool.count("SELECT count(*) FROM t") == 5)
        }
    }

    @Test("an item that loses a deadlock alone is run once more, and no more often") func loser() async throws {
        try await withTable { pool in
            try await pool.prepare(
                "CREATE SEQUENCE tries",
                """
                CREATE FUNCTION lose() RETURNS void LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END $$
                """)
            // As many tries in all are lost as an item says.
            let group = GroupCommit<Int, Int>(pool, maxBatch: 1) { db, items in
                let tries: Int = try db.first("SELECT nextval('tries')") { row in try row.next() } ?? 0
                if tries <= items[0] { try db.execute("SELECT lose()") }
                return [.success(tries)]
            }
            #expect(try await group.submit(1) == 2)
            let error = await failure { try await group.submit(4) }
            #expect(error?.kind == .deadlock)
            #expect(try await group.submit(4) == 5)
            #expect(group.statistics.splits == 0)
        }
    }

    @Test("an item cancelled while it waits never runs") func cancelled() async throws {
        try await withTable { pool in
            let gate = Gate()
            let group = group(pool, gate: gate)
            let first = Task { try await group.submit(1_000_000) }
            try await gate.awaitVisitor()
            let victim = Task { try await group.submit(7) }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 1 }
            victim.cancel()
            await #expect(throws: CancellationError.self) { try await victim.value }
            gate.open()
            _ = try await first.value
            let before = Task {
                while !Task.isCancelled { await Task.yield() }
                return try await group.submit(8)
            }
            before.cancel()
            await #expect(throws: CancellationError.self) { try await before.value }
            #expect(try await pool.count("SELECT count(*) FROM t WHERE n IN (7, 8)") == 0)
            #expect(group.statistics.cancelled == 2)
            #expect(try await group.submit(9) == 18)
        }
    }

    @Test("a full queue refuses, a passed deadline starts nothing") func limits() async throws {
        try await withTable { pool in
            let gate = Gate()
            let group = group(pool, queueLimit: 1, gate: gate)
            let first = Task { try await group.submit(1_000_000) }
            try await gate.awaitVisitor()
            let deadline: ContinuousClock.Instant = .now + .milliseconds(1)
            let late = Task { await failure { try await group.submit(5, deadline: deadline) } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 1 }
            let refused = await failure { try await group.submit(6) }
            #expect(refused?.kind == .queueFull)
            try await eventually(within: .seconds(5)) { ContinuousClock.now > deadline }
            gate.open()
            _ = try await first.value
            #expect(await late.value?.kind == .deadlineExceeded)
            #expect(try await pool.count("SELECT count(*) FROM t") == 1)
        }
    }

    @Test("a batch that is taken apart starts nothing whose deadline has passed meanwhile") func lateInParts()
        async throws
    {
        try await withTable { pool in
            let gate = Gate()
            let started = Ledger<Int>()
            let group = GroupCommit<Int, Int>(pool, maxBatch: 10) { _, items in
                if items.count > 1 { throw Refused() }
                started.add(items[0])
                if items[0] < 2 { gate.pass() }
                return [.success(items[0])]
            }
            let holder = Task { try await group.submit(0) }
            try await gate.awaitVisitor()
            let first = Task { try await group.submit(1) }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 1 }
            let deadline: ContinuousClock.Instant = .now + .seconds(5)
            let late = Task { await failure { try await group.submit(2, deadline: deadline) } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 2 }
            gate.open()
            try await gate.awaitVisitor(2)
            try await eventually(within: .seconds(5)) { ContinuousClock.now > deadline }
            gate.open()
            #expect(try await holder.value == 0)
            #expect(try await first.value == 1)
            #expect(await late.value?.kind == .deadlineExceeded)
            #expect(started.entries == [0, 1])
            #expect(group.statistics.splits == 1)
        }
    }

    @Test("closing the pool answers every item") func shutdown() async throws {
        try await withLentDatabase { database in
            let pool: PostgresPool = database.pool()
            try await pool.prepare("CREATE TABLE t (n int)")
            let gate = Gate()
            let group = group(pool, gate: gate)
            let first = Task { try await group.submit(1_000_000) }
            try await gate.awaitVisitor()
            let rest = (1...5).map { number in Task { await failure { try await group.submit(number) } } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == 5 }
            let closing = Task { await pool.shutdown() }
            try await eventually(within: .seconds(5)) {
                await failure { try await pool.transaction { _ in } }?.kind == .shutdown
            }
            gate.open()
            #expect(try await first.value == 2_000_000)
            for task in rest { #expect(await task.value?.kind == .shutdown) }
            await closing.value
            #expect(await failure { try await group.submit(9) }?.kind == .shutdown)
        }
    }

    @Test("several lanes run batches at once") func lanes() async throws {
        try await withTable(connections: 3) { pool in
            let gate = Gate()
            let group = GroupCommit<Int, Int>(pool, maxBatch: 1, lanes: 2) { _, items in
                gate.pass()
                return items.map { .success($0) }
            }
            let tasks = (1...2).map { number in Task { try await group.submit(number) } }
            try await gate.awaitVisitor(2)
            gate.open()
            gate.open()
            for task in tasks { _ = try await task.value }
            #expect(group.statistics.batches == 2)
        }
    }

    @Test("a thousand submitters are each answered once") func storm() async throws {
        try await withTable { pool in
            let group = group(pool, maxBatch: 64, lanes: 2)
            let sum: Int = try await withThrowingTaskGroup(of: Int.self) { tasks in
                for number in 1...1_000 { tasks.addTask { try await group.submit(number) } }
                return try await tasks.reduce(0, +)
            }
            #expect(sum == 1_001_000)
            #expect(try await pool.count("SELECT count(*) FROM t") == 1_000)
            #expect(group.statistics.items == 1_000)
            #expect(group.statistics.batches < 1_000)
        }
    }
}

/// Runs each job of its tasks on a thread of its own, and tells when the first one has suspended.
private final class WatchedExecutor: TaskExecutor {
    private let suspended: @Sendable () -> Void
    private let isFirst = Atomic<Bool>(true)

    init(_ suspended: @escaping @Sendable () -> Void) {
        self.suspended = suspended
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        OwnedThread.start("test-executor") { [self] in
            job.runSynchronously(on: asUnownedTaskExecutor())
            if isFirst.exchange(false, ordering: .relaxed) { suspended() }
        }
    }
}
