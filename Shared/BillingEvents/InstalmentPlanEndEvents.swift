public import BillingCore
public import JSON

/// Everything that was owed under a plan is paid.
public struct InstalmentPlanCompletedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "instalment_plan.completed.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The plan.
    public let planID: InstalmentPlanID
    /// The customer.
    public let customerID: CustomerID
    /// All that was paid.
    public let amount: Money
    /// Business time.
    public let completedAt: Instant

    /// The whole fact.
    public init(
        planID: InstalmentPlanID, customerID: CustomerID, amount: Money, completedAt: Instant
    ) {
        self.planID = planID
        self.customerID = customerID
        self.amount = amount
        self.completedAt = completedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: InstalmentPlanID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "All that was paid")
        completedAt = f.instant("completed_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("completed_at", completedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, customerID: .sample, amount: Money(minor: 9_000, currency: .eur), completedAt: .sample)
    }
}

/// A plan was paid off before its time.
public struct InstalmentPlanSettledV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "instalment_plan.settled.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The plan.
    public let planID: InstalmentPlanID
    /// The customer.
    public let customerID: CustomerID
    /// The payment that paid it off.
    public let paymentID: PaymentID
    /// What was paid to end it.
    public let amount: Money
    /// The charge that was not asked for, minor units.
    public let rebate: Int64
    /// Business time.
    public let settledAt: Instant

    /// The whole fact.
    public init(
        planID: InstalmentPlanID, customerID: CustomerID, paymentID: PaymentID, amount: Money, rebate: Int64,
        settledAt: Instant
    ) {
        self.planID = planID
        self.customerID = customerID
        self.paymentID = paymentID
        self.amount = amount
        self.rebate = rebate
        self.settledAt = settledAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: InstalmentPlanID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentID = f.id("payment_id", as: PaymentID.self)
        amount = f.money("amount", doc: "What was paid to end it")
        rebate = f.int("rebate", doc: "The charge that was not asked for, minor units")
        settledAt = f.instant("settled_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("payment_id", paymentID.rawValue)
        o.money("amount", amount)
        o.field("rebate", rebate)
        o.field("settled_at", settledAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, customerID: .sample, paymentID: .sample, amount: Money(minor: 9_000, currency: .eur),
            rebate: 120, settledAt: .sample)
    }
}

/// An instalment stayed unpaid beyond the limit: what was open is written off.
public struct InstalmentPlanDefaultedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "instalment_plan.defaulted.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The plan.
    public let planID: InstalmentPlanID
    /// The customer.
    public let customerID: CustomerID
    /// What was written off.
    public let amount: Money
    /// Business time.
    public let defaultedAt: Instant

    /// The whole fact.
    public init(
        planID: InstalmentPlanID, customerID: CustomerID, amount: Money, defaultedAt: Instant
    ) {
        self.planID = planID
        self.customerID = customerID
        self.amount = amount
        self.defaultedAt = defaultedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: InstalmentPlanID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "What was written off")
        defaultedAt = f.instant("defaulted_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("defaulted_at", defaultedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, customerID: .sample, amount: Money(minor: 9_000, currency: .eur), defaultedAt: .sample)
    }
}

/// A plan was taken back: nothing more is asked for.
public struct InstalmentPlanCanceledV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "instalment_plan.canceled.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The plan.
    public let planID: InstalmentPlanID
    /// The customer.
    public let customerID: CustomerID
    /// What was open of the purchase and is not asked for.
    public let amount: Money
    /// Business time.
    public let canceledAt: Instant

    /// The whole fact.
    public init(
        planID: InstalmentPlanID, customerID: CustomerID, amount: Money, canceledAt: Instant
    ) {
        self.planID = planID
        self.customerID = customerID
        self.amount = amount
        self.canceledAt = canceledAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: InstalmentPlanID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "What was open of the purchase and is not asked for")
        canceledAt = f.instant("canceled_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("canceled_at", canceledAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, customerID: .sample, amount: Money(minor: 9_000, currency: .eur), canceledAt: .sample)
    }
}

/// The first payment of a plan was given up: the plan never began.
public struct InstalmentPlanFailedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "instalment_plan.failed.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The plan.
    public let planID: InstalmentPlanID
    /// The customer.
    public let customerID: CustomerID
    /// The purchase.
    public let amount: Money
    /// Business time.
    public let failedAt: Instant

    /// The whole fact.
    public init(
        planID: InstalmentPlanID, customerID: CustomerID, amount: Money, failedAt: Instant
    ) {
        self.planID = planID
        self.customerID = customerID
        self.amount = amount
        self.failedAt = failedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: InstalmentPlanID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        amount = f.money("amount", doc: "The purchase")
        failedAt = f.instant("failed_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.money("amount", amount)
        o.field("failed_at", failedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, customerID: .sample, amount: Money(minor: 9_000, currency: .eur), failedAt: .sample)
    }
}
