import BillingCore
import BillingEvents
import Kafka
import Logging
import Messaging
import Postgres
import Synchronization

/// The event side of a daemon: topics, relay, consumers, and the sandbox's clock that they all go by.
final class EventPlumbing<Assembly: ServiceAssembly>: Sendable {
    let consumers: [EventConsumer]
    private let parts: ServiceParts
    private let clock: OffsetClock
    private let running = Mutex<[RunningConsumer]>([])
    /// Why topics could not be made the last time.
    private let topicFault = Mutex<String?>(nil)
    private let clockRead = Atomic<Bool>(false)
    private let begun = ReachedOnce()

    init(parts: ServiceParts, consumers: [EventConsumer], clock: OffsetClock) {
        self.parts = parts
        self.consumers = consumers
        self.clock = clock
    }

    /// Whether the stored offset of the test clock is known; in live mode there is none.
    var isClockRead: Bool { clockRead.load(ordering: .acquiring) }

    /// What is missing before events flow for the first time; `nil` when nothing is.
    var missing: String? {
        begun.missing {
            let running: [RunningConsumer] = running.withLock { $0 }
            if running.count < consumers.count {
                let fault: String? = topicFault.withLock { $0 }
                return fault.map { "topics cannot be made: \($0)" } ?? "the broker is not reachable"
            }
            return running.allSatisfy(\.isAssigned) ? nil : "no partitions are assigned yet"
        }
    }

    /// Runs until cancelled.
    func run() async throws {
        let kafka = parts.configuration.kafka
        try await readClock()
        let producer = try KafkaProducer(kafka, logger: parts.logger)
        let relay = OutboxRelay(
            parts.configuration.postgres, producer: producer, source: "refrain/\(Assembly.name)", logger: parts.logger)
        relay.start()
        await ensureTopics(kafka)
        let members: [RunningConsumer] = consumers.map(member)
        running.withLock { $0 = members }
        await withTaskGroup(of: Void.self) { group in
            for member in members { group.addTask { await self.keepRunning(member) } }
            group.addTask { await self.keepTopics(kafka, producer) }
            group.addTask { await BackgroundLoop.run(self.loops, on: self.clock, self.parts.logger) }
        }
        await relay.stop()
        await producer.close()
    }

    private func member(_ consumer: EventConsumer) -> RunningConsumer {
        let configuration: ServiceConfiguration = parts.configuration
        var options = KafkaConsumerOptions()
        options.sessionTimeout = .seconds(configuration.int("kafka.session_timeout_seconds", default: 10))
        options.staticMembership = configuration.flag("kafka.static_membership")
        options.maxBatch = configuration.int("kafka.max_batch", default: 500)
        return RunningConsumer(
            consumer, kafka: configuration.kafka, options: options, group: "refrain.\(consumer.name)",
            instance: configuration.instance, pool: parts.pool, clock: clock, logger: parts.logger)
    }

    private func keepRunning(_ member: RunningConsumer) async {
        while !Task.isCancelled {
            do { try await member.run() } catch {
                parts.logger.warning("a consumer starts over", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    private func ensureTopics(_ kafka: KafkaConfiguration) async {
        let admin = KafkaAdmin(kafka, logger: parts.logger)
        let names: [String] = Topic.allCases.flatMap { [$0.rawValue, $0.parked] }
        while !Task.isCancelled {
            do {
                try await admin.ensureTopics(
                    names, partitions: parts.configuration.kafkaPartitions,
                    mayHaveOneCopy: parts.configuration.mode == .sandbox)
                return
            } catch {
                topicFault.withLock { $0 = "\(error)" }
                parts.logger.warning("topics wait for the broker", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    /// Makes the topics again after trouble with the broker: one that lost its data would make them with other settings.
    private func keepTopics(_ kafka: KafkaConfiguration, _ producer: KafkaProducer) async {
        var seen: Int = producer.troubles
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            let troubles: Int = producer.troubles
            guard troubles != seen else { continue }
            seen = troubles
            await ensureTopics(kafka)
        }
    }

    /// Pruning, and following the jumps of the sandbox's clock that another instance of the service was told of.
    private var loops: [BackgroundLoop] {
        let keepDays: Int = parts.configuration.int("events.keep_days", default: 30)
        let pruning = Pruning(keepDays: keepDays, pool: parts.pool)
        let prune = BackgroundLoop(name: "prune events", every: .seconds(600)) { try await pruning.prune() }
        guard parts.configuration.mode == .sandbox else { return [prune] }
        return [
            prune, BackgroundLoop(name: "test clock", every: .milliseconds(500)) { try await self.takeStoredOffset() },
        ]
    }

    /// Reads the stored offset, which is to happen before anybody is answered. A database that is away is asked again by
    /// ``run()`` three times a second; who is answered by one that has just come back goes by the system's time.
    /// - Throws: `CancellationError`.
    func readClockOnce() async throws {
        do {
            if parts.configuration.mode == .sandbox { try await takeStoredOffset() }
            clockRead.store(true, ordering: .releasing)
        } catch let error as PostgresError {
            parts.logger.warning("the clock waits for the database", metadata: ["error": "\(error)"])
        }
    }

    /// Reads the stored offset before any event is handled.
    private func readClock() async throws {
        while !isClockRead {
            try await Task.sleep(for: .milliseconds(300))
            try await readClockOnce()
        }
    }

    private func takeStoredOffset() async throws {
        let offset: Duration = try await parts.pool.transaction(readOnly: true) { db in
            try TestClockStore.offset(in: db)
        }
        if offset > clock.offset { clock.setOffset(offset) }
    }
}
