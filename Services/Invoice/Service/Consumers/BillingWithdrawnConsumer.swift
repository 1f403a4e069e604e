package import BillingCore
package import BillingEvents
import InvoiceDomain
package import Logging
package import Messaging
package import Postgres

/// Voids the invoices of billings that will not be collected any more. Their numbers stay used.
package struct BillingWithdrawnConsumer: Sendable {
    private let logger: Logger

    /// - Parameter logger: Gets one line per batch.
    package init(logger: Logger) { self.logger = logger }

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(SubscriptionBillingWithdrawnV1.self) { events, db, context in try handle(events, in: db, at: context.now) }
    }

    /// Voids what is unpaid. An invoice that was paid in the meantime stays paid: money that is in is not forgotten.
    /// - Throws: `Refusal.park` for a billing without an invoice.
    /// - Note: Emits `invoice.voided.v1`.
    package func handle(
        _ events: [Envelope<SubscriptionBillingWithdrawnV1>], in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        var invoices: [BillingID: Invoice] = try InvoiceStore.lock(billings: events.map(\.body.billingID), in: db)
        var voided: [Invoice] = []
        for event in events {
            let (billing, reason) = (event.body.billingID, event.body.reason)
            guard var invoice = invoices[billing] else {
                throw Refusal.park(reason: "billing \(billing) has no invoice to void")
            }
            guard invoice.status.successors.contains(.void) else {
                logger.notice(
                    "a withdrawn billing's invoice stays as it is",
                    metadata: ["invoice": "\(invoice.id)", "status": "\(invoice.status.rawValue)"])
                continue
            }
            try parking("invoice \(invoice.id)") { () throws(InvoiceRefusal) in
                try invoice.void(reason: reason, at: now)
            }
            invoices[billing] = invoice
            voided.append(invoice)
        }
        guard !voided.isEmpty else { return }
        try db.enqueue(InvoiceStore.update(voided))
        try Outbox.append(
            voided.map { OutboxEvent($0.voidedEvent(reason: $0.state.voidReason ?? ""), key: $0.eventKey, at: now) },
            in: db)
        InvoiceMetrics.shared.voided(voided.count, in: db)
        logger.info("invoices voided", metadata: ["count": "\(voided.count)"])
    }
}
