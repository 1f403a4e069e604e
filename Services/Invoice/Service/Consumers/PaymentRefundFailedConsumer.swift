package import BillingCore
package import BillingEvents
import InvoiceDomain
package import Logging
package import Messaging
package import Postgres

/// Undoes refunds that failed after they were booked.
package struct PaymentRefundFailedConsumer: Sendable {
    private let logger: Logger

    /// - Parameter logger: Gets one line for each refund.
    package init(logger: Logger) { self.logger = logger }

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(PaymentRefundFailedV1.self) { events, db, context in
            for event in events { try handle(event.body, in: db, at: context.now) }
        }
    }

    /// Takes a refund off its invoice, once. One that is heard of before the refund itself is kept, so that the refund
    /// never counts.
    /// - Throws: `Refusal.park` for an unknown invoice.
    /// - Note: Emits `invoice.refund_failed.v1` where the refund counted.
    package func handle(
        _ failure: PaymentRefundFailedV1, in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        guard let id: InvoiceID = failure.invoiceID else { return }
        guard var invoice = try InvoiceStore.lock([id], in: db)[id] else {
            throw Refusal.park(reason: "failed refund \(failure.refundID): there is no invoice \(id)")
        }
        guard
            let known: InvoiceRefund = try RefundStore.lock(
                failure.refundID, currency: failure.amount.currency, in: db)
        else {
            let unheard = InvoiceRefund(
                id: failure.refundID, invoiceID: id, paymentID: failure.paymentID, amount: failure.amount,
                refundedAt: failure.failedAt, failedAt: failure.failedAt)
            return try db.enqueue(RefundStore.insertion([unheard]))
        }
        guard known.failedAt == nil else { return }
        try RefundStore.fail(known.id, at: failure.failedAt, in: db)
        logger.notice("a refund failed", metadata: ["refund": "\(known.id)", "invoice": "\(id)"])
        guard !known.isUnapplied else {
            return try UnappliedPaymentStore.takeBack(known.amount, of: known.paymentID, in: db)
        }
        try parking("failed refund \(known.id) of invoice \(id)") { () throws(InvoiceRefusal) in
            try invoice.undoRefund(known.amount)
        }
        try db.enqueue(InvoiceStore.update([invoice]))
        try Outbox.append(invoice.refundFailedEvent(failure), key: invoice.eventKey, at: now, in: db)
    }
}
