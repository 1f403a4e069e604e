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
    /// The part of the charge earned before `earningFrom`; the rest is earned evenly by day from there to the due day.
    private(set) var earnedBefore: Money
    private(set) var earningFrom: CivilDate

    init(_ planned: PlannedInstalment) {
        number = planned.number
        due = planned.due
        status = .scheduled
        principal = planned.principal
        charge = planned.charge
        lateFee = .zero(planned.principal.currency)
        earnedBefore = .zero(planned.principal.currency)
        earningFrom = planned.start
    }

    /// What is to be paid now to close it; zero when it is closed.
    public func owed() throws(MoneyError) -> Money {
        guard status.isOpen else { return .zero(principal.currency) }
        return try principal.adding(charge).adding(lateFee)
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

    /// Takes principal off, and with it the charge of the days to come: in proportion to the credit that was and is
    /// outstanding in its period, rounded down.
    mutating func reduce(
        to principal: Money, outstanding: Money, before: Money, on day: CivilDate
    ) throws(MoneyError) {
        let earned: Money = try earned(on: day)
        let unearned: Money = try charge.subtracting(earned)
        let share = try Ratio(numerator: outstanding.minor, denominator: max(1, before.minor))
        self.principal = principal
        charge = try earned.adding(unearned.multiplied(by: share, rounding: .down))
        earnedBefore = earned
        earningFrom = max(earningFrom, day)
    }
}
