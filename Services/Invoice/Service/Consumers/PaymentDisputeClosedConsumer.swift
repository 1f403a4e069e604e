import BillingCore
package import BillingEvents
package import Messaging
package import Postgres

/// Remembers what disputes have taken of the money that was paid for invoices.
package struct PaymentDisputeClosedConsumer: Sendable {
    /// Needs nothing.
    package init() {}

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(PaymentDisputeClosedV1.self) { events, db, _ in for event in events { try handle(event.body, in: db) } }
    }

    /// Keeps the last word on a dispute. Disputes of payments that are not for an invoice are no concern of ours. The
    /// invoice's state does not change: it was paid.
    /// - Throws: `Refusal.park` for an outcome that there is not.
    package func handle(_ closed: PaymentDisputeClosedV1, in db: borrowing PostgresTransaction) throws {
        guard let invoiceID: InvoiceID = closed.invoiceID else { return }
        guard let outcome = InvoiceDispute.Outcome(rawValue: closed.outcome) else {
            throw Refusal.park(reason: "dispute \(closed.disputeID): unknown outcome \(closed.outcome.prefix(40))")
        }
        let dispute = InvoiceDispute(
            id: closed.disputeID, invoiceID: invoiceID, paymentID: closed.paymentID, amount: closed.amount,
            outcome: outcome, closedAt: closed.closedAt)
        try DisputeStore.note(dispute, in: db)
    }
}
