import BillingCore
import HTTPKit

/// `POST /v1/subscriptions`
struct SignupRoute: Sendable {
    /// How long a caller waits who says nothing.
    static let defaultWait: Duration = .seconds(5)
    /// The longest wait a caller may ask for.
    static let longestWait: Duration = .seconds(60)

    let signUp: SignUp

    var endpoints: [Endpoint] {
        [
            .task(
                .post, "/v1/subscriptions", scope: "subscriptions:write",
                summary: "Subscribe a customer; answers when the first invoice is settled",
                body: NewSubscriptionInput.self, answers: SubscriptionView.self, statuses: [201, 202],
                prefersWait: true, timeout: Self.longestWait + .seconds(10),
                problems: ["422 invalid_request", "422 plan_inactive"], post)
        ]
    }

    @Sendable func post(_ call: Call, _ input: NewSubscriptionInput) async throws -> Reply<SubscriptionView> {
        let id = SubscriptionID.new(at: call.now)
        return try await signUp(
            SignUp.Request(
                id: id, input: input, claim: call.claim(resourceID: id.rawValue), now: call.now,
                wait: min(max(call.preferWait ?? Self.defaultWait, .zero), Self.longestWait), deadline: call.deadline))
    }
}
