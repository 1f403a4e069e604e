package import BillingCore
import BillingEvents
package import Kafka
package import Logging
package import Postgres
import Telemetry

/// Turns Kafka batches into transactions: claim, effect and counters commit together, and the batch is done only when
/// every message is handled, waiting for a retry, or parked.
///
/// A crash at any line is safe: offsets move only after ``handle(_:)`` has returned, and a repeated delivery finds its
/// claims in the inbox.
package struct EventDispatcher: Sendable {
    let consumer: EventConsumer
    let pool: PostgresPool
    let clock: any WallClock
    let logger: Logger
    let metrics: MessagingMetrics

    /// Makes a dispatcher that has yet to be given batches.
    /// - Parameter clock: The business clock.
    package init(_ consumer: EventConsumer, pool: PostgresPool, clock: any WallClock, logger: Logger) {
        self.consumer = consumer
        self.pool = pool
        self.clock = clock
        self.logger = logger
        metrics = MessagingMetrics(consumer: consumer)
    }

    /// Handles a batch to the end. Infrastructure faults are waited out here; a bad event harms no other key.
    package func handle(_ messages: [KafkaMessage]) async {
        let sorted: SortedBatch = SortedBatch(messages, consumer: consumer)
        guard !sorted.events.isEmpty || !sorted.parked.isEmpty else { return }
        if await attempt(sorted) { return }
        for message in sorted.parked { await settleAlone(nil, parked: message) }
        for event in sorted.events { await settleAlone(event, parked: nil) }
    }

    /// Tries the whole batch as one transaction, as long as only infrastructure stands in the way.
    /// - Returns: `false` when an event of it failed and each must be handled alone.
    private func attempt(_ batch: SortedBatch) async -> Bool {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                try await run(batch.events, parking: batch.parked)
                metrics.handled(batch)
                return true
            } catch let error as PostgresError where error.isInfrastructure {
                logger.warning("events wait for the database", metadata: ["error": "\(error)"])
                await backoff.wait()
            } catch {
                logger.debug("a batch is split", metadata: ["error": "\(error)", "size": "\(batch.events.count)"])
                return false
            }
        }
        return true
    }

    private func settleAlone(_ event: RawEvent?, parked: ParkedMessage?) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                if let parked { try await run([], parking: [parked]) }
                if let event { try await handleOrDefer(event) }
                return
            } catch {
                logger.warning("an event waits for the database", metadata: ["error": "\(error)"])
                await backoff.wait()
            }
        }
    }

    /// Handles one event; when its handler refuses it, stores it for a retry or parks it.
    /// - Throws: Only what keeps it from being stored at all.
    private func handleOrDefer(_ event: RawEvent) async throws {
        do {
            try await run([event], parking: [])
            metrics.handled(event)
        } catch let error as PostgresError where error.isInfrastructure {
            throw error
        } catch {
            if let reason: String = Refusal.reason(in: error) { return try await park(event, reason: reason) }
            let reason: String = "\(error)"
            logger.warning(
                "an event is retried later",
                metadata: ["event": "\(event.id)", "type": "\(event.type)", "error": "\(reason)"])
            metrics.retried.increment()
            let name: String = consumer.name
            try await pool.transaction { db in
                try RetryStore.append([event], for: name, attempts: 1, reason: reason, in: db)
            }
        }
    }

    /// Parks an event together with its claim, so that a repeated delivery does not bring it back. One that is known to
    /// come from nobody is passed over.
    func park(_ event: RawEvent, reason: String) async throws {
        logger.error(
            "an event is parked", metadata: ["event": "\(event.id)", "type": "\(event.type)", "reason": "\(reason)"])
        metrics.parked.increment()
        let name: String = consumer.name
        let now: Instant = clock.now
        try await pool.transaction { db in
            if try ParkingLot.isForeign(event, for: name, in: db) { return }
            // One that is claimed was handled as another delivery, or is parked already.
            guard try Inbox.claimOne(event, for: name, in: db) else { return }
            try ParkingLot.park([ParkedMessage(event, reason: reason)], for: name, at: now, in: db)
        }
    }

    /// One transaction for the batch; a second one where that fails. It may not be new as a whole, which is seen with the
    /// first answer of the database only: no handler's word on an event counts before that.
    private func run(_ events: [RawEvent], parking: [ParkedMessage]) async throws {
        let context = EventContext(now: clock.now)
        let handlers: [String: any PreparedHandler] = try await prepare(events, context)
        let consumer: EventConsumer = consumer
        do {
            try await pool.transaction { db in
                try ParkingLot.park(parking, for: consumer.name, at: context.now, in: db)
                guard !events.isEmpty else { return }
                try Inbox.claimAll(events, for: consumer.name, in: db)
                try Self.apply(events, consumer, handlers, context, db)
            }
        } catch let error as PostgresError where error.isInfrastructure {
            throw error
        } catch {
            try await sift(events, parking: parking, handlers, context)
        }
    }

    /// One transaction for what is new of a batch.
    private func sift(
        _ events: [RawEvent], parking: [ParkedMessage], _ handlers: [String: any PreparedHandler],
        _ context: EventContext
    ) async throws {
        let consumer: EventConsumer = consumer
        try await pool.transaction { db in
            try ParkingLot.park(parking, for: consumer.name, at: context.now, in: db)
            let claims: Inbox.Claims = try Inbox.claim(events, for: consumer.name, in: db)
            if !claims.blocked.isEmpty {
                let behind: [RawEvent] = events.filter { claims.blocked.contains($0.id.rawValue) }
                try RetryStore.append(behind, for: consumer.name, attempts: 0, reason: "waits behind its key", in: db)
            }
            let fresh: [RawEvent] = Self.unique(events, in: claims.claimed)
            try Self.apply(fresh, consumer, handlers, context, db)
        }
    }

    /// Runs the handlers over newly claimed events; shared with the retry loop.
    static func apply(
        _ events: [RawEvent], _ consumer: EventConsumer, _ handlers: [String: any PreparedHandler],
        _ context: EventContext, _ db: borrowing PostgresTransaction
    ) throws {
        guard !events.isEmpty else { return }
        var traces: [String: String] = [:]
        for event in events { traces[event.key] = event.traceparent }
        try CausalTraces.$byKey.withValue(traces) {
            try consumer.observe?(events, db, context)
            for wave in Waves.split(events) {
                for (type, batch) in wave { try handlers[type]?.handle(batch, in: db) }
            }
        }
    }

    /// Runs the asynchronous first step of each route once for all its events.
    func prepare(
        _ events: [RawEvent], _ context: EventContext
    ) async throws -> [String: any PreparedHandler] {
        var byType: [String: [RawEvent]] = [:]
        for event in events { byType[event.type, default: []].append(event) }
        var handlers: [String: any PreparedHandler] = [:]
        for (type, batch) in byType {
            handlers[type] = try await consumer.routes[type]?.prepare(batch, context)
        }
        return handlers
    }

    /// The claimed events, each once, in order of arrival.
    private static func unique(_ events: [RawEvent], in claimed: Set<String>) -> [RawEvent] {
        if claimed.count == events.count { return events }
        var left: Set<String> = claimed
        return events.filter { left.remove($0.id.rawValue) != nil }
    }
}

/// Growing, capped waits between attempts that only infrastructure stands in the way of.
struct Backoff: Sendable {
    private var milliseconds = 20

    mutating func wait() async {
        try? await Task.sleep(for: .milliseconds(milliseconds))
        milliseconds = min(milliseconds * 2, 2_000)
    }
}
