import BillingCore
import BillingEvents
public import Kafka
public import Logging
public import Postgres
import Synchronization
public import Telemetry
import Threads

/// Publishes committed events in order, at least once.
///
/// One relay at a time holds a service's advisory lock and publishes; the others stand by and pass their wake-ups on with
/// NOTIFY. It reads rows behind the snapshot horizon (older than every running transaction) in (transaction, sequence)
/// order, so that a row which commits late is never passed by, and moves its cursor only after the broker has confirmed. What
/// it has read it publishes in the order in which it was written: a transaction may have got its id, and then waited for the
/// row of what another one wrote of first.
///
/// Crash safety: what the stored cursor does not cover is published again, and the inboxes drop it. The leader goes by a
/// cursor of its own and stores it when it comes to rest, or five times a second, with `synchronous_commit` off: losing it
/// repeats events, never skips one. What the broker takes in no case is passed over (``RelayPublisher``).
public final class OutboxRelay: Sendable {
    /// Rows published in one go.
    static let batchLimit = 1_000
    /// Bytes of bodies published in one go, and as much as the last body has over.
    static let batchBytes = 8 << 20
    /// How long a pass waits when rows are still in front of the horizon.
    static let horizonWaitMilliseconds: Int32 = 2
    /// How long the relay sleeps when nothing wakes it: the fall-back after a crash of another instance.
    static let idleWaitMilliseconds: Int32 = 1_000
    /// How long the stored cursor may stay behind what the broker has confirmed: while events keep coming, and when none do.
    static let storeMilliseconds: Int32 = 200
    static let restMilliseconds: Int32 = 20

    private let configuration: PostgresConfiguration
    private let producer: KafkaProducer
    private let publisher: RelayPublisher
    private let logger: Logger
    private let wakeUp = WakeSignal()
    private let patience: Duration
    /// Events were committed since the last pass that somebody waits for; that nobody does.
    private let hasAwaited = Atomic<Bool>(false)
    private let hasBackground = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    private let stopped = Mutex<(done: Bool, waiter: CheckedContinuation<Void, Never>?)>((false, nil))
    private let published: Counter
    private let batches: Histogram
    private let delay: Histogram
    private let waits: Counter
    private let system: any WallClock = SystemClock()

    /// - Parameters:
    ///   - configuration: How to reach the service's schema; the relay opens one connection of its own.
    ///   - source: The CloudEvents source: `refrain/payment`.
    ///   - patience: How long events that nobody waits for may be held back to leave with others.
    ///   - metrics: Where it counts.
    public init(
        _ configuration: PostgresConfiguration, producer: KafkaProducer, source: String,
        patience: Duration = .milliseconds(5), metrics: Metrics = .shared, logger: Logger
    ) {
        var own: PostgresConfiguration = configuration
        own.applicationName = "\(source) relay"
        own.connections = 1
        self.configuration = own
        self.producer = producer
        publisher = RelayPublisher(
            producer: producer, source: source,
            refused: metrics.counter(
                "outbox_refused_total", help: "Events that the broker takes in no case, passed over and kept"),
            logger: logger)
        self.patience = patience
        self.logger = logger
        published = metrics.counter("outbox_published_total", help: "Events confirmed by the broker")
        batches = metrics.histogram(
            "outbox_batch_size", help: "Events published in one go", buckets: Histogram.sizes)
        delay = metrics.histogram(
            "outbox_delay_seconds", help: "From an event's record to the broker's confirmation")
        waits = metrics.counter(
            "outbox_waits_total", help: "Looks at events that an older transaction of the service held up")
    }

    /// Starts the relay's thread. Call once.
    public func start() {
        let token: Int = OutboxSignal.shared.listen { [self] urgency in
            switch urgency {
            case .waitedFor: hasAwaited.store(true, ordering: .releasing)
            case .background: hasBackground.store(true, ordering: .releasing)
            }
            wakeUp.wake()
        }
        OwnedThread.start("outbox-relay") { [self] in
            loop()
            OutboxSignal.shared.stopListening(token)
            let waiter: CheckedContinuation<Void, Never>? = stopped.withLock { state in
                state.done = true
                return state.waiter
            }
            waiter?.resume()
        }
    }

