import BillingCore
import BillingEvents
import InvoiceDomain

/// The facts an invoice publishes about itself.
extension Invoice {
    /// The record key of every event about it: the customer.
    var eventKey: String { billing.customerID.rawValue }

    /// It has its number.
    func finalizedEvent(_ number: InvoiceNumber, at: Instant) -> InvoiceFinalizedV1 {
        InvoiceFinalizedV1(
            invoiceID: id, number: number.description, billingID: billing.id, subscriptionID: billing.subscriptionID,
            customerID: billing.customerID, reason: billing.reason, amount: total, periodStart: billing.periodStart,
            periodEnd: billing.periodEnd, issuedAt: at)
    }

    /// It is paid in full.
    func paidEvent(at: Instant) -> InvoicePaidV1 {
        InvoicePaidV1(
            invoiceID: id, billingID: billing.id, subscriptionID: billing.subscriptionID,
            customerID: billing.customerID, amount: total, paymentID: state.paymentID, paidAt: at)
    }

    /// An attempt to collect it failed.
    func paymentFailedEvent(_ failure: PaymentFailedV1) -> InvoicePaymentFailedV1 {
        InvoicePaymentFailedV1(
            invoiceID: id, billingID: billing.id, subscriptionID: billing.subscriptionID,
            customerID: billing.customerID, paymentID: failure.paymentID, attempt: failure.attempt,
            declineCode: failure.declineCode, declineClass: failure.declineClass,
            paymentMethodID: failure.paymentMethodID, retryAt: failure.retryAt, failedAt: failure.failedAt)
    }

    /// Some of what was paid went back.
    func refundedEvent(_ refund: PaymentRefundedV1) -> InvoiceRefundedV1 {
        InvoiceRefundedV1(
            invoiceID: id, customerID: billing.customerID, paymentID: refund.paymentID, refundID: refund.refundID,
            amount: refund.amount, refundedTotal: state.refundedMinor)
    }

    /// Some of what went back came back.
    func refundFailedEvent(_ failure: PaymentRefundFailedV1) -> InvoiceRefundFailedV1 {
        InvoiceRefundFailedV1(
            invoiceID: id, customerID: billing.customerID, paymentID: failure.paymentID, refundID: failure.refundID,
            amount: failure.amount, refundedTotal: state.refundedMinor)
    }

    /// It was withdrawn.
    func voidedEvent(reason: String) -> InvoiceVoidedV1 {
        InvoiceVoidedV1(
            invoiceID: id, billingID: billing.id, subscriptionID: billing.subscriptionID,
            customerID: billing.customerID, amount: total, reason: reason)
    }
}
