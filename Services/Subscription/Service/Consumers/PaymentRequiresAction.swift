import BillingCore
package import BillingEvents
package import Messaging
package import Postgres
package import SubscriptionDomain

/// Stops waiting for an attempt that only the customer can continue: a sign-up's answer is known then, a renewal is
/// past due until the customer has authenticated. Word of an invoice that is not the open billing's, or not known yet,
/// changes nothing: it may be of an earlier period.
package struct PaymentRequiresAction: Sendable {
    let policy: DunningPolicy
    let afterCommit: SettlementNotice

    /// Wires the handler.
    package init(policy: DunningPolicy, afterCommit: SettlementNotice) {
        self.policy = policy
        self.afterCommit = afterCommit
    }

    var route: EventRoute {
        .on(PaymentRequiresActionV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it.
    package func handle(
        _ events: [Envelope<PaymentRequiresActionV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        let ours: [PaymentRequiresActionV1] = events.map(\.body).filter { $0.subscriptionID != nil }
        var batch: SubscriptionBatch = try .lock(ours.compactMap(\.subscriptionID), in: db)
        for body in ours {
            guard let subscriptionID = body.subscriptionID, let invoiceID = body.invoiceID else { continue }
            try batch.change(subscriptionID) { subscription in
                guard let billing = subscription.open, billing.invoiceID == invoiceID else { return }
                subscription.collectionFailed(
                    billing.id, invoiceID: invoiceID, attempt: body.attempt, as: .action, reason: .actionRequired,
                    policy: policy, at: context.now)
            }
        }
        afterCommit.notify(of: try batch.save(at: context.now, in: db), at: context.now, in: db)
    }
}
