package import Postgres
import ServiceKit

/// What must hold of the ledger, whatever happened.
package enum LedgerChecks {
    /// What does not hold, a sentence each.
    package static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        try ConsistencyFacts.violations(entries + totals, in: db)
    }

    private static let entries: [(SQL, String)] = [
        (
            "SELECT count(*) FROM (SELECT entry_id FROM journal_lines GROUP BY entry_id, currency HAVING sum(amount) <> 0) AS e",
            "journal entries that do not balance"
        ),
        (
            "SELECT count(*) FROM journal_entries e WHERE NOT EXISTS (SELECT FROM journal_lines l WHERE l.entry_id = e.id)",
            "journal entries without lines"
        ),
        (
            "SELECT count(*) FROM journal_lines l LEFT JOIN journal_entries e ON e.id = l.entry_id WHERE e.occurred_at IS DISTINCT FROM l.occurred_at",
            "journal lines that do not go with an entry"
        ),
        (
            "SELECT count(*) FROM (SELECT DISTINCT account FROM journal_lines) l WHERE NOT EXISTS (SELECT FROM ledger_chart c WHERE l.account ~ c.matcher)",
            "accounts that the chart does not have"
        ),
        (
            "SELECT count(*) FROM journal_entries e LEFT JOIN journal_entries o ON o.id = e.reference WHERE e.kind = 'reversal' AND (o.id IS NULL OR EXISTS (SELECT FROM (SELECT position, account, currency, -amount AS amount FROM journal_lines WHERE entry_id = e.id) AS n FULL JOIN (SELECT position, account, currency, amount FROM journal_lines WHERE entry_id = o.id) AS m USING (position, account, currency, amount) WHERE n.position IS NULL OR m.position IS NULL))",
            "reversals that are no mirror of what they reverse"
        ),
        (
            "SELECT count(*) FROM journal_entries e WHERE e.kind IN ('reversal', 'adjustment') AND NOT EXISTS (SELECT FROM journal_notes n WHERE n.entry_id = e.id)",
            "entries booked by hand that do not say who and why"
        ),
        (
            "SELECT count(*) FROM journal_entries WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())",
            "journal entries of transactions that have not begun: this is a restored copy whose transaction counter must be moved on"
        ),
    ]

    /// Running totals against what they cover.
    private static let totals: [(SQL, String)] = [
        (
            """
            SELECT count(*) FROM (
                SELECT l.account, l.currency, g.grain,
                    CASE g.grain WHEN 'all' THEN 'epoch' ELSE date_trunc(g.grain, l.occurred_at, 'UTC') END AS starts_at,
                    coalesce(sum(l.amount) FILTER (WHERE l.amount > 0), 0) AS debits,
                    coalesce(-sum(l.amount) FILTER (WHERE l.amount < 0), 0) AS credits, count(*) AS lines
                FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
                CROSS JOIN (VALUES ('all'), ('day'), ('hour')) AS g(grain)
                WHERE (e.xid, e.id) <= (
                    coalesce((SELECT last_xid FROM ledger_seals ORDER BY number DESC LIMIT 1), '0'),
                    coalesce((SELECT last_id FROM ledger_seals ORDER BY number DESC LIMIT 1), ''))
                GROUP BY 1, 2, 3, 4) AS l
            FULL JOIN ledger_rollups r USING (account, currency, grain, starts_at)
            WHERE (l.debits, l.credits, l.lines) IS DISTINCT FROM (r.debits, r.credits, r.lines)
            """, "running totals that differ from their lines"
        ),
        (
            "SELECT count(*) FROM (SELECT number, row_number() OVER (ORDER BY number) AS place FROM ledger_seals) AS s WHERE number <> place",
            "seals that are missing"
        ),
    ]
}
