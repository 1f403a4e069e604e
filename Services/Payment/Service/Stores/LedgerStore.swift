import BillingCore
import PaymentDomain
import Postgres

/// A journal entry about to be booked.
struct JournalEntry: Sendable {
    enum Kind: String, Sendable { case payment, capture, refund }

    let id: JournalEntryID
    let kind: Kind
    /// What it books: an attempt's, a capture's or a refund's id. A second entry for it is refused.
    let reference: String
    let paymentID: PaymentID
    let occurredAt: Instant
    let postings: [Posting]
}

/// SQL over the ledger. Entries are only ever added; the database refuses one that does not balance.
enum LedgerStore {
    /// Books entries, all lines of all entries in one statement.
    static func book(_ entries: [JournalEntry], in db: borrowing PostgresTransaction) throws {
        guard !entries.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO journal_entries (id, kind, reference, payment_id, occurred_at)
            SELECT * FROM unnest(\(entries.map(\.id.rawValue))::text[], \(entries.map(\.kind.rawValue))::text[],
                \(entries.map(\.reference))::text[], \(entries.map(\.paymentID.rawValue))::text[],
                \(entries.map(\.occurredAt))::timestamptz[])
            """)
        var ids: [String] = []
        var positions: [Int] = []
        var postings: [Posting] = []
        for entry in entries {
            for (index, posting) in entry.postings.enumerated() {
                ids.append(entry.id.rawValue)
                positions.append(index + 1)
                postings.append(posting)
            }
        }
        try db.enqueue(
            """
            INSERT INTO journal_lines (entry_id, position, account, currency, amount)
            SELECT * FROM unnest(\(ids)::text[], \(positions)::smallint[], \(postings.map(\.account))::text[],
                \(postings.map(\.amount.currency.code))::text[], \(postings.map(\.amount.minor))::bigint[])
            """)
    }

    /// The balance of every account in every currency, by name.
    static func balances(in db: borrowing PostgresTransaction) throws -> [AccountBalance] {
        try db.query(
            """
            SELECT account, currency, sum(amount)::bigint FROM journal_lines GROUP BY account, currency
            ORDER BY account, currency
            """
        ) { row in AccountBalance(account: try row.next(), currency: try row.next(), balance: try row.next()) }
    }

    /// The lines booked for a payment, in order.
    static func lines(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> [JournalLineRecord] {
        try db.query(
            """
            SELECT e.id, e.kind, e.occurred_at, l.account, l.currency, l.amount
            FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id
            WHERE e.payment_id = \(payment) ORDER BY e.id, l.position
            """
        ) { row in
            JournalLineRecord(
                entryID: try row.next(), kind: try row.next(), occurredAt: try row.next(), account: try row.next(),
                currency: try row.next(), amount: try row.next())
        }
    }
}

/// What stands on an account.
struct AccountBalance: Sendable {
    let account: String
    let currency: String
    let balance: Int64
}

/// One booked line.
struct JournalLineRecord: Sendable {
    let entryID: JournalEntryID
    let kind: String
    let occurredAt: Instant
    let account: String
    let currency: String
    let amount: Int64
}
