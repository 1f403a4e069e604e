import BillingCore
import HTTPKit
package import JSON
package import PaymentDomain
import PaymentRecords

/// A plan as callers see it.
package struct PlanResource: JSONOutput {
    let record: PlanRecord
    private let paid: Money
    private let owed: Money

    package init(_ record: PlanRecord) throws {
        self.record = record
        paid = try record.paid()
        owed = record.status == .pending ? record.plan.offer.totalPayable : try record.plan.owed()
    }

    package func write(to o: inout ObjectWriter) {
        let offer: InstalmentOffer = record.plan.offer
        o.field("object", "instalment_plan")
        o.field("id", record.id)
        o.field("customer_id", record.customerID)
        o.field(
            "payment_method_id", record.methodID, doc: "What is charged; null for the customer's default of the day")
        o.field("terms", record.termsName)
        o.field("status", record.status)
        o.money("amount", offer.purchase, doc: "The purchase, minor units")
        o.field("charge", offer.charge.minor, doc: "The interest or the fee as agreed, minor units")
        o.field("total_payable", offer.totalPayable.minor, doc: "The purchase and the charge, minor units")
        o.field(
            "annual_percentage_rate", offer.annualPercentageRate.description, doc: "The effective annual rate, percent")
        o.field("amount_paid", paid.minor, doc: "Minor units")
        o.field("amount_owed", owed.minor, doc: "Minor units, were everything paid in its time")
        o.field(
            "amount_overpaid", record.overpaid,
            doc: "Paid beyond what was owed, minor units; it is refunded. Where amount_refunded is less, it was not")
        o.field("amount_refunded", record.refunded, doc: "Given back of what was paid, minor units")
        o.field("started_on", offer.date.description)
        o.field("schedule", schedule)
        o.field("settlement", record.settlement.map(SettlementResource.init))
        o.field("description", record.description)
        o.field("metadata", Metadata.decode(record.metadata))
        o.field("created_at", record.createdAt)
    }

    private var schedule: [PlanPartResource] {
        zip(record.parts, record.plan.instalments).map { PlanPartResource(part: $0, instalment: $1) }
    }

    package static var sample: Self {
        do { return try Self(PlanRecord.sample()) } catch { preconditionFailure("the example is a plan: \(error)") }
    }
}

/// An instalment as callers see it.
struct PlanPartResource: JSONOutput {
    let part: PlanPart
    let instalment: Instalment

    func write(to o: inout ObjectWriter) {
        o.field("id", part.id)
        o.field("number", instalment.number, doc: "0 is the down payment")
        o.field("due_on", instalment.due.description)
        o.field("status", instalment.status)
        o.field("principal", instalment.principal.minor, doc: "What it repays of the purchase, minor units")
        o.field("charge", instalment.charge.minor, doc: "What it pays of the interest or the fee, minor units")
        o.field("late_fee", instalment.lateFee.minor, doc: "Minor units")
        o.field("paid", instalment.paid.minor, doc: "Minor units")
        o.field("payment_id", part.payment?.id, doc: "Its one payment")
        o.field("next_attempt_on", part.nextDay?.description, doc: "When it is charged next, as things stand")
    }

    static var sample: Self { PlanPartResource(part: PlanRecord.samplePart, instalment: PlanRecord.sampleInstalment) }
}

/// An early settlement as callers see it.
struct SettlementResource: JSONOutput {
    let settlement: SettlementRecord

    init(_ settlement: SettlementRecord) { self.settlement = settlement }

    func write(to o: inout ObjectWriter) {
        o.field("amount", settlement.amount.minor, doc: "What is paid to end the plan, minor units")
        o.field("rebate", settlement.rebate.minor, doc: "The charge that is not asked for, minor units")
        o.field("status", settlement.status)
        o.field("payment_id", settlement.payment?.id)
    }

    static var sample: Self {
        Self(
            SettlementRecord(
                id: .sample, amount: Money(minor: 6_000, currency: .eur), rebate: Money(minor: 120, currency: .eur),
                rounding: .zero(.eur), status: .succeeded, payment: nil))
    }
}

