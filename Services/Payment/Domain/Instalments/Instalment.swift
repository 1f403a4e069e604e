public import BillingCore

/// One part of a running plan. Once it is closed, its amounts say how it ended: what was paid or written off.
public struct Instalment: Hashable, Sendable {
    /// 0 is the down payment, instalments count from 1.
    public let number: Int
    /// The day it is to be paid on.
    public let due: CivilDate
    /// Where it stands.
    public internal(set) var status: InstalmentStatus
    /// What it repays of the purchase.
    public internal(set) var principal: Money
    /// What it pays of the interest or the fee.
    public internal(set) var charge: Money
    /// What it costs to have been late.
    public internal(set) var lateFee: Money
    /// What was paid of it, in one or several parts.
    public internal(set) var paid: Money
    /// The part of the charge earned before `earningFrom`; the rest is earned evenly by day from there to the due day.
    package private(set) var earnedBefore: Money
    package private(set) var earningFrom: CivilDate
    /// The day on which its first attempt was judged and refused; `nil` before that.
    package internal(set) var judgedOn: CivilDate?

    /// One as it was stored.
    package init(
        number: Int, due: CivilDate, status: InstalmentStatus, principal: Money, charge: Money, lateFee: Money,
        paid: Money, earnedBefore: Money, earningFrom: CivilDate, judgedOn: CivilDate? = nil
    ) {
        self.number = number
        self.due = due
        self.status = status
        self.principal = principal
        self.charge = charge
        self.lateFee = lateFee
        self.paid = paid
        self.earnedBefore = earnedBefore
        self.earningFrom = earningFrom
        self.judgedOn = judgedOn
    }

    init(_ planned: PlannedInstalment) {
        let nothing: Money = .zero(planned.principal.currency)
        self.init(
            number: planned.number, due: planned.due, status: .scheduled, principal: planned.principal,
            charge: planned.charge, lateFee: nothing, paid: nothing, earnedBefore: nothing,
            earningFrom: planned.start)
    }

    /// The day that its grace, and its days until the default, run from: its own, or the one on which its first attempt was
    /// refused, where that is later. Before that day nobody could tell the customer.
    var overdueFrom: CivilDate { max(due, judgedOn ?? due) }

    /// What is to be paid now to close it; zero when it is closed.
    public func owed() throws(MoneyError) -> Money {
        guard status.isOpen else { return .zero(principal.currency) }
        return try unpaid()
    }

    /// What was written off of it and is still not paid; zero unless it is in default.
    public func lost() throws(MoneyError) -> Money {
        guard status == .defaulted else { return .zero(principal.currency) }
        return try unpaid()
    }

    /// What was not paid of its amounts, asked for or not.
    private func unpaid() throws(MoneyError) -> Money {
        try principal.adding(charge).adding(lateFee).subtracting(paid)
    }

    /// What is owed, by what it is owed for.
    func openParts() throws(MoneyError) -> OpenParts {
        let owed: Money = try owed()
        let openPrincipal: Money = .lesser(principal, owed)
        let rest: Money = try owed.subtracting(openPrincipal)
        let openCharge: Money = .lesser(charge, rest)
        return OpenParts(principal: openPrincipal, charge: openCharge, lateFee: try rest.subtracting(openCharge))
    }

    /// The part of the charge earned up to a day, rounded down; all of it from the due day on.
    func earned(on day: CivilDate) throws(MoneyError) -> Money {
        if status.hasComeDue || day >= due { return charge }
        guard day > earningFrom else { return earnedBefore }
        let share = try Ratio(
            numerator: Int64(earningFrom.days(until: day)), denominator: Int64(earningFrom.days(until: due)))
        let rest: Money = try charge.subtracting(earnedBefore)
        return try earnedBefore.adding(rest.multiplied(by: share, rounding: .down))
    }

    /// The charge that is not asked for when it is paid off on a day: what is not earned by then, unless it was paid.
    func rebate(on day: CivilDate) throws(MoneyError) -> Money {
        .lesser(try charge.subtracting(earned(on: day)), try owed())
    }

    /// Takes principal off, and with it the charge of the days to come: in proportion to the credit that was and is
    /// outstanding in its period, rounded down. What was paid of the charge stays.
    mutating func reduce(
        to principal: Money, outstanding: Money, before: Money, on day: CivilDate
    ) throws(MoneyError) {
        let earned: Money = try earned(on: day)
        let unearned: Money = try charge.subtracting(earned)
        let share = try Ratio(numerator: outstanding.minor, denominator: max(1, before.minor))
        self.principal = principal
        let reduced: Money = try earned.adding(unearned.multiplied(by: share, rounding: .down))
        let paidOfCharge: Money = try paid.subtracting(lateFee).subtracting(principal)
        charge = reduced.minor < paidOfCharge.minor ? paidOfCharge : reduced
        earnedBefore = earned
        earningFrom = max(earningFrom, day)
    }
}

/// What is open of an instalment. What was paid counts towards the late fee first, then the charge, then the purchase.
struct OpenParts {
    let principal: Money
    let charge: Money
    let lateFee: Money
}

extension Money {
    /// The lesser of two amounts of one currency.
    static func lesser(_ one: Money, _ other: Money) -> Money { one.minor < other.minor ? one : other }
}
