import BillingCore
package import BillingEvents
package import Messaging
package import Postgres
import SubscriptionDomain

/// Awaits the outcome of attempts that Payment has begun and nobody here asked for: a customer who comes back to
/// authenticate makes one.
package enum PaymentCreated {
    static var route: EventRoute {
        .on(PaymentCreatedV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it. An invoice's first attempt is awaited from its billing
    /// on: nothing is locked for those.
    package static func handle(
        _ events: [Envelope<PaymentCreatedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        let further: [PaymentCreatedV1] = events.map(\.body).filter { $0.attempt > 1 && $0.subscriptionID != nil }
        guard !further.isEmpty else { return }
        var batch: SubscriptionBatch = try .lock(further.compactMap(\.subscriptionID), in: db)
        for body in further {
            guard let subscriptionID = body.subscriptionID, let invoiceID = body.invoiceID else { continue }
            try batch.change(subscriptionID) { subscription in
                subscription.attemptBegun(invoiceID, attempt: body.attempt, at: body.createdAt)
            }
        }
        try batch.save(at: context.now, in: db)
    }
}
