package import BillingCore
import HTTPKit
package import Postgres
package import SubscriptionDomain

/// Ends a subscription now or when the paid period ends.
/// - Note: Now: emits `subscription.status_changed.v1`, and `subscription.billing_withdrawn.v1` when something was unpaid.
///   Locks the subscription's row.
package struct CancelSubscription: Sendable {
    /// Needs nothing.
    package init() {}

    /// Runs in the caller's transaction.
    package func callAsFunction(
        _ id: SubscriptionID, atPeriodEnd: Bool, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Subscription {
        guard var subscription: Subscription = try SubscriptionStore.lock([id], in: db).first else {
            throw Problem.notFound("subscription", id.rawValue)
        }
        let isDone: Bool = atPeriodEnd ? subscription.cancelAtPeriodEnd(at: now) : subscription.cancelNow(at: now)
        guard isDone else { throw Problem.subscriptionEnded }
        return try SubscriptionWriter.save([subscription], at: now, in: db).first ?? subscription
    }
}

extension Problem {
    /// 409: nothing brings back a subscription that has ended.
    static var subscriptionEnded: Problem { .conflict("subscription_ended", "The subscription has ended before.") }
}
