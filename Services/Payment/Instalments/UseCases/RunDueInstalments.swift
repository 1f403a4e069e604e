package import BillingCore
package import Logging
import PaymentDomain
import PaymentRecords
package import Postgres

/// Does one batch of what is due: instalments are charged, fall late, and plans go into default.
///
/// One transaction: lock what is due and free, decide, store, tell. Any number of instances may run it at once: a row
/// that another one holds is passed over. Whoever dies leaves nothing behind but a rolled-back transaction.
///
/// A plan counts its days one after the other and stands still while one of its payments is under way, so that an
/// outage of ours, or a leap of the test clock, makes nobody late: each day is tried before the next one is counted.
///
/// A plan that cannot take its step, or whose payment somebody holds for long, is put off, told of in the log, and holds up no
/// other.
package struct RunDueInstalments: Sendable {
    /// Plans in one transaction at most.
    package static let batchLimit = 200
    /// How long a payment that does not wait for the customer is left alone.
    private static let patience: Duration = .seconds(3_600)

    /// How long a plan is put off that could not take its step.
    private static let setback: Duration = .seconds(60)

    let logger: Logger

    /// - Parameter logger: Told what is put off.
    package init(logger: Logger) { self.logger = logger }

    /// Runs one batch.
    /// - Returns: How many plans were due; fewer than `limit` means that nothing free is left.
    package func callAsFunction(
        at now: Instant, limit: Int = RunDueInstalments.batchLimit, in db: borrowing PostgresTransaction
    ) throws -> Int {
        do {
            return try db.savepoint {
                try Self.run(PlanStore.lockDue(by: now, limit: limit, in: db), at: now, in: db)
            }
        } catch let error as PostgresError where HearNews.isWorthAll(error) { throw error } catch {
            return try oneByOne(at: now, limit: limit, in: db)
        }
    }

    private func oneByOne(at now: Instant, limit: Int, in db: borrowing PostgresTransaction) throws -> Int {
        let due: [InstalmentPlanID] = try PlanStore.lockDueIDs(by: now, limit: limit, in: db)
        for id in due {
            do {
                _ = try db.savepoint { try Self.run(PlanStore.lock([id], in: db), at: now, in: db) }
            } catch let error as PostgresError where HearNews.isWorthAll(error) { throw error } catch {
                logger.error(
                    "a plan cannot do what is due", metadata: ["plan_id": "\(id)", "error": "\(error)"])
                try PlanWriter.putOff(id, until: now.adding(Self.setback), in: db)
            }
        }
        return due.count
    }

    private static func run(
        _ plans: [PlanRecord], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Int {
        var works: [PlanWork] = plans.map { PlanWork($0, at: now) }
        var wanted: [InstalmentPayments.Wanted] = []
        for index in works.indices {
            if works[index].record.awaited != nil {
                try giveUp(&works[index], at: now, in: db)
            } else if let payment: PaymentID = works[index].record.paymentUnderWay {
                // The customer has confirmed it, or come back to it.
                works[index].change { $0.wait(for: payment) }
            } else if let part: Int = try works[index].catchUp() {
                wanted.append(InstalmentPayments.Wanted(work: index, part: part))
            }
        }
        try InstalmentPayments.charge(wanted, in: &works, at: now, db)
        try PlanWriter.save(works, in: db)
        return works.count
    }

    /// The time to finish a first payment or a settlement is over: one that waits for the customer is given up. One that
    /// is elsewhere has an outcome to come, which is left to come, and so has one that its provider has to release first.
    private static func giveUp(
        _ work: inout PlanWork, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard let id: PaymentID = work.record.awaited, let payment = try PaymentStore.lock(id, in: db),
            payment.status == .requiresAction || payment.status == .canceled
        else { return work.change { $0.nextStepAt = now.adding(patience) } }
        let underWay: [PaymentRecord] = try InstalmentPayments.giveUp(
            [id], reason: "not_finished_in_time", at: now, in: db)
        guard underWay.isEmpty else { return work.change { $0.nextStepAt = now.adding(patience) } }
        if work.record.status == .pending {
            return try InstalmentPayments.endUnbegun(&work, as: .failed, at: now, in: db)
        }
        if let settlement: SettlementRecord = work.record.settlement {
            try PlanWriter.end(settlement.id, .failed, in: db)
        }
        work.change { $0.awaited = nil }
    }
}

extension PlanWork {
    /// Counts days up to now, or to the one on which a part is to be charged.
    /// - Returns: The part to be charged, if any.
    mutating func catchUp() throws -> Int? {
        while let step = record.nextStep, step.from <= now {
            try apply(.day(step.day))
            if let part: Int = step.part { return part }
        }
        // Nothing may be due any more: what would be charged may be another method, which has to wait.
        change { _ in }
        return nil
    }
}
