import BillingCore
package import JSON
import PaymentRecords

/// `POST /v1/instalment_plans/offers`.
package struct OfferInput: JSONInput {
    let amount: Money
    let terms: String?

    package init(_ f: inout InputFields) {
        amount = f.positiveMoney("amount", doc: "The purchase, minor units")
        terms = f.optionalString("terms", min: 1, max: 64, doc: "The name of the terms; all that fit when left out")
    }
}

/// `POST /v1/instalment_plans`.
package struct AgreePlanInput: JSONInput {
    package let order: PlanOrder

    package init(_ f: inout InputFields) {
        order = PlanOrder(
            customerID: f.id("customer_id", as: CustomerID.self),
            paymentMethodID: f.optionalID(
                "payment_method_id", as: PaymentMethodID.self, doc: "The customer's default of the day when left out"),
            amount: f.positiveMoney("amount", doc: "The purchase, minor units"),
            terms: f.string("terms", min: 1, max: 64, doc: "The name of the terms, such as pay_in_3"),
            offer: f.optionalString(
                "offer", min: 32, max: 32,
                doc: "The fingerprint of the offer that the customer saw; refused when there is another by now"),
            description: f.optionalString("description", max: 500, doc: "For people"),
            metadata: Metadata.encode(f.metadata()))
    }
}

/// `POST /v1/instalment_plans/{id}/settle`.
package struct SettlePlanInput: JSONInput {
    let paymentMethodID: PaymentMethodID?

    package init(_ f: inout InputFields) {
        paymentMethodID = f.optionalID(
            "payment_method_id", as: PaymentMethodID.self, doc: "The plan's own when left out")
    }
}

/// `POST /v1/instalment_plans/{id}/reduce`.
package struct ReducePlanInput: JSONInput {
    let amount: Int64

    package init(_ f: inout InputFields) {
        amount = f.int(
            "amount", range: 1...InputFields.largestAmount, doc: "What is taken back of the purchase, minor units")
    }
}