    /// Ends after the batch under way.
    public func stop() async {
        stopping.store(true, ordering: .releasing)
        wakeUp.wake()
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let done: Bool = stopped.withLock { state in
                if !state.done { state.waiter = continuation }
                return state.done
            }
            if done { continuation.resume() }
        }
    }

    private var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// What a broker may have confirmed and lost: events of this time are published again after a start and after trouble.
    static let doubtSeconds = 60

    /// Connects, publishes until something breaks, and starts over.
    private func loop() {
        while !isStopping {
            let session = PostgresSession(configuration, logger: logger)
            do {
                try session.connect()
                try serve(session)
            } catch {
                if !isStopping { logger.warning("the outbox relay starts over", metadata: ["error": "\(error)"]) }
            }
            session.close()
            if !isStopping { wakeUp.wait(milliseconds: 200) }
        }
    }

    private func serve(_ session: PostgresSession) throws {
        _ = try session.execute("SET synchronous_commit = off")
        let channel: String = try session.first("SELECT current_schema() || '_outbox'") { row in try row.next() } ?? ""
        try session.listen(channel)
        var doubt = BrokerDoubt(troubles: producer.troubles)
        while !isStopping {
            let leads: Bool =
                try session.first(
                    "SELECT pg_try_advisory_lock(hashtext(\(channel)))"
                ) { row in try row.next() } ?? false
            if leads {
                try rewind(session)
                try lead(session, &doubt)
            } else {
                _ = doubt.isDue(producer.troubles)
                wakeUp.wait(milliseconds: Self.idleWaitMilliseconds)
                _ = try session.execute("SELECT pg_notify(\(channel), '')")
                _ = try session.consumeNotifications()
            }
        }
    }

    /// Publishes as long as the session and its lock last. The cursor is stored now and then, before a rest, and at the
    /// end: until then what was published since would be published again by a successor.
    private func lead(_ session: PostgresSession, _ doubt: inout BrokerDoubt) throws {
        var cursor: RelayCursor = try storedCursor(session)
        while !isStopping {
            if doubt.isDue(producer.troubles) {
                try rewind(session)
                cursor = try storedCursor(session)
            }
            let position: RelayPosition = cursor.position
            var more: PassResult = try pass(session, &cursor)
            if more == .horizon {
                more = try pass(session, &cursor, before: ownHorizon(session))
                if more == .horizon { waits.increment() }
            }
            if cursor.isDue || cursor.position == position { try store(&cursor, session) }
            if more == .again { continue }
            let rest: Int32 = more == .horizon ? Self.horizonWaitMilliseconds : Self.idleWaitMilliseconds
            wakeUp.wait(
                alsoFor: session.socketDescriptor,
                milliseconds: cursor.isStored ? rest : min(rest, Self.restMilliseconds))
            // `outbox replay` says so when it has set the cursor back; storing notices as well.
            if try session.consumeNotifications() {
                if cursor.isStored { cursor = try storedCursor(session) } else { try store(&cursor, session) }
            } else if more != .horizon {
                gather()
            }
        }
        try store(&cursor, session)
    }

    /// Lets events that nobody waits for be joined by such as somebody does. Not while rows stand before the horizon:
    /// somebody may wait for those.
    private func gather() {
        defer {
            hasBackground.store(false, ordering: .releasing)
            hasAwaited.store(false, ordering: .releasing)
        }
        guard hasBackground.load(ordering: .acquiring) else { return }
        let end: ContinuousClock.Instant = .now + patience
        while !hasAwaited.load(ordering: .acquiring), !isStopping {
            let left: Duration = end - .now
            guard left > .zero else { return }
            wakeUp.wait(milliseconds: Int32(left / .milliseconds(1)) + 1)
        }
    }

    private func storedCursor(_ session: PostgresSession) throws -> RelayCursor {
        let stored: RelayPosition? = try session.first("SELECT xid::text, seq FROM outbox_relay") { row in
            RelayPosition(xid: try row.next(), seq: try row.next())
        }
        return RelayCursor(stored ?? RelayPosition(xid: "0", seq: 0))
    }

    /// Stores where the leader stands. Where `outbox replay` has set the stored cursor back meanwhile, that is taken up
    /// instead.
    private func store(_ cursor: inout RelayCursor, _ session: PostgresSession) throws {
        guard !cursor.isStored else { return }
        let moved: Int = try session.execute(
            """
            UPDATE outbox_relay SET xid = \(cursor.position.xid)::xid8, seq = \(cursor.position.seq)
            WHERE xid = \(cursor.stored.xid)::xid8 AND seq = \(cursor.stored.seq)
            """)
        if moved > 0 { cursor.wasStored() } else { cursor = try storedCursor(session) }
    }

    /// Goes back over what was published a moment ago: a broker that died may not have kept what it had confirmed. The
    /// inboxes drop what had arrived.
    private func rewind(_ session: PostgresSession) throws {
        _ = try session.execute(
            """
            UPDATE outbox_relay r SET xid = o.xid, seq = o.seq - 1
            FROM (WITH recent AS MATERIALIZED (
                      SELECT xid, seq FROM outbox
                      WHERE recorded_at > clock_timestamp() - make_interval(secs => \(Self.doubtSeconds)))
                  SELECT xid, seq FROM recent ORDER BY xid, seq LIMIT 1) AS o
            WHERE (o.xid, o.seq) <= (r.xid, r.seq)
            """)
    }

    private enum PassResult { case done, again, horizon }

    /// The oldest transaction under way that could write to this outbox: of the session's own role, whose outbox it is.
    /// The snapshot's horizon is that of the whole server, where other services' transactions run as well.
    ///
    /// Whoever has a transaction id below the result and is not among those under way has ended before this is read, and
    /// is seen by the pass that follows. Ids of 32 bits are told from the snapshot's by their distance.
    private func ownHorizon(_ session: PostgresSession) throws -> String {
        try session.first(
            """
            SELECT (x.next - coalesce(max(a.age) FILTER (WHERE a.age < 2147483648), 0))::text
            FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
            LEFT JOIN LATERAL (
                SELECT (x.next - backend_xid::text::bigint) & 4294967295 AS age FROM pg_stat_activity
                WHERE usename = session_user AND backend_xid IS NOT NULL) AS a ON true
            GROUP BY x.next
            """
        ) { row in try row.next() } ?? "0"
    }

    /// Publishes what is behind the horizon and moves the cursor over it.
    /// - Parameter horizon: No transaction that writes to this outbox and was not under way before this pass is older.
    private func pass(
        _ session: PostgresSession, _ cursor: inout RelayCursor, before horizon: String = "0"
    ) throws -> PassResult {
        let rows: [OutboxRow] = try session.query(
            """
            SELECT o.xid::text, o.seq, o.id, o.type, o.topic, o.key, o.time, o.recorded_at, o.traceparent, o.body,
                o.xid < greatest(pg_snapshot_xmin(pg_current_snapshot()), \(horizon)::xid8)
            FROM (SELECT *, sum(octet_length(body)) OVER (ORDER BY xid, seq ROWS UNBOUNDED PRECEDING) AS bytes
                  FROM (SELECT * FROM outbox
                        WHERE (xid, seq) > (\(cursor.position.xid)::xid8, \(cursor.position.seq))
                        ORDER BY xid, seq LIMIT \(Self.batchLimit)) AS next) AS o
            WHERE o.bytes - octet_length(o.body) < \(Self.batchBytes)
            ORDER BY o.xid, o.seq
            """, OutboxRow.init(row:))
        let ready: ArraySlice<OutboxRow> = rows.prefix { $0.isBehindHorizon }
        guard let last: OutboxRow = ready.last else { return rows.isEmpty ? .done : .horizon }
        let written: [OutboxRow] = ready.sorted { $0.seq < $1.seq }
        let sent: ArraySlice<OutboxRow> = try publisher.publish(written[...])
        cursor.move(to: RelayPosition(xid: last.xid, seq: last.seq))
        published.increment(by: sent.count)
        batches.observe(Double(ready.count))
        let now: Int64 = system.now.microseconds
        for row in sent { delay.observe(Double(max(0, now - row.recordedAt.microseconds)) / 1_000_000) }
        guard ready.count == rows.count else { return .horizon }
        let bytes: Int = rows.reduce(0) { $0 + $1.body.utf8.count }
        return rows.count == Self.batchLimit || bytes >= Self.batchBytes ? .again : .done
    }
}

