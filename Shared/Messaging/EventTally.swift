public import Postgres

/// All events of a service by type: those in its tables and those deleted for their age.
public struct EventTally: Sendable, Equatable {
    /// The wire name.
    public let type: String
    /// How many there have been.
    public let count: Int64
    /// A sum over the ids' hashes, equal for equal sets of ids; `nil` when it was not asked for.
    public let idSum: String?

    /// What the service has published, or is about to.
    /// - Parameter withSums: Whether ``idSum`` is wanted; it costs a hash for every row.
    public static func published(withSums: Bool, in db: borrowing PostgresTransaction) throws -> [EventTally] {
        let hash: SQL = withSums ? hash("id") : "0"
        return try read(
            """
            SELECT type, count(*) AS count, sum(\(hash)) AS id_sum FROM outbox GROUP BY type
            UNION ALL SELECT type, count, id_sum FROM pruned_events WHERE side = 'published'
            """, withSums, in: db)
    }

    /// What its consumers have claimed.
    public static func handled(withSums: Bool, in db: borrowing PostgresTransaction) throws -> [EventTally] {
        let hash: SQL = withSums ? hash("event_id") : "0"
        return try read(
            """
            SELECT type, count(*) AS count, sum(\(hash)) AS id_sum FROM inbox GROUP BY type
            UNION ALL SELECT type, count, id_sum FROM pruned_events WHERE side = 'handled'
            """, withSums, in: db)
    }

    static func hash(_ column: SQL) -> SQL { "('x' || substr(md5(\(column)), 1, 8))::bit(32)::bigint" }

    private static func read(
        _ sides: SQL, _ withSums: Bool, in db: borrowing PostgresTransaction
    ) throws -> [EventTally] {
        try db.query(
            "SELECT type, sum(count)::bigint, sum(id_sum)::text FROM (\(sides)) AS t GROUP BY type ORDER BY type"
        ) { row in
            EventTally(type: try row.next(), count: try row.next(), idSum: withSums ? try row.next() : nil)
        }
    }
}
