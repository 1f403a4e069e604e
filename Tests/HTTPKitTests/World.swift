import AsyncHTTPClient
import BillingCore
import HTTPKit
import JSON
import Logging
import NIOCore
import NIOHTTP1
import Postgres
import Redis
import Synchronization
import Telemetry
import TestKit
import Testing

/// An answer as the tests look at it.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue { get throws { try parseJSON(body) } }

    subscript(header: String) -> String? { headers.first(name: header) }

    /// The `code` of a problem, after checking that it is a whole one.
    func problem(_ status: Int, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        #expect(self.status == status, "\(text)", sourceLocation: sourceLocation)
        #expect(self["Content-Type"] == "application/problem+json", sourceLocation: sourceLocation)
        let json = try json
        let code = try #require(json["code"]?.stringValue, sourceLocation: sourceLocation)
        #expect(json["type"]?.stringValue == "https://refrain.dev/problems/\(code)", sourceLocation: sourceLocation)
        #expect(json["status"]?.intValue == Int64(status), sourceLocation: sourceLocation)
        #expect(json["title"]?.stringValue?.isEmpty == false, sourceLocation: sourceLocation)
        #expect(json["request_id"]?.stringValue == self["X-Request-Id"], sourceLocation: sourceLocation)
        return code
    }

    /// The faults of a problem as `param code`.
    var faults: [String] {
        get throws {
            try json["errors"]?.arrayValue?.map {
                "\($0["param"]?.stringValue ?? "?") \($0["code"]?.stringValue ?? "?")"
            } ?? []
        }
    }
}

/// Log lines that a test looks at.
final class Captured: Sendable {
    private let lines = Mutex<[String]>([])

    var logger: Logger {
        let sink = LogSink { [self] (bytes: UnsafeRawBufferPointer) in
            let line = String(decoding: bytes, as: UTF8.self)
            lines.withLock { $0.append(line) }
        }
        return Logger(label: "test") { JSONLogHandler(service: "test", label: $0, level: .info, sink: sink) }
    }

    var all: [String] { lines.withLock { $0 } }
}

/// A running server with a database of its own.
struct World: Sendable {
    let port: Int
    let pool: PostgresPool
    let key: String
    let keyID: APIKeyID
    let server: HTTPServer
    let log: Captured
    let metrics: Metrics
    let clock: ManualClock
    let realClock: ManualClock

    var metricsText: String { metrics.prometheusText }

    /// Sends a request; the key and, on POST, a fresh idempotency key are added unless headers say otherwise.
    func send(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, headers: [(String, String?)] = [],
        bytes: [UInt8]? = nil
    ) async throws -> Answer {
        var all: [(String, String?)] = [("Authorization", "Bearer \(key)")]
        if method == .POST { all.append(("Idempotency-Key", String(UInt64.random(in: 0...UInt64.max), radix: 36))) }
        let content = bytes ?? body.map { Array($0.utf8) }
        if content != nil { all.append(("Content-Type", "application/json")) }
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        for (name, value) in all + headers {
            request.headers.remove(name: name)
            if let value { request.headers.add(name: name, value: value) }
        }
        if let content { request.body = .bytes(ByteBuffer(bytes: content)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let received = try await response.body.collect(upTo: 1 << 24)
        return Answer(status: Int(response.status.code), headers: response.headers, body: Array(buffer: received))
    }

    /// A new key with these scopes.
    func makeKey(_ scopes: [String], expiresAt: Instant? = nil) async throws -> (record: APIKeyRecord, secret: String) {
        let now = realClock.now
        return try await pool.transaction { (db: borrowing PostgresTransaction) in
            try APIKeys.create(
                name: "test", scopes: scopes, mode: "sandbox", expiresAt: expiresAt, now: now, in: db)
        }
    }

    func count(_ table: StaticString) async throws -> Int {
        try await pool.transaction { (db: borrowing PostgresTransaction) in
            try db.first("SELECT count(*) FROM \(raw: table)") { try $0.next(Int.self) } ?? -1
        }
    }
}

/// Runs a pool on a fresh database with the tables of HTTPKit and of the widgets.
func withTables<R: Sendable>(connections: Int = 4, _ body: (PostgresPool) async throws -> R) async throws -> R {
    try await withMigratedDatabase(
        schema: "app", sets: ["http": "Shared/HTTPKit"], connections: connections
    ) { (lent: MigratedDatabase) async throws -> R in
        _ = try await lent.pool.transaction { (db: borrowing PostgresTransaction) in
            try db.execute(
                """
                CREATE TABLE widgets (
                    id text PRIMARY KEY, name text NOT NULL, amount bigint NOT NULL, currency text NOT NULL)
                """)
        }
        return try await body(lent.pool)
    }
}

/// Runs a server on a random port.
func withServer(
    redis: RedisClient? = nil, endpoints: [Endpoint] = Widgets.endpoints, checks: [ReadinessCheck] = [],
    connections: Int = 4, _ adjust: (inout HTTPServerConfiguration) -> Void = { _ in },
    _ body: (World) async throws -> Void
) async throws {
    var configuration = HTTPServerConfiguration(port: 0, serviceName: "widgets", rateLimit: nil)
    adjust(&configuration)
    try await withTables(connections: connections) { (pool: PostgresPool) in
        let clock = ManualClock(Instant(seconds: 1_800_000_000))
        let realClock = ManualClock(Instant(seconds: 1_790_000_000))
        let log = Captured()
        let metrics = Metrics()
        let server = HTTPServer(
            endpoints: endpoints, configuration: configuration, pool: pool, redis: redis, clock: clock,
            realClock: realClock, checks: checks, metrics: metrics, logger: log.logger)
        let made = try await pool.transaction { (db: borrowing PostgresTransaction) in
            try APIKeys.create(
                name: "all", scopes: ["*"], mode: "sandbox", now: Instant(seconds: 1_789_000_000), in: db)
        }
        let running = Task { try await server.run() }
        let world = World(
            port: try await server.listeningPort(), pool: pool, key: made.secret, keyID: made.record.id, server: server,
            log: log, metrics: metrics, clock: clock, realClock: realClock)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(world))
        } catch {
            result = .failure(error)
        }
        try await server.shutdown()
        try await running.value
        try result.get()
    }
}
