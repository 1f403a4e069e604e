package import BillingCore
public import HTTPKit
package import Postgres
public import SubscriptionDomain

/// Moves a subscription to another plan, at once with proration or at the end of the period, and takes back an end that is
/// planned.
/// - Note: At once: emits `subscription.plan_changed.v1` and `subscription.billed.v1`. Locks the subscription's row.
package struct ChangePlan: Sendable {
    private let collectable: CollectableAmounts

    /// Bills what can be collected.
    package init(collectable: CollectableAmounts) { self.collectable = collectable }

    /// Runs in the caller's transaction. Moving to the plan it is on only takes back a move, so that plan need not be active.
    /// - Throws: ``Problem`` or `PlanChangeRefusal`; nothing is changed then.
    package func callAsFunction(
        _ id: SubscriptionID, _ input: SubscriptionChangeInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Subscription {
        guard var subscription: Subscription = try SubscriptionStore.lock([id], in: db).first else {
            throw Problem.notFound("subscription", id.rawValue)
        }
        if input.takesBackEnd {
            guard subscription.takeBackPlannedEnd() else { throw Problem.subscriptionEnded }
        }
        if let planID: PlanID = input.planID {
            guard let stored: StoredPlan = try PlanStore.find(planID, in: db) else {
                throw Problem.invalid([.unknownID("plan_id", "there is no such plan")])
            }
            if planID != subscription.plan.id { try stored.requireActive() }
            switch input.proration {
            case .immediate:
                let paid: PaidTime? = try RefundStore.paidTime(of: id, in: db)
                try subscription.changePlanNow(to: stored.plan, paidBy: paid, collectable: collectable, at: now)
            case .none: try subscription.changePlanAtPeriodEnd(to: stored.plan)
            }
        }
        return try SubscriptionWriter.save([subscription], at: now, in: db).first ?? subscription
    }
}

extension PlanChangeRefusal: ProblemConvertible {
    /// What a caller is told.
    public var problem: Problem {
        switch self {
        case .notActive:
            .conflict("subscription_not_active", "Only an active subscription can change its plan.")
        case .billingOpen:
            .conflict("billing_open", "An invoice of this subscription is still being collected.")
        case .renewalDue:
            .conflict(
                "renewal_due", "The period has just ended and the renewal is about to be billed. Ask again shortly.")
        case .currencyMismatch:
            .refused(
                "currency_mismatch", "The new plan's price is in another currency than the subscription.",
                param: "plan_id")
        case .amountTooLarge:
            .refused("amount_too_large", "The amounts of this change do not fit.", param: "plan_id")
        }
    }
}
