import BillingCore
package import BillingEvents
package import Messaging
package import Postgres
import SubscriptionDomain

/// Awaits the outcome of attempts that Payment has begun and nobody here asked for: a customer who comes back to
/// authenticate, or pays on a page, makes one. Remembers which payment method each attempt uses, and which attempts are with a
/// method of the customer's own.
package enum PaymentCreated {
    static var route: EventRoute {
        .on(PaymentCreatedV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it. An invoice's first attempt is awaited from its billing
    /// on: no subscription is locked for those.
    package static func handle(
        _ events: [Envelope<PaymentCreatedV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        let ours: [PaymentCreatedV1] = events.map(\.body).filter { $0.subscriptionID != nil }
        try follow(ours.filter { $0.attempt > 1 }, in: db, context)
        try BillingStore.setFirstMethods(ours.filter { $0.attempt == 1 }.compactMap { FirstAttempt($0) }, in: db)
    }

    private static func follow(
        _ further: [PaymentCreatedV1], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        guard !further.isEmpty else { return }
        var batch: SubscriptionBatch = try .lock(further.compactMap(\.subscriptionID), in: db)
        for body in further {
            guard let subscriptionID = body.subscriptionID, let invoiceID = body.invoiceID else { continue }
            try batch.change(subscriptionID) { subscription in
                subscription.attemptBegun(
                    invoiceID, attempt: body.attempt, with: body.paymentMethodID, offSession: body.offSession,
                    at: body.createdAt)
            }
        }
        try batch.save(at: context.now, in: db)
    }
}

extension FirstAttempt {
    fileprivate init?(_ body: PaymentCreatedV1) {
        guard let subscription = body.subscriptionID, let invoice = body.invoiceID else { return nil }
        self.init(subscription: subscription, invoice: invoice, method: body.paymentMethodID)
    }
}
