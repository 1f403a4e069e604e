package import BillingCore
import PaymentRecords
package import Postgres

/// A journal entry with everything that is known of it.
package struct BookedEntry: Sendable {
    package let id: JournalEntryID
    package let kind: String
    package let reference: String
    package let paymentID: PaymentID?
    package let occurredAt: Instant
    /// Who booked it by hand, and why.
    package let actor: String?
    package let reason: String?
    /// What undoes it: a reversal by hand, or the failure of the refund that it books.
    package let reversedBy: JournalEntryID?
    package let lines: [BookedLine]

    /// What it undoes.
    package var reverses: String? { kind == "reversal" ? reference : nil }
}

/// One line of an entry. The currency is text: the ledger may hold others than ISO 4217's.
package struct BookedLine: Sendable, Equatable {
    package let account: String
    package let currency: String
    package let amount: Int64
}

/// SQL over single entries.
package enum EntryStore {
    /// One entry; `nil` when there is none.
    package static func find(_ id: JournalEntryID, in db: borrowing PostgresTransaction) throws -> BookedEntry? {
        let lines: [BookedLine] = try db.query(
            "SELECT account, currency, amount FROM journal_lines WHERE entry_id = \(id) ORDER BY position"
        ) { row in BookedLine(account: try row.next(), currency: try row.next(), amount: try row.next()) }
        return try db.first(
            """
            SELECT e.id, e.kind, e.reference, e.payment_id, e.occurred_at, n.actor, n.reason, coalesce(r.id, f.id)
            FROM journal_entries e LEFT JOIN journal_notes n ON n.entry_id = e.id
            LEFT JOIN journal_entries r ON r.kind = 'reversal' AND r.reference = e.id
            LEFT JOIN journal_entries f ON f.kind = 'refund_failure' AND f.reference = e.reference AND \(isUndone)
            WHERE e.id = \(id)
            """
        ) { row in
            BookedEntry(
                id: try row.next(), kind: try row.next(), reference: try row.next(), paymentID: try row.next(),
                occurredAt: try row.next(), actor: try row.next(), reason: try row.next(), reversedBy: try row.next(),
                lines: lines)
        }
    }

    /// Whether a refund's failure `f` undoes an entry `e` of the refund. It always undoes the refund's own; what the
    /// settlement came to is in it when it was booked before, and is then what it has beyond the refund's own lines.
    private static let isUndone: SQL = """
        (e.kind = 'refund' OR e.kind = 'settlement'
            AND (SELECT count(*) FROM journal_lines WHERE entry_id = f.id)
                > (SELECT count(*) FROM journal_lines l JOIN journal_entries o ON o.id = l.entry_id
                    WHERE o.kind = 'refund' AND o.reference = e.reference))
        """

    /// Keeps everybody else from reversing an entry until the transaction ends.
    package static func lock(_ id: JournalEntryID, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute("SELECT FROM journal_entries WHERE id = \(id) FOR UPDATE")
    }

    /// Books the mirror of an entry: the same lines in the same order with the other sign.
    package static func mirror(
        _ id: JournalEntryID, as reversal: JournalEntryID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO journal_entries (id, kind, reference, payment_id, occurred_at)
            SELECT \(reversal), \(JournalEntry.Kind.reversal), id, payment_id, \(now) FROM journal_entries
            WHERE id = \(id)
            """)
        try db.enqueue(
            """
            INSERT INTO journal_lines (entry_id, position, account, currency, amount, occurred_at)
            SELECT \(reversal), position, account, currency, -amount, \(now) FROM journal_lines WHERE entry_id = \(id)
            """)
    }

    /// Adds who booked an entry by hand, and why.
    package static func note(
        _ id: JournalEntryID, actor: String, reason: String, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            "INSERT INTO journal_notes (entry_id, actor, reason) VALUES (\(id), \(actor), \(reason))")
    }
}