/// What customers would pay under terms.
package struct OffersResource: JSONOutput {
    let offers: [OfferResource]

    package init(offers: [OfferResource]) { self.offers = offers }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "list")
        o.field("data", offers)
        o.field("has_more", false, doc: "Always false")
    }

    package static var sample: Self { Self(offers: [.sample]) }
}

/// What a customer would pay under terms.
package struct OfferResource: JSONOutput {
    package let terms: String
    package let offer: InstalmentOffer

    package func write(to o: inout ObjectWriter) {
        o.field("object", "instalment_offer")
        o.field("terms", terms)
        o.money("amount", offer.purchase, doc: "The purchase, minor units")
        o.field("charge", offer.charge.minor, doc: "The interest or the fee, minor units")
        o.field("total_payable", offer.totalPayable.minor, doc: "The purchase and the charge, minor units")
        o.field(
            "annual_percentage_rate", offer.annualPercentageRate.description, doc: "The effective annual rate, percent")
        o.field("schedule", offer.schedule.map(OfferPartResource.init))
        o.field("late", LateResource(late: offer.terms.late))
        o.field(
            "fingerprint", offer.fingerprint(terms: terms),
            doc: "Of all the above: who agrees to it by this agrees to nothing else")
    }

    package static var sample: Self { Self(terms: "pay_in_3", offer: PlanRecord.sampleOffer) }
}

/// What being late costs.
struct LateResource: JSONOutput {
    let late: LatePolicy

    func write(to o: inout ObjectWriter) {
        let (fee, share): (Money?, ExactDecimal?) =
            switch late.fee {
            case .none: (nil, nil)
            case .fixed(let fee): (fee, nil)
            case .percentage(let share, let cap): (cap, share)
            }
        o.field(
            "fee", fee?.minor,
            doc: "Once for each late instalment, minor units; with a share the most it may come to")
        o.field("fee_share", share?.description, doc: "Of what is overdue: 0.05 for 5 %")
        o.field("grace_days", late.graceDays, doc: "Days after its day on which an instalment is not late yet")
        o.field("default_after_days", late.defaultAfterDays, doc: "Days after its day that the plan survives")
    }

    static var sample: Self { Self(late: PlanRecord.sampleOffer.terms.late) }
}

/// An instalment on offer.
struct OfferPartResource: JSONOutput {
    let part: PlannedInstalment

    init(_ part: PlannedInstalment) { self.part = part }

    func write(to o: inout ObjectWriter) {
        o.field("number", part.number, doc: "0 is the down payment")
        o.field("due_on", part.due.description)
        o.field("amount", part.principal.minor + part.charge.minor, doc: "Minor units")
        o.field("principal", part.principal.minor, doc: "What it repays of the purchase, minor units")
        o.field("charge", part.charge.minor, doc: "What it pays of the interest or the fee, minor units")
    }

    static var sample: Self { Self(PlanRecord.sampleOffer.schedule[0]) }
}

extension PlanRecord {
    /// An example for documents.
    static var sampleOffer: InstalmentOffer {
        let terms = InstalmentTerms(count: .three, interval: .month, first: .atPurchase)
        do {
            return try InstalmentOffer(purchase: Money(minor: 9_000, currency: .eur), on: .sample, terms: terms)
        } catch { preconditionFailure("the example is an offer: \(error)") }
    }

    static var samplePart: PlanPart { PlanPart(id: .sample, nextAttempt: .sample) }

    static var sampleInstalment: Instalment {
        let nothing: Money = .zero(.eur)
        return Instalment(
            number: 1, due: .sample, status: .paid, principal: Money(minor: 3_000, currency: .eur), charge: nothing,
            lateFee: nothing, paid: Money(minor: 3_000, currency: .eur), earnedBefore: nothing, earningFrom: .sample)
    }

    /// An example for documents.
    static func sample() throws -> PlanRecord {
        let plan: InstalmentPlan = try InstalmentPlan.open(sampleOffer).plan
        return PlanRecord(
            id: .sample, customerID: .sample, termsName: "pay_in_3", dunning: InstalmentDunning(retryDays: [1, 3]),
            status: .active, plan: plan, parts: plan.instalments.map { _ in samplePart },
            settlement: SettlementResource.sample.settlement, overpaid: 0, entries: 0, description: "A guitar",
            metadata: "{}",
            createdAt: .sample)
    }
}
