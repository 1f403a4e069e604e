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

    /// Handles a batch inside the transaction that claimed it. The last total of an invoice counts.
    package static func handle(_ events: [Envelope<InvoiceRefundedV1>], in db: borrowing PostgresTransaction) throws {
        try note(events.map { ($0.body.invoiceID, $0.body.refundedTotal) }, in: db)
    }

    /// Handles a batch of refunds that failed after they were booked, inside the transaction that claimed it.
    package static func handle(
        _ events: [Envelope<InvoiceRefundFailedV1>], in db: borrowing PostgresTransaction
    ) throws {
        try note(events.map { ($0.body.invoiceID, $0.body.refundedTotal) }, in: db)
    }

    private static func note(
        _ totals: [(invoice: InvoiceID, refunded: Int64)], in db: borrowing PostgresTransaction
    ) throws {
        let latest: [InvoiceID: Int64] = Dictionary(
            totals.map { ($0.invoice, $0.refunded) }, uniquingKeysWith: { _, last in last })
        try BillingStore.setRefunded(latest.map { (invoice: $0.key, refunded: $0.value) }, in: db)
    }
}
