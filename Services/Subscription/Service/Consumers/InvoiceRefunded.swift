import BillingCore
package import BillingEvents
import Messaging
package import Postgres

/// Follows what was given back of payments that came after the end of what they were for.
package enum InvoiceRefunded {
    static var routes: [EventRoute] {
        [
            .on(InvoiceRefundedV1.self) { events, db, _ in try handle(events, in: db) },
            .on(InvoiceRefundFailedV1.self) { events, db, _ in try handle(events, in: db) },
        ]
    }

    /// Handles a batch inside the transaction that claimed it. Amounts are added up, not the totals taken over: each
    /// event counts once, in whatever order events that are published again come.
    package static func handle(_ events: [Envelope<InvoiceRefundedV1>], in db: borrowing PostgresTransaction) throws {
        try add(events.map { ($0.body.invoiceID, $0.body.amount.minor) }, in: db)
    }

    /// Handles a batch of refunds that failed after they were booked, inside the transaction that claimed it.
    package static func handle(
        _ events: [Envelope<InvoiceRefundFailedV1>], in db: borrowing PostgresTransaction
    ) throws {
        try add(events.map { ($0.body.invoiceID, -$0.body.amount.minor) }, in: db)
    }

    private static func add(
        _ amounts: [(invoice: InvoiceID, amount: Int64)], in db: borrowing PostgresTransaction
    ) throws {
        let sums: [InvoiceID: Int64] = Dictionary(amounts.map { ($0.invoice, $0.amount) }, uniquingKeysWith: +)
        try BillingStore.addRefunded(sums.map { (invoice: $0.key, amount: $0.value) }, in: db)
    }
}
