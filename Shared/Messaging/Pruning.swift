public import Postgres

/// Deletes published events and claims that have had their time; their counts stay in ``EventTally``.
public struct Pruning: Sendable {
    /// Claims outlive the events of every outbox by this, which is longer than topics keep a message: whatever can still
    /// be delivered a second time is still known.
    static let claimsOutliveEventsByDays = 10
    static let batchLimit = 5_000

    private let keepDays: Int
    private let pool: PostgresPool

    /// - Parameter keepDays: How long published events stay and can be replayed; the same for all services.
    public init(keepDays: Int, pool: PostgresPool) {
        self.keepDays = keepDays
        self.pool = pool
    }

    /// Deletes all that is old enough, in small transactions. Several instances may do so at once.
    /// - Returns: How many rows went.
    @discardableResult
    public func prune() async throws -> Int {
        let (events, claims): (Int, Int) = (keepDays, keepDays + Self.claimsOutliveEventsByDays)
        let published: Int = try await repeated { db in try Self.pruneEvents(olderThan: events, in: db) }
        return published + (try await repeated { db in try Self.pruneClaims(olderThan: claims, in: db) })
    }

    private func repeated(
        _ step: @escaping @Sendable (borrowing PostgresTransaction) throws -> Int
    ) async throws -> Int {
        var total = 0
        while !Task.isCancelled {
            let count: Int = try await pool.transaction { db in try step(db) }
            total += count
            if count == 0 { break }
        }
        return total
    }

    /// The oldest events, as far as the broker has confirmed them.
    private static func pruneEvents(olderThan days: Int, in db: borrowing PostgresTransaction) throws -> Int {
        try counted(
            "published",
            """
            DELETE FROM outbox WHERE (xid, seq) IN (
                SELECT o.xid, o.seq
                FROM (SELECT xid, seq, recorded_at FROM outbox ORDER BY xid, seq LIMIT \(batchLimit)
                      FOR UPDATE SKIP LOCKED) AS o
                WHERE o.recorded_at < clock_timestamp() - make_interval(days => \(days))
                    AND (o.xid, o.seq) <= ((SELECT xid FROM outbox_relay), (SELECT seq FROM outbox_relay)))
            RETURNING type, id
            """, in: db)
    }

    private static func pruneClaims(olderThan days: Int, in db: borrowing PostgresTransaction) throws -> Int {
        try counted(
            "handled",
            """
            DELETE FROM inbox WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM inbox WHERE handled_at < clock_timestamp() - make_interval(days => \(days))
                LIMIT \(batchLimit) FOR UPDATE SKIP LOCKED))
            RETURNING type, event_id AS id
            """, in: db)
    }

    private static func counted(_ side: String, _ deletion: SQL, in db: borrowing PostgresTransaction) throws -> Int {
        try db.first(
            """
            WITH gone AS (\(deletion)),
            tally AS (
                INSERT INTO pruned_events AS p (side, type, count, id_sum)
                SELECT \(side), type, count(*), sum(\(EventTally.hash("id"))) FROM gone GROUP BY type ORDER BY type
                ON CONFLICT (side, type) DO UPDATE
                SET count = p.count + excluded.count, id_sum = p.id_sum + excluded.id_sum)
            SELECT count(*) FROM gone
            """
        ) { row in try row.next() } ?? 0
    }
}
