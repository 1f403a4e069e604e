public import BillingCore

/// Why an invoice does not do what is asked of it.
public enum InvoiceRefusal: Error, Equatable, Sendable {
    /// The state machine has no such step.
    case illegalTransition(from: InvoiceStatus, to: InvoiceStatus)
    /// A sum does not fit or mixes currencies.
    case arithmetic(MoneyError)
    /// Credits outweigh charges.
    case negativeTotal(Money)
    /// A line, counted from 1, whose amount is not its quantity times its price.
    case lineDisagrees(position: Int)
    /// The lines do not add up to what was billed.
    case linesDisagree(sum: Money, billed: Money)
    /// A period that ends before it starts.
    case periodReversed
    /// A payment of another amount or currency than the total.
    case amountDiffers(due: Money, paid: Money)
    /// A total above zero is only paid by a payment.
    case paymentRequired(due: Money)
    /// The invoice was paid by another payment than the one named.
    case otherPayment(PaymentID?)
    /// A refund of nothing or less.
    case refundNotPositive(Money)
    /// A refund of more than is left of what was paid.
    case refundExceedsPaid(left: Money, asked: Money)
}
