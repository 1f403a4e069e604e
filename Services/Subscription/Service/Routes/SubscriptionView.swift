import BillingCore
package import JSON
package import SubscriptionDomain

/// A subscription as the API shows it.
package struct SubscriptionView: JSONOutput {
    let subscription: Subscription

    /// Shows a subscription.
    package init(_ subscription: Subscription) { self.subscription = subscription }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "subscription", doc: "Always `subscription`")
        o.field("id", subscription.id.rawValue)
        o.field("customer_id", subscription.customerID.rawValue)
        o.field("plan_id", subscription.plan.id.rawValue)
        o.field("status", subscription.status)
        o.field("current_period_start", subscription.period.start)
        o.field("current_period_end", subscription.period.end, doc: "Not part of the period")
        o.field("trial_end", subscription.trialEnd)
        o.field("cancel_at_period_end", subscription.cancelsAtPeriodEnd)
        o.field("canceled_at", subscription.canceledAt)
        o.field("created_at", subscription.createdAt)
        o.field("pending_plan_id", subscription.pendingPlan?.id.rawValue, doc: "The plan from the end of the period on")
        o.field("latest_billing_id", subscription.latestBillingID?.rawValue)
        o.field(
            "credit_balance", subscription.credit,
            doc: "Minor units that the next billings use up; below zero still owed, added to the next one")
        o.field("metadata", subscription.metadata)
    }

    package static var sample: SubscriptionView {
        let plan = PlanView.sample.stored.plan
        let anchor = BillingAnchor(at: .sample, in: .utc)
        let period: BillingPeriod = .first(from: .sample, of: anchor.calendar(plan.rule, in: .utc))
        return SubscriptionView(
            Subscription(
                id: .sample, customerID: .sample, zone: .utc, plan: plan, status: .active, anchor: anchor,
                period: period, createdAt: .sample, latestBillingID: .sample))
    }
}
