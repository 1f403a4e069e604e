import BillingCore
package import BillingEvents
package import Messaging
package import Postgres

/// Follows what was given back of invoices' payments. Where such a payment is behind credit, as one that came after the end of
/// what it was for, or one of time that was credited when the plan changed, the subscription's balance falls by it.
package enum InvoiceRefunded {
    static var routes: [EventRoute] {
        [
            .on(InvoiceRefundedV1.self) { events, db, context in try handle(events, in: db, context) },
            .on(InvoiceRefundFailedV1.self) { events, db, context in try handle(events, in: db, context) },
        ]
    }

    /// Handles a batch inside the transaction that claimed it. Amounts are added up, not the totals taken over: each
    /// event counts once, in whatever order events that are published again come.
    package static func handle(
        _ events: [Envelope<InvoiceRefundedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        try add(events.map { ($0.body.invoiceID, $0.body.customerID, $0.body.amount.minor) }, in: db, context)
    }

    /// Handles a batch of refunds that failed after they were booked, inside the transaction that claimed it.
    package static func handle(
        _ events: [Envelope<InvoiceRefundFailedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        try add(events.map { ($0.body.invoiceID, $0.body.customerID, -$0.body.amount.minor) }, in: db, context)
    }

    private static func add(
        _ amounts: [(invoice: InvoiceID, customer: CustomerID, amount: Int64)], in db: borrowing PostgresTransaction,
        _ context: EventContext
    ) throws {
        let sums: [InvoiceID: Int64] = Dictionary(amounts.map { ($0.invoice, $0.amount) }, uniquingKeysWith: +)
        let changes: [(invoice: InvoiceID, amount: Int64)] = sums.map { (invoice: $0.key, amount: $0.value) }
        var credit: CreditReturn = try .lock(amounts.map { (invoice: $0.invoice, customer: $0.customer) }, in: db)
        try BillingStore.addRefunded(changes, in: db)
        try RefundStore.add(changes, in: db)
        try credit.settle(at: context.now, in: db)
    }
}