/// A place in the order of events.
private struct RelayPosition: Equatable {
    let xid: String
    let seq: Int64
}

/// How far the leader has published, and how much of that is stored.
private struct RelayCursor {
    private(set) var position: RelayPosition
    private(set) var stored: RelayPosition
    /// When the first move since the last storing was made.
    private var movedAt: ContinuousClock.Instant?

    init(_ stored: RelayPosition) {
        position = stored
        self.stored = stored
    }

    var isStored: Bool { position == stored }
    var isDue: Bool {
        guard let movedAt: ContinuousClock.Instant else { return false }
        return ContinuousClock.now - movedAt >= .milliseconds(OutboxRelay.storeMilliseconds)
    }

    mutating func move(to next: RelayPosition) {
        position = next
        movedAt = movedAt ?? .now
    }

    mutating func wasStored() {
        stored = position
        movedAt = nil
    }
}

/// When to publish the recent past again: at trouble with the broker, and once more a while later. The second time reaches
/// consumers that had read on before the broker fell back to an earlier end of its log.
private struct BrokerDoubt {
    static let secondLook: Duration = .seconds(10)

    var troubles: Int
    private var lookAgain: ContinuousClock.Instant?

    init(troubles: Int) { self.troubles = troubles }

    mutating func isDue(_ now: Int) -> Bool {
        if now != troubles {
            troubles = now
            lookAgain = .now + Self.secondLook
            return true
        }
        guard let time: ContinuousClock.Instant = lookAgain, ContinuousClock.now > time else { return false }
        lookAgain = nil
        return true
    }
}
