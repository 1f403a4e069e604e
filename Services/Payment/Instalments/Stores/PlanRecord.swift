package import BillingCore
import PaymentDomain
import Postgres

/// A plan as stored.
package struct PlanRecord: Sendable {
    package let id: InstalmentPlanID
    let customerID: CustomerID
    /// What is charged; `nil` for the default of the day.
    var methodID: PaymentMethodID?
    let termsName: String
    let dunning: InstalmentDunning
    package var status: PlanStatus
    var plan: InstalmentPlan
    /// Beside `plan.instalments`, in their order.
    var parts: [PlanPart]
    /// The last settlement.
    var settlement: SettlementRecord?
    /// What was given back of the payments of all its settlements, refunds under way included; minor units.
    var settlementsRefunded: Int64 = 0
    /// What came in beyond what was owed, minor units; it is given back.
    var overpaid: Int64
    /// The payment whose outcome is waited for.
    package var awaited: PaymentID?
    var nextStepAt: Instant?
    /// Journal entries so far.
    var entries: Int
    let description: String?
    let metadata: String
    let createdAt: Instant

    var key: String { customerID.rawValue }

    /// The part that is to be charged next, its day, and the moment of it from which it may be: the earliest, of one moment
    /// the lowest number.
    var nextAttempt: (index: Int, day: CivilDate, from: Instant)? {
        var next: (index: Int, day: CivilDate, from: Instant)?
        for (index, part) in parts.enumerated() where plan.instalments[index].status.isOpen {
            guard let planned: CivilDate = part.nextDay else { continue }
            let day: CivilDate = max(planned, plan.day)
            let from: Instant = max(day.start, part.notBefore ?? day.start)
            if let found = next, found.from <= from { continue }
            next = (index, day, from)
        }
        return next
    }

    /// Whether a charge of the day it has counted to is still to be tried: no other day counts before.
    var standsStill: Bool { nextAttempt?.day == plan.day }

    /// The day on which a charge is made that the customer has led to, by another method or an attempt of theirs: today, or the
    /// last one before the plan's next change, where that is earlier. Nothing falls due or late by it, and retry days that have
    /// passed are not made up for.
    func dayOfCustomer(at now: Instant) -> CivilDate {
        let today = CivilDate(of: now)
        let last: CivilDate = plan.nextDay.map { min(today, $0.adding(days: -1)) } ?? today
        return max(plan.day, last)
    }

    /// What happens next, if nothing is waited for: the day it belongs to, the moment it happens, and the part that is to be
    /// charged; `nil` for what a day brings by itself, which comes before its charges.
    var nextStep: (day: CivilDate, from: Instant, part: Int?)? {
        guard status.isRunning else { return nil }
        let change: CivilDate? = plan.nextDay
        guard let attempt = nextAttempt, change.map({ attempt.day < $0 }) ?? true else {
            guard let change else { return nil }
            return (change, change.start, nil)
        }
        return (attempt.day, attempt.from, attempt.index)
    }

    /// All that was paid under it.
    func paid() throws(MoneyError) -> Money {
        var sum: Money = .zero(plan.offer.purchase.currency)
        for instalment in plan.instalments { sum = try sum.adding(instalment.paid) }
        return sum
    }

    /// What was given back of its payments, refunds under way included.
    var refunded: Int64 {
        parts.reduce(settlementsRefunded) { $0 + ($1.payment?.amountRefunded ?? 0) }
    }
}

/// An instalment as stored, beside what the domain knows of it.
struct PlanPart: Sendable {
    let id: InstalmentID
    /// The day it is charged on next by its terms; `nil` while it waits for its day, an outcome or another method.
    var nextAttempt: CivilDate?
    /// Before when the network of what would be charged wants no other attempt; `nil` where it has not said.
    var notBefore: Instant?
    /// Its one payment; `nil` before the first attempt.
    var payment: PartPayment?

    /// The day it is charged on next: the later one.
    var nextDay: CivilDate? {
        nextAttempt.map { day in max(day, notBefore.map { CivilDate(of: $0) } ?? day) }
    }
}

/// What a plan knows of one of its payments.
struct PartPayment: Sendable {
    let id: PaymentID
    let status: PaymentStatus
    let amountRefunded: Int64

    /// From the columns of a LEFT JOIN: id, status, amount_refunded.
    static func read(_ row: inout PostgresRow) throws -> PartPayment? {
        let id: PaymentID? = try row.next()
        let status: String? = try row.next()
        let refunded: Int64? = try row.next()
        guard let id, let status: PaymentStatus = status.flatMap(PaymentStatus.init), let refunded else { return nil }
        return PartPayment(id: id, status: status, amountRefunded: refunded)
    }
}

/// An early settlement as stored.
struct SettlementRecord: Sendable {
    let id: InstalmentID
    let amount: Money
    /// All that is owed and not asked for, the rounding included.
    let rebate: Money
    /// What is not asked for since the provider counts coarser than the currency.
    let rounding: Money
    var status: FollowUpStatus
    let payment: PartPayment?
}

extension CivilDate {
    /// The day a moment lies in, UTC.
    init(of instant: Instant) { self.init(dayNumber: Int(instant.seconds / 86_400)) }

    /// The moment it begins, UTC.
    var start: Instant { Instant(seconds: Int64(dayNumber) * 86_400) }
}
