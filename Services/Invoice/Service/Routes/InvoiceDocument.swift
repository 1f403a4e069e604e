import BillingCore
package import InvoiceDomain
package import JSON

/// The invoice as the API shows it.
package struct InvoiceDocument: JSONOutput {
    /// The head.
    package let invoice: Invoice
    /// The lines, in order.
    package let lines: [InvoiceLine]
    /// Minor units that the customer's bank has taken back for good.
    let disputedMinor: Int64
    let addressee: Addressee?

    package func write(to o: inout ObjectWriter) {
        let (billing, state) = (invoice.billing, invoice.state)
        o.field("object", "invoice", doc: "Always `invoice`")
        o.field("id", invoice.id)
        o.field("number", state.number?.description, doc: "Gapless number, for people and tax offices")
        o.field("customer_id", billing.customerID)
        o.field("subscription_id", billing.subscriptionID)
        o.field("billing_id", billing.id, doc: "The billing of the subscription it was made for")
        o.field("billing_reason", billing.reason, doc: "signup, cycle, trial_end or upgrade")
        o.field("status", invoice.status)
        o.field("currency", invoice.currency.code, doc: "ISO 4217 code of every amount on it")
        o.field("subtotal", invoice.subtotal.minor, doc: "Sum of the lines, minor units")
        o.field("total", invoice.total.minor, doc: "What is due in all, minor units")
        o.field("amount_paid", invoice.amountPaid.minor, doc: "Minor units")
        o.field("amount_refunded", invoice.amountRefunded.minor, doc: "Minor units; never more than was paid")
        o.field("amount_disputed", disputedMinor, doc: "Minor units; lost in disputes of what was paid")
        o.field("lines", lines.map(LineDocument.init))
        o.field("period_start", billing.periodStart)
        o.field("period_end", billing.periodEnd)
        o.field("issued_at", state.issuedAt)
        o.field("paid_at", state.paidAt)
        o.field("payment_id", state.paymentID, doc: "What paid it; null while due, and for a total of zero")
        o.field("voided_at", state.voidedAt)
        o.field("void_reason", state.voidReason)
        o.field("bill_to", addressee.map(AddressDocument.init), doc: "The customer as known when it was issued")
    }

    package static var sample: Self {
        var state = Invoice.State()
        state.status = .paid
        state.number = InvoiceNumber(sequence: 1)
        (state.issuedAt, state.paidAt, state.paymentID) = (.sample, .sample, .sample)
        let price = Money(minor: 999, currency: .usd)
        let billing = Invoice.Billing(
            id: .sample, subscriptionID: .sample, customerID: .sample, reason: "cycle", periodStart: .sample,
            periodEnd: .sample)
        let line = InvoiceLine(
            description: "Premium", quantity: 1, unitAmount: price, amount: price, periodStart: .sample,
            periodEnd: .sample, proration: false)
        return Self(
            invoice: Invoice(id: .sample, billing: billing, subtotal: price, total: price, state: state), lines: [line],
            disputedMinor: 0,
            addressee: Addressee(name: "Ada", email: "ada@example.com", country: "DE"))
    }
}

/// One line as the API shows it.
struct LineDocument: JSONOutput {
    let line: InvoiceLine

    func write(to o: inout ObjectWriter) {
        o.field("description", line.description)
        o.field("quantity", line.quantity)
        o.field("unit_amount", line.unitAmount.minor, doc: "Price of one, minor units")
        o.field("amount", line.amount.minor, doc: "Price of the line, minor units; negative for a credit")
        o.field("period_start", line.periodStart)
        o.field("period_end", line.periodEnd)
        o.field("proration", line.proration, doc: "Whether it is for a part of a period")
    }

    static var sample: Self {
        let price = Money(minor: 999, currency: .usd)
        return Self(
            line: InvoiceLine(
                description: "Premium", quantity: 1, unitAmount: price, amount: price, periodStart: .sample,
                periodEnd: .sample, proration: false))
    }
}

/// Whom the invoice is addressed to.
struct AddressDocument: JSONOutput {
    let addressee: Addressee

    func write(to o: inout ObjectWriter) {
        o.field("name", addressee.name)
        o.field("email", addressee.email)
        o.field("country", addressee.country, doc: "ISO 3166-1 alpha-2")
    }

    static var sample: Self {
        Self(addressee: Addressee(name: "Ada", email: "ada@example.com", country: "DE"))
    }
}
