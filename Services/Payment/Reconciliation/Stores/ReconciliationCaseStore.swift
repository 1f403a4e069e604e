import BillingCore
import PaymentDomain
package import Postgres

/// A difference between a provider's account and our books, as stored.
package struct ReconciliationCaseRecord: PostgresRecord, Sendable {
    let id: ReconciliationCaseID
    let provider: String
    let reason: ReconciliationReason
    let lineID: String?
    let entryID: String?
    /// What the provider's account differs from ours by.
    let amount: Money
    let state: ReconciliationCaseState
    let openedAt: Instant
    let closedAt: Instant?
    let note: String?
    let actor: String?
    let writeOffEntryID: String?
    /// The journal entries that an ambiguous line may be.
    let candidates: [String]

    static let columns: SQL = """
        id, provider, reason, line_id, entry_id, amount, currency, state, opened_at, closed_at, note, actor,
        write_off_entry_id, array_to_string(candidates, ',')
        """

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        provider = try row.next()
        reason = try row.nextCase()
        lineID = try row.next()
        entryID = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        state = try row.nextCase()
        openedAt = try row.next()
        closedAt = try row.next()
        note = try row.next()
        actor = try row.next()
        writeOffEntryID = try row.next()
        candidates = (try row.next() as String).split(separator: ",").map(String.init)
    }

    init(
        id: ReconciliationCaseID, provider: String, reason: ReconciliationReason, lineID: String? = nil,
        entryID: String? = nil, amount: Money, openedAt: Instant, candidates: [String] = []
    ) {
        self.id = id
        self.provider = provider
        self.reason = reason
        self.lineID = lineID
        self.entryID = entryID
        self.amount = amount
        state = .open
        self.openedAt = openedAt
        closedAt = nil
        note = nil
        actor = nil
        writeOffEntryID = nil
        self.candidates = candidates
    }
}

/// SQL over cases.
enum ReconciliationCaseStore {
    /// Who ends a case whose partner was found.
    static let finder = "reconciliation"

