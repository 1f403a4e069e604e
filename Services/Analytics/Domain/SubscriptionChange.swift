public import BillingCore

/// Where a subscription stands in its life, as its owner says.
public enum SubscriptionStatus: String, CaseIterable, Sendable {
    case incomplete
    case incompleteExpired = "incomplete_expired"
    case trialing
    case active
    case pastDue = "past_due"
    case unpaid
    case canceled

    /// Whether its price is recurring revenue: it is being paid, or collection has not been given up.
    public var earns: Bool { self == .active || self == .pastDue }
}

/// One change of a subscription, with the whole state from then on.
public struct SubscriptionChange: Hashable, Sendable {
    /// What kind of event said so.
    public enum Kind: String, CaseIterable, Sendable {
        case created, status, plan
    }

    /// How far an owner's clock may lag behind that of the one before it without the order of arrival being doubted.
    public static let skewToleranceSeconds: Int64 = 60

    /// The event's id.
    public let eventID: EventID
    /// What kind it is.
    public let kind: Kind
    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The customer.
    public let customerID: CustomerID
    /// The plan.
    public let planID: PlanID
    /// Price of one billing period.
    public let amount: Money
    /// The interval.
    public let interval: BillingInterval
    /// Intervals in one billing period.
    public let intervalCount: Int64
    /// Where it stands.
    public let status: SubscriptionStatus
    /// Business time from which this holds; it may lie before ``toldAt``, when something due was done late.
    public let effectiveAt: Instant
    /// Business time at which the owner recorded it: the order of the changes.
    public private(set) var toldAt: Instant
    /// Recurring revenue per month from then on; zero unless the status earns.
    public let monthlyValue: Money

    /// Values the change.
    /// - Throws: ``MonthlyValue/Failure`` when the price has no monthly value, whether or not it earns yet.
    public init(
        eventID: EventID, kind: Kind, subscriptionID: SubscriptionID, customerID: CustomerID, planID: PlanID,
        amount: Money, interval: BillingInterval, intervalCount: Int64, status: SubscriptionStatus,
        effectiveAt: Instant, toldAt: Instant
    ) throws(MonthlyValue.Failure) {
        let value: Money = try MonthlyValue.of(amount, every: intervalCount, interval)
        self.eventID = eventID
        self.kind = kind
        self.subscriptionID = subscriptionID
        self.customerID = customerID
        self.planID = planID
        self.amount = amount
        self.interval = interval
        self.intervalCount = intervalCount
        self.status = status
        self.effectiveAt = effectiveAt
        self.toldAt = toldAt
        monthlyValue = status.earns ? value : .zero(amount.currency)
    }

    /// Settles when changes that arrived in this order were told, so that sorting by it (ties by arrival) gives the order
    /// in which they happened.
    ///
    /// Events of one key arrive in order, but their times come from the clocks of several instances: one that lies a
    /// little before its predecessor is moved up to it. One that lies further back is a late arrival (a parked event that
    /// was requeued) and keeps its own place in the past. A creation is never moved: nothing comes before it.
    public static func settle(_ changes: [SubscriptionChange]) -> [SubscriptionChange] {
        let tolerance: Int64 = skewToleranceSeconds * 1_000_000
        var newest: [SubscriptionID: Instant] = [:]
        return changes.map { change in
            var settled = change
            if let latest: Instant = newest[change.subscriptionID], change.kind != .created, change.toldAt < latest,
                latest.microseconds - change.toldAt.microseconds <= tolerance
            {
                settled.toldAt = latest
            }
            newest[change.subscriptionID] = max(settled.toldAt, newest[change.subscriptionID] ?? settled.toldAt)
            return settled
        }
    }
}
