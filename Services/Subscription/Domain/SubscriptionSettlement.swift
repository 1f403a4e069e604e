public import BillingCore

extension Subscription {
    /// The open billing's invoice is paid: the period moves on and everything is as it should be, whatever was before.
    /// - Returns: `false` when the billing is not the open one; see ``paidLate(_:invoiceID:at:)``.
    @discardableResult
    public mutating func paid(_ billingID: BillingID, invoiceID: InvoiceID, at now: Instant) -> Bool {
        guard let billing = open, billing.id == billingID else { return false }
        updateOpen { billing in
            billing.status = .paid
            billing.isCollecting = false
            billing.invoiceID = invoiceID
            billing.settledAt = now
        }
        open = nil
        if billing.reason != .upgrade { period = billing.period }
        switch status {
        case .incomplete: move(to: .active, because: .firstPayment, at: now)
        case .trialing: move(to: .active, because: .trialConverted, at: now)
        case .pastDue, .unpaid: move(to: .active, because: .paymentRecovered, at: now)
        case .active, .canceled, .incompleteExpired: break
        }
        nextActionAt = period.end
        return true
    }

    /// Money came for a billing that had been given up. While the subscription goes on it becomes credit; where it has
    /// ended, or ends with its period, no billing follows that would use it: nothing is restored, and the money is to be
    /// given back.
    public mutating func paidLate(_ withdrawn: Billing, invoiceID: InvoiceID, at now: Instant) {
        guard withdrawn.status == .withdrawn else { return }
        var billing: Billing = withdrawn
        billing.status = .paid
        billing.isPaidLate = true
        billing.invoiceID = invoiceID
        billing.settledAt = now
        billing.creditApplied = 0
        let isOver: Bool = status.isFinal || cancelsAtPeriodEnd
        billing.creditAdded = isOver ? 0 : billing.amount.minor
        credit += billing.creditAdded
        effects.billings[billing.id] = billing
        if isOver, billing.amount.isPositive { effects.events.append(.refundDue(billing.id, invoiceID)) }
    }

    /// Money behind credit, a late payment's or that of unused time, went back to the customer, by a refund or a lost dispute,
    /// who cannot have both: the balance falls by it. What was used of it is carried to the next billing.
    /// - Parameter minor: Minor units; below zero when they came back, because their refund failed or an appeal was won.
    public mutating func creditReturned(_ minor: Int64) { credit -= minor }

    /// Payment has begun an attempt to collect: asked for here, or made by the customer, who authenticates. Its outcome
    /// is awaited from here on; nothing is given up before.
    ///
    /// Attempts and their failures are told of on different topics, in no order between them: an attempt whose outcome,
    /// or whose successor, is known already is not awaited. One of an invoice that is not the open billing's, or not
    /// known yet, changes nothing.
    ///
    /// One that the customer makes with a method of their own, as on the page of an invoice's link, says nothing about the
    /// default: where dunning has begun, its failure leads back to what is planned now.
    /// - Parameters:
    ///   - attempt: Its number at Payment.
    ///   - method: The payment method it uses; that one is not new any more, unless it is the customer's own.
    ///   - offSession: Whether it is made without the customer.
    ///   - begunAt: When it began.
    public mutating func attemptBegun(
        _ invoiceID: InvoiceID, attempt: Int64, with method: PaymentMethodID, offSession: Bool, at begunAt: Instant
    ) {
        guard let billing = open, billing.invoiceID == invoiceID else { return }
        let latest: Int64 = billing.begunAttempt ?? billing.attempts
        guard attempt > latest else {
            if attempt == latest, billing.latestMethodID != method { updateOpen { $0.use(method) } }
            return
        }
        let plannedAt: Instant? = nextActionAt ?? billing.plannedAt
        updateOpen { billing in
            if !offSession, billing.isOwn(method) {
                billing.useOwn(method, in: attempt, plannedAt: plannedAt)
            } else {
                billing.use(method)
            }
            billing.begunAttempt = attempt
            billing.attempts = max(billing.attempts, attempt)
            guard !billing.isCollecting else { return }
            billing.isCollecting = true
            billing.requestedAt = max(billing.requestedAt, begunAt)
        }
        if status != .incomplete { nextActionAt = nil }
    }

    /// An attempt to collect failed, or cannot go on without the customer.
    ///
    /// Both are told on different topics, in no order between them: that an attempt waits for the customer changes nothing
    /// once its failure is known. One with the customer's own method ends the wait and changes no plan: dunning collects with
    /// another.
    /// - Parameters:
    ///   - attempt: Number of the attempt; an outcome of one that another has followed is ignored.
    ///   - method: The payment method of the attempt: that one is not new any more. None when nobody said.
    ///   - reason: ``StatusReason/paymentFailed`` or ``StatusReason/actionRequired``.
    ///   - notBefore: When the provider takes another attempt; none when it did not say.
    ///   - heardAt: The time of whoever hears of it, whose clock may be behind that of whoever asked for the attempt.
    ///     What follows is planned from the later of both, or a retry would be asked for again as long as it is behind.
    public mutating func collectionFailed(
        _ billingID: BillingID, invoiceID: InvoiceID, attempt: Int64, as declineClass: DeclineClass,
        with method: PaymentMethodID? = nil, reason: StatusReason = .paymentFailed, notBefore: Instant? = nil,
        policy: DunningPolicy, at heardAt: Instant
    ) {
        guard let billing = open, billing.id == billingID else { return }
        guard billing.isNews(of: attempt, because: reason) else {
            if billing.isBehindOwn(attempt, with: method, because: reason) {
                updateOpen { $0.lastDecline = declineClass }
            }
            return
        }
        let now: Instant = max(heardAt, billing.requestedAt)
        let hasMissedMethod: Bool = billing.hasMissedMethod(attempt, with: method, because: reason)
        let isOwn: Bool = billing.isOwn(attempt, with: method, because: reason)
        let firstFailedAt: Instant = billing.firstFailedAt ?? now
        updateOpen { billing in
            billing.invoiceID = invoiceID
            billing.attempts = max(billing.attempts, attempt)
            billing.begunAttempt = attempt
            if reason != .actionRequired { billing.failedAttempt = attempt }
            billing.isCollecting = false
            billing.firstFailedAt = firstFailedAt
            guard !isOwn else {
                billing.ownAttempt = attempt
                return
            }
            billing.lastDecline = declineClass
            if let method { billing.use(method) }
        }
        if status == .active || status == .trialing, billing.origin == nil {
            move(to: .pastDue, because: reason, at: now)
        }
        if let billing = open, billing.hasNewMethod {
            collect(.newPaymentMethod, with: billing.newMethodID, policy: policy, at: now)
            return
        }
        if hasMissedMethod {
            collect(.newPaymentMethod, policy: policy, at: now)
            return
        }
        guard status != .incomplete else {
            nextActionAt = max(now, createdAt.adding(policy.signupExpiresAfter))
            return
        }
        if isOwn {
            keepPlan(of: billing, firstFailedAt: firstFailedAt, policy: policy, at: now)
        } else {
            planNext(after: declineClass, firstFailedAt: firstFailedAt, notBefore: notBefore, policy: policy, at: now)
        }
    }

