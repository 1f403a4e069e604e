public import BillingCore
import BillingEvents
import JSON
public import Postgres

/// A message on its way to the parking topic: as it came, and why.
struct ParkedMessage: Sendable {
    var fingerprint: String
    var eventID: String?
    var type: String?
    var source: String
    var topic: String
    var key: String?
    var time: Instant?
    var traceparent: String?
    var body: [UInt8]
    var reason: String

    /// Postgres has no text with a NUL character, and a message that cannot be parked would hold up its partition.
    var storable: ParkedMessage {
        var message: ParkedMessage = self
        message.type = type?.withoutNUL
        message.source = source.withoutNUL
        message.key = key?.withoutNUL
        message.traceparent = traceparent?.withoutNUL
        message.reason = reason.withoutNUL
        return message
    }
}

extension String {
    /// The text with every NUL shown as `␀`.
    var withoutNUL: String { utf8.contains(0) ? String(map { $0 == "\0" ? "␀" : $0 }) : self }

    /// The beginning of the text: whole characters of Unicode, so many bytes at most.
    func beginning(_ bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        var end: String.Index = utf8.index(startIndex, offsetBy: bytes)
        while utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}

/// Messages that can never work: kept with their reason, published on `<topic>.parked`, and open to a person's decision.
public enum ParkingLot {
    /// One parked message, for lists.
    public struct Entry: Sendable {
        /// Its id.
        public let id: Int64
        /// Who could not handle it.
        public let consumer: String
        /// The topic it came on.
        public let topic: String
        /// The wire name.
        public let type: String?
        /// The record key.
        public let key: String?
        /// The event's id.
        public let eventID: String?
        /// Why.
        public let reason: String
        /// When it was parked.
        public let parkedAt: Instant
        /// The bytes as they came.
        public let body: [UInt8]
    }

    /// How much of a message's body its notice repeats, and how much of its other texts: whatever the escapes, the notice
    /// fits into a record. The table has all of it.
    static let noticeBodyBytes = 65_536
    static let noticeTextBytes = 1_024

    /// Stores messages and publishes them on their parking topics; a repeated delivery changes nothing.
    ///
    /// An event that was requeued and is refused again (its fingerprint is its id) is parked again.
    static func park(
        _ messages: [ParkedMessage], for consumer: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        for message in messages.map(\.storable) {
            let inserted: Int = try db.execute(
                """
                INSERT INTO parked_events
                    (consumer, fingerprint, event_id, type, source, topic, key, time, traceparent, body, reason)
                VALUES (\(consumer), \(message.fingerprint), \(message.eventID), \(message.type), \(message.source),
                        \(message.topic), \(message.key), \(message.time), \(message.traceparent), \(message.body),
                        \(message.reason))
                ON CONFLICT (consumer, fingerprint) DO UPDATE
                    SET status = 'parked', reason = excluded.reason, parked_at = now(), resolved_at = NULL
                    WHERE parked_events.status = 'requeued' AND excluded.fingerprint = excluded.event_id
                """)
            guard inserted == 1 else { continue }
            _ = try db.execute(
                """
                INSERT INTO outbox (id, type, topic, key, time, traceparent, body)
                VALUES (\(EventID.new(at: now).rawValue), 'message.parked.v1', \(message.topic + ".parked"),
                        \((message.key ?? "unknown").beginning(noticeTextBytes)), \(now),
                        \(message.traceparent?.beginning(noticeTextBytes)), \(notice(message, consumer)))
                """)
            Outbox.wakeOnCommit(db)
        }
    }

