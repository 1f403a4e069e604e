import Glibc
import Postgres
import TestKit
import Testing
import Threads

/// Libpq called directly, as the reference of the measurement: the library is in this process already.
private struct RawLibpq: @unchecked Sendable {
    typealias Text = UnsafePointer<CChar>
    private let connection: OpaquePointer
    private let finish: @convention(c) (OpaquePointer?) -> Void
    private let clear: @convention(c) (OpaquePointer?) -> Void
    private let prepareCall: @convention(c) (OpaquePointer?, Text, Text, Int32, OpaquePointer?) -> OpaquePointer?
    private let executeCall:
        @convention(c) (
            OpaquePointer?, Text, Int32, OpaquePointer?, OpaquePointer?, OpaquePointer?, Int32
        ) -> OpaquePointer?
    private let sendCall:
        @convention(c) (OpaquePointer?, Text, Int32, OpaquePointer?, OpaquePointer?, OpaquePointer?, Int32) -> Int32
    private let enter: @convention(c) (OpaquePointer?) -> Int32
    private let sync: @convention(c) (OpaquePointer?) -> Int32
    private let result: @convention(c) (OpaquePointer?) -> OpaquePointer?

    init(_ url: String) throws {
        func symbol<T>(_ name: String, _ type: T.Type) throws -> T {
            unsafeBitCast(try #require(dlsym(nil, name)), to: type)
        }
        let connect = try symbol("PQconnectdb", (@convention(c) (Text) -> OpaquePointer?).self)
        finish = try symbol("PQfinish", (@convention(c) (OpaquePointer?) -> Void).self)
        clear = try symbol("PQclear", (@convention(c) (OpaquePointer?) -> Void).self)
        prepareCall = try symbol(
            "PQprepare", (@convention(c) (OpaquePointer?, Text, Text, Int32, OpaquePointer?) -> OpaquePointer?).self)
        executeCall = unsafeBitCast(
            try #require(dlsym(nil, "PQexecPrepared")),
            to: (@convention(c) (
                OpaquePointer?, Text, Int32, OpaquePointer?, OpaquePointer?, OpaquePointer?, Int32
            ) -> OpaquePointer?).self)
        sendCall = unsafeBitCast(
            try #require(dlsym(nil, "PQsendQueryPrepared")),
            to: (@convention(c) (
                OpaquePointer?, Text, Int32, OpaquePointer?, OpaquePointer?, OpaquePointer?, Int32
            ) -> Int32).self)
        enter = try symbol("PQenterPipelineMode", (@convention(c) (OpaquePointer?) -> Int32).self)
        sync = try symbol("PQpipelineSync", (@convention(c) (OpaquePointer?) -> Int32).self)
        result = try symbol("PQgetResult", (@convention(c) (OpaquePointer?) -> OpaquePointer?).self)
        connection = try #require(connect(url))
        for (name, text) in [("b", "BEGIN"), ("q", "SELECT 1"), ("c", "COMMIT")] {
            clear(prepareCall(connection, name, text, 0, nil))
        }
    }

    func close() { finish(connection) }

    /// BEGIN, a statement and COMMIT in three round trips.
    func plain() {
        for name in ["b", "q", "c"] { clear(executeCall(connection, name, 0, nil, nil, nil, 0)) }
    }

    func startPipelines() { _ = enter(connection) }

    /// BEGIN with the statement, then COMMIT: two round trips, as the library does it.
    func pipelined() {
        trip(["b", "q"])
        trip(["c"])
    }

    private func trip(_ names: [String]) {
        for name in names { _ = sendCall(connection, name, 0, nil, nil, nil, 0) }
        _ = sync(connection)
        for _ in names {
            clear(result(connection))
            _ = result(connection)
        }
        clear(result(connection))
    }
}

@Suite("What a transaction costs", .serialized) struct OverheadBenchmark {
    private static let batches = 20
    private static let batchSize = 200

    /// Times of one way of doing it, in microseconds per transaction.
    private struct Times: CustomStringConvertible {
        let name: String
        var batches: [Double] = []

        var description: String {
            let sorted: [Double] = batches.sorted()
            return "\(name) \(Int(sorted.first ?? 0)) (median \(Int(sorted[sorted.count / 2])))"
        }
    }

    private func blocking(_ body: @escaping @Sendable () throws -> Void) async throws -> Double {
        try await OwnedThread.run("benchmark") {
            let start: ContinuousClock.Instant = .now
            for _ in 0..<Self.batchSize { try body() }
            return (ContinuousClock.now - start) / .microseconds(1) / Double(Self.batchSize)
        }
    }

    private func awaiting(_ body: () async throws -> Void) async rethrows -> Double {
        let start: ContinuousClock.Instant = .now
        for _ in 0..<Self.batchSize { try await body() }
        return (ContinuousClock.now - start) / .microseconds(1) / Double(Self.batchSize)
    }

    /// Microseconds per transaction when several do a batch each at once.
    private func together(_ callers: [@Sendable () async throws -> Double]) async throws -> Double {
        let start: ContinuousClock.Instant = .now
        try await withThrowingTaskGroup(of: Double.self) { group in
            for caller in callers { group.addTask { try await caller() } }
            for try await _ in group {}
        }
        return (ContinuousClock.now - start) / .microseconds(1) / Double(Self.batchSize * callers.count)
    }

    @Test("printed, not asserted: microseconds per trivial transaction against libpq itself") func overhead()
        async throws
    {
        try await withPool(connections: 4) { pool, database in
            let plain: RawLibpq = try RawLibpq(database.url)
            let piped: RawLibpq = try RawLibpq(database.url)
            piped.startPipelines()
            let session = Box(PostgresSession(database.configuration(), logger: quiet))
            try await OwnedThread.run("benchmark") { try session.value.connect() }
            let names: [String] = [
                "libpq 3 trips", "libpq 2 trips", "session", "pool", "pool in 1 trip", "empty", "libpq on 4 threads",
                "pool of 4, 16 callers",
            ]
            var times: [Times] = names.map { Times(name: $0) }
            for _ in 0..<Self.batches {
                times[0].batches.append(try await blocking { plain.plain() })
                times[1].batches.append(try await blocking { piped.pipelined() })
                times[2].batches.append(
                    try await blocking { try session.value.transaction { db in _ = try db.execute("SELECT 1") } })
                times[3].batches.append(
                    try await awaiting { try await pool.transaction { db in _ = try db.execute("SELECT 1") } })
                times[4].batches.append(
                    try await awaiting { try await pool.transaction { db in try db.enqueue("SELECT 1") } })
                times[5].batches.append(try await awaiting { try await pool.transaction { _ in } })
            }
            let four: [RawLibpq] = try (0..<4).map { _ in
                let raw: RawLibpq = try RawLibpq(database.url)
                raw.startPipelines()
                return raw
            }
            for _ in 0..<Self.batches {
                times[6].batches.append(
                    try await together(four.map { raw in { try await self.blocking { raw.pipelined() } } }))
                let caller: @Sendable () async throws -> Double = {
                    try await self.awaiting { try await pool.transaction { db in _ = try db.execute("SELECT 1") } }
                }
                times[7].batches.append(try await together(Array(repeating: caller, count: 16)))
            }
            for raw in four { raw.close() }
            print("µs per transaction, best:", times.map(\.description).joined(separator: ", "))
            plain.close()
            piped.close()
            try await OwnedThread.run("benchmark") { session.value.close() }
        }
    }
}
