package import BillingCore
package import HTTPKit
import JSON
import PaymentDomain
import PaymentRecords
package import Postgres

/// What a person books: an adjustment, or the reversal of an entry. Nothing is ever changed; each says who and why.
package enum BookByHand {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(JournalEntryID)
        case reversed(by: JournalEntryID)
        case isReversal
        /// It was booked away as never reported by its provider, by an entry that still counts.
        case writtenOff(by: JournalEntryID)
        case inTheFuture
        /// The places of the lines whose accounts the chart does not have.
        case unknownAccounts([Int])
        case unknownPayment
    }

    /// Books lines that sum to zero in every currency. One on a provider's account is looked for in the provider's
    /// reports, however long ago it happened.
    package static func adjust(
        _ input: AdjustmentInput, actor: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> BookedEntry {
        let occurredAt: Instant = input.occurredAt ?? now
        guard occurredAt <= now else { throw Failure.inTheFuture }
        let unknown: Set<String> = try ChartStore.unknown(input.lines.map(\.account), in: db)
        let places: [Int] = input.lines.indices.filter { unknown.contains(input.lines[$0].account) }
        guard places.isEmpty else { throw Failure.unknownAccounts(places) }
        if let payment: PaymentID = input.paymentID, try PaymentStore.find(payment, in: db) == nil {
            throw Failure.unknownPayment
        }
        try lookAgain(since: occurredAt, for: input.lines.map(\.account), in: db)
        let id = JournalEntryID.new(at: now)
        let entry = JournalEntry(
            id: id, kind: .adjustment, reference: id.rawValue, paymentID: input.paymentID, occurredAt: occurredAt,
            postings: input.lines.map { Posting(account: $0.account, amount: $0.amount) })
        try LedgerStore.book([entry], in: db)
        try EntryStore.note(id, actor: actor, reason: input.reason, in: db)
        return try booked(id, in: db)
    }

    /// Undoes an entry, once. It happens now, whenever the entry happened. That its provider has not reported it is no case
    /// any more; what was booked away because of that is not undone a second time.
    package static func reverse(
        _ id: JournalEntryID, reason: String, actor: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> BookedEntry {
        try waitForMatching(of: id, in: db)
        try EntryStore.lock(id, in: db)
        guard let entry: BookedEntry = try EntryStore.find(id, in: db) else { throw Failure.notFound(id) }
        guard entry.reverses == nil else { throw Failure.isReversal }
        if let reversal: JournalEntryID = entry.reversedBy { throw Failure.reversed(by: reversal) }
        if let writeOff: JournalEntryID = try standingWriteOff(of: id, in: db) {
            throw Failure.writtenOff(by: writeOff)
        }
        let reversal = JournalEntryID.new(at: now)
        try EntryStore.mirror(id, as: reversal, at: now, in: db)
        try EntryStore.note(reversal, actor: actor, reason: reason, in: db)
        try endCases(of: id, by: reversal, actor: actor, at: now, in: db)
        return try booked(reversal, in: db)
    }

    /// Waits for whoever matches lines of the providers that an entry is about, and keeps them from opening a case of it. The
    /// cursor is locked first, as matching does.
    private static func waitForMatching(of id: JournalEntryID, in db: borrowing PostgresTransaction) throws {
        let beginning: String = Ledger.providerBalance("")
        _ = try db.execute(
            """
            SELECT FROM settlement_cursors
            WHERE \(beginning)::text || provider IN (SELECT account FROM journal_lines WHERE entry_id = \(id))
            ORDER BY provider FOR UPDATE
            """)
    }

    /// What books an entry away that its provider has not reported; `nil` where nothing does, or that is undone.
    private static func standingWriteOff(
        of id: JournalEntryID, in db: borrowing PostgresTransaction
    ) throws -> JournalEntryID? {
        try db.first(
            """
            SELECT k.write_off_entry_id FROM reconciliation_cases k
            WHERE k.entry_id = \(id) AND k.reason = 'not_at_provider' AND k.state = 'written_off'
                AND k.write_off_entry_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM journal_entries v
                    WHERE v.kind = 'reversal' AND v.reference = k.write_off_entry_id)
            ORDER BY k.id LIMIT 1
            """
        ) { row in try row.next() }
    }

    /// Ends the cases of an entry that its provider has not reported: there is nothing to be reported any more.
    private static func endCases(
        of id: JournalEntryID, by reversal: JournalEntryID, actor: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE reconciliation_cases SET state = 'resolved', closed_at = \(now), actor = \(actor),
                note = concat_ws('; ', note, 'reversed by ' || \(reversal)::text)
            WHERE entry_id = \(id) AND reason = 'not_at_provider' AND state IN ('open', 'explained')
            """)
    }

    /// Lets the search for bookings that providers have not reported begin no later than a time. It waits for whoever
    /// matches lines of these providers; matching takes the same locks in the same order, the cursor first.
    private static func lookAgain(
        since time: Instant, for accounts: [String], in db: borrowing PostgresTransaction
    ) throws {
        let beginning: String = Ledger.providerBalance("")
        try db.enqueue(
            """
            UPDATE settlement_cursors SET checked_until = \(time)
            WHERE \(beginning)::text || provider = ANY(\(accounts)::text[]) AND checked_until > \(time)
            """)
    }

    private static func booked(_ id: JournalEntryID, in db: borrowing PostgresTransaction) throws -> BookedEntry {
        guard let entry: BookedEntry = try EntryStore.find(id, in: db) else { throw Failure.notFound(id) }
        return entry
    }
}

extension BookByHand.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("journal entry", id.rawValue)
        case .reversed(let reversal):
            .conflict("entry_reversed", "The entry is reversed already, by \(reversal.rawValue).")
        case .isReversal:
            .conflict("entry_is_reversal", "A reversal is not reversed: book an adjustment instead.")
        case .writtenOff(let writeOff):
            .conflict(
                "entry_written_off",
                "Its provider never reported it, and \(writeOff.rawValue) has booked it away: reverse that first.")
        case .inTheFuture: .invalid("occurred_at", code: "in_the_future", "must not be in the future")
        case .unknownAccounts(let places):
            .invalid(
                places.map { place in
                    Fault(
                        param: "lines[\(place)].account", code: "unknown_account",
                        message: "is not an account of the chart")
                })
        case .unknownPayment:
            .invalid("payment_id", code: "unknown_payment", "there is no payment with this id")
        }
    }
}
