package import Postgres

/// A place in the order of entries up to which totals go, with a digest of everything up to there.
package struct LedgerSeal: Sendable, Equatable, PostgresRecord {
    package let number: Int64
    /// The last entry's transaction.
    package let lastXid: String
    package let lastID: String
    package let entries: Int64
    /// SHA-256, hexadecimal.
    package let digest: String

    package init(row: inout PostgresRow) throws {
        number = try row.next()
        lastXid = try row.next()
        lastID = try row.next()
        entries = try row.next()
        digest = try row.next()
    }

    /// The columns in the order ``init(row:)`` reads them, of a table or alias named `s`.
    package static let columns: SQL = "s.number, s.last_xid::text, s.last_id, s.entries, encode(s.digest, 'hex')"
}

/// SQL over seals and running totals.
package enum LedgerSeals {
    /// The newest seal; `nil` while there is none.
    package static func last(in db: borrowing PostgresTransaction) throws -> LedgerSeal? {
        try db.first(
            "SELECT \(LedgerSeal.columns) FROM ledger_seals s ORDER BY s.number DESC LIMIT 1", as: LedgerSeal.self)
    }

    /// Whether this transaction may move the totals on: one at a time does.
    package static func claim(in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first("SELECT pg_try_advisory_xact_lock(hashtext(current_schema() || '_ledger'))") { row in
            try row.next()
        } ?? false
    }

    /// Puts the next entries behind the snapshot horizon into the totals and under a seal.
    ///
    /// The horizon is the oldest running transaction: what is behind it is final, and nothing can appear among it.
    /// - Returns: How many entries were sealed.
    package static func seal(limit: Int, in db: borrowing PostgresTransaction) throws -> Int64 {
        let last: LedgerSeal? = try last(in: db)
        let start: SQL = "\(last?.lastXid ?? "0")::xid8, \(last?.lastID ?? "")"
        let found: (xid: String, id: String, count: Int64)? = try db.first(
            """
            SELECT xid::text, id, count FROM (
                SELECT xid, id, row_number() OVER (ORDER BY xid, id) AS count FROM journal_entries
                WHERE (xid, id) > (\(start)) AND xid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY xid, id LIMIT \(limit)) AS batch
            ORDER BY count DESC LIMIT 1
            """
        ) { row in (try row.next(), try row.next(), try row.next()) }
        guard let found else { return 0 }
        let range: SQL = "\(start), \(found.xid)::xid8, \(found.id)"
        try addUp(range, in: db)
        _ = try db.execute(
            """
            INSERT INTO ledger_seals (number, last_xid, last_id, entries, digest)
            VALUES (\((last?.number ?? 0) + 1), \(found.xid)::xid8, \(found.id), \(found.count),
                ledger_digest(decode(\(last?.digest ?? ""), 'hex'), \(range)))
            """)
        return found.count
    }

    private static func addUp(_ range: SQL, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            WITH hours AS (
                SELECT l.account, l.currency, date_trunc('hour', l.occurred_at, 'UTC') AS hour,
                    coalesce(sum(l.amount) FILTER (WHERE l.amount > 0), 0) AS debits,
                    coalesce(-sum(l.amount) FILTER (WHERE l.amount < 0), 0) AS credits, count(*) AS lines
                FROM ledger_lines(\(range)) l WHERE l.account IS NOT NULL GROUP BY 1, 2, 3)
            INSERT INTO ledger_rollups AS r (account, currency, grain, starts_at, debits, credits, lines)
            SELECT h.account, h.currency, g.grain,
                CASE g.grain WHEN 'all' THEN 'epoch' ELSE date_trunc(g.grain, h.hour, 'UTC') END,
                sum(h.debits), sum(h.credits), sum(h.lines)
            FROM hours h CROSS JOIN (VALUES ('all'), ('day'), ('hour')) AS g(grain) GROUP BY 1, 2, 3, 4
            ON CONFLICT (grain, account, currency, starts_at) DO UPDATE SET debits = r.debits + excluded.debits,
                credits = r.credits + excluded.credits, lines = r.lines + excluded.lines
            """)
    }

    /// Seals after a number, with what their digest must be going by the entries as they are now.
    package static func recomputed(
        after number: Int64, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [(seal: LedgerSeal, digest: String, entries: Int64)] {
        try db.query(
            """
            SELECT \(LedgerSeal.columns), encode(ledger_digest(coalesce(p.digest, ''), coalesce(p.last_xid, '0'),
                    coalesce(p.last_id, ''), s.last_xid, s.last_id), 'hex'),
                (SELECT count(*) FROM journal_entries e
                 WHERE (e.xid, e.id) > (coalesce(p.last_xid, '0'), coalesce(p.last_id, ''))
                    AND (e.xid, e.id) <= (s.last_xid, s.last_id))
            FROM ledger_seals s LEFT JOIN ledger_seals p ON p.number = s.number - 1
            WHERE s.number > \(number) ORDER BY s.number LIMIT \(limit)
            """
        ) { row in (try LedgerSeal(row: &row), try row.next(), try row.next()) }
    }
}
