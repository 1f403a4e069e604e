public import BillingCore
public import JSON

/// A plan can be subscribed to from now on. Keyed by plan id.
public struct PlanCreatedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "plan.created.v1"
    /// Where it is published.
    public static let topic = Topic.subscriptions

    /// The plan.
    public let planID: PlanID
    /// Plan name.
    public let name: String
    /// Price of one interval.
    public let amount: Money
    /// day, week, month or year.
    public let interval: String
    /// Intervals in one billing period.
    public let intervalCount: Int64
    /// Free days at the start.
    public let trialDays: Int64

    /// The whole fact.
    public init(
        planID: PlanID, name: String, amount: Money, interval: String, intervalCount: Int64, trialDays: Int64
    ) {
        self.planID = planID
        self.name = name
        self.amount = amount
        self.interval = interval
        self.intervalCount = intervalCount
        self.trialDays = trialDays
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: PlanID.self)
        name = f.string("name", doc: "Plan name")
        amount = f.money("amount", doc: "Price of one interval")
        interval = f.string("interval", doc: "day, week, month or year")
        intervalCount = f.int("interval_count", doc: "Intervals in one billing period")
        trialDays = f.int("trial_days", doc: "Free days at the start")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("name", name)
        o.money("amount", amount)
        o.field("interval", interval)
        o.field("interval_count", intervalCount)
        o.field("trial_days", trialDays)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, name: "Premium", amount: Money(minor: 999, currency: .usd), interval: "month",
            intervalCount: 1, trialDays: 0)
    }
}
