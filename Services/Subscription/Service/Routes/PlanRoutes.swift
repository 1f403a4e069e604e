import BillingCore
import HTTPKit
package import JSON
import Postgres
import SubscriptionDomain

/// What `POST /v1/plans` takes.
package struct NewPlanInput: JSONInput {
    let id: PlanID?
    let name: String
    let price: Money
    let rule: BillingPeriodRule
    let trialDays: Int
    let metadata: [String: String]

    package init(_ f: inout InputFields) {
        id = f.optionalID("id", as: PlanID.self, doc: "An id of your own; made up when left out")
        name = f.string("name", min: 1, max: 200, doc: "Printed on invoices")
        price = f.positiveMoney("amount", doc: "Price of one billing period, in minor units")
        let interval = f.enumeration("interval", of: BillingInterval.self, doc: "Unit of the billing period")
        let count: Int64 =
            f.optionalInt(
                "interval_count", range: 1...Plan.maxIntervalCount, doc: "Units in one billing period; 1 by default")
            ?? 1
        rule = BillingPeriodRule(interval: interval, count: max(1, Int(clamping: count)))
        trialDays = Int(
            clamping: f.optionalInt("trial_days", range: 0...Plan.maxTrialDays, doc: "Free days at the start") ?? 0)
        metadata = f.metadata()
    }
}

/// What `PATCH /v1/plans/{id}` takes.
struct PlanChangeInput: JSONInput {
    let isActive: Bool?

    init(_ f: inout InputFields) {
        isActive = f.optionalBool("active", doc: "Whether it can be subscribed to; who is on it goes on either way")
    }
}

/// A plan as the API shows it.
struct PlanView: JSONOutput {
    let stored: StoredPlan

    init(_ stored: StoredPlan) { self.stored = stored }

    func write(to o: inout ObjectWriter) {
        o.field("object", "plan", doc: "Always `plan`")
        o.field("id", stored.plan.id.rawValue)
        o.field("name", stored.plan.name)
        o.money("amount", stored.plan.price, doc: "Price of one billing period")
        o.field("interval", stored.plan.rule.interval.rawValue)
        o.field("interval_count", stored.plan.rule.count)
        o.field("trial_days", stored.plan.trialDays)
        o.field("active", stored.isActive, doc: "Whether it can be subscribed to")
        o.field("created_at", stored.createdAt)
        o.field("metadata", stored.metadata)
    }

    static var sample: PlanView {
        let plan = Plan(
            id: PlanID(unchecked: "premium_monthly"), name: "Premium", price: Money(minor: 999, currency: .usd),
            rule: BillingPeriodRule(interval: .month), trialDays: 14)
        return PlanView(StoredPlan(plan: plan, isActive: true, metadata: [:], createdAt: .sample))
    }
}

/// `/v1/plans`
struct PlanRoutes: Sendable {
    let create = CreatePlan()
    let changeActivity = ChangePlanActivity()

    var endpoints: [Endpoint] {
        [
            .write(
                .post, "/v1/plans", scope: "plans:write", summary: "Create a plan", body: NewPlanInput.self,
                answers: PlanView.self, tellsLocation: true, problems: ["409 plan_exists"], post),
            .list("/v1/plans", scope: "plans:read", summary: "List plans, newest first", item: PlanView.self, list),
            .read(
                "/v1/plans/{id}", scope: "plans:read", summary: "Read a plan", answers: PlanView.self,
                problems: ["404 not_found"], get),
            .write(
                .patch, "/v1/plans/{id}", scope: "plans:write",
                summary: "Take a plan out of what can be subscribed to, or put it back", body: PlanChangeInput.self,
                answers: PlanView.self, problems: ["404 not_found"], patch),
        ]
    }

    @Sendable func post(
        _ db: borrowing PostgresTransaction, _ call: Call, _ input: NewPlanInput
    ) throws -> Reply<PlanView> {
        let stored: StoredPlan = try create(input, at: call.now, in: db)
        return .created(PlanView(stored), location: "/v1/plans/\(stored.plan.id)")
    }

    @Sendable func patch(
        _ db: borrowing PostgresTransaction, _ call: Call, _ input: PlanChangeInput
    ) throws -> Reply<PlanView> {
        .ok(PlanView(try changeActivity(try call.id(), isActive: input.isActive, in: db)))
    }

    @Sendable func list(
        _ db: borrowing PostgresTransaction, _ call: Call, _ request: ListRequest
    ) throws -> Page<PlanView> {
        let found: [StoredPlan] = try PlanStore.list(after: try request.cursor(), limit: request.fetchLimit, in: db)
        return request.page(found.map(PlanView.init))
    }

    @Sendable func get(_ db: borrowing PostgresTransaction, _ call: Call) throws -> PlanView {
        let id: PlanID = try call.id()
        guard let stored: StoredPlan = try PlanStore.find(id, in: db) else {
            throw Problem.notFound("plan", id.rawValue)
        }
        return PlanView(stored)
    }
}
