import BillingCore
import PaymentDomain
import PaymentRecords
import Postgres

/// Where the reading of a provider's settlement lines stands, as stored.
struct SettlementCursor: PostgresRecord, Sendable, Equatable {
    let window: SettlementWindow
    /// The run that the span's lines belong to.
    let run: ReconciliationRunID?
    /// Bookings up to here have been looked for at the provider.
    let checkedUntil: Instant
    /// What moved before is not of our books; `nil` where that is not known.
    let beganAt: Instant?
    /// The time of the latest line that came in a file and was not dated ahead of its import.
    private let filesUntil: Instant?

    static let columns: SQL = "window_from, window_to, page, run_id, checked_until, began_at, files_until"

    /// Up to when the provider's lines are here, read or from files.
    var covered: Instant { max(window.from, filesUntil ?? window.from) }

    init(row: inout PostgresRow) throws {
        window = SettlementWindow(from: try row.next(), to: try row.next(), page: try row.next())
        run = try row.next()
        checkedUntil = try row.next()
        beganAt = try row.next()
        filesUntil = try row.next()
    }
}

/// SQL over cursors and runs.
enum SettlementCursorStore {
    /// Makes a provider known; its reading begins with the day of its first booking. Close to midnight, by a provider's
    /// clock that is behind ours, that is the day before. An adjustment by hand may be dated long before there was an
    /// account: one that is older than ninety days is looked for, but nothing is read for it. Where the reading began is kept.
    static func begin(_ provider: String, at now: Instant, in db: borrowing PostgresTransaction) throws {
        let known: Bool? = try db.first("SELECT true FROM settlement_cursors WHERE provider = \(provider)") { row in
            try row.next()
        }
        guard known == nil else { return }
        _ = try db.execute(
            """
            INSERT INTO settlement_cursors (provider, window_from, window_to, checked_until, began_at)
            SELECT \(provider)::text, start, start, least(start, earliest), start
            FROM (SELECT min(e.occurred_at) AS earliest,
                    date_trunc('day', least(min(e.occurred_at) FILTER (WHERE e.kind <> 'adjustment'
                            OR e.occurred_at > \(now)::timestamptz - interval '90 days'), \(now))
                        - interval '1 hour', 'UTC') AS start
                FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id
                WHERE l.account = \(Ledger.providerBalance(provider))) AS first
            ON CONFLICT (provider) DO NOTHING
            """)
    }

    static func read(_ provider: String, in db: borrowing PostgresTransaction) throws -> SettlementCursor? {
        try db.first(
            "SELECT \(SettlementCursor.columns) FROM settlement_cursors WHERE provider = \(provider)",
            as: SettlementCursor.self)
    }

    /// Locks a provider's cursor, under which its lines are matched.
    /// - Parameter skipping: Gives up when another holds it.
    static func lock(
        _ provider: String, skipping: Bool, in db: borrowing PostgresTransaction
    ) throws -> SettlementCursor? {
        let wait: SQL = skipping ? "SKIP LOCKED" : ""
        return try db.first(
            "SELECT \(SettlementCursor.columns) FROM settlement_cursors WHERE provider = \(provider) FOR UPDATE \(wait)",
            as: SettlementCursor.self)
    }

    /// Moves the reading on, unless another has.
    /// - Returns: Whether it stood where it was thought to stand.
    static func move(
        _ provider: String, from before: SettlementWindow, to after: SettlementWindow, run: ReconciliationRunID?,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            """
            UPDATE settlement_cursors SET window_from = \(after.from), window_to = \(after.to), page = \(after.page),
                run_id = \(run)
            WHERE provider = \(provider) AND window_from = \(before.from) AND window_to = \(before.to)
                AND page IS NOT DISTINCT FROM \(before.page)
            """) == 1
    }

    /// Notes up to when a provider, whose cursor is locked, has reported in files. Nothing is known beyond now.
    static func cover(
        _ provider: String, until: Instant, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE settlement_cursors
            SET files_until = least(greatest(files_until, \(until)::timestamptz), \(now)::timestamptz)
            WHERE provider = \(provider)
            """)
    }

    /// When something was first booked on a provider's account in a span of time; `nil` when nothing was. One look into
    /// the index for each currency, however long the span is.
    static func nextBooking(
        _ provider: String, from: Instant, to: Instant, in db: borrowing PostgresTransaction
    ) throws -> Instant? {
        let account: String = Ledger.providerBalance(provider)
        return try db.first(
            """
            WITH RECURSIVE c(currency) AS (
                SELECT min(currency) FROM journal_lines WHERE account = \(account)
                UNION ALL
                SELECT (SELECT min(l.currency) FROM journal_lines l
                    WHERE l.account = \(account) AND l.currency > c.currency)
                FROM c WHERE c.currency IS NOT NULL)
            SELECT min(n.occurred_at) FROM c CROSS JOIN LATERAL (
                SELECT l.occurred_at FROM journal_lines l
                WHERE l.account = \(account) AND l.currency = c.currency
                    AND l.occurred_at >= \(from) AND l.occurred_at < \(to)
                ORDER BY l.occurred_at LIMIT 1) AS n
            """
        ) { row in try row.next() as Instant? } ?? nil
    }

    /// Notes up to when bookings have been looked for.
    static func check(_ provider: String, until: Instant, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("UPDATE settlement_cursors SET checked_until = \(until) WHERE provider = \(provider)")
    }

    /// Records an import.
    static func begin(
        run: ReconciliationRunID, provider: String, source: ReconciliationSource, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO reconciliation_runs (id, provider, source, started_at)
            VALUES (\(run), \(provider), \(source), \(now)) ON CONFLICT (id) DO NOTHING
            """)
    }
}

/// Where lines came from.
package enum ReconciliationSource: String, Sendable, CaseIterable { case provider, file }
