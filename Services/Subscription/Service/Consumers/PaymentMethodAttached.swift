import BillingCore
package import BillingEvents
package import Messaging
package import Postgres
package import SubscriptionDomain

/// Collects what is unpaid at once when its customer has a new default payment method, unless they agreed to later charges of it
/// alone.
package struct PaymentMethodAttached: Sendable {
    let policy: DunningPolicy

    /// Wires the handler.
    package init(policy: DunningPolicy) {
        self.policy = policy
    }

    var route: EventRoute {
        .on(PaymentMethodAttachedV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it. Of a customer's several new ones the last is the default.
    package func handle(
        _ events: [Envelope<PaymentMethodAttachedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        var latest: [CustomerID: Envelope<PaymentMethodAttachedV1>] = [:]
        for event in events where event.body.isDefault && event.body.isForLater != true {
            latest[event.body.customerID] = event
        }
        guard !latest.isEmpty else { return }
        let unpaid: [Subscription] = try SubscriptionStore.lockUnpaid(of: Array(latest.keys), in: db)
        var batch = SubscriptionBatch(unpaid)
        for id in batch.ids {
            try batch.change(id) { subscription in
                guard let event = latest[subscription.customerID] else { return }
                subscription.methodAttached(
                    event.body.paymentMethodID, at: event.time, policy: policy, now: context.now)
            }
        }
        try batch.save(at: context.now, in: db)
    }
}
