import BillingCore
import BillingEvents
import Messaging
import PaymentDomain
import PaymentRecords
import Postgres

/// What plans do with their payments. An instalment has one payment for ever; each try at it is an attempt.
///
/// A plan's row is locked before its payments' rows, never after.
enum InstalmentPayments {
    /// A part of a plan that is to be charged now.
    struct Wanted {
        /// Position in the works.
        let work: Int
        /// Position in the plan.
        let part: Int
    }

    /// Begins the first or another attempt at instalments; their plans wait for the outcome from now on. One that is
    /// under way already is waited for; one whose payment was given up, or that nothing can be charged for, is not
    /// tried again by itself. A plan whose method is gone goes by the customer's default from now on.
    static func charge(
        _ wanted: [Wanted], in works: inout [PlanWork], at now: Instant, _ db: borrowing PostgresTransaction
    ) throws {
        guard !wanted.isEmpty else { return }
        try amend(wanted.map { works[$0.work].record }, in: db)
        let methods: [ChargeableMethod?] = try PlanMethods.resolve(wanted.map { works[$0.work].record }, in: db)
        let standing: [PaymentID: PaymentRecord] = try lock(
            wanted.compactMap { works[$0.work].record.parts[$0.part].payment?.id }, in: db)
        var fresh: [NewPayment] = []
        var attempts: [NextAttempt] = []
        for (want, method) in zip(wanted, methods) {
            works[want.work].change { record in
                record.parts[want.part].nextAttempt = nil
                if let named = record.methodID, let method, method.id != named { record.methodID = nil }
            }
            let record: PlanRecord = works[want.work].record
            guard let known: PaymentID = record.parts[want.part].payment?.id, let payment = standing[known] else {
                let new: NewPayment = try payment(for: record, want.part, method, at: now)
                fresh.append(new)
                works[want.work].change { $0.wait(for: new.id) }
                continue
            }
            if payment.status.after(.retry) != nil, let method {
                attempts.append(
                    NextAttempt(
                        payment: payment, attemptID: AttemptID.new(at: now), method: method, authenticated: false,
                        offSession: true, customerStarted: method.id != payment.paymentMethodID))
            } else if payment.status == .failed || payment.status == .canceled {
                continue
            }
            works[want.work].change { $0.wait(for: payment.id) }
        }
        _ = try PaymentStore.insert(fresh, in: db)
        try PaymentStore.beginAttempts(attempts, at: now, in: db)
        try Outbox.append(
            fresh.map { PaymentEvents.created($0) ?? PaymentEvents.failedAtOnce($0) }
                + attempts.map { PaymentEvents.created($0, at: now) }, in: db)
    }

    private static func payment(
        for record: PlanRecord, _ part: Int, _ method: ChargeableMethod?, at now: Instant
    ) throws -> NewPayment {
        let instalment: Instalment = record.plan.instalments[part]
        return NewPayment(
            id: PaymentID.new(at: now), attemptID: AttemptID.new(at: now), customerID: record.customerID,
            method: method, amount: try instalment.owed(), instalmentID: record.parts[part].id,
            description: record.describe(instalment.number), offSession: true, createdAt: now)
    }

    /// A payment the customer is there for: the first one of a plan, or a settlement.
    static func begin(
        _ id: PaymentID, for instalment: InstalmentID, of record: PlanRecord, _ amount: Money, described: String,
        with method: ChargeableMethod, keepsMethod: Bool = false, returnURL: String? = nil, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let payment = NewPayment(
            id: id, attemptID: AttemptID.new(at: now), customerID: record.customerID, method: method, amount: amount,
            instalmentID: instalment, description: described, offSession: false, keepsMethod: keepsMethod,
            returnURL: returnURL, createdAt: now)
        _ = try PaymentStore.insert([payment], in: db)
        try Outbox.append([PaymentEvents.created(payment)].compactMap(\.self), in: db)
    }