    private static func notice(_ message: ParkedMessage, _ consumer: String) -> String {
        let body: String? = String(validating: message.body, as: UTF8.self)
        let texts: [(String, String?)] = [
            ("consumer", consumer), ("event_id", message.eventID), ("type", message.type?.beginning(noticeTextBytes)),
            ("reason", message.reason.beginning(noticeTextBytes)), ("body", body?.beginning(noticeBodyBytes)),
        ]
        var members: [JSONMember] = texts.map { name, text in
            JSONMember(name: name, value: text.map(JSONValue.string) ?? .null)
        }
        if body != nil, message.body.count > noticeBodyBytes {
            members.append(JSONMember(name: "body_bytes", value: .number(String(message.body.count))))
        }
        var writer = JSONWriter()
        writer.value(.object(members))
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// The messages that wait for a decision, oldest first.
    public static func list(limit: Int = 100, in db: borrowing PostgresTransaction) throws -> [Entry] {
        try db.query(
            """
            SELECT id, consumer, topic, type, key, event_id, reason, parked_at, body FROM parked_events
            WHERE status = 'parked' ORDER BY id LIMIT \(limit)
            """
        ) { row in try entry(&row) }
    }

    /// One parked message; `nil` when there is none with this id.
    public static func show(_ id: Int64, in db: borrowing PostgresTransaction) throws -> Entry? {
        try db.first(
            """
            SELECT id, consumer, topic, type, key, event_id, reason, parked_at, body FROM parked_events
            WHERE id = \(id) AND status = 'parked'
            """
        ) { row in try entry(&row) }
    }

    private static func entry(_ row: inout PostgresRow) throws -> Entry {
        Entry(
            id: try row.next(), consumer: try row.next(), topic: try row.next(), type: try row.next(),
            key: try row.next(), eventID: try row.next(), reason: try row.next(), parkedAt: try row.next(),
            body: try row.next())
    }

    /// Hands a message back to its consumer, behind whatever waits for its key. The claim of one that was refused is taken
    /// back. A message of an unknown type was parked without one: where its event is claimed all the same, another delivery
    /// has been handled, and nothing happens a second time.
    /// - Returns: Whether it was parked and is a readable event; a malformed one can only be discarded.
    public static func requeue(_ id: Int64, in db: borrowing PostgresTransaction) throws -> Bool {
        guard let entry: Entry = try show(id, in: db), !entry.body.contains(0),
            String(validating: entry.body, as: UTF8.self) != nil
        else { return false }
        let moved: Int? = try db.first(
            """
            WITH taken AS (
                UPDATE parked_events SET status = 'requeued', resolved_at = now()
                WHERE id = \(id) AND status = 'parked' AND event_id IS NOT NULL AND key IS NOT NULL
                      AND type IS NOT NULL AND time IS NOT NULL
                RETURNING fingerprint, consumer, event_id, type, source, topic, key, time, traceparent, body),
            unclaimed AS (
                DELETE FROM inbox i USING taken t
                WHERE t.fingerprint = t.event_id AND i.event_id = t.event_id AND i.consumer = t.consumer),
            queued AS (
                INSERT INTO event_retries
                    (consumer, event_id, type, source, topic, key, time, traceparent, body, reason)
                SELECT consumer, event_id, type, source, topic, key, time, traceparent, convert_from(body, 'UTF8'),
                       'requeued'
                FROM taken ON CONFLICT (consumer, event_id) DO NOTHING)
            SELECT count(*) FROM taken
            """
        ) { row in try row.next() }
        return moved == 1
    }

    /// Gives a message up for good.
    /// - Parameter isForeign: None of the services has published it. Its claim is taken back, so that what was handled can
    ///   again equal what was published; of an event of ours that would make the books differ.
    /// - Returns: Whether it was parked.
    public static func discard(
        _ id: Int64, isForeign: Bool = false, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let resolved: Int64? = try db.first(
            """
            WITH resolved AS (
                UPDATE parked_events SET status = \(isForeign ? "foreign" : "discarded"), resolved_at = now()
                WHERE id = \(id) AND status = 'parked' RETURNING id, consumer, event_id),
            unclaimed AS (
                DELETE FROM inbox i USING resolved r
                WHERE \(isForeign)::boolean AND i.event_id = r.event_id AND i.consumer = r.consumer)
            SELECT id FROM resolved
            """
        ) { row in try row.next() }
        return resolved != nil
    }

    /// Whether a person has found that an event comes from nobody.
    static func isForeign(_ event: RawEvent, for consumer: String, in db: borrowing PostgresTransaction) throws -> Bool
    {
        try db.first(
            """
            SELECT true FROM parked_events
            WHERE consumer = \(consumer) AND fingerprint = \(event.id.rawValue) AND status = 'foreign'
            """
        ) { row in try row.next() } ?? false
    }

    /// How many messages wait for a decision.
    public static func count(in db: borrowing PostgresTransaction) throws -> Int {
        try db.first("SELECT count(*) FROM parked_events WHERE status = 'parked'") { row in try row.next() } ?? 0
    }
}
