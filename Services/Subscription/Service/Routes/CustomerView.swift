import BillingCore
import JSON

/// A customer as the API shows it.
struct CustomerView: JSONOutput {
    let customer: Customer

    init(_ customer: Customer) { self.customer = customer }

    func write(to o: inout ObjectWriter) {
        o.field("object", "customer", doc: "Always `customer`")
        o.field("id", customer.id.rawValue)
        o.field("email", customer.email)
        o.field("name", customer.name)
        o.field("country", customer.country)
        o.field("currency", customer.currency?.code, doc: "Preferred currency")
        o.field("time_zone", customer.timeZone.name, doc: "Where the billing day is counted")
        o.field("created_at", customer.createdAt)
        o.field("metadata", customer.metadata)
    }

    static var sample: CustomerView {
        CustomerView(
            Customer(
                id: .sample, email: "ada@example.com", name: "Ada Lovelace", country: "GB", currency: .gbp,
                timeZone: .utc, metadata: ["segment": "students"], createdAt: .sample))
    }
}
