import BillingCore
import InvoiceDomain

/// Invoices to try things on.
enum Given {
    static let start = Instant(seconds: 1_800_000_000)
    static let end = start.adding(.seconds(30 * 86_400))
    static let paidAt = start.adding(.seconds(5))
    static let payment: PaymentID = .new(at: start)
    static let total = Money(minor: 1_299, currency: .usd)

    static var billing: Invoice.Billing {
        Invoice.Billing(
            id: .new(at: start), subscriptionID: .new(at: start), customerID: .new(at: start), reason: "cycle",
            periodStart: start, periodEnd: end)
    }

    static func line(
        _ amount: Int64, currency: Currency = .usd, quantity: Int64 = 1, unit: Int64? = nil, proration: Bool = false
    ) -> InvoiceLine {
        InvoiceLine(
            description: "Premium", quantity: quantity, unitAmount: Money(minor: unit ?? amount, currency: currency),
            amount: Money(minor: amount, currency: currency), periodStart: start, periodEnd: end, proration: proration)
    }

    static func draft(_ lines: [InvoiceLine], billed: Money) throws -> Invoice {
        try Invoice.draft(id: .new(at: start), billing: billing, lines: lines, billed: billed)
    }

    /// An invoice over ``total`` (or nothing) that has got to a state.
    static func invoice(_ status: InvoiceStatus, total: Money = Given.total) throws -> Invoice {
        var invoice = try draft([line(total.minor, currency: total.currency)], billed: total)
        if status == .draft { return invoice }
        try invoice.finalize(number: number(7), at: start)
        switch status {
        case .draft, .finalized: break
        case .paid where total.isZero: try invoice.settleZero(at: paidAt)
        case .paid: try invoice.pay(with: payment, amount: total, at: paidAt)
        case .void: try invoice.void(reason: "upgrade_failed", at: paidAt)
        case .uncollectible:
            var state: Invoice.State = invoice.state
            state.status = .uncollectible
            return Invoice(id: invoice.id, billing: invoice.billing, subtotal: total, total: total, state: state)
        }
        return invoice
    }

    static func number(_ sequence: Int64) throws -> InvoiceNumber {
        guard let number = InvoiceNumber(sequence: sequence) else { throw NoNumber() }
        return number
    }

    struct NoNumber: Error {}
}
