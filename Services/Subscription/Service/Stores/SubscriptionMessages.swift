import BillingCore
import BillingEvents
import Messaging
import SubscriptionDomain

/// Says on the wire what happened to a subscription.
enum SubscriptionMessages {
    /// The event for one happening, keyed by the customer.
    static func message(_ event: SubscriptionEvent, of subscription: Subscription, at now: Instant) -> OutboxEvent {
        let key: String = subscription.customerID.rawValue
        switch event {
        case .created:
            return OutboxEvent(created(subscription), key: key, at: now)
        case .billed(let billing):
            return OutboxEvent(billed(billing, subscription), key: key, at: now)
        case .statusChanged(let from, let to, let reason, let plan, let time):
            let body = SubscriptionStatusChangedV1(
                subscriptionID: subscription.id, customerID: subscription.customerID, planID: plan.id,
                amount: plan.price, interval: plan.rule.interval.rawValue, intervalCount: Int64(plan.rule.count),
                oldStatus: from.rawValue, newStatus: to.rawValue, reason: reason.rawValue, effectiveAt: time)
            return OutboxEvent(body, key: key, at: now)
        case .planChanged(let from, let to, let reason, let status, let time):
            let body = SubscriptionPlanChangedV1(
                subscriptionID: subscription.id, customerID: subscription.customerID, oldPlanID: from.id,
                newPlanID: to.id, amount: to.price, interval: to.rule.interval.rawValue,
                intervalCount: Int64(to.rule.count), status: status.rawValue, reason: reason.rawValue,
                effectiveAt: time)
            return OutboxEvent(body, key: key, at: now)
        case .collectionDue(let billingID, let invoiceID, let attempt, let reason):
            let body = SubscriptionCollectionDueV1(
                subscriptionID: subscription.id, customerID: subscription.customerID, billingID: billingID,
                invoiceID: invoiceID, attempt: attempt, reason: reason.rawValue)
            return OutboxEvent(body, key: key, at: now)
        case .withdrawn(let billingID, let reason):
            let body = SubscriptionBillingWithdrawnV1(
                billingID: billingID, subscriptionID: subscription.id, customerID: subscription.customerID,
                reason: reason.rawValue)
            return OutboxEvent(body, key: key, at: now)
        case .refundDue(let billingID, let invoiceID):
            let body = SubscriptionRefundDueV1(
                subscriptionID: subscription.id, customerID: subscription.customerID, billingID: billingID,
                invoiceID: invoiceID)
            return OutboxEvent(body, key: key, at: now)
        }
    }

    private static func created(_ subscription: Subscription) -> SubscriptionCreatedV1 {
        let plan: Plan = subscription.plan
        return SubscriptionCreatedV1(
            subscriptionID: subscription.id, customerID: subscription.customerID, planID: plan.id, amount: plan.price,
            interval: plan.rule.interval.rawValue, intervalCount: Int64(plan.rule.count),
            status: subscription.status.rawValue, trialEnd: subscription.trialEnd, createdAt: subscription.createdAt)
    }

    private static func billed(_ billing: Billing, _ subscription: Subscription) -> SubscriptionBilledV1 {
        let lines: [BilledLineV1] = billing.lines.map { line in
            BilledLineV1(
                description: line.description, quantity: 1, unitAmount: line.amount, amount: line.amount,
                periodStart: line.periodStart, periodEnd: line.periodEnd, proration: line.proration)
        }
        return SubscriptionBilledV1(
            billingID: billing.id, subscriptionID: subscription.id, customerID: subscription.customerID,
            reason: billing.reason.rawValue, amount: billing.amount, lines: lines, periodStart: billing.period.start,
            periodEnd: billing.period.end, billedAt: billing.billedAt)
    }
}
