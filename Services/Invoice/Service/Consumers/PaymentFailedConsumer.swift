package import BillingCore
package import BillingEvents
import InvoiceDomain
package import Logging
package import Messaging
package import Postgres

/// Tells Subscription, in terms of the invoice, that an attempt to collect it failed. The invoice stays due.
package struct PaymentFailedConsumer: Sendable {
    private let logger: Logger

    /// - Parameter logger: Gets one line per batch.
    package init(logger: Logger) { self.logger = logger }

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(PaymentFailedV1.self) { events, db, context in try handle(events, in: db, at: context.now) }
    }

    /// Passes the failures on. One for an invoice that is settled or withdrawn changes nothing any more.
    /// - Throws: `Refusal.park` for an invoice nobody knows.
    /// - Note: Emits `invoice.payment_failed.v1`. Takes no locks: nothing is changed.
    package func handle(
        _ events: [Envelope<PaymentFailedV1>], in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        let ids: [InvoiceID] = events.compactMap(\.body.invoiceID)
        guard !ids.isEmpty else { return }
        let invoices: [InvoiceID: Invoice] = try InvoiceStore.find(ids, in: db)
        var failed: [OutboxEvent] = []
        for case (let failure, let id?) in events.map({ ($0.body, $0.body.invoiceID) }) {
            guard let invoice = invoices[id] else {
                throw Refusal.park(reason: "payment \(failure.paymentID): there is no invoice \(id)")
            }
            guard invoice.status.isOpen else {
                logger.notice(
                    "a payment failed for an invoice that is not due",
                    metadata: ["invoice": "\(id)", "status": "\(invoice.status.rawValue)"])
                continue
            }
            failed.append(OutboxEvent(invoice.paymentFailedEvent(failure), key: invoice.eventKey, at: now))
        }
        guard !failed.isEmpty else { return }
        try Outbox.append(failed, in: db)
        logger.info("invoices not paid", metadata: ["count": "\(failed.count)"])
    }
}
