import BillingCore
import HTTPKit
import Postgres
import SubscriptionDomain

/// `POST /v1/subscriptions`: subscribes, then waits for the first invoice as long as the caller likes.
///
/// The sign-up and the claim of its idempotency key commit together, the claim naming the subscription; the answer is
/// stored when it is given. A process that dies in between leaves an open claim, and the repeated request goes on
/// waiting for the same subscription.
struct SignupRoute: Sendable {
    /// How long a caller waits who says nothing.
    static let defaultWait: Duration = .seconds(5)
    /// The longest wait a caller may ask for.
    static let longestWait: Duration = .seconds(60)

    let pool: PostgresPool
    let subscribe: SubscribeCustomer
    let waiters: SettlementWaiters

    /// What the claim of the key led to.
    private enum Begun: Sendable {
        case replayed(StoredReply)
        case signedUp(Subscription)
        case answered(Reply<SubscriptionView>)
    }

    var endpoints: [Endpoint] {
        [
            .task(
                .post, "/v1/subscriptions", scope: "subscriptions:write",
                summary: "Subscribe a customer; answers when the first invoice is settled", body: NewSubscriptionInput.self,
                answers: SubscriptionView.self, statuses: [201, 202], prefersWait: true,
                timeout: Self.longestWait + .seconds(10), problems: ["422 invalid_request"], post)
        ]
    }

    @Sendable func post(_ call: Call, _ input: NewSubscriptionInput) async throws -> Reply<SubscriptionView> {
        let wait: Duration = min(max(call.preferWait ?? Self.defaultWait, .zero), Self.longestWait)
        switch try await begin(call, input, waits: wait > .zero) {
        case .replayed(let stored): return Reply(replaying: stored)
        case .answered(let reply): return reply
        case .signedUp(let subscription): return try await finish(call, subscription, wait: wait)
        }
    }

    private func begin(_ call: Call, _ input: NewSubscriptionInput, waits: Bool) async throws -> Begun {
        let id = SubscriptionID.new(at: call.now)
        let claim: IdempotencyClaim? = call.claim(resourceID: id.rawValue)
        let subscribe: SubscribeCustomer = subscribe
        return try await pool.transactionRetrying(deadline: call.deadline) {
            (db: borrowing PostgresTransaction) -> Begun in
            if let claim, let result: ClaimResult = try IdempotencyStore.claim([claim], in: db).first {
                if let problem: Problem = result.problem { throw problem }
                if case .replay(let stored) = result { return .replayed(stored) }
                if case .open(let resourceID) = result {
                    return .signedUp(try Self.resume(resourceID, in: db))
                }
            }
            let subscription: Subscription = try subscribe(id, input, at: call.now, in: db)
            guard subscription.isSignupSettled || !waits else { return .signedUp(subscription) }
            return .answered(try Self.answer(subscription, claim: claim, in: db))
        }
    }

    private func finish(
        _ call: Call, _ subscription: Subscription, wait: Duration
    ) async throws -> Reply<SubscriptionView> {
        let pool: PostgresPool = pool
        let id: SubscriptionID = subscription.id
        let untilDeadline: Duration = ContinuousClock.now.duration(to: call.deadline) - .milliseconds(500)
        let latest: Subscription = try await waiters.wait(for: id, atMost: min(wait, max(untilDeadline, .zero))) {
            try await pool.transaction(readOnly: true, deadline: call.deadline) { (db: borrowing PostgresTransaction) in
                try SubscriptionStore.read([id], in: db).first ?? subscription
            }
        } until: { $0.isSignupSettled }
        let claim: IdempotencyClaim? = call.claim(resourceID: id.rawValue)
        return try await pool.transactionRetrying(deadline: call.deadline) { (db: borrowing PostgresTransaction) in
            try Self.answer(latest, claim: claim, in: db)
        }
    }

    /// The answer for the state a subscription is in, stored under the key.
    private static func answer(
        _ subscription: Subscription, claim: IdempotencyClaim?, in db: borrowing PostgresTransaction
    ) throws -> Reply<SubscriptionView> {
        let location: String = "/v1/subscriptions/\(subscription.id)"
        let view = SubscriptionView(subscription)
        let reply: Reply<SubscriptionView> =
            subscription.isSignupSettled ? .created(view, location: location) : .accepted(view, location: location)
        if let claim { try IdempotencyStore.complete([(claim, reply.stored)], in: db) }
        return reply
    }

    /// The subscription that an earlier, unanswered request under the same key made.
    private static func resume(
        _ resourceID: String?, in db: borrowing PostgresTransaction
    ) throws -> Subscription {
        guard let id = resourceID.flatMap({ SubscriptionID($0) }),
            let subscription: Subscription = try SubscriptionStore.read([id], in: db).first
        else { throw Problem.idempotencyTwin }
        return subscription
    }
}
