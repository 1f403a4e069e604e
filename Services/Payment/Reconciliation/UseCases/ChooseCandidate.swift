package import BillingCore
package import HTTPKit
package import PaymentDomain
package import Postgres

/// Says what an ambiguous line is, which matching does not guess. A chosen booking is matched and booked as one that was
/// found; a line that is none of its candidates is not booked, and never paired with them by itself.
package struct ChooseCandidate: Sendable {
    /// What is said.
    package enum Choice: Sendable, Equatable {
        /// A journal entry.
        case entry(String)
        case none
    }

    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(ReconciliationCaseID)
        /// Nothing is to be chosen, any more or at all.
        case notAmbiguous(ReconciliationReason, ReconciliationCaseState)
        /// The entry is none of the case's candidates.
        case notCandidate
        /// Another line stands for it by now, or it was taken back.
        case taken
        /// The entry moves two balances of the provider, and a line is one amount.
        case inParts
    }

    private let policy: ReconciliationPolicy

    /// - Parameter policy: What a match is booked by.
    package init(policy: ReconciliationPolicy) { self.policy = policy }

    /// - Parameters:
    ///   - note: Why, for people; kept with the case, as who chose and when.
    /// - Returns: The case as it stands then: `resolved` with the entry, or `explained` as `not_booked`.
    /// - Throws: ``Failure``; nothing is stored then.
    package func callAsFunction(
        _ choice: Choice, for id: ReconciliationCaseID, note: String, actor: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> ReconciliationCaseRecord {
        let (open, line): (ReconciliationCaseRecord, SettlementLine) = try Self.lock(id, in: db)
        switch choice {
        case .entry(let entry):
            guard open.candidates.contains(entry) else { throw Failure.notCandidate }
            let parts: [SettlementBooking] = try SettlementBookingStore.find(entry, provider: open.provider, in: db)
            guard let booking: SettlementBooking = parts.first(where: { !$0.isFee }) ?? parts.first else {
                throw Failure.taken
            }
            // The fee of a dispute may be in another currency.
            guard parts.filter({ !$0.isFee }).count <= 1 else { throw Failure.inParts }
            let named: [SettlementBooking] = try SettlementBookingStore.named(
                by: [line], provider: open.provider, in: db)
            var record = RecordSettlements(provider: open.provider, policy: policy, now: now)
            try record([line], FoundBookings(line, chosen: booking, among: parts + named), in: db)
            try ReconciliationCaseStore.choose(entry, for: id, note: note, actor: actor, at: now, in: db)
        case .none:
            try SettlementLineStore.refuse(open.candidates, for: line.id, of: open.provider, at: now, in: db)
            try ReconciliationCaseStore.chooseNone(for: id, note: note, actor: actor, at: now, in: db)
        }
        guard let chosen: ReconciliationCaseRecord = try ReconciliationCaseStore.find(id, in: db) else {
            throw Failure.notFound(id)
        }
        return chosen
    }

    /// The case and its line, under the locks of whoever matches: nobody else finds a partner meanwhile.
    private static func lock(
        _ id: ReconciliationCaseID, in db: borrowing PostgresTransaction
    ) throws -> (ReconciliationCaseRecord, SettlementLine) {
        guard let known: ReconciliationCaseRecord = try ReconciliationCaseStore.find(id, in: db) else {
            throw Failure.notFound(id)
        }
        _ = try SettlementCursorStore.lock(known.provider, skipping: false, in: db)
        guard let open: ReconciliationCaseRecord = try ReconciliationCaseStore.lock(id, in: db) else {
            throw Failure.notFound(id)
        }
        guard open.reason == .ambiguous, !open.state.isClosed, let lineID: String = open.lineID,
            let line: SettlementLine = try SettlementLineStore.lock(open.provider, lineID, in: db)
        else { throw Failure.notAmbiguous(open.reason, open.state) }
        return (open, line)
    }
}

extension ChooseCandidate.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("reconciliation case", id.rawValue)
        case .notAmbiguous(let reason, let state):
            .conflict(
                "case_state", "The case is \(reason.rawValue) and \(state.rawValue): there is nothing to choose.")
        case .notCandidate:
            .invalid("entry_id", code: "unknown_candidate", "is none of the case's candidates")
        case .taken:
            .conflict("candidate_taken", "Another line stands for this entry by now, or it was taken back.")
        case .inParts:
            .conflict(
                "candidate_in_parts",
                "This entry moves two balances of the provider, and the line is one amount: choose none of them.")
        }
    }
}
