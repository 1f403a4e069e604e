package import BillingCore
package import BillingEvents
import InvoiceDomain
package import Logging
package import Messaging
package import Postgres

/// Settles invoices with the payments that were made for them.
///
/// Money for an invoice that cannot accept it (void, paid already, another amount) is set aside in
/// `unapplied_payments`, where the consistency check shows it until it has gone back.
package struct PaymentSucceededConsumer: Sendable {
    private let logger: Logger

    /// - Parameter logger: Gets one line per batch and one per payment set aside.
    package init(logger: Logger) { self.logger = logger }

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(PaymentSucceededV1.self) { events, db, context in try handle(events, in: db, at: context.now) }
    }

    /// Marks the invoices paid. Payments that are not for an invoice are no concern of ours.
    /// - Throws: `Refusal.park` for an invoice nobody knows.
    /// - Note: Emits `invoice.paid.v1`.
    package func handle(
        _ events: [Envelope<PaymentSucceededV1>], in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        let ids: [InvoiceID] = events.compactMap(\.body.invoiceID)
        guard !ids.isEmpty else { return }
        var invoices: [InvoiceID: Invoice] = try InvoiceStore.lock(ids, in: db)
        var paid: [Invoice] = []
        var unapplied: [UnappliedPayment] = []
        for case (let payment, let id?) in events.map({ ($0.body, $0.body.invoiceID) }) {
            guard var invoice = invoices[id] else {
                throw Refusal.park(reason: "payment \(payment.paymentID): there is no invoice \(id)")
            }
            let application = try parking("invoice \(id)") { () throws(InvoiceRefusal) -> PaymentApplication in
                try invoice.apply(payment.paymentID, amount: payment.amount, at: payment.succeededAt)
            }
            switch application {
            case .applied: paid.append(invoice)
            case .repeated: logger.notice("an invoice was paid by this before", metadata: ["invoice": "\(id)"])
            case .unapplied(let reason): unapplied.append(UnappliedPayment(payment, invoice: id, reason: reason))
            }
            invoices[id] = invoice
        }
        try settle(paid, in: db, at: now)
        try setAside(unapplied, in: db)
    }

    private func settle(_ paid: [Invoice], in db: borrowing PostgresTransaction, at now: Instant) throws {
        guard !paid.isEmpty else { return }
        try db.enqueue(InvoiceStore.update(paid))
        try Outbox.append(
            paid.map { OutboxEvent($0.paidEvent(at: $0.state.paidAt ?? now), key: $0.eventKey, at: now) }, in: db)
        InvoiceMetrics.shared.paid(paid.count, in: db)
        logger.info("invoices paid", metadata: ["count": "\(paid.count)"])
    }

    private func setAside(_ payments: [UnappliedPayment], in db: borrowing PostgresTransaction) throws {
        guard !payments.isEmpty else { return }
        try db.enqueue(UnappliedPaymentStore.insertion(payments))
        InvoiceMetrics.shared.unapplied(payments.count, in: db)
        for payment in payments {
            logger.error(
                "money was taken for an invoice that cannot accept it",
                metadata: [
                    "payment": "\(payment.paymentID)", "invoice": "\(payment.invoiceID)",
                    "reason": "\(payment.reason.rawValue)",
                ])
        }
    }
}

extension UnappliedPayment {
    fileprivate init(_ payment: PaymentSucceededV1, invoice: InvoiceID, reason: UnappliedReason) {
        self.init(
            paymentID: payment.paymentID, invoiceID: invoice, customerID: payment.customerID, amount: payment.amount,
            reason: reason, succeededAt: payment.succeededAt)
    }
}
