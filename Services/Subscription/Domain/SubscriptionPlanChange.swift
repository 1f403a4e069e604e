public import BillingCore

/// Why a plan cannot be changed now.
public enum PlanChangeRefusal: Error, Hashable, Sendable, CaseIterable {
    /// Only an active subscription changes its plan.
    case notActive
    /// An invoice is still being collected.
    case billingOpen
    /// The period has ended and the renewal is about to be billed.
    case renewalDue
    /// The new plan's price is in another currency.
    case currencyMismatch
    /// The amounts do not fit.
    case amountTooLarge
}

extension Subscription {
    /// Moves to another plan at the end of the period. The current plan takes back an earlier such wish.
    public mutating func changePlanAtPeriodEnd(to newPlan: Plan) throws(PlanChangeRefusal) {
        try checkChange(to: newPlan)
        pendingPlan = newPlan.id == plan.id ? nil : newPlan
    }

    /// Moves to another plan at once and bills the difference.
    ///
    /// With the same billing period the unused time of the old plan is credited and the rest of the period on the new
    /// one charged. With another one a new period begins now: unused time credited, the new period charged in full.
    /// What the credit exceeds the charge by is kept and used by the next billings.
    ///
    /// The change takes the place of one that was planned for the period's end; if it is not paid, that one is planned
    /// again. An end that is planned stays planned either way.
    /// - Parameters:
    ///   - paid: What paid for the running time: unused time is credited as far as that is left. None where it is not known.
    ///   - collectable: What is due beyond what can be collected is carried to the next billing.
    /// - Returns: `false` when it is on that plan already; an earlier wish for the period's end is taken back.
    @discardableResult
    public mutating func changePlanNow(
        to newPlan: Plan, paidBy paid: PaidTime? = nil, collectable: CollectableAmounts, at now: Instant
    ) throws(PlanChangeRefusal) -> Bool {
        try checkChange(to: newPlan)
        guard period.end > now else { throw .renewalDue }
        let planned: Plan? = pendingPlan
        pendingPlan = nil
        guard newPlan.id != plan.id else { return false }
        let origin = UpgradeOrigin(plan: plan, anchor: anchor, period: period, pendingPlan: planned)
        let cut = max(Instant(seconds: now.seconds), period.start)
        var target = BillingPeriod(index: period.index, start: cut, end: period.end)
        var change: Proration.Change
        do {
            change = try Proration.change(
                from: plan.price, to: newPlan.price, at: cut, periodStart: period.start, periodEnd: period.end)
        } catch { throw .amountTooLarge }
        if newPlan.rule != plan.rule {
            anchor = BillingAnchor(at: cut, in: zone)
            target = .first(from: cut, of: anchor.calendar(newPlan.rule, in: zone))
            period = target
            change = Proration.Change(credit: change.credit, charge: newPlan.price)
        }
        let unused: UnusedTime? = paid.map { UnusedTime(worth: change.credit.minor, paid: $0) }
        if let unused {
            let credit = Money(minor: unused.credit, currency: change.credit.currency)
            change = Proration.Change(credit: credit, charge: change.charge)
        }
        effects.events.append(.planChanged(from: plan, to: newPlan, reason: .upgrade, status: status, at: now))
        plan = newPlan
        billChange(change, origin: origin, target: target, collectable: collectable, at: now)
        if let unused, let billingID = open?.id { effects.unused[billingID] = unused }
        return true
    }

    /// Goes back to what it was, and was to become, before the upgrade that is not paid.
    mutating func revertUpgrade(_ reason: WithdrawalReason?, at now: Instant) {
        guard let origin = open?.origin else { return }
        withdrawOpen(reason, at: now)
        effects.events.append(
            .planChanged(from: plan, to: origin.plan, reason: .reverted, status: status, at: now))
        plan = origin.plan
        anchor = origin.anchor
        period = origin.period
        pendingPlan = origin.pendingPlan
        nextActionAt = period.end
    }

    private func checkChange(to newPlan: Plan) throws(PlanChangeRefusal) {
        guard status == .active else { throw .notActive }
        guard open == nil else { throw .billingOpen }
        guard newPlan.price.currency == plan.price.currency else { throw .currencyMismatch }
    }

    private mutating func billChange(
        _ change: Proration.Change, origin: UpgradeOrigin, target: BillingPeriod, collectable: CollectableAmounts,
        at now: Instant
    ) {
        let isWhole: Bool = plan.rule != origin.plan.rule
        let credit = BillingLine(
            description: "Unused time on \(origin.plan.name)", amount: -change.credit.minor,
            periodStart: target.start, periodEnd: origin.period.end, proration: true)
        let charge = BillingLine(
            description: isWhole ? plan.name : "Remaining time on \(plan.name)", amount: change.charge.minor,
            periodStart: target.start, periodEnd: target.end, proration: !isWhole)
        let lines: [BillingLine] = change.credit.isPositive ? [credit, charge] : [charge]
        openBilling(.upgrade, of: lines, for: target, origin: origin, collectable: collectable, at: now)
    }
}
