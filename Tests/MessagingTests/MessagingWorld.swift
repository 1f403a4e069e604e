import BillingCore
import BillingEvents
import JSON
import Kafka
import Logging
import Messaging
import Postgres
import Synchronization
import TestKit

/// What a handler was given, and how it is made to fail.
final class Recorder: Sendable {
    enum Broken: Error { case forNow }

    private struct State {
        var refused: [String: String] = [:]
        var failing: Set<String> = []
        var bloated: Set<String> = []
        var slow: Set<String> = []
        var locked: Set<String> = []
        var batches: [Int] = []
    }
    private let state = Mutex(State())

    /// Sizes of the batches that were handled to the end, committed or not.
    var batches: [Int] { state.withLock { $0.batches } }

    /// Customers whose events are refused for good, with the reason.
    func refuse(_ name: String, _ reason: String) { state.withLock { $0.refused[name] = reason } }

    /// Customers whose events fail for now.
    func fail(_ name: String) { _ = state.withLock { $0.failing.insert(name) } }

    /// Customers of whose events follows one that is larger than any broker takes.
    func bloat(_ name: String) { _ = state.withLock { $0.bloated.insert(name) } }

    /// Customers whose events ask for more than the database can do in the time that a statement has.
    func slow(_ name: String) { _ = state.withLock { $0.slow.insert(name) } }

    /// Customers whose events need their row of `held`, for which they wait a moment only.
    func lock(_ name: String) { _ = state.withLock { $0.locked.insert(name) } }

    func heal() { state.withLock { $0 = State(batches: $0.batches) } }

    /// Writes each event down in the transaction.
    func handle<Body: EventBody>(
        _ events: [Envelope<Body>], _ name: (Body) -> String, in db: borrowing PostgresTransaction
    ) throws {
        for event in events {
            let name: String = name(event.body)
            let (reason, fails): (String?, Bool) = state.withLock { ($0.refused[name], $0.failing.contains(name)) }
            if let reason { throw Refusal.park(reason: reason) }
            if fails { throw Broken.forNow }
            try follow(name, event.key, in: db)
            _ = try db.execute("INSERT INTO effects (event_id, key, name) VALUES (\(event.id), \(event.key), \(name))")
        }
        state.withLock { $0.batches.append(events.count) }
    }

    /// What follows from an event beside its effect.
    private func follow(_ name: String, _ key: String, in db: borrowing PostgresTransaction) throws {
        let (isBloated, isSlow, needsRow): (Bool, Bool, Bool) = state.withLock {
            ($0.bloated.contains(name), $0.slow.contains(name), $0.locked.contains(name))
        }
        if isBloated {
            let large = CustomerUpdatedV1(
                customerID: .new(at: MessagingWorld.start), email: "e",
                name: String(repeating: "n", count: Outbox.sizeLimit))
            try Outbox.append(large, key: key, at: MessagingWorld.start, in: db)
        }
        if isSlow {
            _ = try db.execute("SET LOCAL statement_timeout = '50ms'")
            _ = try db.execute("SELECT pg_sleep(600)")
        }
        if needsRow {
            _ = try db.execute("SET LOCAL lock_timeout = '50ms'")
            _ = try db.execute("SELECT name FROM held WHERE name = \(name) FOR UPDATE")
        }
    }
}

/// A consumer on a database of its own.
struct MessagingWorld: Sendable {
    static let start = Instant(seconds: 1_800_000_000)

    let lent: LentDatabase
    let configuration: PostgresConfiguration
    let database: PostgresPool
    let recorder = Recorder()
    let dispatcher: EventDispatcher
    let retries: RetryLoop
    let logger: Logger

    init(_ migrated: MigratedDatabase) {
        lent = migrated.lent
        configuration = migrated.configuration
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.logger = logger
        database = migrated.pool
        let recorder: Recorder = recorder
        let consumer = EventConsumer(
            name: "test", topics: [.customers],
            routes: [
                .on(CustomerCreatedV1.self) { events, db, _ in try recorder.handle(events, { $0.name }, in: db) },
                .on(CustomerUpdatedV1.self) { events, db, _ in try recorder.handle(events, { $0.name }, in: db) },
            ])
        dispatcher = EventDispatcher(consumer, pool: database, clock: ManualClock(Self.start), logger: logger)
        retries = RetryLoop(dispatcher: dispatcher, logger: logger)
    }

    /// Tries what is put off, whatever its waiting time, until nothing moves.
    func retryNow() async throws {
        repeat {
            try await execute("UPDATE event_retries SET next_at = now() - interval '1 second'")
        } while try await retries.pass()
    }

    func execute(_ sql: SQL) async throws { try await database.transaction { db in _ = try db.execute(sql) } }

    func texts(_ sql: SQL) async throws -> [String] {
        try await database.transaction { db in try db.query(sql) { row in try row.next() } }
    }

    func count(_ sql: SQL) async throws -> Int {
        try await database.transaction { db in try db.first(sql) { row in try row.next() } ?? -1 }
    }

    /// The names written down, in order.
    func effects(of key: String? = nil) async throws -> [String] {
        try await texts("SELECT name FROM effects WHERE \(key)::text IS NULL OR key = \(key) ORDER BY position")
    }

    func waiting() async throws -> [String] {
        try await texts("SELECT event_id FROM event_retries ORDER BY id")
    }

    func parked() async throws -> [ParkingLot.Entry] {
        try await database.transaction { db in try ParkingLot.list(in: db) }
    }

    func handle(_ messages: KafkaMessage...) async { await dispatcher.handle(messages) }
}

/// Messages as the broker hands them over.
enum Message {
    private static let offsets = Atomic<Int64>(0)

    static func created(_ name: String, key: String = "cus_1", updated: Bool = false) -> KafkaMessage {
        let id = EventID.new(at: MessagingWorld.start)
        let body: String =
            updated
            ? encodeString(CustomerUpdatedV1(customerID: .new(at: MessagingWorld.start), email: "e", name: name))
            : encodeString(
                CustomerCreatedV1(
                    customerID: .new(at: MessagingWorld.start), email: "e", name: name, country: "GB",
                    timeZone: "UTC"))
        return raw(
            headers(id: id.rawValue, type: updated ? CustomerUpdatedV1.type : CustomerCreatedV1.type), key: key,
            Array(body.utf8))
    }

    static func headers(
        id: String = EventID.new(at: MessagingWorld.start).rawValue, type: String = CustomerCreatedV1.type
    ) -> [String: String] {
        [
            "ce_specversion": "1.0", "ce_id": id, "ce_type": type, "ce_source": "refrain/test",
            "ce_time": "2027-01-15T08:00:00Z",
        ]
    }

    static func raw(_ headers: [String: String], key: String? = "cus_1", _ body: [UInt8]) -> KafkaMessage {
        KafkaMessage(
            topic: "refrain.customers", partition: 0, offset: offsets.add(1, ordering: .relaxed).newValue, key: key,
            headers: headers, value: body, timestampMilliseconds: 1)
    }
}

/// Lends a migrated schema and a consumer on it.
func withMessaging(_ body: (MessagingWorld) async throws -> Void) async throws {
    try await withMigratedDatabase(schema: "messaging", sets: ["messaging": "Shared/Messaging"]) { lent in
        let world = MessagingWorld(lent)
        try await world.execute(
            """
            CREATE TABLE effects (position bigint GENERATED ALWAYS AS IDENTITY, event_id text NOT NULL,
                key text NOT NULL, name text NOT NULL)
            """)
        try await body(world)
    }
}
