import BillingCore
import BillingEvents
import HTTPKit
import JSON
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Amounts too small to collect, stored and told") struct LeastAmountFlowTests {
    /// 15 of 31 days are left: 20 cents more for the rest of the period.
    func carrying(_ world: SubscriptionWorld) async throws -> Subscription {
        try await world.customer()
        try await world.plan("basic", 1_000)
        try await world.plan("plus", 1_041)
        let subscription = try await world.active()
        world.ticker.set(time("2027-01-31T10:00:00Z"))
        return try await world.change(subscription.id, #"{"plan_id":"plus"}"#)
    }

    @Test("20 cents of an upgrade are billed with the next period, and the balance says so meanwhile") func upgrade()
        async throws
    {
        try await withSubscriptions { world in
            let upgrading = try await carrying(world)
            let billed = try #require(try await world.published(SubscriptionBilledV1.self).last)
            #expect(billed.amount.minor == 0 && billed.lines.map(\.amount) == [-484, 504, -20])
            let paid = try await world.pay(upgrading)
            #expect(paid.status == .active && paid.plan.id.rawValue == "plus")
            let shown: JSONValue = try world.json(.ok(SubscriptionView(paid)))
            #expect(shown["credit_balance"]?.intValue == -20)
            #expect(try await world.facts()["carried"]?["USD"]?.intValue == 20)
            #expect(try await world.violations().isEmpty)
            world.ticker.set(paid.period.end)
            try await world.runDue()
            let renewed = try #require(try await world.published(SubscriptionBilledV1.self).last)
            #expect(renewed.amount.minor == 1_061 && renewed.lines.map(\.amount) == [1_041, 20])
            #expect(renewed.lines.last?.description == "Carried from earlier bills")
            #expect(try await world.subscription(paid.id).credit == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a plan of 20 cents starts without a payment and asks for three months at once") func cheapPlan() async throws
    {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan("tiny", 20)
            var subscription = try await world.active("tiny")
            for _ in 0..<2 {
                world.ticker.set(subscription.period.end)
                try await world.runDue()
                subscription = try await world.pay(world.subscription(subscription.id))
            }
            #expect(try await world.published(SubscriptionBilledV1.self).map(\.amount.minor) == [0, 0, 60])
            #expect(subscription.status == .active && subscription.credit == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what an ended subscription carried is told apart: nobody will ask for it") func ended() async throws {
        try await withSubscriptions { world in
            let subscription = try await world.pay(carrying(world))
            _ = try await world.cancel(subscription.id, atPeriodEnd: false)
            let facts = try await world.facts()
            #expect(facts["never_collected"]?["USD"]?.intValue == 20 && facts["carried"]?["USD"] == nil)
            #expect(try await world.violations().isEmpty)
        }
    }
}
