package import BillingCore
import HTTPKit
package import Postgres

/// Takes a plan out of what can be subscribed and moved to, or puts it back. Who is on it, or is to move to it at the end of
/// a period, goes on.
package struct ChangePlanActivity: Sendable {
    /// Needs nothing.
    package init() {}

    /// Runs in the caller's transaction.
    /// - Parameter isActive: What the plan becomes; `nil` leaves it.
    /// - Throws: ``Problem`` for a plan that is not there.
    package func callAsFunction(
        _ id: PlanID, isActive: Bool?, in db: borrowing PostgresTransaction
    ) throws -> StoredPlan {
        if let isActive { try PlanStore.setActive(isActive, id, in: db) }
        guard let stored: StoredPlan = try PlanStore.find(id, in: db) else {
            throw Problem.notFound("plan", id.rawValue)
        }
        return stored
    }
}

extension StoredPlan {
    /// - Throws: ``Problem`` 422 for a plan that nobody can subscribe or move to.
    func requireActive() throws(Problem) {
        guard !isActive else { return }
        throw .refused("plan_inactive", "The plan can no longer be subscribed to.", param: "plan_id")
    }
}
