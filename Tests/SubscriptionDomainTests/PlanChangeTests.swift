import BillingCore
import SubscriptionDomain
import Testing

@Suite("Changing plans") struct PlanChangeTests {
    // A period of 30 days, cut in its middle.
    let begin = day("2025-04-01")
    let middle = day("2025-04-16")
    let end = day("2025-05-01")
    let pro = plan("pro", 2_000)

    func active() -> Subscription { .active(plan("basic", 1_000), at: begin) }

    @Test("an upgrade bills the rest of the period less the unused time") func upgrade() throws {
        var subscription = active()
        try subscription.changePlanNow(to: pro, at: middle)
        #expect(subscription.names == ["plan pro upgrade", "billed upgrade 500"])
        let billing = try #require(subscription.open)
        #expect(billing.lines.map(\.amount) == [-500, 1_000] && billing.lines.allSatisfy(\.proration))
        #expect(billing.period.start == middle && billing.period.end == end)
        subscription.payOpen(at: middle)
        #expect(
            subscription.plan.id == pro.id && subscription.period.start == begin && subscription.nextActionAt == end)
        subscription.act()
        #expect(subscription.open?.amount == usd(2_000))
    }

    @Test("a hard decline takes the change back at once", arguments: [DeclineClass.hard, .fraud])
    func revert(_ decline: DeclineClass) throws {
        var subscription = active()
        let before: Subscription = subscription
        try subscription.changePlanNow(to: pro, at: middle)
        subscription.failOpen(decline, at: middle)
        #expect(subscription.names.suffix(2) == ["withdrawn upgrade_failed", "plan basic reverted"])
        #expect(subscription.status == .active && subscription.plan == before.plan)
        #expect(subscription.period == before.period && subscription.nextActionAt == end)
        #expect(subscription.open == nil && subscription.credit == 0)
    }

    @Test("a bank that asks for the customer takes nothing back for 23 hours; then the old plan is back")
    func unfinished() throws {
        var subscription = active()
        try subscription.changePlanNow(to: pro, at: middle)
        subscription.failOpen(.action, at: middle)
        #expect(subscription.status == .active && subscription.plan == pro && subscription.open != nil)
        #expect(subscription.nextActionAt == middle.adding(.seconds(23 * 3_600)))
        var authenticated: Subscription = subscription
        authenticated.payOpen(at: middle.adding(.seconds(60)))
        #expect(authenticated.plan == pro && authenticated.open == nil && authenticated.nextActionAt == end)
        subscription.act()
        #expect(subscription.names.suffix(2) == ["withdrawn upgrade_failed", "plan basic reverted"])
        #expect(subscription.plan.id.rawValue == "basic" && subscription.nextActionAt == end)
    }

    @Test("the wait for the customer is over with the old period") func unfinishedAtTheEnd() throws {
        var subscription = active()
        let now = time("2025-04-30T12:00:00Z")
        let dear = plan("dear", 9_000)
        try subscription.changePlanNow(to: dear, at: now)
        subscription.failOpen(.action, at: now)
        #expect(subscription.plan == dear && subscription.nextActionAt == end)
        subscription.act()
        #expect(subscription.plan.id.rawValue == "basic" && subscription.open == nil)
    }

    @Test("a soft decline is retried while the old period lasts, the subscription staying active") func retries() throws
    {
        var subscription = active()
        let now = day("2025-04-27")
        try subscription.changePlanNow(to: pro, at: now)
        subscription.failOpen(.soft, at: now)
        #expect(subscription.status == .active && subscription.nextActionAt == now.adding(days(1)))
        subscription.act()
        subscription.failOpen(.soft, at: now.adding(days(1)))
        #expect(subscription.nextActionAt == now.adding(days(3)))
        subscription.act()
        subscription.failOpen(.soft, at: now.adding(days(3)))
        #expect(subscription.plan.id.rawValue == "basic" && subscription.nextActionAt == end)
        subscription.act()
        #expect(subscription.open?.reason == .cycle && subscription.open?.amount == usd(1_000))
    }

    @Test("a soft decline that keeps failing is taken back after the last retry") func retriesExhausted() throws {
        var subscription = active()
        try subscription.changePlanNow(to: pro, at: begin)
        subscription.failOpen(.soft, at: begin)
        for day in [1, 3, 5, 7] {
            subscription.act()
            subscription.failOpen(.soft, at: begin.adding(days(day)))
        }
        #expect(subscription.names.last == "plan basic reverted" && subscription.open == nil)
    }

    @Test("a downgrade costs nothing now and its credit is used up by the next billings") func downgrade() throws {
        var subscription = Subscription.active(plan("pro", 10_000), at: begin)
        try subscription.changePlanNow(to: plan("lite", 2_000), at: middle)
        let billing = try #require(subscription.open)
        #expect(billing.amount == usd(0) && billing.lines.map(\.amount) == [-5_000, 1_000, 4_000])
        #expect(subscription.credit == 4_000)
        subscription.payOpen(at: middle)
        for (rest, amount) in [(2_000, 0), (0, 0), (0, 2_000)] as [(Int64, Int64)] {
            subscription.act()
            #expect(subscription.open?.amount == usd(amount) && subscription.credit == rest)
            subscription.payOpen(at: subscription.open?.period.start ?? begin)
        }
    }

    @Test("credit used by a billing that is given up comes back") func creditComesBack() throws {
        var subscription = Subscription.active(plan("pro", 10_000), at: begin)
        try subscription.changePlanNow(to: plan("lite", 2_000), at: middle)
        subscription.payOpen(at: middle)
        try subscription.changePlanNow(to: plan("max", 20_000), at: middle)
        #expect(subscription.credit == 0 && subscription.open?.amount == usd(10_000 - 1_000 - 4_000))
        subscription.failOpen(.hard, at: middle)
        #expect(subscription.credit == 4_000 && subscription.plan.id.rawValue == "lite")
    }

    @Test("another interval begins a new period now, charged in full (proration_change-16)") func interval() throws {
        var subscription = Subscription.active(plan("basic", 1_000), at: day("2011-07-20"))
        let before: Subscription = subscription
        try subscription.changePlanNow(to: plan("yearly", 10_000, every: 1, .year), at: day("2011-07-31"))
        #expect(subscription.open?.amount == usd(9_355))
        #expect(subscription.open?.lines.map(\.amount) == [-645, 10_000])
        #expect(subscription.period.end == day("2012-07-31"))
        var reverted: Subscription = subscription
        reverted.failOpen(.hard, at: day("2011-07-31"))
        #expect(reverted.period == before.period && reverted.anchor == before.anchor)
        subscription.payOpen(at: day("2011-07-31"))
        #expect(subscription.nextActionAt == day("2012-07-31"))
    }

    @Test("a change at the period's end waits, costs nothing extra, and can be taken back") func atPeriodEnd() throws {
        var subscription = active()
        try subscription.changePlanAtPeriodEnd(to: pro)
        #expect(subscription.pendingPlan == pro && subscription.effects.isEmpty)
        var kept: Subscription = subscription
        try kept.changePlanAtPeriodEnd(to: kept.plan)
        #expect(kept.pendingPlan == nil)
        subscription.act()
        #expect(subscription.names == ["plan pro period_end", "billed cycle 2000"])
        #expect(subscription.open?.lines.map(\.proration) == [false])
    }

    @Test("a new interval at the period's end is anchored there") func intervalAtPeriodEnd() throws {
        var subscription = active()
        try subscription.changePlanAtPeriodEnd(to: plan("weekly", 300, every: 1, .week))
        subscription.act()
        #expect(subscription.open?.period == BillingPeriod(index: 0, start: end, end: day("2025-05-08")))
    }

    @Test("the plan it is on already changes nothing") func samePlan() throws {
        var subscription = active()
        let before: Subscription = subscription
        let isChanged: Bool = try subscription.changePlanNow(to: subscription.plan, at: middle)
        #expect(!isChanged)
        #expect(subscription == before)
    }

    @Test("refuses while money is open, when not active, at the boundary, and across currencies") func refusals() throws
    {
        var upgrading = active()
        try upgrading.changePlanNow(to: pro, at: middle)
        #expect(throws: PlanChangeRefusal.billingOpen) {
            try upgrading.changePlanNow(to: plan("max", 9_000), at: middle)
        }
        #expect(throws: PlanChangeRefusal.billingOpen) { try upgrading.changePlanAtPeriodEnd(to: plan("max", 9_000)) }
        var trial = signUp(plan(trial: 3))
        #expect(throws: PlanChangeRefusal.notActive) { try trial.changePlanNow(to: pro, at: start) }
        var late = active()
        #expect(throws: PlanChangeRefusal.renewalDue) { try late.changePlanNow(to: pro, at: end) }
        #expect(throws: PlanChangeRefusal.currencyMismatch) {
            try late.changePlanNow(to: plan("eur", 9_000, currency: .eur), at: middle)
        }
    }
}
