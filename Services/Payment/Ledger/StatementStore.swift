package import BillingCore
import PaymentRecords
package import Postgres

/// What happened on an account in a period, in pages, with the balance before and after.
package struct LedgerStatement: Sendable {
    package let account: String
    package let currency: String
    package let from: Instant
    package let to: Instant
    /// Before the period.
    package let opening: Int128
    /// Before the end of the period.
    package let closing: Int128
    package let lines: [StatementLine]
    package let hasMore: Bool
}

/// One line, and what stands on the account after it.
package struct StatementLine: Sendable, Equatable {
    package let place: StatementPlace
    package let kind: String
    package let reference: String
    package let paymentID: PaymentID?
    package let amount: Int64
    package let balance: Int128
}

/// Where a line stands in an account's order: by the time it happened, then by its entry.
package struct StatementPlace: Sendable, Equatable {
    package let occurredAt: Instant
    package let entryID: JournalEntryID
    package let position: Int

    package init(occurredAt: Instant, entryID: JournalEntryID, position: Int) {
        self.occurredAt = occurredAt
        self.entryID = entryID
        self.position = position
    }

    /// Reads a page's cursor; `nil` when it is none, or names what no line can have.
    init?(cursor text: String) {
        guard let parts: [String] = PageCursor(text)?.parts, parts.count == 3, let time = Int64(parts[0]),
            let entryID = JournalEntryID(parts[1]), let position = Int16(parts[2]), position > 0
        else { return nil }
        let occurredAt = Instant(microseconds: time)
        guard Instant(rfc3339: occurredAt.rfc3339) == occurredAt else { return nil }
        self.init(occurredAt: occurredAt, entryID: entryID, position: Int(position))
    }

    /// What the next page starts after.
    var cursor: String {
        PageCursor(parts: [String(occurredAt.microseconds), entryID.rawValue, String(position)]).token
    }
}

/// SQL over statements.
package enum StatementStore {
    /// One page of an account's statement; everything in it is of one moment.
    ///
    /// Half-open: a line at `from` is in it, one at `to` is not, so that the closing balance of a period is the opening
    /// balance of the next. An entry booked late counts in the period it happened in.
    /// - Parameter db: A snapshot: the balances and the lines are read one after the other.
    package static func read(
        _ account: String, _ currency: String, from: Instant, to: Instant, after: StatementPlace?, limit: Int,
        in db: borrowing PostgresTransaction
    ) throws -> LedgerStatement {
        let opening: Int128 = try LedgerBalances.balance(of: account, currency, before: from, in: db)
        let closing: Int128 = try LedgerBalances.balance(of: account, currency, before: to, in: db)
        var balance: Int128 =
            try after.map { try self.balance(of: account, currency, through: $0, from, in: db) } ?? opening
        let start: Instant = max(from, after?.occurredAt ?? from)
        let lines: [StatementLine] = try db.query(
            """
            SELECT l.occurred_at, l.entry_id, l.position, e.kind, e.reference, e.payment_id, l.amount
            FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
            \(SQL.matching("l.account = \(account) AND l.currency = \(currency) AND l.occurred_at >= \(start) AND l.occurred_at < \(to)", after.map { place in "(l.occurred_at, l.entry_id, l.position) > \(tuple(place))" }))
            ORDER BY l.occurred_at, l.entry_id, l.position LIMIT \(limit + 1)
            """
        ) { row in
            let place = StatementPlace(occurredAt: try row.next(), entryID: try row.next(), position: try row.next())
            let (kind, reference, payment): (String, String, PaymentID?) = (
                try row.next(), try row.next(), try row.next()
            )
            let amount: Int64 = try row.next()
            balance += Int128(amount)
            return StatementLine(
                place: place, kind: kind, reference: reference, paymentID: payment, amount: amount, balance: balance)
        }
        return LedgerStatement(
            account: account, currency: currency, from: from, to: to, opening: opening, closing: closing,
            lines: Array(lines.prefix(limit)), hasMore: lines.count > limit)
    }

    /// What stands on the account after a line.
    private static func balance(
        of account: String, _ currency: String, through place: StatementPlace, _ from: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Int128 {
        let before: Int128 = try LedgerBalances.balance(
            of: account, currency, before: max(from, place.occurredAt), in: db)
        let same: Int128? = try db.first(
            """
            SELECT coalesce(sum(amount), 0) FROM journal_lines l
            WHERE l.account = \(account) AND l.currency = \(currency) AND l.occurred_at = \(place.occurredAt)
                AND l.occurred_at >= \(from) AND (l.entry_id, l.position) <= (\(place.entryID), \(place.position)::smallint)
            """
        ) { row in try row.next() }
        return before + (same ?? 0)
    }

    private static func tuple(_ place: StatementPlace) -> SQL {
        "(\(place.occurredAt), \(place.entryID), \(place.position)::smallint)"
    }
}
