package import BillingCore
package import HTTPKit
package import Postgres
import SubscriptionDomain

/// Subscribes a customer, then waits for the first invoice as long as the caller likes.
///
/// The sign-up and the claim of its idempotency key commit together, the claim naming the subscription; the answer is
/// stored when it is given. A process that dies in between leaves an open claim, and the repeated request goes on
/// waiting for the same subscription.
package struct SignUp: Sendable {
    let pool: PostgresPool
    let subscribe: SubscribeCustomer
    let waiters: SettlementWaiters

    /// Wires the use case.
    package init(pool: PostgresPool, subscribe: SubscribeCustomer, waiters: SettlementWaiters) {
        self.pool = pool
        self.subscribe = subscribe
        self.waiters = waiters
    }

    /// One request, its key claimed for the subscription it is about to make.
    package struct Request: Sendable {
        package let id: SubscriptionID
        package let input: NewSubscriptionInput
        package let claim: IdempotencyClaim?
        let now: Instant
        let wait: Duration
        let deadline: ContinuousClock.Instant

        /// Puts a request together.
        /// - Parameters:
        ///   - id: The new subscription's id, which the claim names as its resource.
        ///   - wait: How long the caller waits for the first invoice.
        package init(
            id: SubscriptionID, input: NewSubscriptionInput, claim: IdempotencyClaim?, now: Instant, wait: Duration,
            deadline: ContinuousClock.Instant
        ) {
            self.id = id
            self.input = input
            self.claim = claim
            self.now = now
            self.wait = wait
            self.deadline = deadline
        }
    }

    /// What the claim of the key led to.
    private enum Begun: Sendable {
        case replayed(StoredReply)
        case signedUp(Subscription)
        case answered(Reply<SubscriptionView>)
    }

    /// - Returns: 201 when the outcome is known, 202 when it is not yet, or the answer given before under the same key.
    /// - Throws: ``Problem`` for ids that name nothing, and for a key that is in use.
    package func callAsFunction(_ request: Request) async throws -> Reply<SubscriptionView> {
        switch try await begin(request) {
        case .replayed(let stored): return Reply(replaying: stored)
        case .answered(let reply): return reply
        case .signedUp(let subscription): return try await finish(request, subscription)
        }
    }

    private func begin(_ request: Request) async throws -> Begun {
        let subscribe: SubscribeCustomer = subscribe
        return try await pool.transactionRetrying(deadline: request.deadline) {
            (db: borrowing PostgresTransaction) -> Begun in
            if let claim = request.claim, let result: ClaimResult = try IdempotencyStore.claim([claim], in: db).first {
                if let problem: Problem = result.problem { throw problem }
                if case .replay(let stored) = result { return .replayed(stored) }
                if case .open(let resourceID) = result { return .signedUp(try Self.resume(resourceID, in: db)) }
            }
            let subscription: Subscription = try subscribe(request.id, request.input, at: request.now, in: db)
            if request.wait > .zero, !subscription.isSignupSettled { return .signedUp(subscription) }
            return .answered(try Self.answer(subscription, claim: request.claim, in: db))
        }
    }

    private func finish(_ request: Request, _ subscription: Subscription) async throws -> Reply<SubscriptionView> {
        let pool: PostgresPool = pool
        let id: SubscriptionID = subscription.id
        // Half a second is left for storing the answer.
        let untilDeadline: Duration = ContinuousClock.now.duration(to: request.deadline) - .milliseconds(500)
        let limit: Duration = min(request.wait, max(untilDeadline, .zero))
        let latest: Subscription = try await waiters.wait(for: id, atMost: limit) {
            try await pool.transaction(readOnly: true, deadline: request.deadline) {
                (db: borrowing PostgresTransaction) -> Subscription in
                try SubscriptionStore.read([id], in: db).first ?? subscription
            }
        } until: {
            $0.isSignupSettled
        }
        return try await pool.transactionRetrying(deadline: request.deadline) {
            (db: borrowing PostgresTransaction) -> Reply<SubscriptionView> in
            try Self.answer(latest, claim: request.claim, in: db)
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
    private static func resume(_ resourceID: String?, in db: borrowing PostgresTransaction) throws -> Subscription {
        guard let id = resourceID.flatMap({ SubscriptionID($0) }),
            let subscription: Subscription = try SubscriptionStore.read([id], in: db).first
        else { throw Problem.idempotencyTwin }
        return subscription
    }
}
