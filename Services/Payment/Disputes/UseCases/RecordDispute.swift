package import BillingCore
import Messaging
package import PaymentContract
import PaymentDomain
import PaymentRecords
package import Postgres

/// Books what a provider tells of a dispute: dispute, payment, journal entry and events in one transaction.
///
/// The payment's row is locked, so news of one payment is taken one after the other. News that is late or says what is
/// known changes nothing, and what is booked follows from the last standing alone: any order and any number of repeats
/// ends in the same books. A fee that a settlement line has told first is in the provider's account already: it becomes the
/// dispute's, and is not booked again. A refund that was booked because PayPal took the money back, and no dispute was known,
/// becomes its withdrawal: the refund is undone, and the dispute books as much, in the same transaction.
package enum RecordDispute {
    /// Why news is not booked. Nothing is stored then.
    package enum Refusal: Error, Equatable {
        /// It is about a charge that was not made here.
        case notOurs
        case unknownPayment(PaymentID)
        /// The payment is not known to the provider by what the dispute names, or not yet.
        case anotherCharge
        /// It says something that cannot be.
        case contradiction(String)
    }

    /// Books news as it was read from the provider.
    /// - Returns: How the dispute stands then.
    /// - Throws: ``Refusal``.
    @discardableResult
    package static func record(
        _ told: ProviderDispute, from provider: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> DisputeRecord {
        guard let paymentID: PaymentID = try findPayment(of: told, at: provider, in: db) else { throw Refusal.notOurs }
        // Before the payment: whoever matches lines takes the locks in this order.
        if told.fee != nil || told.stage.funds != .untouched { try DisputeStore.holdLines(of: provider, in: db) }
        guard let payment: PaymentRecord = try PaymentStore.lock(paymentID, in: db) else {
            throw Refusal.unknownPayment(paymentID)
        }
        guard try DisputeStore.isTaken(told.taken, at: provider, of: paymentID, in: db) else {
            throw Refusal.anotherCharge
        }
        noteAppeal(told, at: provider, now: now, in: db)
        let known: DisputeRecord? = try DisputeStore.lock(told.reference, at: provider, in: db)
        let told: ProviderDispute = try bookable(told, of: payment, known: known)
        let first = DisputeStanding(told)
        let moved: DisputeStanding? = known == nil ? first : known?.standing.after(first)
        if let known, moved == nil, known.status != told.stage || known.evidenceDueBy == told.evidenceDueBy {
            return known
        }
        let standing: DisputeStanding = moved ?? known?.standing ?? first
        let parts: [TakeOverReversals.Part] = try parts(
            standing, told, since: known?.openedAt ?? told.openedAt, after: known?.standing, from: provider,
            of: payment,
            in: db)
        let dispute: DisputeRecord = Self.dispute(
            told, standing, steps: parts.count + 1, of: payment, known: known, from: provider, at: now)
        try DisputeStore.save(dispute, in: db)
        try DisputeStore.noteCapture(named: told.taken, for: dispute, in: db)
        for part in parts {
            try BounceRefund.undo(part.reversal.refund, code: RefundRepeats.disputed, at: now, in: db)
        }
        try book(dispute, parts, after: known?.standing, of: payment, at: now, in: db)
        try Outbox.append(DisputeEvents.of(dispute, after: known?.standing, of: payment, at: now), in: db)
        return dispute
    }

    /// Has a person look who appeals at the provider's own pages: nothing that is stored here shows that it can be done.
    private static func noteAppeal(
        _ told: ProviderDispute, at provider: String, now: Instant, in db: borrowing PostgresTransaction
    ) {
        guard let due: Instant = told.appealDueBy, now < due else { return }
        let fault = ProviderFault.unusable("dispute \(told.reference) can be appealed there until \(due.rfc3339)")
        db.onCommit { ProviderAlarms.shared.note(fault, of: provider, on: .dispute, isSingular: true) }
    }

    /// The payment that the dispute names, or else the one whose charge or capture the provider knows by the name of
    /// what is disputed: PayPal may leave out `custom`.
    private static func findPayment(
        of told: ProviderDispute, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> PaymentID? {
        if let named: PaymentID = told.paymentID { return named }
        return try PaymentStore.attempt(known: told.taken, at: provider, in: db)?.payment
    }

    /// News as it can be booked. A bank that converts may dispute a little more than it paid
    /// (docs.stripe.com/api/disputes/object, `amount`): no more than was captured is booked, and what the provider withdraws
    /// beyond it is a case of the reconciliation.
    private static func bookable(
        _ told: ProviderDispute, of payment: PaymentRecord, known: DisputeRecord?
    ) throws(Refusal) -> ProviderDispute {
        if let known, known.paymentID != payment.id { throw .contradiction("it was about \(known.paymentID)") }
        guard told.amount.currency == payment.amount.currency, told.amount.isPositive else {
            throw .contradiction("the amount is \(told.amount)")
        }
        // What takes nothing, and had taken nothing, may be over money that others have taken.
        let takes: Bool = max(DisputeStanding(told).amountTaken, known?.standing.amountTaken ?? 0) > 0
        let others: Int64 = takes ? payment.amountDisputed - (known?.standing.amountTaken ?? 0) : 0
        let left: Int64 = payment.amountCaptured - others
        if told.amount.minor <= left { return told }
        guard left > 0, told.amount.minor - left <= left / mostBeyond else {
            throw .contradiction("more is disputed than was captured")
        }
        return told.over(Money(minor: left, currency: told.amount.currency))
    }

    /// The part of what was captured by which rates may have changed.
    private static let mostBeyond: Int64 = 4

    /// The refunds that are withdrawals of the dispute. While it was won they count where they were made during it.
    private static func parts(
        _ standing: DisputeStanding, _ told: ProviderDispute, since openedAt: Instant, after before: DisputeStanding?,
        from provider: String, of payment: PaymentRecord, in db: borrowing PostgresTransaction
    ) throws -> [TakeOverReversals.Part] {
        let withdrawn: Int64 = standing.withdrawn(after: before)
        guard withdrawn > 0 else { return [] }
        let reversals: [RefundedReversal] = try ReversalStore.refunded(of: payment.id, at: provider, in: db).filter {
            standing.amountTaken > 0 || standing.withdrew(at: $0.toldAt, since: openedAt)
        }
        return TakeOverReversals.choose(among: reversals, withdrawn: withdrawn, charge: told.taken)
    }

    /// - Parameter steps: How many entries book what is new.
    private static func dispute(
        _ told: ProviderDispute, _ standing: DisputeStanding, steps: Int, of payment: PaymentRecord,
        known: DisputeRecord?,
        from provider: String, at now: Instant
    ) -> DisputeRecord {
        // A late word may have told the fee; what else it says is of then.
        let isLate: Bool = standing.status != told.stage
        let due: Instant? = isLate ? known?.evidenceDueBy : told.evidenceDueBy
        let closedAt: Instant? = known?.status == standing.status ? known?.closedAt : now
        return DisputeRecord(
            id: known?.id ?? .new(at: now), provider: provider, reference: told.reference, paymentID: payment.id,
            customerID: payment.customerID, standing: standing, reason: isLate ? known?.reason ?? "" : told.reason,
            evidence: known?.evidence ?? DisputeEvidence(), evidenceDueBy: standing.status.takesEvidence ? due : nil,
            openedAt: known?.openedAt ?? told.openedAt, changes: (known?.changes ?? 0) + steps,
            closedAt: standing.status.isClosed ? closedAt : nil, createdAt: known?.createdAt ?? now)
    }

    private static func book(
        _ dispute: DisputeRecord, _ parts: [TakeOverReversals.Part], after before: DisputeStanding?,
        of payment: PaymentRecord, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let taken: Int64 = dispute.standing.amountTaken - (before?.amountTaken ?? 0)
        try DisputeStore.take(taken, from: payment.id, in: db)
        if taken < 0 { try RefundRepeats.resume(payment.id, in: db) }
        try DisputeStore.noteWithdrawn(dispute.standing.withdrawn(after: before), for: dispute.id, in: db)
        let number: Int = dispute.changes - parts.count
        let path: [DisputeStanding] = TakeOverReversals.path(parts, from: before, to: dispute.standing)
        var last: DisputeStanding? = before
        for (index, part) in parts.enumerated() {
            let entry: JournalEntryID = try book(
                DisputeLedger.postings(from: last, to: path[index], provider: dispute.provider),
                "\(dispute.id)/\(number + index)", of: payment.id, at: now, in: db)
            try ReversalStore.move(
                part.reversal, at: dispute.provider, to: dispute.id,
                Money(minor: part.amount, currency: dispute.standing.amount.currency), bookedAs: entry, at: now, in: db)
            last = path[index]
        }
        var postings: [Posting] = try DisputeLedger.postings(
            from: last, to: dispute.standing, provider: dispute.provider)
        if dispute.standing.fee != before?.fee {
            for fee in try DisputeStore.feesOfLines(dispute, in: db) {
                postings = try DisputeLedger.taking(over: fee, in: postings, provider: dispute.provider)
            }
        }
        guard !postings.isEmpty else { return }
        _ = try book(postings, "\(dispute.id)/\(dispute.changes)", of: payment.id, at: now, in: db)
    }

    private static func book(
        _ postings: [Posting], _ reference: String, of payment: PaymentID, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> JournalEntryID {
        let id = JournalEntryID.new(at: now)
        let entry = JournalEntry(
            id: id, kind: .dispute, reference: reference, paymentID: payment, occurredAt: now, postings: postings)
        try LedgerStore.book([entry], in: db)
        return id
    }
}

extension RecordDispute.Refusal {
    /// Has a person look: money may be withheld that is in no books, and evidence has its deadline.
    func alarm(about reference: String, at provider: String) {
        ProviderAlarms.shared.note(.unusable("dispute \(reference): \(self)"), of: provider, on: .dispute)
    }
}

extension DisputeLedger {
    /// The same entry where a settlement line has booked the fee, or some of it: that comes from the provider's fees.
    static func taking(over booked: Money, in postings: [Posting], provider: String) throws(MoneyError) -> [Posting] {
        let told: Posting? = postings.first { $0.account == fees && $0.amount.currency == booked.currency }
        guard let fee: Money = told?.amount, fee.isNegative == booked.isNegative else { return postings }
        let taken: Money = fee.minor.magnitude < booked.minor.magnitude ? fee : booked
        var lines: [Posting] = postings
        let account: String = Ledger.providerBalance(provider)
        let place: Int? = lines.firstIndex { $0.account == account && $0.amount.currency == taken.currency }
        if let place {
            lines[place] = Posting(account: account, amount: try lines[place].amount.adding(taken))
        } else {
            lines.append(Posting(account: account, amount: taken))
        }
        lines.append(Posting(account: Ledger.providerFees, amount: try taken.negated()))
        return lines.filter { !$0.amount.isZero }
    }
}

extension DisputeStanding {
    /// As far as money goes by the provider's word.
    init(_ told: ProviderDispute) {
        self.init(status: told.stage, amount: told.amount, fee: told.fee, changedAt: told.changedAt)
    }
}