    /// Opens cases; what has one of the same reason keeps it.
    static func open(_ cases: [ReconciliationCaseRecord], in db: borrowing PostgresTransaction) throws {
        guard !cases.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO reconciliation_cases (id, provider, reason, line_id, entry_id, currency, amount, opened_at,
                candidates)
            SELECT id, provider, reason, line, entry, currency, amount, opened, string_to_array(candidates, ',')
            FROM unnest(\(cases.map(\.id.rawValue))::text[], \(cases.map(\.provider))::text[],
                \(cases.map(\.reason.rawValue))::text[], \(cases.map(\.lineID))::text[],
                \(cases.map(\.entryID))::text[], \(cases.map(\.amount.currency.code))::text[],
                \(cases.map(\.amount.minor))::bigint[], \(cases.map(\.openedAt))::timestamptz[],
                \(cases.map { $0.candidates.joined(separator: ",") })::text[])
                AS c (id, provider, reason, line, entry, currency, amount, opened, candidates)
            ON CONFLICT DO NOTHING
            """)
    }

    /// Makes cases of lines that are not booked ambiguous ones, with the bookings that the lines may be now. Whether and how
    /// a case was explained stays; one that is closed stays as it is.
    static func offer(
        _ provider: String, _ choices: [(line: String, candidates: [String])], in db: borrowing PostgresTransaction
    ) throws {
        guard !choices.isEmpty else { return }
        let (from, to): (ReconciliationReason, ReconciliationReason) = (.notBooked, .ambiguous)
        try db.enqueue(
            """
            UPDATE reconciliation_cases c SET reason = \(to), candidates = string_to_array(n.candidates, ',')
            FROM unnest(\(choices.map(\.line))::text[],
                \(choices.map { $0.candidates.joined(separator: ",") })::text[]) AS n(line, candidates)
            WHERE c.provider = \(provider) AND c.line_id = n.line AND c.state IN ('open', 'explained')
                AND (c.reason = \(to) AND c.candidates IS DISTINCT FROM string_to_array(n.candidates, ',')
                    OR c.reason = \(from) AND NOT EXISTS (SELECT 1 FROM reconciliation_cases o
                        WHERE o.provider = c.provider AND o.line_id = c.line_id AND o.reason = \(to)))
            """)
    }

    /// Adds to the notes of the cases of lines that cancel each other out by which line it is.
    static func explain(
        _ provider: String, _ offsets: [SettlementOffset], in db: borrowing PostgresTransaction
    ) throws {
        guard !offsets.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE reconciliation_cases c SET note = concat_ws('; ', c.note, 'canceled out by line ' || p.other)
            FROM unnest(\(offsets.flatMap { [$0.taken.id, $0.given.id] })::text[],
                \(offsets.flatMap { [$0.given.id, $0.taken.id] })::text[]) AS p(id, other)
            WHERE c.provider = \(provider) AND c.line_id = p.id AND c.state IN ('open', 'explained')
            """)
    }

    /// Ends the cases that a found partner settles.
    static func found(
        _ provider: String, lines: [String], entries: [String], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !lines.isEmpty else { return }
        let ending: [String] = ReconciliationReason.allCases.filter(\.endsWhenFound).map(\.rawValue)
        try db.enqueue(
            """
            UPDATE reconciliation_cases SET state = 'resolved', closed_at = \(now), actor = \(finder)
            WHERE state IN ('open', 'explained') AND reason = ANY(\(ending)::text[])
                AND ((provider = \(provider) AND line_id = ANY(\(lines)::text[]))
                    OR entry_id = ANY(\(entries)::text[]))
            """)
    }

    static func find(
        _ id: ReconciliationCaseID, in db: borrowing PostgresTransaction
    ) throws -> ReconciliationCaseRecord? {
        try db.first(
            "SELECT \(ReconciliationCaseRecord.columns) FROM reconciliation_cases WHERE id = \(id)",
            as: ReconciliationCaseRecord.self)
    }

    /// A case, its row locked.
    static func lock(
        _ id: ReconciliationCaseID, in db: borrowing PostgresTransaction
    ) throws -> ReconciliationCaseRecord? {
        try db.first(
            "SELECT \(ReconciliationCaseRecord.columns) FROM reconciliation_cases WHERE id = \(id) FOR UPDATE",
            as: ReconciliationCaseRecord.self)
    }

    /// Moves a case, whose row is locked, on.
    static func move(
        _ id: ReconciliationCaseID, to state: ReconciliationCaseState, note: String, actor: String,
        writeOff: String?, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let closedAt: Instant? = state.isClosed ? now : nil
        _ = try db.execute(
            """
            UPDATE reconciliation_cases SET state = \(state), note = \(note), actor = \(actor), closed_at = \(closedAt),
                write_off_entry_id = \(writeOff)
            WHERE id = \(id)
            """)
    }

    /// Ends a case, whose row is locked, with the booking that was chosen for its line.
    static func choose(
        _ entry: String, for id: ReconciliationCaseID, note: String, actor: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("UPDATE reconciliation_cases SET entry_id = \(entry) WHERE id = \(id)")
        try move(id, to: .resolved, note: note, actor: actor, writeOff: nil, at: now, in: db)
    }

    /// Makes an ambiguous case, whose row is locked, one of a line that is not booked.
    static func chooseNone(
        for id: ReconciliationCaseID, note: String, actor: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let reason: ReconciliationReason = .notBooked
        try db.enqueue("UPDATE reconciliation_cases SET reason = \(reason), candidates = '{}' WHERE id = \(id)")
        try move(id, to: .explained, note: note, actor: actor, writeOff: nil, at: now, in: db)
    }

    /// Newest first, after a cursor.
    static func list(
        provider: String?, state: ReconciliationCaseState?, reason: ReconciliationReason?,
        after: ReconciliationCaseID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [ReconciliationCaseRecord] {
        let matching: SQL = .matching(
            provider.map { "provider = \($0)" }, state.map { "state = \($0)" }, reason.map { "reason = \($0)" },
            after.map { "id < \($0)" })
        return try db.query(
            "SELECT \(ReconciliationCaseRecord.columns) FROM reconciliation_cases \(matching) ORDER BY id DESC LIMIT \(limit)",
            as: ReconciliationCaseRecord.self)
    }
}
