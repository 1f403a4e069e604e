import BillingCore
import SubscriptionDomain

func time(_ text: String) -> Instant {
    guard let instant = Instant(rfc3339: text) else { preconditionFailure("\(text) is not a time") }
    return instant
}

func day(_ text: String) -> Instant { time("\(text)T00:00:00Z") }

func days(_ count: Int) -> Duration { .seconds(86_400 * count) }

func zone(_ name: String) -> TimeZoneID {
    guard let zone = TimeZoneID(name) else { preconditionFailure("this machine does not know \(name)") }
    return zone
}

func usd(_ minor: Int64) -> Money { Money(minor: minor, currency: .usd) }

func plan(
    _ id: String = "basic", _ minor: Int64 = 1_000, every count: Int = 1, _ interval: BillingInterval = .month,
    trial: Int = 0, currency: Currency = .usd
) -> Plan {
    Plan(
        id: PlanID(unchecked: id), name: id, price: Money(minor: minor, currency: currency),
        rule: BillingPeriodRule(interval: interval, count: count), trialDays: trial)
}

let policy = DunningPolicy.standard
let collectable = CollectableAmounts.standard
let invoice = InvoiceID(unchecked: "inv_1")
let ownMethod = PaymentMethodID(unchecked: "pm_own")
let newMethod = PaymentMethodID(unchecked: "pm_new")
let pageMethod = PaymentMethodID(unchecked: "pm_page")
let start = time("2027-01-31T10:30:00Z")

func signUp(_ plan: Plan = plan(), zone: TimeZoneID = .utc, trial: Int? = nil, at now: Instant = start) -> Subscription
{
    .signUp(
        id: .new(at: now), customerID: .new(at: now), zone: zone, plan: plan, trialDays: trial ?? plan.trialDays,
        policy: policy, collectable: collectable, at: now)
}

extension Subscription {
    mutating func performDue(policy: DunningPolicy, at now: Instant) {
        performDue(policy: policy, collectable: collectable, at: now)
    }

    @discardableResult
    mutating func changePlanNow(to newPlan: Plan, at now: Instant) throws(PlanChangeRefusal) -> Bool {
        try changePlanNow(to: newPlan, collectable: collectable, at: now)
    }

    /// Signed up and paid.
    static func active(_ plan: Plan = SubscriptionDomainTests.plan(), at now: Instant = start) -> Subscription {
        var subscription: Subscription = SubscriptionDomainTests.signUp(plan, at: now)
        subscription.payOpen(at: now)
        _ = subscription.takeEffects()
        return subscription
    }

    mutating func payOpen(at now: Instant) {
        guard let billing = open else { return }
        paid(billing.id, invoiceID: invoice, at: now)
    }

    mutating func failOpen(
        _ decline: DeclineClass, with method: PaymentMethodID? = nil, notBefore: Instant? = nil, at now: Instant
    ) {
        guard let billing = open else { return }
        collectionFailed(
            billing.id, invoiceID: invoice, attempt: billing.attempts, as: decline, with: method,
            notBefore: notBefore, policy: policy, at: now)
    }

    /// Puts it together as it is read back once the invoice of its first attempt is known.
    mutating func learnInvoice() {
        guard let billing = open else { return }
        let known = Billing(
            id: billing.id, reason: billing.reason, amount: billing.amount, lines: billing.lines,
            period: billing.period, invoiceID: invoice, billedAt: billing.billedAt)
        self = Subscription(
            id: id, customerID: customerID, zone: zone, plan: plan, status: status, anchor: anchor, period: period,
            createdAt: createdAt, open: known, latestBillingID: known.id, nextActionAt: nextActionAt)
    }

    mutating func attemptBegun(
        _ invoiceID: InvoiceID, attempt: Int64, with method: PaymentMethodID = ownMethod, at begunAt: Instant
    ) {
        attemptBegun(invoiceID, attempt: attempt, with: method, offSession: true, at: begunAt)
    }

    /// The customer pays on the page of the invoice's link, with a method of their own.
    mutating func pageBegun(attempt: Int64, with method: PaymentMethodID = pageMethod, at begunAt: Instant) {
        attemptBegun(invoice, attempt: attempt, with: method, offSession: false, at: begunAt)
    }

    mutating func methodAttached(at attachedAt: Instant, policy: DunningPolicy, now: Instant) {
        methodAttached(newMethod, at: attachedAt, policy: policy, now: now)
    }

    /// Lets the scheduler act at the planned time.
    mutating func act() {
        guard let due = nextActionAt else { return }
        performDue(policy: policy, at: due)
    }

    var moves: [String] {
        effects.events.compactMap { event in
            if case .statusChanged(let from, let to, let reason, _, _) = event {
                return "\(from.rawValue) > \(to.rawValue): \(reason.rawValue)"
            }
            return nil
        }
    }

    var names: [String] {
        effects.events.map { event in
            switch event {
            case .created: "created"
            case .statusChanged(_, let to, _, _, _): "status \(to.rawValue)"
            case .planChanged(_, let to, let reason, _, _): "plan \(to.id) \(reason.rawValue)"
            case .billed(let billing): "billed \(billing.reason.rawValue) \(billing.amount.minor)"
            case .collectionDue(_, _, let attempt, let reason): "collect \(attempt) \(reason.rawValue)"
            case .withdrawn(_, let reason): "withdrawn \(reason.rawValue)"
            case .refundDue: "refund due"
            }
        }
    }
}
