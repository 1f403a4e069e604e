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

    /// Undoes an entry, once. It happens now, whenever the entry happened.
    package static func reverse(
        _ id: JournalEntryID, reason: String, actor: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> BookedEntry {
        try EntryStore.lock(id, in: db)
        guard let entry: BookedEntry = try EntryStore.find(id, in: db) else { throw Failure.notFound(id) }
        guard entry.reverses == nil else { throw Failure.isReversal }
        if let reversal: JournalEntryID = entry.reversedBy { throw Failure.reversed(by: reversal) }
        let reversal = JournalEntryID.new(at: now)
        try EntryStore.mirror(id, as: reversal, at: now, in: db)
        try EntryStore.note(reversal, actor: actor, reason: reason, in: db)
        return try booked(reversal, in: db)
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