    /// What is asked for follows what is owed, late fees included, wherever the last attempt failed: a further one, or
    /// the customer's confirmation, then takes all of it. Attempts keep what they asked for: its money may still come.
    static func amend(_ plans: [PlanRecord], in db: borrowing PostgresTransaction) throws {
        var ids: [String] = []
        var amounts: [Int64] = []
        for plan in plans where plan.status.isRunning || plan.status == .defaulted {
            for (part, instalment) in zip(plan.parts, plan.plan.instalments) {
                guard let payment = part.payment, payment.status == .failed else { continue }
                let asked: Money = try instalment.owed().adding(instalment.lost())
                guard asked.isPositive else { continue }
                ids.append(payment.id.rawValue)
                amounts.append(asked.minor)
            }
        }
        guard !ids.isEmpty else { return }
        try db.enqueue(
            """
            WITH changed AS (
                SELECT p.id, p.amount AS asked, n.amount
                FROM payments p JOIN unnest(\(ids)::text[], \(amounts)::bigint[]) AS n(id, amount) ON n.id = p.id
                WHERE p.status = 'failed' AND p.amount <> n.amount ORDER BY p.id FOR UPDATE OF p),
            kept AS (
                UPDATE payment_attempts a SET amount = c.asked FROM changed c
                WHERE a.payment_id = c.id AND a.amount IS NULL)
            UPDATE payments p SET amount = c.amount FROM changed c WHERE p.id = c.id
            """)
    }

    /// Ends a plan whose first payment was declined: that is given up.
    static func fail(
        _ work: inout PlanWork, with payment: PaymentID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        _ = try giveUp([payment], reason: "plan_failed", at: now, in: db)
        try endUnbegun(&work, as: .failed, at: now, in: db)
    }

    /// Ends a plan that never began and whose first payment has ended: nothing is booked, and a card that was to be kept for
    /// the plan is not.
    static func endUnbegun(
        _ work: inout PlanWork, as status: PlanStatus, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        if let method: PaymentMethodID = work.record.methodID {
            try PaymentMethodStore.letGo(method, at: now, in: db)
        }
        try work.end(status)
    }

    /// Gives payments up that have not moved money; what a provider holds, or waits for, it is to release first.
    /// - Returns: Those that are under way, whose outcome is to come: a release may find that the customer has paid.
    static func giveUp(
        _ ids: [PaymentID], reason: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        let payments: [PaymentRecord] = try lock(ids, in: db).values.sorted { $0.id < $1.id }
        try PaymentStore.release(payments.filter(\.canBeReleased), in: db)
        let ended: [PaymentRecord] = payments.filter(\.canBeGivenUp)
        if !ended.isEmpty {
            try PaymentStore.cancel(ended, at: now, in: db)
            try Outbox.append(ended.map { PaymentEvents.canceled($0, reason: reason, at: now) }, in: db)
        }
        return payments.filter { !$0.canBeGivenUp && $0.status != .succeeded && $0.status != .canceled }
    }

    /// Gives back what came in beyond what is owed, as far as no dispute holds it: stores the refunds, which the
    /// service's sweep carries out.
    static func giveBack(
        _ amount: Int64, of id: PaymentID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db) else { return }
        _ = try RefundStore.reserveRest(
            of: payment, atMost: amount, reason: OwnRefund.ofOverpaidPlan, at: now, in: db)
    }

    private static func lock(
        _ ids: [PaymentID], in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: PaymentRecord] {
        guard !ids.isEmpty else { return [:] }
        let found: [PaymentRecord] = try db.query(
            """
            SELECT \(PaymentRecord.columns) FROM payments p
            WHERE p.id = ANY(\(ids.map(\.rawValue))::text[]) ORDER BY p.id FOR UPDATE
            """, as: PaymentRecord.self)
        return Dictionary(found.map { ($0.id, $0) }) { first, _ in first }
    }
}

extension PlanRecord {
    /// The outcome of a payment comes next.
    mutating func wait(for payment: PaymentID) {
        awaited = payment
        nextStepAt = nil
    }

    /// What the customer's statement says of a part.
    func describe(_ number: Int) -> String {
        number == 0 ? "Down payment" : "Instalment \(number) of \(plan.offer.terms.count.rawValue)"
    }

    /// The first instalment's payment that has an outcome to come, whoever began its last attempt; `nil` for none.
    var paymentUnderWay: PaymentID? {
        parts.compactMap(\.payment).first { payment in
            switch payment.status {
            case .requiresConfirmation, .created, .processing, .requiresAction, .authorized, .canceling: true
            case .succeeded, .failed, .canceled: false
            }
        }?.id
    }

    /// Its payments whose last attempt failed.
    var failedPayments: [PaymentID] {
        parts.compactMap { $0.payment.flatMap { $0.status == .failed ? $0.id : nil } }
    }

    /// Those of them that have nothing left to ask for.
    var failedPaymentsOfClosedParts: [PaymentID] {
        zip(parts, plan.instalments).compactMap { part, instalment in
            guard !instalment.status.isOpen, instalment.status != .defaulted, part.payment?.status == .failed else {
                return nil
            }
            return part.payment?.id
        }
    }
}
