import BillingCore
import HTTPKit

/// `POST /v1/subscriptions`
struct SignupRoute: Sendable {
    /// How long a caller waits who says nothing, and at most.
    static let waits = WaitLimits(usual: .seconds(5), longest: .seconds(60))

    let signUp: SignUp

    var endpoints: [Endpoint] {
        [
            .task(
                .post, "/v1/subscriptions", scope: "subscriptions:write",
                summary: "Subscribe a customer; answers when the first invoice is settled",
                body: NewSubscriptionInput.self, answers: SubscriptionView.self, statuses: [201, 202],
                tellsLocation: true, waits: Self.waits, timeout: Self.waits.longest + .seconds(10),
                problems: ["422 invalid_request", "422 plan_inactive"], post)
        ]
    }

    @Sendable func post(_ call: Call, _ input: NewSubscriptionInput) async throws -> Reply<SubscriptionView> {
        let id = SubscriptionID.new(at: call.now)
        return try await signUp(
            SignUp.Request(
                id: id, input: input, claim: call.claim(resourceID: id.rawValue), now: call.now,
                wait: Self.waits.wait(call.preferWait), deadline: call.deadline))
    }
}
