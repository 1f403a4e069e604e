import BillingCore
import BillingEvents
import Messaging
import Postgres
import SubscriptionDomain

/// Collects what is unpaid at once when its customer has a new default payment method.
struct PaymentMethodAttached: Sendable {
    let policy: DunningPolicy

    var route: EventRoute {
        .on(PaymentMethodAttachedV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    func handle(
        _ events: [Envelope<PaymentMethodAttachedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        var attachedAt: [CustomerID: Instant] = [:]
        for event in events where event.body.isDefault {
            attachedAt[event.body.customerID] = max(event.time, attachedAt[event.body.customerID] ?? event.time)
        }
        guard !attachedAt.isEmpty else { return }
        let unpaid: [Subscription] = try SubscriptionStore.lockUnpaid(of: Array(attachedAt.keys), in: db)
        var batch = SubscriptionBatch(unpaid)
        for id in batch.ids {
            try batch.change(id) { subscription in
                guard let time: Instant = attachedAt[subscription.customerID] else { return }
                subscription.methodAttached(at: time, policy: policy, now: context.now)
            }
        }
        try batch.save(at: context.now, in: db)
    }
}
