import BillingCore
package import BillingEvents
package import Messaging
package import Postgres

/// Follows what disputes took of payments that came after the end of what they were for, and what an appeal brought back. Where
/// such a payment had become credit, the subscription's balance follows.
package enum PaymentDisputeClosed {
    static var route: EventRoute {
        .on(PaymentDisputeClosedV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it.
    package static func handle(
        _ events: [Envelope<PaymentDisputeClosedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        var credit: CreditReturn = try .lock(events.compactMap(\.body.invoiceID), in: db)
        for event in events { try DisputeStore.note(event.body, in: db) }
        try credit.settle(at: context.now, in: db)
    }
}
