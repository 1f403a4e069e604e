package import BillingCore
package import BillingEvents
import InvoiceDomain
package import Logging
package import Messaging
package import Postgres

/// Makes one issued invoice of every billing: draft, lines, number, finalized; a zero total is paid at once.
///
/// Three round trips for a batch of any size: which billings are known, the numbers, and one for all rows and events
/// together with the commit. The series stays locked for the last two only.
package struct SubscriptionBilledConsumer: Sendable {
    private let logger: Logger

    /// - Parameter logger: Gets one line per batch.
    package init(logger: Logger) { self.logger = logger }

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(SubscriptionBilledV1.self) { events, db, context in try handle(events, in: db, at: context.now) }
    }

    /// Issues the invoices.
    /// - Throws: `Refusal.park` when the lines do not add up, outweigh each other, or do not fit.
    /// - Note: Emits `invoice.finalized.v1`, and `invoice.paid.v1` for zero totals.
    package func handle(
        _ events: [Envelope<SubscriptionBilledV1>], in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        var seen: Set<BillingID> = try InvoiceStore.billed(events.map(\.body.billingID), in: db)
        var invoices: [Invoice] = []
        var lines: [(id: InvoiceID, lines: [InvoiceLine])] = []
        for event in events {
            guard seen.insert(event.body.billingID).inserted else {
                logger.notice("a billing has its invoice already", metadata: ["billing": "\(event.body.billingID)"])
                continue
            }
            let priced: [InvoiceLine] = event.body.lines.map { $0.line(in: event.body.amount.currency) }
            let invoice: Invoice = try draft(event.body, lines: priced, at: now)
            invoices.append(invoice)
            lines.append((invoice.id, priced))
        }
        guard !invoices.isEmpty else { return }
        let issued: [OutboxEvent] = try issue(&invoices, for: events, in: db, at: now)
        try db.enqueue(InvoiceStore.insertion(invoices))
        try db.enqueue(InvoiceLineStore.insertion(lines))
        try Outbox.append(issued, in: db)
        InvoiceMetrics.shared.issued(invoices, in: db)
        logger.info("invoices issued", metadata: ["count": "\(invoices.count)"])
    }

    private func draft(_ billed: SubscriptionBilledV1, lines: [InvoiceLine], at now: Instant) throws -> Invoice {
        let billing = Invoice.Billing(
            id: billed.billingID, subscriptionID: billed.subscriptionID, customerID: billed.customerID,
            reason: billed.reason, periodStart: billed.periodStart, periodEnd: billed.periodEnd)
        return try parking("billing \(billed.billingID)") { () throws(InvoiceRefusal) -> Invoice in
            try Invoice.draft(id: InvoiceID.new(at: now), billing: billing, lines: lines, billed: billed.amount)
        }
    }

    /// Numbers and finalizes drafts.
    /// - Returns: Their events, in order.
    private func issue(
        _ invoices: inout [Invoice], for events: [Envelope<SubscriptionBilledV1>], in db: borrowing PostgresTransaction,
        at now: Instant
    ) throws -> [OutboxEvent] {
        let billedAt: [BillingID: Instant] = Dictionary(
            events.map { ($0.body.billingID, $0.body.billedAt) }, uniquingKeysWith: { first, _ in first })
        let first: Int64 = try InvoiceNumberStore.take(invoices.count, in: db)
        var issued: [OutboxEvent] = []
        for index in invoices.indices {
            let at: Instant = billedAt[invoices[index].billing.id] ?? now
            guard let number = InvoiceNumber(sequence: first + Int64(index)) else {
                throw InvoiceNumberStore.Failure.spent
            }
            try invoices[index].finalize(number: number, at: at)
            if invoices[index].total.isZero { try invoices[index].settleZero(at: at) }
            let invoice: Invoice = invoices[index]
            issued.append(OutboxEvent(invoice.finalizedEvent(number, at: at), key: invoice.eventKey, at: now))
            if invoice.status == .paid {
                issued.append(OutboxEvent(invoice.paidEvent(at: at), key: invoice.eventKey, at: now))
            }
        }
        return issued
    }
}

extension BilledLineV1 {
    /// The line as the domain knows it.
    fileprivate func line(in currency: Currency) -> InvoiceLine {
        InvoiceLine(
            description: description, quantity: quantity, unitAmount: Money(minor: unitAmount, currency: currency),
            amount: Money(minor: amount, currency: currency), periodStart: periodStart, periodEnd: periodEnd,
            proration: proration)
    }
}
