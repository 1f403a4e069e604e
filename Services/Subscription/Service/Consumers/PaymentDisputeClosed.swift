import BillingCore
package import BillingEvents
package import Messaging
package import Postgres

/// Follows what disputes took of invoices' payments, and what an appeal brought back. Where such a payment is behind credit, as
/// in ``InvoiceRefunded``, the subscription's balance follows.
package enum PaymentDisputeClosed {
    static var route: EventRoute {
        .on(PaymentDisputeClosedV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it.
    package static func handle(
        _ events: [Envelope<PaymentDisputeClosedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        let told: [(invoice: InvoiceID, customer: CustomerID)] = events.compactMap { event in
            event.body.invoiceID.map { (invoice: $0, customer: event.body.customerID) }
        }
        var credit: CreditReturn = try .lock(told, in: db)
        for event in events { try DisputeStore.note(event.body, in: db) }
        try credit.settle(at: context.now, in: db)
    }
}
