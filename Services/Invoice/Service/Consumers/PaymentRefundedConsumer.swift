package import BillingCore
package import BillingEvents
import InvoiceDomain
package import Logging
package import Messaging
package import Postgres

/// Books refunds on the invoices they belong to.
package struct PaymentRefundedConsumer: Sendable {
    private let logger: Logger

    /// - Parameter logger: Gets one line per batch.
    package init(logger: Logger) { self.logger = logger }

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(PaymentRefundedV1.self) { events, db, context in try handle(events, in: db, at: context.now) }
    }

    /// Adds the refunds up. Each refund counts once, and never more goes back than came in.
    /// - Throws: `Refusal.park` for an unknown invoice, for a payment that did not pay it, and for more than is left.
    /// - Note: Emits `invoice.refunded.v1`; none for money that was set aside, which the invoice never had.
    package func handle(
        _ events: [Envelope<PaymentRefundedV1>], in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        let concerned: [PaymentRefundedV1] = events.map(\.body).filter { $0.invoiceID != nil }
        guard !concerned.isEmpty else { return }
        var invoices: [InvoiceID: Invoice] = try InvoiceStore.lock(concerned.compactMap(\.invoiceID), in: db)
        var booked: Set<RefundID> = try RefundStore.booked(concerned.map(\.refundID), in: db)
        var rows: [InvoiceRefund] = []
        var refunded: [OutboxEvent] = []
        for case (let refund, let id?) in concerned.map({ ($0, $0.invoiceID) }) {
            guard booked.insert(refund.refundID).inserted else { continue }
            guard var invoice = invoices[id] else {
                throw Refusal.park(reason: "refund \(refund.refundID): there is no invoice \(id)")
            }
            let settledByIt: Bool = invoice.status == .paid && invoice.state.paymentID == refund.paymentID
            if !settledByIt, try UnappliedPaymentStore.giveBack(refund.amount, of: refund.paymentID, in: db) {
                logger.notice("money set aside went back", metadata: ["payment": "\(refund.paymentID)"])
                rows.append(InvoiceRefund(refund, of: id, isUnapplied: true))
                continue
            }
            try parking("refund \(refund.refundID) of invoice \(id)") { () throws(InvoiceRefusal) in
                try invoice.refund(refund.amount, of: refund.paymentID)
            }
            invoices[id] = invoice
            rows.append(InvoiceRefund(refund, of: id))
            refunded.append(OutboxEvent(invoice.refundedEvent(refund), key: invoice.eventKey, at: now))
        }
        guard !rows.isEmpty else { return }
        try db.enqueue(RefundStore.insertion(rows))
        guard !refunded.isEmpty else { return }
        let changed: Set<InvoiceID> = Set(rows.filter { !$0.isUnapplied }.map(\.invoiceID))
        try db.enqueue(InvoiceStore.update(invoices.values.filter { changed.contains($0.id) }))
        try Outbox.append(refunded, in: db)
        InvoiceMetrics.shared.refunded(refunded.count, in: db)
        logger.info("refunds booked", metadata: ["count": "\(refunded.count)"])
    }
}

extension InvoiceRefund {
    fileprivate init(_ refund: PaymentRefundedV1, of invoice: InvoiceID, isUnapplied: Bool = false) {
        self.init(
            id: refund.refundID, invoiceID: invoice, paymentID: refund.paymentID, amount: refund.amount,
            refundedAt: refund.refundedAt, isUnapplied: isUnapplied)
    }
}
