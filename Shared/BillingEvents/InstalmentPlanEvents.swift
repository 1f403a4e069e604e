public import BillingCore
public import JSON

/// The first payment of a plan went through, or nothing was due at once: its schedule runs.
public struct InstalmentPlanActivatedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "instalment_plan.activated.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The plan.
    public let planID: InstalmentPlanID
    /// The customer.
    public let customerID: CustomerID
    /// Name of the terms.
    public let terms: String
    /// The purchase.
    public let amount: Money
    /// The purchase and the charge, minor units.
    public let totalPayable: Int64
    /// How many there are, without a down payment.
    public let instalments: Int64
    /// Business time.
    public let activatedAt: Instant

    /// The whole fact.
    public init(
        planID: InstalmentPlanID, customerID: CustomerID, terms: String, amount: Money, totalPayable: Int64,
        instalments: Int64, activatedAt: Instant
    ) {
        self.planID = planID
        self.customerID = customerID
        self.terms = terms
        self.amount = amount
        self.totalPayable = totalPayable
        self.instalments = instalments
        self.activatedAt = activatedAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: InstalmentPlanID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        terms = f.string("terms", doc: "Name of the terms")
        amount = f.money("amount", doc: "The purchase")
        totalPayable = f.int("total_payable", doc: "The purchase and the charge, minor units")
        instalments = f.int("instalments", doc: "How many there are, without a down payment")
        activatedAt = f.instant("activated_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("terms", terms)
        o.money("amount", amount)
        o.field("total_payable", totalPayable)
        o.field("instalments", instalments)
        o.field("activated_at", activatedAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, customerID: .sample, terms: "pay_in_3", amount: Money(minor: 9_000, currency: .eur),
            totalPayable: 9_000, instalments: 3, activatedAt: .sample)
    }
}

/// An instalment was paid in full.
public struct InstalmentPlanInstalmentPaidV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "instalment_plan.instalment_paid.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The plan.
    public let planID: InstalmentPlanID
    /// The customer.
    public let customerID: CustomerID
    /// 0 is the down payment.
    public let number: Int64
    /// The payment that closed it.
    public let paymentID: PaymentID
    /// All that was paid of it, a late fee included.
    public let amount: Money
    /// What is owed of the plan from now on, minor units.
    public let owed: Int64
    /// Business time.
    public let paidAt: Instant

    /// The whole fact.
    public init(
        planID: InstalmentPlanID, customerID: CustomerID, number: Int64, paymentID: PaymentID, amount: Money,
        owed: Int64, paidAt: Instant
    ) {
        self.planID = planID
        self.customerID = customerID
        self.number = number
        self.paymentID = paymentID
        self.amount = amount
        self.owed = owed
        self.paidAt = paidAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: InstalmentPlanID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        number = f.int("number", doc: "0 is the down payment")
        paymentID = f.id("payment_id", as: PaymentID.self)
        amount = f.money("amount", doc: "All that was paid of it, a late fee included")
        owed = f.int("owed", doc: "What is owed of the plan from now on, minor units")
        paidAt = f.instant("paid_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("number", number)
        o.field("payment_id", paymentID.rawValue)
        o.money("amount", amount)
        o.field("owed", owed)
        o.field("paid_at", paidAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, customerID: .sample, number: 2, paymentID: .sample,
            amount: Money(minor: 9_000, currency: .eur), owed: 3_000, paidAt: .sample)
    }
}

/// An instalment was not paid within its grace period.
public struct InstalmentPlanInstalmentLateV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "instalment_plan.instalment_late.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The plan.
    public let planID: InstalmentPlanID
    /// The customer.
    public let customerID: CustomerID
    /// 0 is the down payment.
    public let number: Int64
    /// The day it was due.
    public let dueOn: CivilDate
    /// What is owed for it, the late fee included.
    public let amount: Money
    /// The price of being late, minor units.
    public let lateFee: Int64
    /// Business time.
    public let lateAt: Instant

    /// The whole fact.
    public init(
        planID: InstalmentPlanID, customerID: CustomerID, number: Int64, dueOn: CivilDate, amount: Money,
        lateFee: Int64, lateAt: Instant
    ) {
        self.planID = planID
        self.customerID = customerID
        self.number = number
        self.dueOn = dueOn
        self.amount = amount
        self.lateFee = lateFee
        self.lateAt = lateAt
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        planID = f.id("plan_id", as: InstalmentPlanID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        number = f.int("number", doc: "0 is the down payment")
        dueOn = f.civilDate("due_on", doc: "The day it was due")
        amount = f.money("amount", doc: "What is owed for it, the late fee included")
        lateFee = f.int("late_fee", doc: "The price of being late, minor units")
        lateAt = f.instant("late_at", doc: "Business time")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("plan_id", planID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("number", number)
        o.field("due_on", dueOn.description)
        o.money("amount", amount)
        o.field("late_fee", lateFee)
        o.field("late_at", lateAt.rfc3339)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            planID: .sample, customerID: .sample, number: 2, dueOn: .sample,
            amount: Money(minor: 9_000, currency: .eur), lateFee: 500, lateAt: .sample)
    }
}
