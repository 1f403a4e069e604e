import BillingCore
package import BillingEvents
package import Messaging
package import Postgres
import SubscriptionDomain

/// Ends what an invoice was for when Invoice voids it on its own. The voiding that a withdrawal asked for changes nothing.
package struct InvoiceVoided: Sendable {
    let afterCommit: SettlementNotice

    /// Wires the handler.
    package init(afterCommit: SettlementNotice) {
        self.afterCommit = afterCommit
    }

    var route: EventRoute {
        .on(InvoiceVoidedV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it.
    package func handle(
        _ events: [Envelope<InvoiceVoidedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        var batch: SubscriptionBatch = try .lock(events.map(\.body.subscriptionID), in: db)
        for event in events {
            try batch.change(event.body.subscriptionID) { subscription in
                subscription.invoiceVoided(event.body.billingID, at: context.now)
            }
        }
        afterCommit.notify(of: try batch.save(at: context.now, in: db), at: context.now, in: db)
    }
}
