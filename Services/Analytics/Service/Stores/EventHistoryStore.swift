package import BillingCore
import BillingEvents
package import Postgres

/// An event as it is kept.
package struct RecordedEvent: Sendable {
    /// The event's own id.
    package let id: EventID
    /// What happened, with the version of its fields.
    package let type: String
    /// Where it was published.
    package let topic: String
    /// The record key: the customer id for nearly every event.
    package let key: String
    /// When it became true.
    package let time: Instant
    /// JSON.
    package let body: String
}

/// Every event there was.
package enum EventHistoryStore {
    /// Types whose record key is not a customer.
    static let typesWithoutCustomer: [String] = [PlanCreatedV1.type, APIKeyChangedV1.type]

    /// Adds events; travels with the next statement.
    static func append(_ entries: [EventBatch.Entry], in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            INSERT INTO event_history (event_id, type, topic, source, key, time, body)
            SELECT id, type, topic, source, key, time, body::json
            FROM unnest(\(entries.map(\.event.id))::text[], \(entries.map(\.event.type))::text[],
                        \(entries.map(\.event.topic))::text[], \(entries.map(\.event.source))::text[],
                        \(entries.map(\.event.key))::text[], \(entries.map(\.event.time))::timestamptz[],
                        \(entries.map(\.body))::text[]) AS e(id, type, topic, source, key, time, body)
            """)
    }

    /// Newest first, at most `limit`.
    /// - Parameter after: Only events older than this one.
    package static func list(
        customer: CustomerID?, type: String?, after: EventID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [RecordedEvent] {
        var sql: SQL = "SELECT event_id, type, topic, key, time, body FROM event_history WHERE true"
        if let customer { sql += " AND key = \(customer) AND type <> ALL(\(typesWithoutCustomer)::text[])" }
        if let type { sql += " AND type = \(type)" }
        if let after { sql += " AND event_id < \(after)" }
        sql += " ORDER BY event_id DESC LIMIT \(limit)"
        return try db.query(sql) { row in
            RecordedEvent(
                id: try row.next(), type: try row.next(), topic: try row.next(), key: try row.next(),
                time: try row.next(), body: try row.next())
        }
    }
}
