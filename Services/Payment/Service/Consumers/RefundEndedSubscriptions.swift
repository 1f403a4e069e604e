import BillingCore
import BillingEvents
import PaymentDomain
import PaymentRecords
import Postgres

/// Gives back what paid invoices of subscriptions that had ended: the payment had succeeded before the word of the end
/// could void its invoice. The invoice stays paid, so that ``GiveBackWithdrawn`` does not see it.
enum RefundEndedSubscriptions {
    /// Reserves what is left of the payments inside the transaction that claims the events; the sweeper makes the refunds,
    /// so that a crash leaves none alone. What a dispute holds at this moment is left to the dispute.
    static func begin(
        _ events: [Envelope<SubscriptionRefundDueV1>], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let payments: [InvoiceID: PaymentRecord] = try PaymentStore.lock(invoices: events.map(\.body.invoiceID), in: db)
        for payment in payments.values.sorted(by: { $0.id < $1.id }) where payment.status == .succeeded {
            _ = try RefundStore.reserveRest(of: payment, reason: OwnRefund.ofWithdrawnInvoice, at: now, in: db)
        }
    }
}
