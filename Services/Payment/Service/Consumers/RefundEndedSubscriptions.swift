import BillingCore
import BillingEvents
import PaymentRecords
import Postgres

/// Has given back what paid invoices of subscriptions that had ended: the payment had succeeded before the word of the
/// end could void its invoice, which stays paid.
enum RefundEndedSubscriptions {
    /// Marks the payments inside the transaction that claims the events; ``GiveBackWithdrawn`` gives back what is left
    /// of them. What a dispute or a refund under way holds at this moment follows once it is free.
    static func begin(_ events: [Envelope<SubscriptionRefundDueV1>], in db: borrowing PostgresTransaction) throws {
        let payments: [InvoiceID: PaymentRecord] = try PaymentStore.lock(invoices: events.map(\.body.invoiceID), in: db)
        try db.enqueue(
            "UPDATE payments SET give_back = true WHERE id = ANY(\(payments.values.map(\.id.rawValue))::text[])")
    }
}
