import BillingCore
import PaymentDomain
import Postgres

/// SQL over settlement lines.
enum SettlementLineStore {
    /// Stores lines; one that is known stays as it is.
    /// - Returns: How many were new.
    static func insert(
        _ lines: [SettlementLine], run: ReconciliationRunID, in db: borrowing PostgresTransaction
    ) throws -> Int {
        guard !lines.isEmpty else { return 0 }
        return try db.execute(
            """
            INSERT INTO settlement_lines (run_id, provider, line_id, kind, currency, gross, fee, net, own_reference, source,
                taken, presentment_amount, presentment_currency, rate, occurred_at, available_at)
            SELECT \(run)::text, * FROM unnest(\(lines.map(\.provider))::text[], \(lines.map(\.id))::text[],
                \(lines.map(\.kind.rawValue))::text[], \(lines.map(\.gross.currency.code))::text[],
                \(lines.map(\.gross.minor))::bigint[], \(lines.map(\.fee.minor))::bigint[],
                \(lines.map(\.net.minor))::bigint[], \(lines.map(\.references.own))::text[],
                \(lines.map(\.references.source))::text[], \(lines.map(\.references.taken))::text[],
                \(lines.map { $0.presentment?.amount.minor })::bigint[],
                \(lines.map { $0.presentment?.amount.currency.code })::text[],
                \(lines.map { $0.presentment?.rate?.description })::text[],
                \(lines.map(\.occurredAt))::timestamptz[], \(lines.map(\.availableAt))::timestamptz[])
            ON CONFLICT (provider, line_id) DO NOTHING
            """)
    }

    private static let columns: SQL = """
        provider, line_id, kind, currency, gross, fee, own_reference, source, taken, presentment_amount,
        presentment_currency, rate, occurred_at, available_at
        """

    private static func read(_ row: inout PostgresRow) throws -> SettlementLine {
        let provider: String = try row.next()
        let id: String = try row.next()
        let kind: SettlementLine.Kind = try row.nextCase()
        let currency: Currency = try row.next()
        let gross = Money(minor: try row.next(), currency: currency)
        let fee = Money(minor: try row.next(), currency: currency)
        let references = SettlementLine.References(own: try row.next(), source: try row.next(), taken: try row.next())
        let amount: Int64? = try row.next()
        let shown: Currency? = try row.next()
        let rate: String? = try row.next()
        var presentment: SettlementLine.Presentment?
        if let amount, let shown {
            presentment = SettlementLine.Presentment(
                amount: Money(minor: amount, currency: shown), rate: rate.flatMap { ExactDecimal($0) })
        }
        return try SettlementLine(
            provider: provider, id: id, kind: kind, gross: gross, fee: fee, net: gross.subtracting(fee),
            references: references, presentment: presentment, occurredAt: try row.next(), availableAt: try row.next())
    }

