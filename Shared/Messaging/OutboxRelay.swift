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
/// row of what another one wrote of first. While it leads and rests, a transaction of this process that commits events looks
/// in its place, behind its COMMIT (``RelayMail``); what that finds counts as long as the relay's cursor is where it was.
///
/// Crash safety: what the stored cursor does not cover is published again, and the inboxes drop it. The leader goes by a
/// cursor of its own and stores it when it comes to rest, or five times a second, with `synchronous_commit` off: losing it
/// repeats events, never skips one. What the broker takes in no case is passed over (``RelayPublisher``).
public final class OutboxRelay: Sendable {
    /// Rows published in one go.
    static let batchLimit = 1_000
    /// Bytes of bodies published in one go, and as much as the last body has over.
    static let batchBytes = 8 << 20
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
    private let mail: RelayMail
    private let patience: Duration
    private let horizonWaitMilliseconds: Int32
    /// Events were committed since the last pass that somebody waits for; that nobody does.
    private let hasAwaited = Atomic<Bool>(false)
    private let hasBackground = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    private let stopped = Mutex<(done: Bool, waiter: CheckedContinuation<Void, Never>?)>((false, nil))
    private let published: Counter
    private let batches: Histogram
    private let delay: Histogram
    private let waits: Counter
    private let looks: Counter
    private let system: any WallClock = SystemClock()

    /// - Parameters:
    ///   - configuration: How to reach the service's schema; the relay opens one connection of its own.
    ///   - source: The CloudEvents source: `refrain/payment`.
    ///   - patience: How long events that nobody waits for may be held back to leave with others.
    ///   - horizonWait: When the relay looks again where rows are still in front of the horizon, unless a transaction of this
    ///     process ends before.
    ///   - metrics: Where it counts.
    public init(
        _ configuration: PostgresConfiguration, producer: KafkaProducer, source: String,
        patience: Duration = .milliseconds(5), horizonWait: Duration = .milliseconds(2), metrics: Metrics = .shared,
        logger: Logger
    ) {
        var own: PostgresConfiguration = configuration
        own.applicationName = "\(source) relay"
        own.connections = 1
        self.configuration = own
        mail = RelayMail(DatabaseOrigin(own))
        self.producer = producer
        publisher = RelayPublisher(
            producer: producer, source: source,
            refused: metrics.counter(
                "outbox_refused_total", help: "Events that the broker takes in no case, passed over and kept"),
            logger: logger)
        self.patience = patience
        horizonWaitMilliseconds = Int32(horizonWait / .milliseconds(1))
        self.logger = logger
        published = metrics.counter("outbox_published_total", help: "Events confirmed by the broker")
        batches = metrics.histogram(
            "outbox_batch_size", help: "Events published in one go", buckets: Histogram.sizes)
        delay = metrics.histogram(
            "outbox_delay_seconds", help: "From an event's record to the broker's confirmation")
        waits = metrics.counter(
            "outbox_waits_total", help: "Looks at events that an older transaction of the service held up")
        looks = metrics.counter("outbox_looks_total", help: "Looks of the relay for events to publish")
    }

