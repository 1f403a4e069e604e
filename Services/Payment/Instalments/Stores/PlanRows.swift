import BillingCore
import PaymentDomain
import Postgres

/// A row of plans and their terms, in the order of ``PlanStore``'s columns.
struct PlanRow: PostgresRecord {
    let id: InstalmentPlanID
    private let customerID: CustomerID
    private let methodID: PaymentMethodID?
    private let status: PlanStatus
    private let purchase: Money
    private let downPayment: Money?
    private let startedOn: CivilDate
    private let day: CivilDate
    private let purchaseLeft: Money
    private let overpaid: Int64
    private let awaited: PaymentID?
    private let nextStepAt: Instant?
    private let entries: Int
    private let description: String?
    private let metadata: String
    private let createdAt: Instant
    private let terms: TermsColumns

    init(row: inout PostgresRow) throws {
        id = try row.next()
        customerID = try row.next()
        methodID = try row.next()
        status = try row.nextCase()
        purchase = Money(minor: try row.next(), currency: try row.next())
        let currency: Currency = purchase.currency
        downPayment = try row.next(Int64?.self).map { Money(minor: $0, currency: currency) }
        startedOn = try row.next()
        day = try row.next()
        purchaseLeft = Money(minor: try row.next(), currency: currency)
        overpaid = try row.next()
        awaited = try row.next()
        nextStepAt = try row.next()
        entries = try row.next()
        description = try row.next()
        metadata = try row.next()
        createdAt = try row.next()
        terms = try TermsColumns(row: &row, currency: currency)
    }

    /// The plan, put together with its instalments, by number, and its last settlement.
    func record(_ parts: [PartRow], _ settlement: SettlementRow?) throws -> PlanRecord {
        let currency: Currency = purchase.currency
        let offer = try InstalmentOffer(purchase: purchase, on: startedOn, terms: terms.terms(downPayment))
        let plan = InstalmentPlan(
            offer: offer, instalments: parts.map { $0.instalment(currency) }, day: day, purchaseLeft: purchaseLeft)
        return PlanRecord(
            id: id, customerID: customerID, methodID: methodID, termsName: terms.name, dunning: terms.dunning,
            status: status, plan: plan, parts: parts.map(\.part), settlement: settlement?.record(currency),
            settlementsRefunded: settlement?.refundedOfAll ?? 0, overpaid: overpaid, awaited: awaited,
            nextStepAt: nextStepAt, entries: entries, description: description, metadata: metadata,
            createdAt: createdAt)
    }
}

/// The columns of the terms a plan was agreed under.
private struct TermsColumns {
    let name: String
    let dunning: InstalmentDunning
    private let count: InstalmentCount
    private let interval: InstalmentInterval
    private let first: FirstInstalment
    private let charge: InstalmentCharge
    private let late: LatePolicy

    init(row: inout PostgresRow, currency: Currency) throws {
        name = try row.next()
        count = InstalmentCount(rawValue: try row.next()) ?? .three
        interval = try row.nextCase()
        first = try row.nextCase()
        let rate: ExactDecimal? = try row.next()
        let fee: Money? = try row.next(Int64?.self).map { Money(minor: $0, currency: currency) }
        charge =
            rate.map { .interest(nominalAnnualRate: $0) } ?? fee.map { .flatFee($0) } ?? InstalmentCharge.none
        let lateFee: Money? = try row.next(Int64?.self).map { Money(minor: $0, currency: currency) }
        let share: ExactDecimal? = try row.next()
        late = LatePolicy(
            fee: share.map { .percentage($0, cap: lateFee) } ?? lateFee.map { .fixed($0) } ?? LatePolicy.Fee.none,
            graceDays: try row.next(), defaultAfterDays: try row.next())
        dunning = InstalmentDunning(retryDays: try row.next())
    }

    func terms(_ downPayment: Money?) -> InstalmentTerms {
        InstalmentTerms(
            count: count, interval: interval, first: first, charge: charge, downPayment: downPayment, late: late)
    }
}

/// A row of instalments with its payment.
struct PartRow: PostgresRecord {
    let planID: InstalmentPlanID
    let part: PlanPart
    private let number: Int
    private let due: CivilDate
    private let status: InstalmentStatus
    private let principal: Int64
    private let charge: Int64
    private let lateFee: Int64
    private let paid: Int64
    private let earnedBefore: Int64
    private let earningFrom: CivilDate
    private let judgedOn: CivilDate?

    init(row: inout PostgresRow) throws {
        planID = try row.next()
        let id: InstalmentID = try row.next()
        number = try row.next()
        due = try row.next()
        status = try row.nextCase()
        principal = try row.next()
        charge = try row.next()
        lateFee = try row.next()
        paid = try row.next()
        earnedBefore = try row.next()
        earningFrom = try row.next()
        judgedOn = try row.next()
        let nextAttempt: CivilDate? = try row.next()
        let notBefore: Instant? = try row.next()
        part = PlanPart(
            id: id, nextAttempt: nextAttempt, notBefore: notBefore, payment: try PartPayment.read(&row))
    }

    func instalment(_ currency: Currency) -> Instalment {
        Instalment(
            number: number, due: due, status: status, principal: Money(minor: principal, currency: currency),
            charge: Money(minor: charge, currency: currency), lateFee: Money(minor: lateFee, currency: currency),
            paid: Money(minor: paid, currency: currency),
            earnedBefore: Money(minor: earnedBefore, currency: currency), earningFrom: earningFrom,
            judgedOn: judgedOn)
    }
}

/// A row of settlements with its payment.
struct SettlementRow: PostgresRecord {
    let planID: InstalmentPlanID
    private let id: InstalmentID
    private let amount: Int64
    private let rebate: Int64
    private let rounding: Int64
    private let status: FollowUpStatus
    private let payment: PartPayment?
    /// Of the payments of all settlements of the plan, minor units.
    let refundedOfAll: Int64

    init(row: inout PostgresRow) throws {
        planID = try row.next()
        id = try row.next()
        amount = try row.next()
        rebate = try row.next()
        rounding = try row.next()
        status = try row.nextCase()
        payment = try PartPayment.read(&row)
        refundedOfAll = try row.next()
    }

    func record(_ currency: Currency) -> SettlementRecord {
        SettlementRecord(
            id: id, amount: Money(minor: amount, currency: currency),
            rebate: Money(minor: rebate, currency: currency), rounding: Money(minor: rounding, currency: currency),
            status: status, payment: payment)
    }
}
