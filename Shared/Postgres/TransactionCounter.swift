/// Whether the server gives out transaction ids beyond those that tables have kept.
///
/// Outbox and ledger are read in the order of their transactions' ids. A dump restored into another cluster keeps the ids,
/// while the new server begins low: what it writes would come before what is there, never be published and be in no
/// balance. A physical copy of a cluster keeps its counter.
public enum TransactionCounter {
    /// A table has ids that the server has yet to give out.
    public struct Behind: Error, Sendable, Equatable, CustomStringConvertible {
        /// The table that was found first.
        public let table: String
        /// The highest id in it.
        public let stored: String
        /// The id that the server gives out next.
        public let next: String

        /// A statement that uses ids up until the stored one is behind; any role may run it, outside of a transaction.
        public var remedy: String {
            "DO $$ BEGIN WHILE pg_current_xact_id() <= '\(stored)' LOOP COMMIT; END LOOP; END $$"
        }

        /// What is wrong, what would follow, and what to do.
        public var description: String {
            """
            \(table) holds transaction ids up to \(stored), and this server is at \(next): a dump was restored into \
            another cluster. What is written now would be left out of balances and events. Move the server's counter on \
            before anything is started (docs/operations.md): \(remedy)
            """
        }
    }

    /// Holds the ids that tables have kept against the server's counter.
    /// - Parameter tables: Tables with the id of each row's transaction in the column `xid`; those that are not there yet are
    ///   passed over.
    /// - Throws: ``Behind``; ``PostgresError`` when the server cannot be asked.
    public static func check(_ tables: [String], in db: borrowing PostgresTransaction) throws {
        for table in tables {
            let isThere: Bool? = try db.first("SELECT to_regclass(\(table)) IS NOT NULL") { row in try row.next() }
            guard isThere == true else { continue }
            // Whatever a snapshot shows was written before its upper end: nothing that this server wrote is found.
            let found: Behind? = try db.first(
                """
                SELECT t.xid::text, pg_snapshot_xmax(pg_current_snapshot())::text FROM \(identifier: table) AS t
                WHERE t.xid >= pg_snapshot_xmax(pg_current_snapshot()) ORDER BY t.xid DESC LIMIT 1
                """
            ) { row in Behind(table: table, stored: try row.next(), next: try row.next()) }
            if let found { throw found }
        }
    }
}
