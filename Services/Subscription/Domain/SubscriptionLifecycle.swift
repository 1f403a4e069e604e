public import BillingCore

extension Subscription {
    /// Subscribes a customer. Without a trial the first period is billed at once and the status is `incomplete`.
    /// - Parameters:
    ///   - trialDays: Free days; counted on the customer's calendar, ending at the same local time of day.
    ///   - collectable: What is due beyond what can be collected is carried to the next billing.
    ///   - now: Business time.
    public static func signUp(
        id: SubscriptionID, customerID: CustomerID, zone: TimeZoneID, plan: Plan, trialDays: Int,
        metadata: [String: String] = [:], policy: DunningPolicy, collectable: CollectableAmounts, at now: Instant
    ) -> Subscription {
        let start = Instant(seconds: now.seconds)
        let today = BillingAnchor(at: start, in: zone)
        if trialDays > 0 {
            let anchor = BillingAnchor(date: today.date.adding(days: trialDays), secondsOfDay: today.secondsOfDay)
            let trialEnd: Instant = zone.instant(of: anchor.date, secondsOfDay: anchor.secondsOfDay)
            var trial = Subscription(
                id: id, customerID: customerID, zone: zone, plan: plan, status: .trialing, anchor: anchor,
                period: BillingPeriod(index: -1, start: start, end: trialEnd), trialEnd: trialEnd, createdAt: now,
                nextActionAt: trialEnd, metadata: metadata)
            trial.effects.events.append(.created)
            return trial
        }
        let period: BillingPeriod = .first(from: start, of: today.calendar(plan.rule, in: zone))
        var paid = Subscription(
            id: id, customerID: customerID, zone: zone, plan: plan, status: .incomplete, anchor: today, period: period,
            createdAt: now, metadata: metadata)
        paid.effects.events.append(.created)
        paid.bill(period, because: .signup, collectable: collectable, at: now)
        paid.nextActionAt = now.adding(policy.signupExpiresAfter)
        return paid
    }

    /// Does what is due: bills the next period, retries, gives up, ends. Does nothing when nothing is due.
    /// - Parameter collectable: What is due beyond what can be collected is carried to the next billing.
    public mutating func performDue(policy: DunningPolicy, collectable: CollectableAmounts, at now: Instant) {
        guard let due = nextActionAt, due <= now, !status.isFinal else { return }
        if status == .incomplete, open?.isCollecting == true {
            // A bank may take days over a debit. What becomes of it decides, and sets the time again if it fails.
            nextActionAt = nil
        } else if status == .incomplete {
            withdrawOpen(.signupExpired, at: now)
            move(to: .incompleteExpired, because: .signupExpired, at: now)
        } else if let billing = open {
            continueDunning(of: billing, policy: policy, at: now)
        } else if cancelsAtPeriodEnd {
            move(to: .canceled, because: .periodEnded, at: period.end)
        } else {
            renew(collectable: collectable, at: now)
        }
    }

    /// Ends it now. An unpaid billing is given up; time already paid for is not paid back.
    /// - Returns: `false` when it had ended before.
    @discardableResult
    public mutating func cancelNow(at now: Instant) -> Bool {
        guard !status.isFinal else { return false }
        withdrawOpen(.canceled, at: now)
        cancelsAtPeriodEnd = false
        move(to: .canceled, because: .cancelRequested, at: now)
        return true
    }

    /// Ends it when the period that is paid for ends; a sign-up that is not paid yet ends at once.
    /// - Returns: `false` when it had ended before.
    @discardableResult
    public mutating func cancelAtPeriodEnd(at now: Instant) -> Bool {
        guard !status.isFinal else { return false }
        guard status != .incomplete else { return cancelNow(at: now) }
        cancelsAtPeriodEnd = true
        return true
    }

    /// Takes back an end that is planned, so that it is renewed after all; where none is planned nothing changes.
    /// - Returns: `false` when it had ended before.
    @discardableResult
    public mutating func takeBackPlannedEnd() -> Bool {
        guard !status.isFinal else { return false }
        cancelsAtPeriodEnd = false
        return true
    }
}

extension Subscription {
    /// Bills the period after the current one. Only one period is billed at a time: the next follows when this is paid.
    private mutating func renew(collectable: CollectableAmounts, at now: Instant) {
        var next: BillingPeriod = period.next(in: anchor.calendar(plan.rule, in: zone))
        if let newPlan = pendingPlan {
            if newPlan.rule != plan.rule {
                anchor = BillingAnchor(at: period.end, in: zone)
                next = .first(from: period.end, of: anchor.calendar(newPlan.rule, in: zone))
            }
            effects.events.append(
                .planChanged(from: plan, to: newPlan, reason: .periodEnd, status: status, at: period.end))
            plan = newPlan
            pendingPlan = nil
        }
        bill(next, because: status == .trialing ? .trialEnd : .cycle, collectable: collectable, at: now)
    }

    /// Opens a billing for a whole period.
    private mutating func bill(
        _ next: BillingPeriod, because reason: BillingReason, collectable: CollectableAmounts, at now: Instant
    ) {
        let line = BillingLine(
            description: plan.name, amount: plan.price.minor, periodStart: next.start, periodEnd: next.end,
            proration: false)
        openBilling(reason, of: [line], for: next, collectable: collectable, at: now)
    }

    private mutating func continueDunning(of billing: Billing, policy: DunningPolicy, at now: Instant) {
        guard !billing.isCollecting else {
            nextActionAt = nil
            return
        }
        if let origin = billing.origin {
            let retries: Bool = billing.lastDecline?.isRetried == true && now < origin.period.end
            if retries { collect(.retry, policy: policy, at: now) } else { revertUpgrade(.upgradeFailed, at: now) }
            return
        }
        let endsAt: Instant = (billing.firstFailedAt ?? billing.billedAt).adding(policy.givesUpAfter)
        if now >= endsAt {
            withdrawOpen(.dunningExhausted, at: now)
            move(to: .canceled, because: .dunningExhausted, at: now)
        } else if billing.lastDecline?.isRetried == true {
            collect(.retry, policy: policy, at: now)
        } else {
            nextActionAt = endsAt
        }
    }
}
