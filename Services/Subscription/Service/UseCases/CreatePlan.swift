package import BillingCore
import BillingEvents
import HTTPKit
import Messaging
package import Postgres
import SubscriptionDomain

/// Adds a plan under the caller's own id or a new one. It can be subscribed to at once; only ``ChangePlanActivity``
/// changes it.
/// - Note: Emits `plan.created.v1`, keyed by the plan, in the same transaction.
package struct CreatePlan: Sendable {
    /// Needs nothing.
    package init() {}

    /// Runs in the caller's transaction.
    package func callAsFunction(
        _ input: NewPlanInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> StoredPlan {
        let plan = Plan(
            id: input.id ?? .new(at: now), name: input.name, price: input.price, rule: input.rule,
            trialDays: input.trialDays)
        let stored = StoredPlan(plan: plan, isActive: true, metadata: input.metadata, createdAt: now)
        guard try PlanStore.insert(stored, in: db) else {
            throw Problem.conflict("plan_exists", "There is a plan with the id \(plan.id) already.")
        }
        let event = PlanCreatedV1(
            planID: plan.id, name: plan.name, amount: plan.price, interval: plan.rule.interval.rawValue,
            intervalCount: Int64(plan.rule.count), trialDays: Int64(plan.trialDays))
        try Outbox.append(event, key: plan.id.rawValue, at: now, in: db)
        return stored
    }
}
