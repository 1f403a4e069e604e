import BillingCore
import BillingEvents
import PaymentDomain
import PaymentRecords
import Postgres

/// What became of a plan's payment.
struct InstalmentOutcome: Sendable {
    let payment: PaymentID
    /// The end it has come to.
    let status: PaymentStatus
    /// In so many attempts.
    let attempts: Int
}

/// Takes outcomes of payments into the plans they belong to.
enum InstalmentOutcomes {
    /// How long a charge is left alone that nobody has judged: a person has to see to the provider first.
    private static let repairWait: Duration = .seconds(6 * 3_600)

    /// A payment of a plan, as it stands now.
    private struct Purpose {
        let payment: PaymentID
        let plan: InstalmentPlanID
        /// `nil` for a settlement.
        let instalment: InstalmentID?
        let status: PaymentStatus
        let attempts: Int
        let captured: Money
        let declineCode: String?
        /// Whether the customer has another default method, which became it after the payment's last attempt began, and not for
        /// later charges only; or since whenever, where the method of that attempt is taken off them.
        let hasNewDefault: Bool
        /// Whether the customer has led to the last attempt: they were there, or it was with another method than before.
        let isOfCustomer: Bool
        /// Whether nobody was asked in the last attempt, since its card's network does not allow it yet.
        let isForbidden: Bool
        /// Of a settlement, how it stands; `nil` for an instalment.
        let settlement: FollowUpStatus?
    }

    /// Applies outcomes in order, each told once.
    static func apply(
        _ outcomes: [InstalmentOutcome], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let purposes: [PaymentID: Purpose] = try purposes(of: outcomes.map(\.payment), in: db)
        guard !purposes.isEmpty else { return }
        let ids: Set<InstalmentPlanID> = Set(purposes.values.map(\.plan))
        var works: [InstalmentPlanID: PlanWork] = [:]
        for record in try PlanStore.lock(ids.sorted(), in: db) { works[record.id] = PlanWork(record, at: now) }
        for outcome in outcomes {
            guard let purpose: Purpose = purposes[outcome.payment], var work: PlanWork = works[purpose.plan] else {
                continue
            }
            // Otherwise another attempt has begun since; its outcome counts.
            guard outcome.status == purpose.status, outcome.attempts == purpose.attempts else { continue }
            try take(purpose, &work, at: now, in: db)
            works[purpose.plan] = work
        }
        try PlanWriter.save(works.values.sorted { $0.record.id < $1.record.id }, in: db)
    }

    private static func purposes(
        of payments: [PaymentID], in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: Purpose] {
        let found: [Purpose] = try db.query(
            """
            SELECT p.id, coalesce(i.plan_id, s.plan_id), i.id, p.status, p.attempts, p.amount_captured, p.currency,
                p.decline_code,
                m.id IS NOT NULL AND m.id IS DISTINCT FROM p.payment_method_id
                    AND ((NOT m.default_for_later AND coalesce(m.default_since, m.created_at) >= a.started_at)
                        OR n.id IS NULL),
                NOT p.off_session OR p.authenticated OR p.customer_started, a.unsent AND a.retry_at IS NOT NULL, s.status
            FROM payments p JOIN payment_attempts a ON a.id = p.attempt_id
            LEFT JOIN instalments i ON i.id = p.instalment_id
            LEFT JOIN instalment_settlements s ON s.id = p.instalment_id
            LEFT JOIN payment_methods m ON m.customer_id = p.customer_id AND m.is_default
            LEFT JOIN payment_methods n ON n.id = p.payment_method_id AND n.status = 'active'
            WHERE p.id = ANY(\(payments.map(\.rawValue))::text[]) AND p.instalment_id IS NOT NULL
            """
        ) { row in
            Purpose(
                payment: try row.next(), plan: try row.next(), instalment: try row.next(), status: try row.nextCase(),
                attempts: try row.next(), captured: Money(minor: try row.next(), currency: try row.next()),
                declineCode: try row.next(), hasNewDefault: try row.next(), isOfCustomer: try row.next(),
                isForbidden: try row.next(), settlement: (try row.next() as String?).flatMap(FollowUpStatus.init))
        }
        return Dictionary(found.map { ($0.payment, $0) }) { first, _ in first }
    }

    private static func take(
        _ purpose: Purpose, _ work: inout PlanWork, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        if work.record.awaited == purpose.payment { work.change { $0.awaited = nil } }
        guard let instalment: InstalmentID = purpose.instalment else {
            return try takeSettlement(purpose, &work, at: now, in: db)
        }
        guard let index: Int = work.record.parts.firstIndex(where: { $0.id == instalment }) else { return }
        switch purpose.status {
        case .succeeded: try paid(purpose.captured, index, purpose, &work, at: now, in: db)
        case .failed:
            if work.record.status == .pending {
                try InstalmentPayments.fail(&work, with: purpose.payment, at: now, in: db)
            } else {
                let decline = Decline(code: purpose.declineCode ?? Decline.genericDecline.code)
                try failed(decline, index, purpose, &work, at: now, in: db)
            }
        case .canceled:
            if work.record.status == .pending {
                return try InstalmentPayments.endUnbegun(&work, as: .failed, at: now, in: db)
            }
            work.change { $0.parts[index].nextAttempt = nil }
        case .requiresConfirmation, .created, .processing, .requiresAction, .authorized, .canceling: break
        }
    }