    /// Lines of a provider, whose cursor is locked, that wait for a partner and were not tried since a moment of real
    /// time; trying them is noted. The longest untried come first.
    static func waiting(
        _ provider: String, untriedSince: Instant, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [SettlementLine] {
        try db.query(
            """
            UPDATE settlement_lines SET tried_at = now() WHERE provider = \(provider) AND line_id IN (
                SELECT line_id FROM settlement_lines
                WHERE provider = \(provider) AND state IN ('open', 'unmatched')
                    AND (tried_at IS NULL OR tried_at < \(untriedSince))
                ORDER BY tried_at NULLS FIRST, occurred_at, line_id LIMIT \(limit))
            RETURNING \(columns)
            """, read)
    }

    /// Other waiting lines of the provider with one of the amounts: they may want the same bookings.
    static func rivals(
        of lines: [SettlementLine], provider: String, in db: borrowing PostgresTransaction
    ) throws -> [SettlementLine] {
        let amounts: [Int64] = Array(Set(lines.flatMap { [$0.asked.minor, $0.gross.minor] }))
        return try db.query(
            """
            SELECT \(columns) FROM settlement_lines
            WHERE provider = \(provider) AND state IN ('open', 'unmatched') AND own_reference IS NULL
                AND (gross = ANY(\(amounts)::bigint[]) OR presentment_amount = ANY(\(amounts)::bigint[]))
                AND line_id <> ALL(\(lines.map(\.id))::text[])
            LIMIT \(MatchSettlements.rivalLimit)
            """, read)
    }

    /// Which of our ids other waiting lines of the provider carry, by kind of line.
    static func named(
        among bookings: [SettlementBooking], provider: String, in db: borrowing PostgresTransaction
    ) throws -> [SettlementLine.Kind: Set<String>] {
        let ids: [String] = Array(Set(bookings.flatMap { $0.related.union([$0.own]) }))
        guard !ids.isEmpty else { return [:] }
        let rows: [(SettlementLine.Kind, String)] = try db.query(
            """
            SELECT kind, own_reference FROM settlement_lines
            WHERE provider = \(provider) AND state IN ('open', 'unmatched') AND own_reference = ANY(\(ids)::text[])
            LIMIT \(MatchSettlements.rivalLimit)
            """
        ) { row in (try row.nextCase(), try row.next()) }
        return Dictionary(grouping: rows, by: \.0).mapValues { Set($0.map(\.1)) }
    }

    /// Whether the provider has lines that were never tried.
    static func hasUntried(_ provider: String, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first(
            """
            SELECT EXISTS (SELECT 1 FROM settlement_lines
                WHERE provider = \(provider) AND state IN ('open', 'unmatched') AND tried_at IS NULL)
            """
        ) { row in try row.next() } ?? false
    }

    /// Other waiting lines of the provider about things of the names, and charges that are part of them.
    /// - Parameter converted: Names of what was exchanged: other sides of that are told as well.
    static func waiting(
        named names: [String], converting converted: [String], besides lines: [SettlementLine], provider: String,
        in db: borrowing PostgresTransaction
    ) throws -> [SettlementLine] {
        guard !names.isEmpty || !converted.isEmpty else { return [] }
        return try db.query(
            """
            SELECT \(columns) FROM settlement_lines
            WHERE provider = \(provider) AND state IN ('open', 'unmatched')
                AND (source = ANY(\(names)::text[]) OR kind = 'charge' AND taken = ANY(\(names)::text[])
                    OR kind = 'adjustment' AND taken = ANY(\(converted)::text[]))
                AND line_id <> ALL(\(lines.map(\.id))::text[])
            LIMIT \(MatchSettlements.rivalLimit)
            """, read)
    }

    /// A line, its row locked.
    static func lock(
        _ provider: String, _ id: String, in db: borrowing PostgresTransaction
    ) throws -> SettlementLine? {
        try db.first(
            """
            SELECT \(columns) FROM settlement_lines WHERE provider = \(provider) AND line_id = \(id) FOR UPDATE
            """, read)
    }

    /// Notes what came of lines. A payout that was told to have failed before it was told of never arrives.
    static func settle(
        _ provider: String, _ results: [(id: String, state: SettlementState, rule: SettlementRule)],
        in db: borrowing PostgresTransaction
    ) throws {
        guard !results.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE settlement_lines s SET state = r.state, rule = r.rule,
                arrival = CASE WHEN s.kind <> 'payout' THEN NULL
                    WHEN (SELECT count(*) FROM settlement_lines f
                          WHERE f.provider = s.provider AND f.source = s.source AND f.kind = 'payout_failure'
                              AND f.state = 'matched')
                        > (SELECT count(*) FROM settlement_lines p
                           WHERE p.provider = s.provider AND p.source = s.source AND p.kind = 'payout'
                               AND p.arrival = 'failed') THEN 'failed'
                    ELSE 'awaited' END
            FROM unnest(\(results.map(\.id))::text[], \(results.map(\.state.rawValue))::text[],
                \(results.map(\.rule.rawValue))::text[]) AS r(id, state, rule)
            WHERE s.provider = \(provider) AND s.line_id = r.id
            """)
    }

    /// Notes of both lines of each pair which one cancels it.
    static func offset(
        _ provider: String, _ pairs: [SettlementOffset], in db: borrowing PostgresTransaction
    ) throws {
        guard !pairs.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE settlement_lines s SET offset_line_id = p.other
            FROM unnest(\(pairs.flatMap { [$0.taken.id, $0.given.id] })::text[],
                \(pairs.flatMap { [$0.given.id, $0.taken.id] })::text[]) AS p(id, other)
            WHERE s.provider = \(provider) AND s.line_id = p.id
            """)
    }

