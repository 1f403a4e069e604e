import BillingCore
package import BillingEvents
package import Messaging
package import Postgres
package import SubscriptionDomain

/// Starts or continues dunning when an attempt to collect fails; gives up an upgrade that cannot be paid.
package struct InvoicePaymentFailed: Sendable {
    let policy: DunningPolicy
    let afterCommit: SettlementNotice

    /// Wires the handler.
    package init(policy: DunningPolicy, afterCommit: SettlementNotice) {
        self.policy = policy
        self.afterCommit = afterCommit
    }

    var route: EventRoute {
        .on(InvoicePaymentFailedV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it.
    package func handle(
        _ events: [Envelope<InvoicePaymentFailedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        var batch: SubscriptionBatch = try .lock(events.map(\.body.subscriptionID), in: db)
        for event in events {
            let body: InvoicePaymentFailedV1 = event.body
            guard let declineClass = DeclineClass(rawValue: body.declineClass) else {
                throw Refusal.park(reason: "unknown decline class \(body.declineClass)")
            }
            try batch.change(body.subscriptionID) { subscription in
                subscription.collectionFailed(
                    body.billingID, invoiceID: body.invoiceID, attempt: body.attempt, as: declineClass,
                    with: body.paymentMethodID, notBefore: body.retryAt, policy: policy, at: context.now)
            }
        }
        afterCommit.notify(of: try batch.save(at: context.now, in: db), at: context.now, in: db)
    }
}
