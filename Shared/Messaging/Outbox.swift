public import BillingCore
public import BillingEvents
import JSON
public import Postgres

/// One event on its way into the outbox: encoded, with its id drawn.
public struct OutboxEvent: Sendable {
    /// The event's id, the same for every delivery.
    public let id: EventID
    let type: String
    let topic: Topic
    let key: String
    let time: Instant
    let body: String
    let traceparent: String?
    /// Bytes of what it brings into a record; the headers' names come on top.
    var size: Int { body.utf8.count + key.utf8.count + (traceparent?.utf8.count ?? 0) }

    /// Encodes a fact.
    /// - Parameters:
    ///   - body: The fact.
    ///   - key: The record key: the customer id, unless the event's topic says otherwise.
    ///   - at: When it became true, by the business clock.
    public init<Body: EventBody>(_ body: Body, key: String, at time: Instant) {
        id = EventID.new(at: time)
        type = Body.type
        topic = Body.topic
        self.key = key
        self.time = time
        self.body = encodeString(body)
        traceparent = CausalTraces.traceparent(for: key)
    }
}

/// Events leave only through here: written in the transaction that makes them true, published by the relay after it.
public enum Outbox {
    /// Why events are not written down.
    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// No broker takes a record of this size.
        case tooLarge(type: String, bytes: Int)

        /// Names type and size, never the body.
        public var description: String {
            switch self {
            case .tooLarge(let type, let bytes):
                "an event \(type) of \(bytes) bytes is larger than the \(Outbox.sizeLimit) that a record holds"
            }
        }
    }

    /// The tables of every service that are read in the order of their transactions, see `TransactionCounter`.
    package static let orderedTables = ["outbox", "outbox_relay"]

    /// Bytes of an event's body and key: the brokers' limit of 1,000,000 for a record, less its headers.
    public static let sizeLimit = 990_000

    /// Writes one event; see ``append(_:in:)-swift.type.method``.
    /// - Returns: The event's id.
    @discardableResult
    public static func append<Body: EventBody>(
        _ body: Body, key: String, at time: Instant, in db: borrowing PostgresTransaction
    ) throws -> EventID {
        let event = OutboxEvent(body, key: key, at: time)
        try append([event], in: db)
        return event.id
    }

    /// Writes events in the given order with one statement, which travels with the next one or with COMMIT, and wakes the
    /// relay when the transaction has committed.
    /// - Throws: ``Failure/tooLarge(type:bytes:)`` before anything is written, or ``PostgresError``.
    /// - Note: Per key, events are published in the order in which they were written, unless a pass of the relay ends
    ///   between them (decision 3). Whoever tells of a thing holds its row's lock by then, so that this is the order in which
    ///   it changed.
    public static func append(
        _ events: [OutboxEvent], urgency: Urgency = .waitedFor, in db: borrowing PostgresTransaction
    ) throws {
        guard !events.isEmpty else { return }
        for event in events where event.size > sizeLimit {
            throw Failure.tooLarge(type: event.type, bytes: event.size)
        }
        try db.enqueue(insertion(events, where: "true"))
        wakeOnCommit(db, urgency)
    }

    /// Writes each event only where the row that it tells of is in a table by now: for rows whose insertion, a statement
    /// before it, leaves out what is there already, so that nobody has to wait for the word on which were new.
    /// - Parameters:
    ///   - events: Each with the id of its row.
    ///   - table: Its primary key is `id`, a text.
    public static func append(
        _ events: [(event: OutboxEvent, row: String)], ofRowsIn table: SQL, in db: borrowing PostgresTransaction
    ) throws {
        guard !events.isEmpty else { return }
        for (event, _) in events where event.size > sizeLimit {
            throw Failure.tooLarge(type: event.type, bytes: event.size)
        }
        let isThere: SQL = "EXISTS (SELECT FROM \(table) t WHERE t.id = (\(events.map(\.row))::text[])[e.position])"
        try db.enqueue(insertion(events.map(\.event), where: isThere))
        wakeOnCommit(db)
    }

    private static func insertion(_ events: [OutboxEvent], where condition: SQL) -> SQL {
        """
        INSERT INTO outbox (id, type, topic, key, time, traceparent, body)
        SELECT e.id, e.type, e.topic, e.key, e.time, e.traceparent, e.body
        FROM unnest(\(events.map(\.id.rawValue))::text[], \(events.map(\.type))::text[],
                    \(events.map(\.topic.rawValue))::text[], \(events.map(\.key))::text[],
                    \(events.map(\.time))::timestamptz[], \(events.map(\.traceparent))::text[],
                    \(events.map(\.body))::text[])
             WITH ORDINALITY AS e(id, type, topic, key, time, traceparent, body, position)
        WHERE \(condition)
        ORDER BY e.position
        """
    }

    /// Wakes the relay when the transaction has committed. Where somebody waits and the relay rests, the transaction looks for
    /// it behind its COMMIT: the relay's own session, which has rested as well, is slower to do so.
    package static func wakeOnCommit(_ db: borrowing PostgresTransaction, _ urgency: Urgency = .waitedFor) {
        switch urgency {
        case .waitedFor:
            let origin: DatabaseOrigin = db.origin
            db.onCommit(looking: { OutboxSignal.shared.look(in: origin) }, otherwise: { OutboxSignal.shared.wake() })
        // After those who wait for what has become of something, though events were written before.
        case .background: db.afterOthers { OutboxSignal.shared.wake(.background) }
        }
    }

    /// Wakes the relay of another process when the transaction has committed; for commands, which have no relay.
    public static func notifyRelay(in db: borrowing PostgresTransaction) throws {
        _ = try db.execute("SELECT pg_notify(current_schema() || '_outbox', '')")
    }

    /// Sets the relay back so that every event recorded since `from` is published again; consumers drop what they have.
    /// It is never set forward: where it has yet to publish what was recorded before `from`, it stays where it is.
    /// - Returns: How many events will be published again; zero when the relay was not set back.
    public static func replay(from: Instant, in db: borrowing PostgresTransaction) throws -> Int {
        let moved: Int = try db.execute(
            """
            UPDATE outbox_relay r SET xid = o.xid, seq = o.seq - 1
            FROM (SELECT xid, seq FROM outbox WHERE recorded_at >= \(from) ORDER BY xid, seq LIMIT 1) AS o
            WHERE (o.xid, o.seq) <= (r.xid, r.seq)
            """)
        guard moved > 0 else { return 0 }
        try notifyRelay(in: db)
        return try db.first(
            """
            SELECT count(*) FROM outbox o
            WHERE (o.xid, o.seq) > ((SELECT xid FROM outbox_relay), (SELECT seq FROM outbox_relay))
            """
        ) { row in try row.next() } ?? 0
    }

    /// The number that was drawn last for an event; transactions under way have drawn theirs too.
    public static func position(in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first("SELECT last_value FROM outbox_seq_seq") { row in try row.next() } ?? 0
    }

    /// How many events the broker has not confirmed yet.
    public static func backlog(in db: borrowing PostgresTransaction) throws -> Int {
        try db.first(
            """
            SELECT count(*) FROM outbox o
            WHERE (o.xid, o.seq) > ((SELECT xid FROM outbox_relay), (SELECT seq FROM outbox_relay))
            """
        ) { row in try row.next() } ?? 0
    }
}
