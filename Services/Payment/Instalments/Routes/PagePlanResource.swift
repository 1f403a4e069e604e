import BillingCore
package import JSON
import PaymentDomain

/// A plan as its page shows it: no more than who pays should see.
package struct PagePlanResource: JSONOutput {
    private let record: PlanRecord

    package init(_ record: PlanRecord) { self.record = record }

    package func write(to o: inout ObjectWriter) {
        let offer: InstalmentOffer = record.plan.offer
        o.field("id", record.id, doc: "For the receipt")
        o.field("terms", record.termsName)
        o.field("amount", offer.purchase.minor, doc: "The purchase, minor units")
        o.field("charge", offer.charge.minor, doc: "The interest or the fee, minor units")
        o.field("total_payable", offer.totalPayable.minor, doc: "The purchase and the charge, minor units")
        o.field(
            "annual_percentage_rate", offer.annualPercentageRate.description, doc: "The effective annual rate, percent")
        o.field("schedule", offer.schedule.map(OfferPartResource.init))
    }

    package static var sample: Self {
        do { return try Self(PlanRecord.sample()) } catch { preconditionFailure("the example is a plan: \(error)") }
    }
}
