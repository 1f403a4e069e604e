public import BillingCore

/// What becomes of a payment that succeeded for an invoice.
public enum PaymentApplication: Equatable, Sendable {
    /// The invoice is paid by it now.
    case applied
    /// The invoice was paid by this very payment before.
    case repeated
    /// The invoice cannot accept it: the money has to go back.
    case unapplied(UnappliedReason)
}

/// Why money that was taken does not settle its invoice.
public enum UnappliedReason: String, CaseIterable, Sendable {
    /// The invoice was withdrawn.
    case invoiceVoid = "invoice_void"
    /// More or less than the total.
    case amountDiffers = "amount_differs"
    /// Another currency than the total's.
    case currencyDiffers = "currency_differs"
    /// Another payment, or a total of zero, has settled it.
    case paidByAnother = "paid_by_another"
}

extension Invoice {
    /// Settles the invoice with a payment when it can, and says so when it cannot; money is never silently absorbed.
    /// - Throws: ``InvoiceRefusal/illegalTransition(from:to:)`` for a draft, which nobody can have paid.
    public mutating func apply(
        _ payment: PaymentID, amount: Money, at: Instant
    ) throws(InvoiceRefusal) -> PaymentApplication {
        switch status {
        case .draft:
            throw .illegalTransition(from: .draft, to: .paid)
        case .void:
            return .unapplied(.invoiceVoid)
        case .paid:
            return state.paymentID == payment ? .repeated : .unapplied(.paidByAnother)
        case .finalized, .uncollectible:
            guard amount.currency == currency else { return .unapplied(.currencyDiffers) }
            guard amount == total else { return .unapplied(.amountDiffers) }
            try pay(with: payment, amount: amount, at: at)
            return .applied
        }
    }
}
