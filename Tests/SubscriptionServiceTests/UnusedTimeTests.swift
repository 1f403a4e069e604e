import BillingCore
import BillingEvents
import Postgres
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Credit for unused time") struct UnusedTimeTests {
    /// Active on a plan, and the billing that paid for it.
    private func paid(_ world: SubscriptionWorld, _ plan: String) async throws -> (Subscription, BillingID) {
        let signedUp = try await world.subscribe(plan)
        let billing = try #require(signedUp.open)
        return (try await world.pay(signedUp), billing.id)
    }

    /// Active on Basic in the middle of its period, and the billing that paid for it.
    private func basic(_ world: SubscriptionWorld) async throws -> (Subscription, BillingID) {
        try await world.customer()
        try await world.plan("basic", 1_000)
        try await world.plan("pro", 3_100)
        let made = try await paid(world, "basic")
        world.ticker.set(time("2027-01-31T10:00:00Z"))
        return made
    }

    @Test("goes as its payment is refunded after the change or lost in a dispute, and comes back with the money")
    func refundedAfter() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan("yearly", 120_000, interval: "year")
            try await world.plan("monthly", 1_000)
            let (active, yearly) = try await paid(world, "yearly")
            world.ticker.set(time("2027-01-18T10:00:00Z"))
            let changed = try await world.change(active.id, #"{"plan_id":"monthly"}"#)
            // 362 of 365 days are left: 1190.14, of which the month takes 10.00.
            #expect(try await world.pay(changed).credit == 118_014)
            try await world.refunded(yearly, active.customerID, 100_000, total: 100_000)
            #expect(try await world.subscription(active.id).credit == 18_014)
            try await world.refunded(yearly, active.customerID, 20_000, total: 120_000)
            #expect(try await world.subscription(active.id).credit == -1_000, "three days are not asked for again")
            #expect(try await world.violations().isEmpty)
            try await world.refundFailed(yearly, active.customerID, 100_000, left: 20_000)
            #expect(try await world.subscription(active.id).credit == 98_014)
            try await world.disputeClosed(
                .new(at: world.now), yearly, active.customerID, 100_000, "lost", at: world.now)
            #expect(try await world.subscription(active.id).credit == -1_000)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("is not given where its payment went back before the change, and is when that refund fails")
    func refundedBefore() async throws {
        try await withSubscriptions { world in
            let (active, signup) = try await basic(world)
            try await world.refunded(signup, active.customerID, 1_000, total: 1_000)
            let changed = try await world.change(active.id, #"{"plan_id":"pro"}"#)
            #expect(changed.open?.lines.map(\.amount) == [1_500])
            #expect(try await world.pay(changed).credit == 0)
            try await world.refundFailed(signup, active.customerID, 1_000, left: 0)
            #expect(try await world.subscription(active.id).credit == 484)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "is no more than what is left of its payment",
        arguments: [(300, 484), (700, 300), (900, 100)] as [(Int64, Int64)])
    func partlyRefunded(_ refunded: Int64, _ credit: Int64) async throws {
        try await withSubscriptions { world in
            let (active, signup) = try await basic(world)
            try await world.refunded(signup, active.customerID, refunded, total: refunded)
            let changed = try await world.change(active.id, #"{"plan_id":"pro"}"#)
            #expect(changed.open?.lines.map(\.amount) == [-credit, 1_500])
        }
    }

    @Test("of a change that is being paid goes once it is paid, and not at all when the change is given up")
    func refundedMeanwhile() async throws {
        try await withSubscriptions { world in
            let (active, signup) = try await basic(world)
            let first = try await world.change(active.id, #"{"plan_id":"pro"}"#)
            try await world.refunded(signup, active.customerID, 400, total: 400)
            #expect(try await world.subscription(active.id).credit == 0)
            let reverted = try await world.fail(first, "hard")
            #expect(reverted.plan.id.rawValue == "basic" && reverted.credit == 0)
            #expect(try await world.violations().isEmpty)
            let second = try await world.change(active.id, #"{"plan_id":"pro"}"#)
            #expect(second.open?.lines.map(\.amount) == [-484, 1_500])
            try await world.refunded(signup, active.customerID, 600, total: 1_000)
            #expect(try await world.pay(second).credit == -484)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("of a second change comes from what paid for the first; what each refund takes is counted once")
    func changedTwice() async throws {
        try await withSubscriptions { world in
            let (active, signup) = try await basic(world)
            try await world.plan("lite", 620)
            let first = try await world.change(active.id, #"{"plan_id":"pro"}"#)
            let upgrade: BillingID = try #require(first.open).id
            try await world.pay(first)
            world.ticker.set(time("2027-02-08T10:00:00Z"))
            let second = try await world.change(active.id, #"{"plan_id":"lite"}"#)
            // 7 of 31 days are left.
            #expect(second.open?.lines.map(\.amount) == [-700, 140, 560])
            #expect(try await world.pay(second).credit == 560)
            try await world.refunded(upgrade, active.customerID, 1_016, total: 1_016)
            #expect(try await world.subscription(active.id).credit == -140)
            try await world.refunded(signup, active.customerID, 1_000, total: 1_000)
            #expect(try await world.subscription(active.id).credit == -624)
            #expect(try await world.violations().isEmpty)
        }
    }
}
