import BillingCore
package import BillingEvents
import Messaging
package import Postgres

/// Remembers which invoice a billing became.
package enum InvoiceFinalized {
    static var route: EventRoute {
        .on(InvoiceFinalizedV1.self) { events, db, _ in try handle(events, in: db) }
    }

    /// Handles a batch inside the transaction that claimed it.
    package static func handle(_ events: [Envelope<InvoiceFinalizedV1>], in db: borrowing PostgresTransaction) throws {
        let pairs: [(billing: BillingID, invoice: InvoiceID)] = events.map { ($0.body.billingID, $0.body.invoiceID) }
        let found: Int = try BillingStore.setInvoices(pairs, in: db)
        if found < Set(pairs.map(\.billing)).count { throw Refusal.park(reason: "unknown billing") }
    }
}
