import PaymentDomain
package import Postgres
import ServiceKit

/// What reconciliation says of itself in the consistency check.
package enum ReconciliationConsistency {
    /// What the sandbox's acquirers have settled beyond charges and refunds, by their own books, as far as it is recorded here:
    /// the fees they kept and the payouts they made. Rows of account, currency and amount; disputes are told elsewhere.
    package static let sandboxSettled: SQL = """
        SELECT 'assets:provider:' || v.provider, v.currency, CASE WHEN v.kind = 'payout' THEN v.gross ELSE -v.fee END \
        FROM sandbox_settlement v \
        JOIN settlement_lines s ON s.provider = v.provider AND s.line_id = v.line_id \
        AND s.state IN ('matched', 'different', 'written_off') \
        WHERE v.kind NOT IN ('dispute', 'dispute_reversal')
        """

    private static let checks: [(SQL, String)] = [
        (
            """
            SELECT count(*) FROM settlement_lines s WHERE s.state IN ('matched', 'different')
                AND CASE WHEN s.kind = 'fee' THEN s.net <> 0 WHEN s.kind IN ('payout', 'payout_failure') THEN s.gross <> 0
                    ELSE NOT (s.gross = 0 AND s.fee = 0) END
                AND NOT EXISTS (SELECT 1 FROM settlement_entries x JOIN journal_entries e ON e.id = x.entry_id
                    WHERE x.provider = s.provider AND x.line_id = s.line_id
                        AND x.role = CASE WHEN s.kind = 'fee' THEN 'fee' ELSE 'booking' END)
            """, "matched settlement lines whose booking is missing"
        ),
        (
            """
            SELECT count(*) FROM journal_entries e
            WHERE e.kind IN ('provider_fee', 'payout', 'payout_arrival', 'payout_failure', 'exchange', 'settlement_offset')
                AND NOT EXISTS (SELECT 1 FROM settlement_entries x WHERE x.entry_id = e.id
                    AND x.provider || ':' || x.line_id = e.reference)
            """, "fees or payouts that are booked beside their settlement line"
        ),
        (
            """
            SELECT count(*) FROM journal_entries e WHERE e.kind = 'settlement'
                AND NOT EXISTS (SELECT 1 FROM settlement_entries x WHERE x.entry_id = e.id AND x.role = 'exchange')
            """, "settlements at another rate that no settlement line tells of"
        ),
        (
            """
            SELECT count(*) FROM settlement_lines s
            LEFT JOIN settlement_lines o ON o.provider = s.provider AND o.line_id = s.offset_line_id
                AND o.offset_line_id = s.line_id AND o.state = 'matched' AND o.rule = 'offset'
                AND coalesce(o.presentment_amount, o.gross) = -coalesce(s.presentment_amount, s.gross)
                AND coalesce(o.presentment_currency, o.currency) = coalesce(s.presentment_currency, s.currency)
            WHERE s.rule = 'offset' AND o.line_id IS NULL
            """, "settlement lines that nothing cancels out"
        ),
        (
            """
            SELECT count(*) FROM settlement_lines s WHERE s.state = 'matched' AND s.net <> (
                SELECT coalesce(sum(l.amount), 0) FROM settlement_entries x
                JOIN journal_lines l ON l.entry_id = x.entry_id AND l.currency = s.currency
                    AND l.account = 'assets:provider:' || s.provider
                WHERE x.provider = s.provider AND x.line_id = s.line_id)
            """, "matched settlement lines whose bookings do not add up to them"
        ),
        (
            """
            SELECT count(*) FROM settlement_lines s WHERE s.arrival = 'booked' AND s.gross <> 0
                AND NOT EXISTS (SELECT 1 FROM settlement_entries x JOIN journal_entries e ON e.id = x.entry_id
                    WHERE x.provider = s.provider AND x.line_id = s.line_id AND x.role = 'arrival')
            """, "arrived payouts that are not booked in the bank"
        ),
        (
            """
            SELECT count(*) FROM reconciliation_cases c WHERE c.state = 'written_off' AND c.amount <> 0
                AND NOT EXISTS (SELECT 1 FROM journal_entries e WHERE e.id = c.write_off_entry_id)
            """, "written off differences that are not booked"
        ),
        (
            """
            SELECT count(*) FROM (
                SELECT provider, currency, day, sum(reported) AS reported, sum(waiting) AS waiting,
                    sum(confirmed) AS confirmed
                FROM (
                    SELECT provider, currency, (occurred_at AT TIME ZONE 'UTC')::date AS day, net AS reported,
                        CASE WHEN state IN ('open', 'unmatched') THEN net ELSE 0 END AS waiting, 0 AS confirmed
                    FROM settlement_lines
                    UNION ALL
                    SELECT substr(l.account, length('assets:provider:') + 1), l.currency,
                        (l.occurred_at AT TIME ZONE 'UTC')::date, 0, 0, l.amount
                    FROM settlement_entries s JOIN journal_lines l ON l.entry_id = s.entry_id
                    WHERE l.account LIKE 'assets:provider:%') AS l
                GROUP BY 1, 2, 3) AS l
            FULL JOIN settlement_totals t USING (provider, currency, day)
            WHERE (coalesce(l.reported, 0), coalesce(l.waiting, 0), coalesce(l.confirmed, 0))
                IS DISTINCT FROM (coalesce(t.reported, 0), coalesce(t.waiting, 0), coalesce(t.confirmed, 0))
            """, "days of a provider's account whose totals differ from their lines"
        ),
    ]

    /// Own invariants that do not hold, one sentence each.
    package static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        try ConsistencyFacts.violations(checks, in: db)
    }

    /// Work that is due by the business clock: days of the sandbox that are over and not read, lines nobody has looked at,
    /// payouts that have arrived. Further acquirers are read with the first, as long as they are configured.
    package static func inFlight(_ db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(due) { row in try row.next() } ?? 0
    }

    /// How much of it there is.
    static let due: SQL = """
        WITH clock AS (SELECT now() + offset_microseconds * interval '1 microsecond' AS now FROM test_clock)
        SELECT (SELECT count(*) FROM settlement_cursors, clock
                WHERE provider IN ('sandbox', 'sandbox_local')
                    AND window_from < date_trunc('day', clock.now - interval '60 s', 'UTC'))
             + (SELECT count(*) FROM settlement_lines WHERE state = 'open' AND tried_at IS NULL)
             + (SELECT count(*) FROM settlement_lines, clock
                WHERE arrival = 'awaited' AND coalesce(available_at, occurred_at) <= clock.now)
        """
}
