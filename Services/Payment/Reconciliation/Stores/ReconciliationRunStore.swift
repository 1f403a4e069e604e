import BillingCore
package import Postgres

/// An import and what became of its lines.
package struct ReconciliationRunRecord: PostgresRecord, Sendable {
    let id: ReconciliationRunID
    let provider: String
    let source: ReconciliationSource
    let startedAt: Instant
    let lines: Int64
    /// Lines by what became of them.
    let matched: Int64
    let different: Int64
    let unmatched: Int64
    let open: Int64
    let writtenOff: Int64

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        provider = try row.next()
        source = try row.nextCase()
        startedAt = try row.next()
        lines = try row.next()
        matched = try row.next()
        different = try row.next()
        unmatched = try row.next()
        open = try row.next()
        writtenOff = try row.next()
    }

    init(id: ReconciliationRunID, provider: String, startedAt: Instant, lines: Int64) {
        self.id = id
        self.provider = provider
        source = .file
        self.startedAt = startedAt
        self.lines = lines
        (matched, different, unmatched, open, writtenOff) = (0, 0, 0, lines, 0)
    }
}

/// SQL over imports.
package enum ReconciliationRunStore {
    private static func runs(_ which: SQL) -> SQL {
        """
        SELECT r.id, r.provider, r.source, r.started_at, count(s.line_id),
            count(*) FILTER (WHERE s.state = 'matched'), count(*) FILTER (WHERE s.state = 'different'),
            count(*) FILTER (WHERE s.state = 'unmatched'), count(*) FILTER (WHERE s.state = 'open'),
            count(*) FILTER (WHERE s.state = 'written_off')
        FROM (SELECT * FROM reconciliation_runs \(which)) AS r LEFT JOIN settlement_lines s ON s.run_id = r.id
        GROUP BY r.id, r.provider, r.source, r.started_at ORDER BY r.id DESC
        """
    }

    package static func find(
        _ id: ReconciliationRunID, in db: borrowing PostgresTransaction
    ) throws -> ReconciliationRunRecord? {
        try db.first(runs("WHERE id = \(id)"), as: ReconciliationRunRecord.self)
    }

    /// Newest first, after a cursor.
    static func list(
        provider: String?, after: ReconciliationRunID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [ReconciliationRunRecord] {
        let matching: SQL = .matching(provider.map { "provider = \($0)" }, after.map { "id < \($0)" })
        return try db.query(
            runs("\(matching) ORDER BY id DESC LIMIT \(limit)"), as: ReconciliationRunRecord.self)
    }
}
