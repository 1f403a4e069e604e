public import BillingCore
public import JSON

/// A customer subscribed; the status says whether money is still awaited.
public struct SubscriptionCreatedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "subscription.created.v1"
    /// Where it is published.
    public static let topic = Topic.subscriptions

    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// The plan.
    public let planID: PlanID
    /// Price of one billing period.
    public let amount: Money
    /// day, week, month or year.
    public let interval: String
    /// Intervals in one billing period.
    public let intervalCount: Int64
    /// First status.
    public let status: String
    /// End of the trial.
    public let trialEnd: Instant?
    /// When.
    public let createdAt: Instant

    /// The whole fact.
    public init(
        subscriptionID: SubscriptionID, customerID: CustomerID, planID: PlanID, amount: Money, interval: String,
        intervalCount: Int64, status: String, trialEnd: Instant?, createdAt: Instant
    ) {
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.planID = planID
        self.amount = amount
        self.interval = interval
        self.intervalCount = intervalCount
        self.status = status
        self.trialEnd = trialEnd
        self.createdAt = createdAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        planID = f.id("plan_id", as: PlanID.self)
        amount = f.money("amount", doc: "Price of one billing period")
        interval = f.string("interval", doc: "day, week, month or year")
        intervalCount = f.int("interval_count", doc: "Intervals in one billing period")
        status = f.string("status", doc: "First status")
        trialEnd = f.optionalInstant("trial_end", doc: "End of the trial")
        createdAt = f.instant("created_at", doc: "When")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("plan_id", planID.rawValue)
        o.money("amount", amount)
        o.field("interval", interval)
        o.field("interval_count", intervalCount)
        o.field("status", status)
        o.field("trial_end", trialEnd?.rfc3339)
        o.field("created_at", createdAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            subscriptionID: .sample, customerID: .sample, planID: .sample, amount: Money(minor: 999, currency: .usd),
            interval: "month", intervalCount: 1, status: "active", trialEnd: .sample, createdAt: .sample)
    }
}

/// A subscription moved from one status to another.
public struct SubscriptionStatusChangedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "subscription.status_changed.v1"
    /// Where it is published.
    public static let topic = Topic.subscriptions

    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// The plan.
    public let planID: PlanID
    /// Price of one billing period.
    public let amount: Money
    /// day, week, month or year.
    public let interval: String
    /// Intervals in one billing period.
    public let intervalCount: Int64
    /// Status before.
    public let oldStatus: String
    /// Status from now on.
    public let newStatus: String
    /// Why, from a fixed set.
    public let reason: String
    /// Business time of the change.
    public let effectiveAt: Instant

    /// The whole fact.
    public init(
        subscriptionID: SubscriptionID, customerID: CustomerID, planID: PlanID, amount: Money, interval: String,
        intervalCount: Int64, oldStatus: String, newStatus: String, reason: String, effectiveAt: Instant
    ) {
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.planID = planID
        self.amount = amount
        self.interval = interval
        self.intervalCount = intervalCount
        self.oldStatus = oldStatus
        self.newStatus = newStatus
        self.reason = reason
        self.effectiveAt = effectiveAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        planID = f.id("plan_id", as: PlanID.self)
        amount = f.money("amount", doc: "Price of one billing period")
        interval = f.string("interval", doc: "day, week, month or year")
        intervalCount = f.int("interval_count", doc: "Intervals in one billing period")
        oldStatus = f.string("old_status", doc: "Status before")
        newStatus = f.string("new_status", doc: "Status from now on")
        reason = f.string("reason", doc: "Why, from a fixed set")
        effectiveAt = f.instant("effective_at", doc: "Business time of the change")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("plan_id", planID.rawValue)
        o.money("amount", amount)
        o.field("interval", interval)
        o.field("interval_count", intervalCount)
        o.field("old_status", oldStatus)
        o.field("new_status", newStatus)
        o.field("reason", reason)
        o.field("effective_at", effectiveAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            subscriptionID: .sample, customerID: .sample, planID: .sample, amount: Money(minor: 999, currency: .usd),
            interval: "month", intervalCount: 1, oldStatus: "trialing", newStatus: "active", reason: "cycle",
            effectiveAt: .sample)
    }
}

/// A subscription moved to another plan, or back when the payment for the change failed.
public struct SubscriptionPlanChangedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "subscription.plan_changed.v1"
    /// Where it is published.
    public static let topic = Topic.subscriptions

    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// The plan before.
    public let oldPlanID: PlanID
    /// The plan from now on.
    public let newPlanID: PlanID
    /// Price of one billing period of the new plan.
    public let amount: Money
    /// day, week, month or year.
    public let interval: String
    /// Intervals in one billing period.
    public let intervalCount: Int64
    /// Status of the subscription.
    public let status: String
    /// upgrade, period_end or reverted.
    public let reason: String
    /// Business time of the change.
    public let effectiveAt: Instant

    /// The whole fact.
    public init(
        subscriptionID: SubscriptionID, customerID: CustomerID, oldPlanID: PlanID, newPlanID: PlanID, amount: Money,
        interval: String, intervalCount: Int64, status: String, reason: String, effectiveAt: Instant
    ) {
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.oldPlanID = oldPlanID
        self.newPlanID = newPlanID
        self.amount = amount
        self.interval = interval
        self.intervalCount = intervalCount
        self.status = status
        self.reason = reason
        self.effectiveAt = effectiveAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        subscriptionID = f.id("subscription_id", as: SubscriptionID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        oldPlanID = f.id("old_plan_id", as: PlanID.self)
        newPlanID = f.id("new_plan_id", as: PlanID.self)
        amount = f.money("amount", doc: "Price of one billing period of the new plan")
        interval = f.string("interval", doc: "day, week, month or year")
        intervalCount = f.int("interval_count", doc: "Intervals in one billing period")
        status = f.string("status", doc: "Status of the subscription")
        reason = f.string("reason", doc: "upgrade, period_end or reverted")
        effectiveAt = f.instant("effective_at", doc: "Business time of the change")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("subscription_id", subscriptionID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("old_plan_id", oldPlanID.rawValue)
        o.field("new_plan_id", newPlanID.rawValue)
        o.money("amount", amount)
        o.field("interval", interval)
        o.field("interval_count", intervalCount)
        o.field("status", status)
        o.field("reason", reason)
        o.field("effective_at", effectiveAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            subscriptionID: .sample, customerID: .sample, oldPlanID: .sample, newPlanID: .sample,
            amount: Money(minor: 999, currency: .usd), interval: "month", intervalCount: 1, status: "active",
            reason: "cycle", effectiveAt: .sample)
    }
}
