public import BillingCore

/// A customer's subscription to a plan: the aggregate that decides everything that happens to it.
///
/// Its methods change it in memory and note what is to be stored and told in ``effects``. They read no clock and do no
/// I/O, so the same code serves the scheduler, the event handlers and the API, one at a time or in batches.
public struct Subscription: Hashable, Sendable {
    /// Its id.
    public let id: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// Where the customer's days are counted.
    public let zone: TimeZoneID
    /// The plan.
    public internal(set) var plan: Plan
    /// What the plan becomes at the end of the period.
    public internal(set) var pendingPlan: Plan?
    /// Where it stands.
    public internal(set) var status: SubscriptionStatus
    /// What its periods are counted from.
    public internal(set) var anchor: BillingAnchor
    /// The period that is paid for, or the trial; during a sign-up the one to be paid for.
    public internal(set) var period: BillingPeriod
    /// End of the trial.
    public let trialEnd: Instant?
    /// Whether it ends with the period.
    public internal(set) var cancelsAtPeriodEnd: Bool
    /// When it was canceled.
    public internal(set) var canceledAt: Instant?
    /// When it was made.
    public let createdAt: Instant
    /// The balance, in minor units: above zero the next billings use it up, below zero it is still owed and is added to the
    /// next one. It was too little to be asked for, or credit that was used before its money went back.
    public internal(set) var credit: Int64
    /// The billing being made or collected; there is at most one.
    public internal(set) var open: Billing?
    /// The billing made last.
    public internal(set) var latestBillingID: BillingID?
    /// When the scheduler has to look again; none while an outcome is awaited.
    public internal(set) var nextActionAt: Instant?
    /// Keys of the caller's own.
    public let metadata: [String: String]
    /// What is to be stored and told.
    public internal(set) var effects = SubscriptionEffects()

    /// Puts a stored subscription together.
    public init(
        id: SubscriptionID, customerID: CustomerID, zone: TimeZoneID, plan: Plan, pendingPlan: Plan? = nil,
        status: SubscriptionStatus, anchor: BillingAnchor, period: BillingPeriod, trialEnd: Instant? = nil,
        cancelsAtPeriodEnd: Bool = false, canceledAt: Instant? = nil, createdAt: Instant, credit: Int64 = 0,
        open: Billing? = nil, latestBillingID: BillingID? = nil, nextActionAt: Instant? = nil,
        metadata: [String: String] = [:]
    ) {
        self.id = id
        self.customerID = customerID
        self.zone = zone
        self.plan = plan
        self.pendingPlan = pendingPlan
        self.status = status
        self.anchor = anchor
        self.period = period
        self.trialEnd = trialEnd
        self.cancelsAtPeriodEnd = cancelsAtPeriodEnd
        self.canceledAt = canceledAt
        self.createdAt = createdAt
        self.credit = credit
        self.open = open
        self.latestBillingID = latestBillingID
        self.nextActionAt = nextActionAt
        self.metadata = metadata
    }

    /// Hands over what is to be stored and told, and forgets it.
    public mutating func takeEffects() -> SubscriptionEffects {
        defer { effects = SubscriptionEffects() }
        return effects
    }

    /// Whether the answer to a sign-up is known: paid, failed, waiting for the customer, or in its trial.
    public var isSignupSettled: Bool { status != .incomplete || open?.isCollecting != true }
}

extension Subscription {
    /// Moves along the table. A move that is not in the table is a programming error.
    mutating func move(to next: SubscriptionStatus, because reason: StatusReason, at time: Instant) {
        precondition(status.allows(next, because: reason), "\(status) must not become \(next) because of \(reason)")
        effects.events.append(.statusChanged(from: status, to: next, reason: reason, plan: plan, at: time))
        status = next
        if next == .canceled { canceledAt = time }
        if next.isFinal {
            nextActionAt = nil
            pendingPlan = nil
        }
    }

    /// Changes the open billing and notes it for storage.
    mutating func updateOpen(_ change: (inout Billing) -> Void) {
        guard var billing = open else { return }
        change(&billing)
        open = billing
        effects.billings[billing.id] = billing
    }

    /// Asks for another attempt to collect the open billing.
    /// - Parameter method: The new payment method it is to use, which is asked for once more when Payment had another attempt
    ///   under way; none where it is whatever is the default then.
    mutating func collect(
        _ reason: CollectionReason, with method: PaymentMethodID? = nil, policy: DunningPolicy, at now: Instant
    ) {
        guard let billing = open, let invoiceID = billing.invoiceID else { return }
        updateOpen { billing in
            billing.attempts += 1
            billing.isCollecting = true
            billing.newMethodID = nil
            billing.askedMethodID = method
            billing.plannedAt = nil
            if method != nil { billing.failedAttempt = billing.begunAttempt ?? billing.failedAttempt }
            billing.requestedAt = now
        }
        nextActionAt = status == .incomplete ? createdAt.adding(policy.signupExpiresAfter) : nil
        let attempt: Int64 = billing.attempts + 1
        effects.events.append(.collectionDue(billing.id, invoiceID, attempt: attempt, reason: reason))
    }

    /// Gives the open billing up; what it had taken from the balance or put there goes back.
    /// - Parameter reason: Told to Invoice, which voids; none when the invoice is void already.
    mutating func withdrawOpen(_ reason: WithdrawalReason?, at now: Instant) {
        guard let billing = open else { return }
        credit += billing.creditApplied - billing.creditAdded
        updateOpen { billing in
            billing.status = .withdrawn
            billing.isCollecting = false
            billing.settledAt = now
        }
        open = nil
        if let reason { effects.events.append(.withdrawn(billing.id, reason: reason)) }
    }
}
