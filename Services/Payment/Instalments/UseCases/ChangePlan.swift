package import BillingCore
package import HTTPKit
package import PaymentContract
import PaymentDomain
import PaymentRecords
package import Postgres

/// What a caller does to a plan: pay it off, take a part of the purchase back, or all that is open of it.
package struct ChangePlan: Sendable {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(InstalmentPlanID)
        case notPossible(PlanStatus)
        /// A payment of the plan is under way, or about to be.
        case underWay(PlanStatus)
        case noPaymentMethod
        case unknownPaymentMethod
        case tooMuch(open: Int64)
        /// The provider of the method cannot charge the settlement.
        case unsupported(ProviderCapabilities.Obstacle)
        /// It would leave a part that the provider of the plan's method never charges, or ask for such an amount.
        case uncollectable(UncollectablePart)
    }

    private let settings: InstalmentSettings
    private let providers: PaymentProviders

    /// Goes by the settings.
    /// - Parameter providers: Say what they can do, and which amounts they never charge.
    package init(settings: InstalmentSettings, providers: PaymentProviders) {
        self.settings = settings
        self.providers = providers
    }

    /// `POST /v1/instalment_plans/{id}/settle`: one payment for all that is left, less the charge not yet earned; of a plan
    /// in default, for what was written off. Last digits that the provider does not take are given up. The plan stands still
    /// until its outcome is known.
    package func settle(
        _ id: InstalmentPlanID, with method: PaymentMethodID?, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PlanRecord {
        var work: PlanWork = try Self.lock(id, at: now, in: db)
        guard work.record.status.isRunning || work.record.status == .defaulted else {
            throw Failure.notPossible(work.record.status)
        }
        try Self.count(&work, at: now)
        let chargeable: ChargeableMethod = try Self.method(method, of: work.record, in: db)
        let owed: Settlement = try work.record.plan.settlement(on: work.record.plan.day)
        let rounding: Money = SettlementRounding.of(owed.amount, at: chargeable.provider, of: providers)
        let settlement = SettlementRecord(
            id: InstalmentID.new(at: now), amount: try owed.amount.subtracting(rounding),
            rebate: try owed.rebate.adding(rounding), rounding: rounding, status: .processing, payment: nil)
        try check(settlement, of: work.record.customerID, with: chargeable, in: db)
        try PlanWriter.insert(settlement, of: id, at: now, in: db)
        let payment = PaymentID.new(at: now)
        let end: Instant = now.adding(.seconds(settings.actionHours * 3_600))
        work.change {
            $0.wait(for: payment)
            $0.nextStepAt = end
        }
        try PlanWriter.save([work], in: db)
        try InstalmentPayments.begin(
            payment, for: settlement.id, of: work.record, settlement.amount,
            described: "Settlement of an instalment plan", with: chargeable, at: now, in: db)
        return try Self.reread(id, in: db)
    }

    /// `POST /v1/instalment_plans/{id}/cancel`: nothing more is asked for. What was paid is given back by refunds of its
    /// payments. A plan whose first payment is not done never begins.
    package func cancel(
        _ id: InstalmentPlanID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PlanRecord {
        var work: PlanWork = try Self.lock(id, at: now, in: db)
        let status: PlanStatus = work.record.status
        if status == .canceled { return work.record }
        guard status.isRunning || status == .pending else { throw Failure.notPossible(status) }
        let open: [PaymentID] =
            status == .pending ? [work.record.awaited].compactMap(\.self) : work.record.failedPayments
        if status.isRunning { try Self.count(&work, at: now) }
        let underWay: [PaymentRecord] = try InstalmentPayments.giveUp(
            open, reason: "plan_canceled", at: now, in: db)
        guard underWay.isEmpty else { throw Failure.underWay(status) }
        if status == .pending {
            // A first payment that has succeeded a moment ago cannot be given up: its plan is about to begin.
            for payment in open where try PaymentStore.find(payment, in: db)?.status == .succeeded {
                throw Failure.underWay(status)
            }
            try InstalmentPayments.endUnbegun(&work, as: .canceled, at: now, in: db)
        } else {
            try work.apply(.canceled(on: work.record.plan.day))
        }
        try PlanWriter.save([work], in: db)
        return try Self.reread(id, in: db)
    }

    /// `POST /v1/instalment_plans/{id}/reduce`: a part of the purchase was taken back before it was paid. The plan
    /// shrinks from its last instalment on, and the charge with it.
    package func reduce(
        _ id: InstalmentPlanID, by minor: Int64, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PlanRecord {
        var work: PlanWork = try Self.lock(id, at: now, in: db)
        guard work.record.status.isRunning else { throw Failure.notPossible(work.record.status) }
        try Self.count(&work, at: now)
        let before: [Instalment] = work.record.plan.instalments
        let amount = Money(minor: minor, currency: work.record.plan.offer.purchase.currency)
        do { try work.apply(.refunded(amount: amount, on: work.record.plan.day)) } catch InstalmentError.refundTooLarge(
            let open)
        { throw Failure.tooMuch(open: open.minor) }
        try check(work.record, changedFrom: before, in: db)
        _ = try InstalmentPayments.giveUp(
            work.record.failedPaymentsOfClosedParts, reason: "plan_reduced", at: now, in: db)
        try PlanWriter.save([work], in: db)
        return try Self.reread(id, in: db)
    }

    private static func lock(
        _ id: InstalmentPlanID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PlanWork {
        guard let record: PlanRecord = try PlanStore.lock([id], in: db).first else { throw Failure.notFound(id) }
        return PlanWork(record, at: now)
    }

    /// What pays a plan off: the method that the caller names, or the plan's.
    private static func method(
        _ named: PaymentMethodID?, of record: PlanRecord, in db: borrowing PostgresTransaction
    ) throws -> ChargeableMethod {
        guard let named else {
            guard let own: ChargeableMethod = try PlanMethods.resolve([record], in: db)[0] else {
                throw Failure.noPaymentMethod
            }
            return own
        }
        let resolved: ResolvedMethod? = try PaymentMethodStore.resolve([(record.customerID, named)], in: db).first
        guard let method: ChargeableMethod = resolved?.method else { throw Failure.unknownPaymentMethod }
        return method
    }

    /// A settlement is one that the provider of the method charges; its customer is there.
    private func check(
        _ settlement: SettlementRecord, of customer: CustomerID, with method: ChargeableMethod,
        in db: borrowing PostgresTransaction
    ) throws {
        let obstacle: PlanObstacle? = try PlanObstacle.first(
            among: [(number: nil, amount: settlement.amount)], of: customer, with: method, offSession: false,
            at: providers, in: db)
        switch obstacle {
        case .unsupported(let obstacle)?: throw Failure.unsupported(obstacle)
        case .uncollectable(let part)?: throw Failure.uncollectable(part)
        case nil: break
        }
    }

    /// Brings a plan to today, where nothing is under way and nothing waits to be done first. One that stands still
    /// changes on the day that it has counted to.
    private static func count(_ work: inout PlanWork, at now: Instant) throws {
        let record: PlanRecord = work.record
        let isDue: Bool = record.nextStepAt.map { $0 <= now } ?? false
        guard record.awaited == nil, record.paymentUnderWay == nil, !isDue else {
            throw Failure.underWay(record.status)
        }
        guard !work.record.standsStill else { return }
        try work.apply(.day(max(CivilDate(of: now), work.record.plan.day)))
    }

    /// Every open part that has become another amount is one that the provider of the plan's method takes.
    private func check(
        _ record: PlanRecord, changedFrom before: [Instalment], in db: borrowing PostgresTransaction
    ) throws {
        guard let method: ChargeableMethod = try PlanMethods.resolve([record], in: db)[0] else { return }
        var changed: [(number: Int?, amount: Money)] = []
        for (old, new) in zip(before, record.plan.instalments) where new.status.isOpen {
            let (was, owed): (Money, Money) = (try old.owed(), try new.owed())
            if owed != was { changed.append((number: new.number, amount: owed)) }
        }
        if let part = UncollectablePart.first(among: changed, at: method.provider, of: providers) {
            throw Failure.uncollectable(part)
        }
    }

    private static func reread(
        _ id: InstalmentPlanID, in db: borrowing PostgresTransaction
    ) throws -> PlanRecord {
        guard let record: PlanRecord = try PlanStore.find(id, in: db) else { throw Failure.notFound(id) }
        return record
    }
}

extension ChangePlan.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("instalment plan", id.rawValue)
        case .notPossible(let status):
            .conflict("instalment_plan_state", "The plan is \(status.rawValue); this is not possible now.")
        case .underWay(let status):
            .conflict("instalment_plan_busy", "The plan is \(status.rawValue) and one of its payments is under way.")
        case .noPaymentMethod:
            .invalid("payment_method_id", code: "no_payment_method", "the customer has no default payment method")
        case .unknownPaymentMethod:
            .invalid("payment_method_id", code: "unknown_payment_method", "the customer has no such payment method")
        case .tooMuch(let open):
            .invalid("amount", code: "over_refund", "only \(open) of the purchase is still open")
        case .unsupported(let obstacle):
            .invalid("payment_method_id", code: obstacle.rawValue, obstacle.ofMethod)
        case .uncollectable(let part): part.problem
        }
    }
}
