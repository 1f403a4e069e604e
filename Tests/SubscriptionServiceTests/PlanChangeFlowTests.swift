import BillingCore
import BillingEvents
import HTTPKit
import JSON
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Changing and ending subscriptions") struct PlanChangeFlowTests {
    func prepared(_ world: SubscriptionWorld) async throws -> Subscription {
        try await world.customer()
        try await world.plan("basic", 1_000)
        try await world.plan("pro", 3_100)
        return try await world.active()
    }

    @Test("an upgrade is billed by the second and kept when it is paid") func upgrade() async throws {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            world.ticker.set(time("2027-01-31T10:00:00Z"))
            let changed = try await world.change(subscription.id, #"{"plan_id":"pro","proration":"immediate"}"#)
            #expect(changed.plan.id.rawValue == "pro")
            let billed = try #require(try await world.published(SubscriptionBilledV1.self).last)
            // 15 of 31 days are left.
            #expect(billed.lines.map(\.amount) == [-484, 1_500] && billed.amount.minor == 1_016)
            let problem = await #expect(throws: PlanChangeRefusal.self) {
                try await world.change(subscription.id, #"{"plan_id":"basic"}"#)
            }
            #expect(problem?.problem.status == 409)
            let paid = try await world.pay(changed)
            #expect(paid.plan.id.rawValue == "pro" && paid.period == subscription.period)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an upgrade that cannot be paid goes back, with its invoice withdrawn") func revert() async throws {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            world.ticker.set(time("2027-01-31T10:00:00Z"))
            let changed = try await world.change(subscription.id, #"{"plan_id":"pro"}"#)
            let reverted = try await world.fail(changed, "hard")
            #expect(reverted.plan.id.rawValue == "basic" && reverted.status == .active)
            #expect(reverted.period == subscription.period && reverted.nextActionAt == subscription.period.end)
            let changes = try await world.published(SubscriptionPlanChangedV1.self)
            #expect(changes.map(\.reason) == ["upgrade", "reverted"])
            #expect(changes.map(\.newPlanID.rawValue) == ["pro", "basic"])
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).map(\.reason) == ["upgrade_failed"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an upgrade waits 23 hours for the customer whom the bank asks for; only then it goes back")
    func waitsForCustomer() async throws {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            world.ticker.set(time("2027-01-31T10:00:00Z"))
            let waiting = try await world.fail(world.change(subscription.id, #"{"plan_id":"pro"}"#), "action")
            #expect(waiting.plan.id.rawValue == "pro" && waiting.status == .active && waiting.open != nil)
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).isEmpty)
            world.ticker.advance(by: .seconds(23 * 3_600 - 1))
            #expect(try await world.runDue() == 0)
            world.ticker.advance(by: .seconds(1))
            #expect(try await world.runDue() == 1)
            let reverted = try await world.subscription(subscription.id)
            #expect(reverted.plan.id.rawValue == "basic" && reverted.open == nil)
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).map(\.reason) == ["upgrade_failed"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a change planned before an upgrade that cannot be paid is planned again, and made at the period's end")
    func plannedBefore() async throws {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            try await world.plan("lite", 700)
            _ = try await world.change(subscription.id, #"{"plan_id":"lite","proration":"none"}"#)
            world.ticker.set(time("2027-01-31T10:00:00Z"))
            let changed = try await world.change(subscription.id, #"{"plan_id":"pro"}"#)
            #expect(changed.pendingPlan == nil)
            let retried = try await world.fail(changed, "soft")
            #expect(retried.plan.id.rawValue == "pro" && retried.pendingPlan == nil)
            let reverted = try await world.fail(retried, "hard")
            #expect(reverted.plan.id.rawValue == "basic" && reverted.pendingPlan?.id.rawValue == "lite")
            world.ticker.set(subscription.period.end)
            try await world.runDue()
            let renewed = try await world.subscription(subscription.id)
            #expect(renewed.plan.id.rawValue == "lite" && renewed.open?.amount.minor == 700)
            let changes = try await world.published(SubscriptionPlanChangedV1.self)
            #expect(changes.map(\.reason) == ["upgrade", "reverted", "period_end"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("money for an upgrade that was given up becomes credit, and the next billing uses it") func lateUpgrade()
        async throws
    {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            world.ticker.set(time("2027-01-31T10:00:00Z"))
            let changed = try await world.change(subscription.id, #"{"plan_id":"pro"}"#)
            try await world.fail(changed, "hard")
            let credited = try await world.pay(changed)
            #expect(credited.credit == 1_016)
            world.ticker.set(credited.period.end)
            try await world.runDue()
            let renewed = try await world.subscription(subscription.id)
            #expect(renewed.open?.amount.minor == 0 && renewed.credit == 16)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a change at the period's end is remembered and made with the renewal") func atPeriodEnd() async throws {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            let pending = try await world.change(subscription.id, #"{"plan_id":"pro","proration":"none"}"#)
            #expect(pending.pendingPlan?.id.rawValue == "pro" && pending.plan.id.rawValue == "basic")
            world.ticker.set(subscription.period.end)
            try await world.runDue()
            let renewed = try await world.subscription(subscription.id)
            #expect(renewed.plan.id.rawValue == "pro" && renewed.pendingPlan == nil)
            #expect(renewed.open?.amount.minor == 3_100)
        }
    }

    @Test("ending at the period's end bills nothing more; ending twice is refused") func ending() async throws {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            #expect(try await world.cancel(subscription.id, atPeriodEnd: true).cancelsAtPeriodEnd)
            world.ticker.set(subscription.period.end)
            try await world.runDue()
            #expect(try await world.subscription(subscription.id).status == .canceled)
            #expect(try await world.published(SubscriptionBilledV1.self).count == 1)
            let problem = await #expect(throws: Problem.self) {
                try await world.cancel(subscription.id, atPeriodEnd: false)
            }
            #expect(problem?.code == "subscription_ended")
        }
    }

    @Test("a planned end can be taken back until it has come; then the period is renewed") func takenBack() async throws
    {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            _ = try await world.cancel(subscription.id, atPeriodEnd: true)
            let kept = try await world.change(subscription.id, #"{"cancel_at_period_end":false}"#)
            #expect(!kept.cancelsAtPeriodEnd)
            world.ticker.set(subscription.period.end)
            try await world.runDue()
            #expect(try await world.subscription(subscription.id).open?.amount.minor == 1_000)
            _ = try await world.cancel(subscription.id, atPeriodEnd: false)
            let problem = await #expect(throws: Problem.self) {
                try await world.change(subscription.id, #"{"cancel_at_period_end":false}"#)
            }
            #expect(problem?.code == "subscription_ended")
            let invalid = await #expect(throws: InvalidInput.self) {
                try await world.change(subscription.id, #"{"cancel_at_period_end":true}"#)
            }
            #expect(invalid?.faults.map(\.param) == ["cancel_at_period_end"])
        }
    }

    @Test("a plan that is not active is not subscribed or moved to; who is on it goes on") func inactive() async throws
    {
        try await withSubscriptions { world in
            let subscription = try await prepared(world)
            try await world.setPlan("pro", active: false)
            try await world.setPlan("basic", active: false)
            let moved = await #expect(throws: Problem.self) {
                try await world.change(subscription.id, #"{"plan_id":"pro"}"#)
            }
            let signedUp = await #expect(throws: Problem.self) { try await world.subscribe("pro") }
            #expect(moved?.code == "plan_inactive" && signedUp?.code == "plan_inactive")
            #expect(try await world.change(subscription.id, #"{"plan_id":"basic"}"#).plan.id.rawValue == "basic")
            world.ticker.set(subscription.period.end)
            try await world.runDue()
            #expect(try await world.subscription(subscription.id).open?.amount.minor == 1_000)
            try await world.setPlan("pro", active: true)
            #expect(try await world.subscribe("pro").plan.id.rawValue == "pro")
        }
    }

    @Test("ending now withdraws what is unpaid") func endingNow() async throws {
        try await withSubscriptions { world in
            _ = try await prepared(world)
            let unpaid = try await world.subscribe()
            #expect(try await world.cancel(unpaid.id, atPeriodEnd: true).status == .canceled)
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).map(\.reason) == ["canceled"])
        }
    }
}