    /// The customer has a new default payment method: what is unpaid is collected with it at once, or once the attempt
    /// under way has failed. One that the latest attempt collected here used is not new: as the default again it takes the
    /// place of one that was. One that the customer's own attempt uses at this moment is tried by that; one that such an
    /// attempt has used up is collected with as any other. See ``Billing/isRecent(_:)``.
    /// - Parameter attachedAt: When it was attached, by Payment's clock.
    public mutating func methodAttached(
        _ method: PaymentMethodID, at attachedAt: Instant, policy: DunningPolicy, now: Instant
    ) {
        guard let billing = open, !status.isFinal, billing.isRecent(attachedAt) else { return }
        if method == billing.paymentMethodID {
            if billing.newMethodID != nil || billing.askedMethodID != nil { updateOpen { $0.forgetNewMethods() } }
        } else if billing.isUnderWay(method) {
            updateOpen { billing in
                billing.forgetNewMethods()
                billing.use(method)
            }
        } else if billing.isCollecting {
            updateOpen { billing in
                billing.forgetNewMethods()
                billing.newMethodID = method
            }
        } else {
            collect(.newPaymentMethod, with: method, policy: policy, at: now)
        }
    }

    /// The open billing's invoice was voided by its owner: what was not paid for ends.
    public mutating func invoiceVoided(_ billingID: BillingID, at now: Instant) {
        guard let billing = open, billing.id == billingID else { return }
        if billing.origin != nil {
            revertUpgrade(nil, at: now)
        } else {
            withdrawOpen(nil, at: now)
            move(to: .canceled, because: .invoiceVoided, at: now)
        }
    }
}

extension Subscription {
    /// Plans what follows a failed attempt. A provider's own time, or Payment's where nobody could be asked, may lead to one
    /// attempt after the last that is planned, also when `unpaid`, not to a chain of them.
    private mutating func planNext(
        after declineClass: DeclineClass, firstFailedAt: Instant, notBefore: Instant?, policy: DunningPolicy,
        at now: Instant
    ) {
        guard let billing = open else { return }
        let step: DunningPolicy.Step = policy.step(
            after: declineClass, firstFailedAt: firstFailedAt, now: now,
            notBefore: billing.hasExtraRetry ? nil : notBefore)
        if case .retry(let time) = step, policy.isBeyondPlan(time, firstFailedAt: firstFailedAt) {
            updateOpen { $0.hasExtraRetry = true }
        }
        if let origin = billing.origin {
            planUpgrade(step, origin: origin, waitsForCustomer: declineClass == .action, policy: policy, at: now)
        } else {
            plan(step, at: now)
        }
    }

    /// Goes on as it was planned before the customer's own attempt: what came due meanwhile is done at once. Where another
    /// attempt was asked for, and had to stand back, what follows is planned by how the last one collected here failed.
    private mutating func keepPlan(
        of billing: Billing, firstFailedAt: Instant, policy: DunningPolicy, at now: Instant
    ) {
        if let plannedAt = billing.plannedAt {
            nextActionAt = plannedAt
        } else if let lastDecline = billing.lastDecline {
            planNext(after: lastDecline, firstFailedAt: firstFailedAt, notBefore: nil, policy: policy, at: now)
        }
    }

    private mutating func plan(_ step: DunningPolicy.Step, at now: Instant) {
        switch step {
        case .retry(let time): nextActionAt = time
        case .waitForMethod(let endsAt): nextActionAt = endsAt
        case .exhausted(let endsAt):
            if status == .pastDue { move(to: .unpaid, because: .retriesExhausted, at: now) }
            nextActionAt = endsAt
        }
    }

    /// A change of plan is given up sooner than a renewal: what is paid for already reaches to the old period's end. A
    /// customer who has to authenticate gets as long as for a sign-up.
    private mutating func planUpgrade(
        _ step: DunningPolicy.Step, origin: UpgradeOrigin, waitsForCustomer: Bool, policy: DunningPolicy,
        at now: Instant
    ) {
        let end: Instant = origin.period.end
        if waitsForCustomer {
            nextActionAt = min(end, now.adding(policy.signupExpiresAfter))
        } else if case .retry(let time) = step, time < end {
            nextActionAt = time
        } else {
            revertUpgrade(.upgradeFailed, at: now)
        }
    }
}