    /// Starts the relay's thread. Call once.
    public func start() {
        let token: Int = OutboxSignal.shared.listen(mail) { [self] urgency in
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
        // The look behind the own horizon relies on it: of two statements together, the second sees what ended before it.
        _ = try session.execute("SET default_transaction_isolation = 'read committed'")
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
        defer {
            TransactionBell.shared.remove(wakeUp)
            mail.take()
        }
        var cursor: RelayCursor = try storedCursor(session)
        var found: RelayMail.Finding?
        while !isStopping {
            if doubt.isDue(producer.troubles) {
                try rewind(session)
                cursor = try storedCursor(session)
            }
            let position: RelayPosition = cursor.position
            var more: PassResult = try pass(session, &cursor, found)
            if more == .horizon {
                // Before the look: what that finds under way wakes the relay when it ends, here; elsewhere it is waited for.
                TransactionBell.shared.add(wakeUp)
                more = try passBehindOwn(session, &cursor)
                if more == .horizon { waits.increment() } else { TransactionBell.shared.remove(wakeUp) }
            }
            if cursor.isDue || cursor.position == position { try store(&cursor, session) }
            found = try more == .again ? nil : rest(session, &cursor, after: more)
        }
        try store(&cursor, session)
    }

    /// Sleeps until there may be something to publish. Where nothing comes for a moment the cursor is stored, and nothing is
    /// looked for: nobody has told of anything.
    /// - Returns: What a transaction has found meanwhile; nothing where rows are left before the horizon, or where another
    ///   instance has told of something.
    private func rest(
        _ session: PostgresSession, _ cursor: inout RelayCursor, after result: PassResult
    ) throws -> RelayMail.Finding? {
        defer { if result == .horizon { TransactionBell.shared.remove(wakeUp) } }
        if result == .done { mail.rest(at: cursor.position) }
        // What came while the server was talked to is not in the socket any more.
        if try hears(session, &cursor) { return nil }
        let idle: Int32 = result == .horizon ? horizonWaitMilliseconds : Self.idleWaitMilliseconds
        let isWoken: Bool = wakeUp.wait(
            alsoFor: session.socketDescriptor,
            milliseconds: cursor.isStored ? idle : min(idle, Self.restMilliseconds))
        if !isWoken, result == .done, !cursor.isStored {
            let position: RelayPosition = cursor.position
            try store(&cursor, session)
            guard cursor.position == position else {
                mail.take()
                return nil
            }
            if try hears(session, &cursor) { return nil }
            wakeUp.wait(alsoFor: session.socketDescriptor, milliseconds: idle)
        }
        if try hears(session, &cursor) { return nil }
        guard result == .done else { return nil }
        gather()
        return mail.take()
    }

    /// Whether another instance has told of something. `outbox replay` says so when it has set the cursor back; storing notices
    /// as well.
    private func hears(_ session: PostgresSession, _ cursor: inout RelayCursor) throws -> Bool {
        guard try session.consumeNotifications() else { return false }
        if cursor.isStored { cursor = try storedCursor(session) } else { try store(&cursor, session) }
        mail.take()
        return true
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

    /// Publishes what is behind the horizon of the whole server and moves the cursor over it.
    /// - Parameter found: What a transaction has found in the relay's place. It saves a look where it begins at the cursor;
    ///   another one follows where more was told of meanwhile.
    private func pass(
        _ session: PostgresSession, _ cursor: inout RelayCursor, _ found: RelayMail.Finding?
    ) throws -> PassResult {
        if let found, found.after == cursor.position, !found.rows.isEmpty {
            let result: PassResult = try publish(found.rows, &cursor)
            return result == .done && !found.isLast ? .again : result
        }
        looks.increment()
        let rows: [OutboxRow] = try session.query(OutboxRow.look(after: cursor.position), OutboxRow.init(row:))
        return try publish(rows, &cursor)
    }

    /// The oldest transaction under way that could write to this outbox: of the session's own role, whose outbox it is.
    /// The snapshot's horizon is that of the whole server, where other services' transactions run as well.
    ///
    /// Whoever has a transaction id below the result and is not among those under way has ended before this is read, and
    /// is seen by the look that follows. Ids of 32 bits are told from the snapshot's by their distance.
    private static let ownHorizon: SQL = """
        SELECT x.next - coalesce(max(a.age) FILTER (WHERE a.age < 2147483648), 0)
        FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
        LEFT JOIN LATERAL (
            SELECT (x.next - backend_xid::text::bigint) & 4294967295 AS age FROM pg_stat_activity
            WHERE usename = session_user AND backend_xid IS NOT NULL) AS a ON true
        GROUP BY x.next
        """

    /// Publishes what is behind the service's own horizon. That is read first, and the rows after it, in one round trip.
    private func passBehindOwn(_ session: PostgresSession, _ cursor: inout RelayCursor) throws -> PassResult {
        looks.increment()
        let (horizon, rows): ([Int64], [OutboxRow]) = try session.query(
            Self.ownHorizon, { row in try row.next() }, then: OutboxRow.look(after: cursor.position),
            OutboxRow.init(row:))
        return try publish(rows, &cursor, before: horizon.first ?? 0)
    }

    /// Publishes rows as far as they are behind the horizon and moves the cursor over them.
    /// - Parameters:
    ///   - rows: All that a look after the cursor has found.
    ///   - horizon: No transaction that writes to this outbox and was not under way before that look is older.
    private func publish(
        _ rows: [OutboxRow], _ cursor: inout RelayCursor, before horizon: Int64 = 0
    ) throws -> PassResult {
        let ready: ArraySlice<OutboxRow> = rows.prefix { $0.isBehindHorizon || $0.transaction < horizon }
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
struct RelayPosition: Equatable {
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
