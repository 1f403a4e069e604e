import BillingCore
package import JSON
import SubscriptionDomain

/// What `POST /v1/subscriptions` takes.
package struct NewSubscriptionInput: JSONInput {
    let customerID: CustomerID
    let planID: PlanID
    let trialDays: Int?
    let metadata: [String: String]

    package init(_ f: inout InputFields) {
        customerID = f.id("customer_id", as: CustomerID.self, doc: "Who subscribes")
        planID = f.id("plan_id", as: PlanID.self, doc: "What to")
        trialDays = f.optionalInt(
            "trial_days", range: 0...Plan.maxTrialDays, doc: "Free days at the start, in place of the plan's"
        ).map { Int(clamping: $0) }
        metadata = f.metadata()
    }
}

/// When a change of plan takes effect.
enum ProrationChoice: String, CaseIterable, Sendable {
    /// At once; the difference for the rest of the period is billed.
    case immediate
    /// At the end of the period, without proration.
    case none
}

/// What `PATCH /v1/subscriptions/{id}` takes; what is left out stays.
package struct SubscriptionChangeInput: JSONInput {
    let planID: PlanID?
    let proration: ProrationChoice
    let takesBackEnd: Bool

    package init(_ f: inout InputFields) {
        planID = f.optionalID(
            "plan_id", as: PlanID.self, doc: "The plan to move to; the current one takes back a pending move")
        proration = f.enumeration(
            "proration", of: ProrationChoice.self, default: .immediate,
            doc: "`immediate` bills the difference now, `none` waits for the end of the period")
        let ends: Bool? = f.optionalBool(
            "cancel_at_period_end", doc: "`false` takes back an end that is planned; one is planned by canceling")
        takesBackEnd = ends == false
        if ends == true {
            f.refuse("cancel_at_period_end", code: "invalid_value", message: "can only be false: cancel instead")
        }
    }
}

/// What `POST /v1/subscriptions/{id}/cancel` takes.
struct CancelInput: JSONInput {
    let atPeriodEnd: Bool

    package init(_ f: inout InputFields) {
        atPeriodEnd = f.bool("at_period_end", default: true, doc: "Whether the paid period is still used up")
    }
}
