package import BillingCore
import HTTPKit
import JSON
package import Postgres
package import SubscriptionDomain

/// Subscribes a customer to a plan. Without a trial the first period is billed in the same transaction.
/// - Note: Emits `subscription.created.v1` and, without a trial, `subscription.billed.v1`.
package struct SubscribeCustomer: Sendable {
    let policy: DunningPolicy
    let collectable: CollectableAmounts

    /// Works by a policy and bills what can be collected.
    package init(policy: DunningPolicy, collectable: CollectableAmounts) {
        self.policy = policy
        self.collectable = collectable
    }

    /// - Parameter id: The new subscription's id, drawn before so that a repeated request finds it.
    /// - Throws: ``Problem`` naming the customer and the plan when they do not exist, and for a plan that is not active.
    package func callAsFunction(
        _ id: SubscriptionID, _ input: NewSubscriptionInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Subscription {
        let customer: Customer? = try CustomerStore.find(input.customerID, in: db)
        let stored: StoredPlan? = try PlanStore.find(input.planID, in: db)
        guard let customer, let stored else {
            var faults: [Fault] = []
            if customer == nil { faults.append(.unknownID("customer_id", "there is no such customer")) }
            if stored == nil { faults.append(.unknownID("plan_id", "there is no such plan")) }
            throw Problem.invalid(faults)
        }
        try stored.requireActive()
        let subscription: Subscription = .signUp(
            id: id, customerID: customer.id, zone: customer.timeZone, plan: stored.plan,
            trialDays: input.trialDays ?? stored.plan.trialDays, metadata: input.metadata, policy: policy,
            collectable: collectable,
            at: now)
        return try SubscriptionWriter.insert(subscription, at: now, in: db)
    }
}

extension Fault {
    /// An id that is well-formed and names nothing.
    static func unknownID(_ param: String, _ message: String) -> Fault {
        Fault(param: param, code: "unknown_id", message: message)
    }
}