    /// What comes in beyond what is owed goes back: a customer may confirm a payment whose plan was ended meanwhile.
    private static func paid(
        _ amount: Money, _ index: Int, _ purpose: Purpose, _ work: inout PlanWork, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        if work.record.status == .pending { try work.activate() }
        let part: Instalment = work.record.plan.instalments[index]
        let owed: Money = try part.owed().adding(part.lost())
        let taken: Money = owed.minor < amount.minor ? owed : amount
        let day: CivilDate = work.record.plan.day
        if taken.isPositive {
            try work.apply(.paid(number: part.number, amount: taken, on: day), payment: purpose.payment)
        }
        try giveBack(try amount.subtracting(taken), purpose, &work, at: now, in: db)
        // A payment takes money once: of one that only a part was captured of nothing more can be asked.
        work.change { $0.parts[index].nextAttempt = nil }
        // A late fee that came while the money was under way is not asked for: nothing is left to ask with.
        let after: Instalment = work.record.plan.instalments[index]
        if after.status == .late, try after.owed().minor <= after.lateFee.minor {
            try work.apply(.lateFeeWaived(number: part.number, on: day), payment: purpose.payment)
        }
    }

    private static func giveBack(
        _ rest: Money, _ purpose: Purpose, _ work: inout PlanWork, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard rest.isPositive else { return }
        work.change { $0.overpaid += rest.minor }
        try InstalmentPayments.giveBack(rest.minor, of: purpose.payment, at: now, in: db)
    }

    /// It is tried again as the terms say, and not before the card's network allows it; one that no provider has judged is
    /// tried again soon, before another day counts. One whose part was closed meanwhile is given up: nothing is left to ask
    /// for.
    private static func failed(
        _ decline: Decline, _ index: Int, _ purpose: Purpose, _ work: inout PlanWork, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let part: Instalment = work.record.plan.instalments[index]
        guard part.status.isOpen || part.status == .defaulted else {
            _ = try InstalmentPayments.giveUp([purpose.payment], reason: "plan_ended", at: now, in: db)
            return
        }
        guard work.record.status.isRunning, part.status.isOpen else { return }
        let isJudged: Bool = InstalmentDunning.isJudged(decline)
        guard purpose.hasNewDefault || isJudged else {
            return work.standStill(for: index, until: now.adding(repairWait))
        }
        if isJudged {
            try work.apply(.declined(number: part.number, judgedOn: CivilDate(of: now), on: work.record.plan.day))
        }
        let day: CivilDate = work.record.dayOfCustomer(at: now)
        let next: CivilDate? = work.record.dunning.nextAttempt(
            after: decline, isForbidden: purpose.isForbidden, due: part.due,
            on: purpose.isOfCustomer ? day : work.record.plan.day)
        work.change { record in
            record.parts[index].nextAttempt = next
            if purpose.hasNewDefault {
                record.methodID = nil
                record.parts[index].nextAttempt = day
                record.parts[index].notBefore = nil
            }
        }
    }

    private static func takeSettlement(
        _ purpose: Purpose, _ work: inout PlanWork, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard let settlement: SettlementRecord = work.record.settlement, settlement.status == .processing,
            settlement.payment?.id == purpose.payment
        else {
            // Money for a settlement that had been given up: the plan went on without it.
            guard purpose.status == .succeeded, purpose.settlement == .failed else { return }
            return try giveBack(purpose.captured, purpose, &work, at: now, in: db)
        }
        guard purpose.status == .succeeded else {
            try PlanWriter.end(settlement.id, .failed, in: db)
            _ = try InstalmentPayments.giveUp([purpose.payment], reason: "settlement_failed", at: now, in: db)
            return
        }
        let failed: [PaymentID] = work.record.failedPayments
        let day: CivilDate = work.record.plan.day
        // Less than was asked for, where the customer confirmed an instalment meanwhile.
        let owed: Settlement = try work.record.plan.settlement(on: day)
        let rounding: Money = owed.amount.minor < settlement.rounding.minor ? owed.amount : settlement.rounding
        let amount: Money = try owed.amount.subtracting(rounding)
        // Only a part was captured, at the provider's own pages: it pays nothing off.
        guard purpose.captured.minor >= amount.minor else {
            try PlanWriter.end(settlement.id, .failed, in: db)
            return try giveBack(purpose.captured, purpose, &work, at: now, in: db)
        }
        if owed.amount.isPositive {
            try work.apply(.settled(amount: amount, rounding: rounding, on: day), payment: purpose.payment)
        }
        try giveBack(try purpose.captured.subtracting(amount), purpose, &work, at: now, in: db)
        try PlanWriter.end(settlement.id, .succeeded, in: db)
        _ = try InstalmentPayments.giveUp(failed, reason: "plan_settled", at: now, in: db)
        guard work.record.status == .settled else { return }
        work.tell(
            InstalmentPlanSettledV1(
                planID: work.record.id, customerID: work.record.customerID, paymentID: purpose.payment,
                amount: amount, rebate: owed.rebate.minor + rounding.minor, settledAt: now))
    }
}
