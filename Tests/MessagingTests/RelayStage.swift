import BillingCore
import Kafka
import Logging
import Messaging
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing

/// Reads a topic from its beginning.
final class Reader: Sendable {
    private let received = Mutex<[KafkaMessage]>([])
    private let arrivals = Mutex<[String: ContinuousClock.Instant]>([:])
    private let consumer = Mutex<KafkaConsumer?>(nil)

    init(_ topic: String) throws {
        let reader = KafkaConsumer(
            try TestBroker.configuration(), group: TestBroker.uniqueName("group"), instance: TestBroker.uniqueName("i"),
            topics: [topic]
        ) { [weak self] batch in
            guard let self else { return }
            let now: ContinuousClock.Instant = .now
            arrivals.withLock { arrivals in
                for message in batch where arrivals[Self.name(message)] == nil { arrivals[Self.name(message)] = now }
            }
            received.withLock { $0 += batch }
        }
        try reader.start()
        consumer.withLock { $0 = reader }
    }

    private static func name(_ message: KafkaMessage) -> String { String(decoding: message.value, as: UTF8.self) }

    var isAssigned: Bool { consumer.withLock { $0 }?.isAssigned ?? false }
    /// Every body, repeated ones too, in order of arrival.
    var names: [String] { received.withLock { $0.map(Self.name) } }
    /// Each body's first arrival, in order.
    var firsts: [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }
    func arrival(_ name: String) -> ContinuousClock.Instant? { arrivals.withLock { $0[name] } }
    func stop() async { await consumer.withLock { $0 }?.stop() }
}

/// A relay's stage: a schema, a topic of its own and a reader of it.
struct Stage {
    let world: MessagingWorld
    let topic: String
    let reader: Reader
    let producer: KafkaProducer
    let metrics = Metrics()

    func relay(
        patience: Duration = .milliseconds(5), horizonWait: Duration = .milliseconds(2), logger: Logger? = nil
    ) -> OutboxRelay {
        let relay = OutboxRelay(
            world.configuration, producer: producer, source: "refrain/test", patience: patience,
            horizonWait: horizonWait, metrics: metrics, logger: logger ?? world.logger)
        relay.start()
        return relay
    }

    /// Writes rows as ``Outbox`` does, on the stage's topic.
    func append(_ names: [String], key: String = "k", urgency: Urgency = .waitedFor) async throws {
        let topic: String = topic
        try await world.database.transaction { db in try Self.insert(names, key, topic, db, urgency) }
    }

    static func insert(
        _ names: [String], _ key: String, _ topic: String, _ db: borrowing PostgresTransaction,
        _ urgency: Urgency = .waitedFor
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO outbox (id, type, topic, key, time, body)
            SELECT 'evt_' || left(n, 40), 'test.v1', \(topic), \(key), now(), n
            FROM unnest(\(names)::text[]) WITH ORDINALITY AS u(n, position) ORDER BY position
            """)
        Outbox.wakeOnCommit(db, urgency)
    }

    func arrives(_ names: [String], within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit, "\(names.count) events arrive") { reader.firsts.count >= names.count }
        #expect(reader.firsts == names)
    }

    /// How often the relay has published.
    var passes: UInt64 { metrics.histogram("outbox_batch_size").snapshot.count }
    /// How many events were passed over.
    var refused: Int { metrics.counter("outbox_refused_total").value }
    /// How often it has had to wait for an older transaction.
    var waits: Int { metrics.counter("outbox_waits_total").value }
    /// How often it has looked for events by itself.
    var looks: Int { metrics.counter("outbox_looks_total").value }
    /// How many events the broker has confirmed.
    var published: Int { metrics.counter("outbox_published_total").value }
    /// How many events it has told the delay of.
    var delays: UInt64 { metrics.histogram("outbox_delay_seconds").snapshot.count }

    func backlog() async throws -> Int { try await world.database.transaction { db in try Outbox.backlog(in: db) } }
}

func withStage(_ body: (Stage) async throws -> Void) async throws {
    try await withMessaging { world in
        let topic: String = try await TestBroker.topic("relay", partitions: 1)
        let reader = try Reader(topic)
        let producer = try KafkaProducer(try TestBroker.configuration(), logger: world.logger)
        let result: Result<Void, any Error>
        do {
            try await eventually(within: .seconds(20), "reader assigned") { reader.isAssigned }
            result = .success(
                try await body(Stage(world: world, topic: topic, reader: reader, producer: producer)))
        } catch { result = .failure(error) }
        await reader.stop()
        await producer.close()
        try result.get()
    }
}
