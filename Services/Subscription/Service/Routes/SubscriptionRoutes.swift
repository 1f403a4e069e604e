import BillingCore
import HTTPKit
import Postgres
import SubscriptionDomain

/// `/v1/subscriptions`, besides the sign-up.
struct SubscriptionRoutes: Sendable {
    let changePlan: ChangePlan
    let cancelSubscription = CancelSubscription()

    var endpoints: [Endpoint] {
        [
            .list(
                "/v1/subscriptions", scope: "subscriptions:read", summary: "List subscriptions, newest first",
                filters: [
                    .id("customer_id", as: CustomerID.self, doc: "Of this customer only"),
                    .enumeration("status", of: SubscriptionStatus.self, doc: "In this status only"),
                ], item: SubscriptionView.self, list),
            .read(
                "/v1/subscriptions/{id}", scope: "subscriptions:read", summary: "Read a subscription",
                answers: SubscriptionView.self, problems: ["404 not_found"], get),
            .write(
                .patch, "/v1/subscriptions/{id}", scope: "subscriptions:write",
                summary: "Move to another plan, or take back a planned end", body: SubscriptionChangeInput.self,
                answers: SubscriptionView.self,
                problems: [
                    "404 not_found", "409 subscription_not_active", "409 subscription_ended", "409 billing_open",
                    "409 renewal_due", "422 currency_mismatch", "422 amount_too_large", "422 plan_inactive",
                ], patch),
            .write(
                .post, "/v1/subscriptions/{id}/cancel", scope: "subscriptions:write",
                summary: "Cancel now or at the end of the period", body: CancelInput.self,
                answers: SubscriptionView.self, statuses: [200],
                problems: ["404 not_found", "409 subscription_ended"], cancel),
        ]
    }

    @Sendable func list(
        _ db: borrowing PostgresTransaction, _ call: Call, _ request: ListRequest
    ) throws -> Page<SubscriptionView> {
        let found: [Subscription] = try SubscriptionStore.list(
            customer: call.query.id("customer_id"), status: call.query.enumeration("status"),
            after: try request.cursor(), limit: request.fetchLimit, in: db)
        return request.page(found.map(SubscriptionView.init))
    }

    @Sendable func get(_ db: borrowing PostgresTransaction, _ call: Call) throws -> SubscriptionView {
        let id: SubscriptionID = try call.id()
        guard let subscription: Subscription = try SubscriptionStore.read([id], in: db).first else {
            throw Problem.notFound("subscription", id.rawValue)
        }
        return SubscriptionView(subscription)
    }

    @Sendable func patch(
        _ db: borrowing PostgresTransaction, _ call: Call, _ input: SubscriptionChangeInput
    ) throws -> Reply<SubscriptionView> {
        .ok(SubscriptionView(try changePlan(try call.id(), input, at: call.now, in: db)))
    }

    @Sendable func cancel(
        _ db: borrowing PostgresTransaction, _ call: Call, _ input: CancelInput
    ) throws -> Reply<SubscriptionView> {
        let id: SubscriptionID = try call.id()
        return .ok(SubscriptionView(try cancelSubscription(id, atPeriodEnd: input.atPeriodEnd, at: call.now, in: db)))
    }
}
