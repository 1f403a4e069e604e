import BillingCore
import BillingEvents
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Attempts that customers make themselves") struct CustomerAttemptFlowTests {
    let deadline: Instant = SubscriptionWorld.start.adding(.seconds(23 * 3_600))

    func signedUp(_ world: SubscriptionWorld) async throws -> Subscription {
        try await world.customer()
        try await world.plan()
        return try await world.subscribe()
    }

    @Test("a sign-up whose customer has authenticated is not given up before the outcome is known") func signup()
        async throws
    {
        try await withSubscriptions { world in
            let unfinished = try await world.fail(signedUp(world), "action")
            world.ticker.set(deadline.adding(.seconds(-3_600)))
            try await world.begin(unfinished, attempt: 2)
            world.ticker.set(deadline)
            #expect(try await world.runDue() == 1)
            let waiting = try await world.subscription(unfinished.id)
            #expect(waiting.status == .incomplete && waiting.open?.isCollecting == true)
            world.ticker.set(deadline.adding(.seconds(3 * 86_400)))
            #expect(try await world.runDue() == 0)
            #expect(try await world.pay(waiting).status == .active)
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).isEmpty)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("events about attempts and their failures may come in any order; nothing is awaited for ever")
    func disorder() async throws {
        try await withSubscriptions { world in
            let subscription = try await signedUp(world)
            let billing = try #require(subscription.open)
            try await world.finalize(subscription, billing: billing.id)
            let begun = try await world.begin(subscription, attempt: 2)
            // The first attempt's failure comes after the second attempt.
            let waiting = try await world.fail(subscription, "action")
            #expect(waiting == begun && waiting.open?.isCollecting == true)
            let failed = try await world.fail(waiting, "action")
            #expect(failed.open?.isCollecting == false && failed.nextActionAt == deadline)
            // And this one's failure before the attempt itself.
            #expect(try await world.begin(failed, attempt: 2) == failed)
            world.ticker.set(deadline)
            #expect(try await world.runDue() == 1)
            let expired = try await world.subscription(failed.id)
            #expect(expired.status == .incompleteExpired)
            #expect(try await world.begin(failed, attempt: 3) == expired)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an upgrade whose customer has authenticated is not taken back before the outcome is known") func upgrade()
        async throws
    {
        try await withSubscriptions { world in
            let subscription = try await world.pay(signedUp(world))
            try await world.plan("pro", 3_100)
            let changed = try await world.change(subscription.id, #"{"plan_id":"pro"}"#)
            let unfinished = try await world.fail(changed, "action")
            try await world.begin(unfinished, attempt: 2)
            world.ticker.set(deadline)
            #expect(try await world.runDue() == 0)
            let paid = try await world.pay(unfinished)
            #expect(paid.plan.id.rawValue == "pro" && paid.nextActionAt == subscription.period.end)
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).isEmpty)
        }
    }
}
