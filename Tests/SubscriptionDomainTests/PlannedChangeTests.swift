import BillingCore
import SubscriptionDomain
import Testing

@Suite("What was planned before an upgrade") struct PlannedChangeTests {
    // A period of 30 days, cut in its middle.
    let begin = day("2025-04-01")
    let middle = day("2025-04-16")
    let end = day("2025-05-01")
    let lite = plan("lite", 500)
    let pro = plan("pro", 2_000)

    /// On basic, lite planned for the period's end, and an upgrade to pro under way.
    func upgrading(to target: Plan? = nil) throws -> Subscription {
        var subscription: Subscription = .active(plan("basic", 1_000), at: begin)
        try subscription.changePlanAtPeriodEnd(to: lite)
        try subscription.changePlanNow(to: target ?? pro, at: middle)
        return subscription
    }

    /// The ways in which an upgrade can fail for good.
    enum Failure: CaseIterable { case hard, fraud, soft, action, unfinished, voided }

    func fail(_ subscription: inout Subscription, _ failure: Failure) throws {
        switch failure {
        case .hard: subscription.failOpen(.hard, at: middle)
        case .fraud: subscription.failOpen(.fraud, at: middle)
        case .soft:
            subscription.failOpen(.soft, at: middle)
            while subscription.open != nil {
                let now: Instant = try #require(subscription.nextActionAt)
                subscription.act()
                subscription.failOpen(.soft, at: now)
            }
        case .action:
            subscription.failOpen(.action, at: middle)
            subscription.act()
        case .unfinished:
            let billing = try #require(subscription.open)
            subscription.collectionFailed(
                billing.id, invoiceID: invoice, attempt: 1, as: .action, reason: .actionRequired, policy: policy,
                at: middle)
            subscription.act()
        case .voided: subscription.invoiceVoided(try #require(subscription.open).id, at: middle)
        }
    }

    @Test("a change planned before an upgrade that fails is planned again and made", arguments: Failure.allCases)
    func again(_ failure: Failure) throws {
        var subscription = try upgrading()
        #expect(subscription.pendingPlan == nil)
        try fail(&subscription, failure)
        #expect(subscription.plan.id.rawValue == "basic" && subscription.pendingPlan == lite)
        #expect(subscription.open == nil && subscription.nextActionAt == end)
        subscription.act()
        #expect(subscription.plan == lite && subscription.pendingPlan == nil)
        #expect(subscription.open?.reason == .cycle && subscription.open?.amount == usd(500))
    }

    @Test("an upgrade that is paid takes the place of what was planned") func replaced() throws {
        var subscription = try upgrading()
        subscription.payOpen(at: middle)
        #expect(subscription.pendingPlan == nil)
        subscription.act()
        #expect(subscription.open?.amount == usd(2_000))
    }

    @Test("an upgrade that is tried twice forgets nothing, and a plan taken at once is planned again") func twice()
        throws
    {
        var subscription = try upgrading()
        try fail(&subscription, .hard)
        try subscription.changePlanNow(to: pro, at: middle)
        try fail(&subscription, .fraud)
        #expect(subscription.pendingPlan == lite)
        let dear = plan("dear", 9_000)
        try subscription.changePlanAtPeriodEnd(to: dear)
        try subscription.changePlanNow(to: dear, at: middle)
        try fail(&subscription, .hard)
        #expect(subscription.plan.id.rawValue == "basic" && subscription.pendingPlan == dear)
    }

    @Test("an end planned before an upgrade stays planned, whatever becomes of the upgrade", arguments: [true, false])
    func ending(_ isPaid: Bool) throws {
        var subscription: Subscription = .active(plan("basic", 1_000), at: begin)
        subscription.cancelAtPeriodEnd(at: begin)
        try subscription.changePlanNow(to: plan("yearly", 9_000, every: 1, .year), at: middle)
        if isPaid { subscription.payOpen(at: middle) } else { try fail(&subscription, .hard) }
        #expect(subscription.cancelsAtPeriodEnd)
        #expect(subscription.nextActionAt == (isPaid ? day("2026-04-16") : end))
        subscription.act()
        #expect(subscription.status == .canceled && subscription.open == nil)
    }

    @Test("an end asked for while an upgrade is under way comes with the old period when it fails")
    func endingMeanwhile()
        throws
    {
        var subscription = try upgrading(to: plan("yearly", 9_000, every: 1, .year))
        subscription.cancelAtPeriodEnd(at: middle)
        try fail(&subscription, .hard)
        subscription.act()
        #expect(subscription.status == .canceled && subscription.canceledAt == end && subscription.pendingPlan == nil)
    }
}
