import Glibc
import Postgres
import TestKit
import Testing

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
    private static let rounds = 4_000

    private func microseconds(_ rounds: Int = rounds, _ body: () async throws -> Void) async rethrows -> Double {
        for _ in 0..<200 { try await body() }
        let start: ContinuousClock.Instant = .now
        for _ in 0..<rounds { try await body() }
        return (ContinuousClock.now - start) / .microseconds(1) / Double(rounds)
    }

    /// The same on a thread that may block.
    private func blocking(_ body: @escaping @Sendable () throws -> Void) async throws -> Double {
        try await OwnedThread.run("benchmark") {
            for _ in 0..<200 { try body() }
            let start: ContinuousClock.Instant = .now
            for _ in 0..<Self.rounds { try body() }
            return (ContinuousClock.now - start) / .microseconds(1) / Double(Self.rounds)
        }
    }

    @Test("printed, not asserted: microseconds per trivial transaction against libpq itself") func overhead()
        async throws
    {
        try await withPool(connections: 4) { pool, database in
            let configuration: PostgresConfiguration = database.configuration()
            for _ in 0..<2 {
                let plain: Double = try await RawLibpqRun.plain(database.url, blocking)
                let pipelined: Double = try await RawLibpqRun.pipelined(database.url, blocking)
                let session: Double = try await OwnedThread.run("benchmark") {
                    let session = PostgresSession(configuration, logger: quiet)
                    try session.connect()
                    defer { session.close() }
                    let once: () throws -> Void = {
                        try session.transaction { db in _ = try db.execute("SELECT 1") }
                    }
                    for _ in 0..<200 { try once() }
                    let start: ContinuousClock.Instant = .now
                    for _ in 0..<Self.rounds { try once() }
                    return (ContinuousClock.now - start) / .microseconds(1) / Double(Self.rounds)
                }
                let pooled: Double = try await microseconds {
                    try await pool.transaction { db in _ = try db.execute("SELECT 1") }
                }
                let enqueued: Double = try await microseconds {
                    try await pool.transaction { db in try db.enqueue("SELECT 1") }
                }
                let empty: Double = try await microseconds { try await pool.transaction { _ in } }
                print(
                    """
                    transaction, µs: libpq 3 trips \(Int(plain)), libpq 2 trips \(Int(pipelined)), \
                    session \(Int(session)), pool \(Int(pooled)), pool in 1 trip \(Int(enqueued)), \
                    pool without statement \(Int(empty))
                    """)
            }
        }
    }
}

private enum RawLibpqRun {
    typealias Measure = (@escaping @Sendable () throws -> Void) async throws -> Double

    static func plain(_ url: String, _ measure: Measure) async throws -> Double {
        let raw: RawLibpq = try RawLibpq(url)
        defer { raw.close() }
        return try await measure { raw.plain() }
    }

    static func pipelined(_ url: String, _ measure: Measure) async throws -> Double {
        let raw: RawLibpq = try RawLibpq(url)
        defer { raw.close() }
        raw.startPipelines()
        return try await measure { raw.pipelined() }
    }
}