    /// Notes that lines have waited too long. A charge waits as long as the outcome of its attempt is open, and from
    /// its end on as others do: a direct debit is credited at once and paid, or not, days later.
    /// - Parameter endedBefore: When an attempt has to have ended.
    /// - Returns: Those that had not been late before.
    static func late(
        _ provider: String, _ ids: [String], endedBefore: Instant, in db: borrowing PostgresTransaction
    ) throws -> Set<String> {
        guard !ids.isEmpty else { return [] }
        let processing: String = PaymentStatus.processing.rawValue
        let late: [String] = try db.query(
            """
            UPDATE settlement_lines l SET state = 'unmatched'
            WHERE l.provider = \(provider) AND l.state = 'open' AND l.line_id = ANY(\(ids)::text[])
                AND NOT (l.kind = 'charge' AND EXISTS (SELECT 1 FROM payment_attempts a
                    JOIN payments p ON p.id = a.payment_id
                    WHERE a.id = l.own_reference AND a.provider = l.provider
                        AND (p.attempt_id = a.id AND p.status = \(processing) OR a.ended_at > \(endedBefore))))
            RETURNING l.line_id
            """
        ) { row in try row.next() }
        return Set(late)
    }

    /// Notes that a payout has failed, so that its arrival is not awaited any more.
    /// - Returns: Whether its arrival had been booked.
    static func fail(
        payout source: String?, of provider: String, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let before: String? = try db.first(
            """
            UPDATE settlement_lines s SET arrival = 'failed'
            FROM (SELECT line_id, arrival FROM settlement_lines
                  WHERE provider = \(provider) AND kind = 'payout' AND source = \(source)
                      AND arrival IN ('awaited', 'booked')
                  ORDER BY occurred_at DESC, line_id LIMIT 1 FOR UPDATE) AS old
            WHERE s.provider = \(provider) AND s.line_id = old.line_id RETURNING old.arrival
            """
        ) { row in try row.next() }
        return before == "booked"
    }

    /// Payouts that have arrived by a moment and are not booked in the bank, their rows locked.
    static func arrived(
        by now: Instant, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [SettlementLine] {
        try db.query(
            """
            UPDATE settlement_lines SET arrival = 'booked' WHERE (provider, line_id) IN (
                SELECT provider, line_id FROM settlement_lines
                WHERE arrival = 'awaited' AND coalesce(available_at, occurred_at) <= \(now)
                ORDER BY available_at LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            RETURNING \(columns)
            """, read)
    }

    /// Moves a line on.
    static func set(
        _ state: SettlementState, of id: String, _ provider: String, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            "UPDATE settlement_lines SET state = \(state) WHERE provider = \(provider) AND line_id = \(id)")
    }

    /// The bookings that lines are not, by line: somebody said so.
    static func refused(
        _ lines: [SettlementLine], of provider: String, in db: borrowing PostgresTransaction
    ) throws -> [String: Set<String>] {
        guard !lines.isEmpty else { return [:] }
        let rows: [(line: String, entry: String)] = try db.query(
            """
            SELECT line_id, entry_id FROM settlement_refusals
            WHERE provider = \(provider) AND line_id = ANY(\(lines.map(\.id))::text[])
            """
        ) { row in (try row.next(), try row.next()) }
        return Dictionary(grouping: rows, by: \.line).mapValues { Set($0.map(\.entry)) }
    }

    /// Notes that a line is none of some bookings.
    static func refuse(
        _ entries: [String], for line: String, of provider: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO settlement_refusals (provider, line_id, entry_id, refused_at)
            SELECT \(provider)::text, \(line)::text, e, \(now) FROM unnest(\(entries)::text[]) AS e
            ON CONFLICT DO NOTHING
            """)
    }

    /// Notes which entries lines stand for.
    static func link(
        _ provider: String, _ links: [(line: String, entry: String, role: SettlementRole)],
        in db: borrowing PostgresTransaction
    ) throws {
        guard !links.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO settlement_entries (provider, line_id, entry_id, role)
            SELECT \(provider)::text, * FROM unnest(\(links.map(\.line))::text[], \(links.map(\.entry))::text[],
                \(links.map(\.role.rawValue))::text[])
            """)
    }
}

/// Where a settlement line stands.
enum SettlementState: String, Sendable, CaseIterable {
    /// New; a partner is looked for.
    case open
    case matched
    /// It has a partner that differs from it; a case says in what.
    case different
    /// No partner was found in time; one is still looked for, and a case is open.
    case unmatched
    /// Booked away, see the case.
    case writtenOff = "written_off"
}

/// What a journal entry is to a settlement line.
enum SettlementRole: String, Sendable {
    case booking, fee, exchange, arrival
    case writeOff = "write_off"
}
