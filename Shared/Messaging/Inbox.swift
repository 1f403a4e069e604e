import BillingCore
import BillingEvents
import Postgres

/// The record of what a consumer has handled. A claim commits together with the effect it stands for.
enum Inbox {
    /// What one look at the inbox says of a batch, from a single snapshot.
    struct Claims {
        /// Events that are new and may be handled now.
        var claimed: Set<String> = []
        /// Events whose key has an earlier event waiting for a retry: they go behind it.
        var blocked: Set<String> = []
    }

    /// Claims events that should all be new, with the next statement or with COMMIT: no round trip of its own.
    ///
    /// The transaction fails where one is not: it was claimed before, is there twice, or has to go behind an earlier event of
    /// its key. ``claim(_:for:in:)`` then tells which.
    static func claimAll(
        _ events: [RawEvent], for consumer: String, in db: borrowing PostgresTransaction
    ) throws {
        // Without an id there is no row: who waits behind their key makes the statement fail.
        try db.enqueue(
            """
            INSERT INTO inbox (event_id, consumer, type)
            SELECT CASE WHEN EXISTS (SELECT FROM event_retries r WHERE r.consumer = \(consumer) AND r.key = e.key)
                THEN NULL ELSE e.id END, \(consumer), e.type
            FROM unnest(\(events.map(\.id.rawValue))::text[], \(events.map(\.type))::text[],
                        \(events.map(\.key))::text[]) AS e(id, type, key)
            ORDER BY e.id
            """)
    }

    /// Claims what is new. Events already claimed by an earlier delivery are in neither set.
    static func claim(
        _ events: [RawEvent], for consumer: String, in db: borrowing PostgresTransaction
    ) throws -> Claims {
        let rows: [(String, Bool)] = try db.query(
            """
            WITH e AS (
                SELECT * FROM unnest(\(events.map(\.id.rawValue))::text[], \(events.map(\.type))::text[],
                                     \(events.map(\.key))::text[]) AS e(id, type, key)),
            blocked AS (
                SELECT e.id FROM e
                WHERE EXISTS (SELECT 1 FROM event_retries r WHERE r.consumer = \(consumer) AND r.key = e.key)),
            claimed AS (
                INSERT INTO inbox (event_id, consumer, type)
                SELECT e.id, \(consumer), e.type FROM e WHERE e.id NOT IN (SELECT id FROM blocked)
                ORDER BY e.id
                ON CONFLICT DO NOTHING RETURNING event_id)
            SELECT event_id, true FROM claimed UNION ALL SELECT id, false FROM blocked
            """
        ) { row in (try row.next(), try row.next()) }
        var claims = Claims()
        for (id, isClaimed) in rows {
            if isClaimed { claims.claimed.insert(id) } else { claims.blocked.insert(id) }
        }
        return claims
    }

    /// Claims one event.
    /// - Returns: `false` when it is claimed already.
    static func claimOne(_ event: RawEvent, for consumer: String, in db: borrowing PostgresTransaction) throws -> Bool {
        let inserted: Int = try db.execute(
            """
            INSERT INTO inbox (event_id, consumer, type) VALUES (\(event.id.rawValue), \(consumer), \(event.type))
            ON CONFLICT DO NOTHING
            """)
        return inserted == 1
    }
}
