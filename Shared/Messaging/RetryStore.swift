import BillingCore
import BillingEvents
package import Postgres

/// Events that failed for now, and those that must wait behind them.
package enum RetryStore {
    /// How long the n-th failed attempt waits, in seconds: 1, 2, 4 … capped at 5 minutes.
    static func waitSeconds(afterAttempts attempts: Int) -> Int {
        attempts >= 9 ? 300 : min(300, 1 << max(0, attempts - 1))
    }

    /// Puts an event at the end of its key's queue; one that is already there, or already handled, is left alone.
    static func append(
        _ events: [RawEvent], for consumer: String, attempts: Int, reason: String, in db: borrowing PostgresTransaction
    ) throws {
        for event in events {
            _ = try db.execute(
                """
                INSERT INTO event_retries
                    (consumer, event_id, type, source, topic, key, time, traceparent, body, attempts, next_at, reason)
                SELECT \(consumer), \(event.id.rawValue), \(event.type), \(event.source), \(event.topic), \(event.key),
                       \(event.time), \(event.traceparent), \(String(decoding: event.body, as: UTF8.self)),
                       \(attempts), now() + make_interval(secs => \(waitSeconds(afterAttempts: attempts))), \(reason.withoutNUL)
                WHERE NOT EXISTS (
                    SELECT 1 FROM inbox WHERE event_id = \(event.id.rawValue) AND consumer = \(consumer))
                ON CONFLICT (consumer, event_id) DO NOTHING
                """)
        }
    }

    /// The ids of rows that may be tried now: the first of each key, when its time has come. From key to key by index:
    /// what waits behind the first ones, however much it is, is not read.
    package static func due(for consumer: String, limit: Int, in db: borrowing PostgresTransaction) throws -> [Int64] {
        try db.query(
            """
            WITH RECURSIVE heads AS (
                (SELECT key, id, next_at FROM event_retries WHERE consumer = \(consumer) ORDER BY key, id LIMIT 1)
                UNION ALL
                SELECT n.key, n.id, n.next_at FROM heads h CROSS JOIN LATERAL (
                    SELECT r.key, r.id, r.next_at FROM event_retries r WHERE r.consumer = \(consumer) AND r.key > h.key
                    ORDER BY r.key, r.id LIMIT 1) AS n)
            SELECT id FROM heads WHERE next_at <= now() ORDER BY id LIMIT \(limit)
            """
        ) { row in try row.next() }
    }

    /// Locks one row, unless another instance has it or it is gone.
    static func lock(_ id: Int64, in db: borrowing PostgresTransaction) throws -> (event: RawEvent, attempts: Int)? {
        try db.first(
            """
            SELECT event_id, type, source, time, key, traceparent, topic, body, attempts
            FROM event_retries WHERE id = \(id) FOR UPDATE SKIP LOCKED
            """
        ) { row in
            let event = RawEvent(
                id: try row.next(), type: try row.next(), source: try row.next(), time: try row.next(),
                key: try row.next(), traceparent: try row.next(), topic: try row.next(),
                body: Array((try row.next() as String).utf8))
            return (event, try row.next())
        }
    }

    static func remove(_ id: Int64, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute("DELETE FROM event_retries WHERE id = \(id)")
    }

    /// Notes another failure.
    static func postpone(_ id: Int64, attempts: Int, reason: String, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute(
            """
            UPDATE event_retries
            SET attempts = \(attempts), reason = \(reason.withoutNUL),
                next_at = now() + make_interval(secs => \(waitSeconds(afterAttempts: attempts)))
            WHERE id = \(id)
            """)
    }

    /// How many events wait.
    static func count(for consumer: String, in db: borrowing PostgresTransaction) throws -> Int {
        try db.first("SELECT count(*) FROM event_retries WHERE consumer = \(consumer)") { row in try row.next() } ?? 0
    }
}
