import BillingCore
import BillingEvents
import Messaging
import PaymentDomain
import PaymentRecords

/// A plan whose row is locked, with what its steps book and tell until they are stored together.
struct PlanWork {
    private(set) var record: PlanRecord
    private(set) var entries: [JournalEntry] = []
    private(set) var events: [OutboxEvent] = []
    let now: Instant

    init(_ record: PlanRecord, at now: Instant) {
        self.record = record
        self.now = now
    }

    /// Changes what the domain knows nothing of: what is waited for, and when it is tried again.
    mutating func change(_ body: (inout PlanRecord) -> Void) {
        body(&record)
        if record.awaited == nil { record.nextStepAt = record.nextStep?.from }
    }

    /// Has a part tried again at a moment, and on the day that the plan has counted to: no other day counts before. What
    /// is waited for goes first.
    mutating func standStill(for index: Int, until moment: Instant) {
        change { $0.parts[index].nextAttempt = $0.plan.day }
        if record.awaited == nil { record.nextStepAt = moment }
    }

    /// The plan begins: its schedule is booked.
    mutating func activate() throws {
        let (plan, booked) = try InstalmentPlan.open(record.plan.offer)
        record.plan = plan
        record.status = PlanStatus(plan.status)
        book(booked, nil)
        for (index, part) in plan.instalments.enumerated() where part.status == .due {
            record.parts[index].nextAttempt = part.due
        }
        let offer: InstalmentOffer = plan.offer
        tell(
            InstalmentPlanActivatedV1(
                planID: record.id, customerID: record.customerID, terms: record.termsName, amount: offer.purchase,
                totalPayable: offer.totalPayable.minor, instalments: Int64(offer.terms.count.rawValue),
                activatedAt: now))
        change { _ in }
    }

    /// Takes a step of the domain's.
    /// - Throws: `InstalmentError` when it is refused; nothing has changed then.
    mutating func apply(_ event: InstalmentEvent, payment: PaymentID? = nil) throws {
        let before: PlanRecord = record
        let booked: [InstalmentEntry] = try record.plan.apply(event)
        book(booked, payment)
        for index in record.parts.indices {
            let (old, new) = (before.plan.instalments[index], record.plan.instalments[index])
            guard old.status != new.status else { continue }
            if !new.status.isOpen { record.parts[index].nextAttempt = nil }
            if old.status == .scheduled, new.status.isOpen { record.parts[index].nextAttempt = new.due }
            if new.status == .late { try tellLate(new) }
            if new.status == .paid, let payment { try tellPaid(new, payment) }
        }
        // One that is taken back is canceled, also where some of it was paid.
        if case .canceled = event { record.status = .canceled } else { record.status = PlanStatus(record.plan.status) }
        if record.status != before.status { try tellEnd(of: before.plan) }
        change { _ in }
    }

    /// Ends a plan that never began, of which nothing is booked.
    mutating func end(_ status: PlanStatus) throws {
        _ = try record.plan.apply(.canceled(on: record.plan.day))
        for index in record.parts.indices { record.parts[index].nextAttempt = nil }
        endAs(status)
        let purchase: Money = record.plan.offer.purchase
        if status == .failed {
            tell(
                InstalmentPlanFailedV1(
                    planID: record.id, customerID: record.customerID, amount: purchase, failedAt: now))
        } else {
            tell(
                InstalmentPlanCanceledV1(
                    planID: record.id, customerID: record.customerID, amount: purchase, canceledAt: now))
        }
    }

    private mutating func endAs(_ status: PlanStatus) {
        record.status = status
        change { $0.awaited = nil }
    }

    mutating func tell<Body: EventBody>(_ body: Body) {
        events.append(OutboxEvent(body, key: record.key, at: now))
    }

    private mutating func tellLate(_ part: Instalment) throws {
        tell(
            InstalmentPlanInstalmentLateV1(
                planID: record.id, customerID: record.customerID, number: Int64(part.number), dueOn: part.due,
                amount: try part.owed(), lateFee: part.lateFee.minor, lateAt: now))
    }

    private mutating func tellPaid(_ part: Instalment, _ payment: PaymentID) throws {
        tell(
            InstalmentPlanInstalmentPaidV1(
                planID: record.id, customerID: record.customerID, number: Int64(part.number), paymentID: payment,
                amount: part.paid, owed: try record.plan.owed().minor, paidAt: now))
    }

    /// - Parameter before: The plan before its last step.
    private mutating func tellEnd(of before: InstalmentPlan) throws {
        switch record.status {
        case .completed:
            tell(
                InstalmentPlanCompletedV1(
                    planID: record.id, customerID: record.customerID, amount: try record.paid(), completedAt: now))
        case .defaulted:
            tell(
                InstalmentPlanDefaultedV1(
                    planID: record.id, customerID: record.customerID, amount: try record.plan.lost(),
                    defaultedAt: now))
        case .canceled:
            tell(
                InstalmentPlanCanceledV1(
                    planID: record.id, customerID: record.customerID, amount: try before.openPrincipal(),
                    canceledAt: now))
        case .pending, .active, .late, .settled, .failed: break
        }
    }

    private mutating func book(_ booked: [InstalmentEntry], _ payment: PaymentID?) {
        for entry in booked {
            record.entries += 1
            entries.append(
                JournalEntry(
                    id: JournalEntryID.new(at: now), kind: JournalEntry.Kind(entry.reason),
                    reference: "\(record.id)/\(record.entries)", paymentID: payment, occurredAt: now,
                    postings: entry.postings))
        }
    }
}

extension JournalEntry.Kind {
    /// The kind of an entry of a plan.
    init(_ reason: InstalmentEntry.Reason) {
        self =
            switch reason {
            case .opened: .instalmentOpened
            case .earned: .instalmentEarned
            case .paid: .instalmentPaid
            case .lateFee: .instalmentLateFee
            case .lateFeeWaived: .instalmentLateFeeWaived
            case .settledEarly: .instalmentSettledEarly
            case .refunded: .instalmentRefunded
            case .writtenOff: .instalmentWrittenOff
            case .recovered: .instalmentRecovered
            case .canceled: .instalmentCanceled
            }
    }
}
