package import BillingCore
package import HTTPKit
package import PaymentDomain
import PaymentRecords
package import Postgres

/// Takes the next step with a case: says why, ends it, or books the difference away.
package enum ResolveReconciliationCase {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(ReconciliationCaseID)
        case state(ReconciliationCaseState)
        /// There is nothing to book away: the books have what the provider kept.
        case booked
        /// It is of a line with amounts that nobody can have meant, which are not booked.
        case absurd
        /// The entry that the provider has not reported was reversed: the books have nothing of it any more.
        case reversed
    }

    /// - Returns: The case as it stands then.
    /// - Throws: ``Failure``; nothing is stored then.
    package static func take(
        _ step: ReconciliationCaseState.Step, with id: ReconciliationCaseID, note: String, actor: String,
        at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> ReconciliationCaseRecord {
        guard let known: ReconciliationCaseRecord = try ReconciliationCaseStore.find(id, in: db) else {
            throw Failure.notFound(id)
        }
        // As whoever matches does: a partner cannot be found while the case is booked away.
        _ = try SettlementCursorStore.lock(known.provider, skipping: false, in: db)
        guard let current: ReconciliationCaseRecord = try ReconciliationCaseStore.lock(id, in: db) else {
            throw Failure.notFound(id)
        }
        guard let next: ReconciliationCaseState = current.state.after(step) else { throw Failure.state(current.state) }
        guard step != .writeOff || current.reason != .feeDiffers else { throw Failure.booked }
        let writeOff: String? = step == .writeOff ? try bookAway(current, at: now, in: db) : nil
        try ReconciliationCaseStore.move(
            id, to: next, note: note, actor: actor, writeOff: writeOff, at: now, in: db)
        guard let moved: ReconciliationCaseRecord = try ReconciliationCaseStore.find(id, in: db) else {
            throw Failure.notFound(id)
        }
        return moved
    }

    /// Books what makes our books agree with the provider's account.
    /// - Returns: The entry; `nil` where there is nothing to book.
    private static func bookAway(
        _ open: ReconciliationCaseRecord, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> String? {
        if let id: String = open.lineID, let line = try SettlementLineStore.lock(open.provider, id, in: db) {
            guard line.isWithinBounds else { throw Failure.absurd }
        }
        if open.reason == .notAtProvider, let entry: String = open.entryID {
            guard try !SettlementBookingStore.isReversed(entry, in: db) else { throw Failure.reversed }
        }
        var postings: [Posting] = try Ledger.writeOff(open.amount, provider: open.provider)
        if open.reason == .currency, let entry: String = open.entryID {
            for booked in try SettlementBookingStore.effects(of: entry, provider: open.provider, in: db) {
                postings += try Ledger.writeOff(booked.negated(), provider: open.provider)
            }
        }
        let entry = JournalEntry(
            id: .new(at: now), kind: .writeOff, reference: open.id.rawValue, paymentID: nil, occurredAt: now,
            postings: postings.filter { !$0.amount.isZero })
        let isBooked: Bool = !entry.postings.isEmpty
        try LedgerStore.book(isBooked ? [entry] : [], in: db)
        if let line: String = open.lineID {
            if isBooked { try SettlementLineStore.link(open.provider, [(line, entry.id.rawValue, .writeOff)], in: db) }
            try SettlementLineStore.set(.writtenOff, of: line, open.provider, in: db)
        }
        return isBooked ? entry.id.rawValue : nil
    }
}

extension ResolveReconciliationCase.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("reconciliation case", id.rawValue)
        case .state(let state):
            .conflict("case_state", "A case that is \(state.rawValue) cannot be moved on like this.")
        case .booked:
            .conflict("fee_booked", "The fee is booked as the provider kept it: claim it back, and explain or resolve.")
        case .absurd:
            .conflict("amount_too_large", "The provider cannot have meant the amount: ask it, and explain or resolve.")
        case .reversed:
            .conflict("entry_reversed", "The entry is reversed, so there is nothing to book away: resolve the case.")
        }
    }
}
