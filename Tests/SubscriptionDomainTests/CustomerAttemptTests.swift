import BillingCore
import SubscriptionDomain
import Testing

@Suite("Attempts that the customer makes") struct CustomerAttemptTests {
    let due = time("2027-02-28T10:30:00Z")

    /// A sign-up whose bank asks for the customer.
    func unfinished() -> Subscription {
        var subscription = signUp()
        subscription.failOpen(.action, at: start)
        return subscription
    }

    /// A renewal that is being collected for the first time.
    func renewing() -> Subscription {
        var subscription = Subscription.active()
        subscription.act()
        _ = subscription.takeEffects()
        return subscription
    }

    @Test("a sign-up does not expire under one; its outcome decides") func signup() {
        var subscription = unfinished()
        let deadline: Instant = start.adding(policy.signupExpiresAfter)
        subscription.attemptBegun(invoice, attempt: 2, at: deadline.adding(.seconds(-60)))
        subscription.performDue(policy: policy, at: deadline)
        #expect(subscription.status == .incomplete && subscription.open?.isCollecting == true)
        var failed: Subscription = subscription
        subscription.payOpen(at: deadline.adding(days(2)))
        #expect(subscription.status == .active)
        failed.failOpen(.fraud, at: deadline.adding(days(2)))
        failed.act()
        #expect(failed.status == .incompleteExpired && failed.names.contains("withdrawn signup_expired"))
    }

    @Test("a change of plan is not taken back under one; its outcome decides") func upgrade() throws {
        var subscription = Subscription.active()
        let now: Instant = start.adding(days(5))
        try subscription.changePlanNow(to: plan("pro", 2_000), at: now)
        subscription.failOpen(.action, at: now)
        let deadline: Instant = try #require(subscription.nextActionAt)
        subscription.attemptBegun(invoice, attempt: 2, at: deadline.adding(.seconds(-60)))
        subscription.performDue(policy: policy, at: deadline)
        #expect(subscription.plan.id.rawValue == "pro" && subscription.open != nil)
        var failed: Subscription = subscription
        subscription.payOpen(at: deadline.adding(days(2)))
        #expect(subscription.plan.id.rawValue == "pro" && subscription.nextActionAt == due)
        failed.failOpen(.hard, at: deadline.adding(days(2)))
        #expect(failed.plan.id.rawValue == "basic" && failed.nextActionAt == due)
    }

    @Test("dunning does not end under one; its outcome decides") func dunning() {
        var subscription = renewing()
        subscription.failOpen(.action, at: due)
        let deadline: Instant = due.adding(days(14))
        subscription.attemptBegun(invoice, attempt: 2, at: deadline.adding(.seconds(-60)))
        subscription.performDue(policy: policy, at: deadline)
        #expect(subscription.status == .pastDue && subscription.nextActionAt == nil)
        var failed: Subscription = subscription
        subscription.payOpen(at: deadline.adding(days(1)))
        #expect(subscription.status == .active)
        failed.failOpen(.action, at: deadline.adding(days(1)))
        failed.act()
        #expect(failed.status == .canceled && failed.names.contains("withdrawn dunning_exhausted"))
    }

    @Test("a card that comes after one began is charged when it fails") func newCard() {
        var subscription = renewing()
        subscription.failOpen(.action, at: due)
        subscription.attemptBegun(invoice, attempt: 2, at: due.adding(days(1)))
        let later: Instant = due.adding(days(2))
        subscription.methodAttached(at: later, policy: policy, now: later)
        #expect(!subscription.names.contains { $0.hasPrefix("collect") })
        subscription.failOpen(.hard, at: later)
        #expect(subscription.names.last == "collect 3 new_payment_method")
    }

    @Test("one that is told of after its outcome, or again, is not awaited") func toldLate() {
        var subscription = unfinished()
        subscription.attemptBegun(invoice, attempt: 2, at: start)
        subscription.failOpen(.action, at: start)
        let before: Subscription = subscription
        for attempt in [1, 2] as [Int64] { subscription.attemptBegun(invoice, attempt: attempt, at: start) }
        #expect(subscription == before)
        subscription.act()
        #expect(subscription.status == .incompleteExpired)
    }

    @Test(
        "a challenge that is told of after its failure changes nothing; before it, the failure decides",
        arguments: [true, false])
    func challenge(isLate: Bool) throws {
        var subscription = renewing()
        let billing = try #require(subscription.open)
        let later: Instant = due.adding(.seconds(60))
        func challenged(_ subscription: Subscription) -> Subscription {
            var challenged: Subscription = subscription
            challenged.collectionFailed(
                billing.id, invoiceID: invoice, attempt: 2, as: .action, reason: .actionRequired, policy: policy,
                at: later)
            return challenged
        }
        subscription.failOpen(.soft, at: due)
        subscription.attemptBegun(invoice, attempt: 2, at: due)
        if !isLate {
            subscription = challenged(subscription)
            #expect(subscription.nextActionAt == due.adding(days(14)))
        }
        subscription.failOpen(.soft, at: later)
        #expect(subscription.nextActionAt == due.adding(days(1)))
        #expect(challenged(subscription) == subscription)
        subscription.act()
        #expect(subscription.names.last == "collect 3 retry")
        #expect(challenged(subscription) == subscription)
    }

    @Test("the failure before one, told after it, does not end the wait") func failureToldLate() throws {
        var subscription = signUp()
        let billing = try #require(subscription.open)
        subscription.learnInvoice()
        subscription.attemptBegun(invoice, attempt: 2, at: start)
        subscription.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 1, as: .action, policy: policy, at: start)
        subscription.performDue(policy: policy, at: start.adding(policy.signupExpiresAfter))
        #expect(subscription.status == .incomplete && subscription.open?.isCollecting == true)
        subscription.failOpen(.action, at: start.adding(days(1)))
        #expect(subscription.nextActionAt == start.adding(days(1)))
    }

    @Test("one is awaited although attempts were asked for before that never got a number") func unnumbered() throws {
        var subscription = renewing()
        let billing = try #require(subscription.open)
        for day in [0, 1, 3] {
            if day > 0 { subscription.act() }
            subscription.collectionFailed(
                billing.id, invoiceID: invoice, attempt: 1, as: .soft, policy: policy, at: due.adding(days(day)))
        }
        let now: Instant = due.adding(days(4))
        subscription.methodAttached(at: now, policy: policy, now: now)
        subscription.attemptBegun(invoice, attempt: 2, at: now)
        subscription.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 2, as: .action, policy: policy, at: now)
        #expect(subscription.nextActionAt == due.adding(days(14)))
        subscription.attemptBegun(invoice, attempt: 3, at: now)
        #expect(subscription.open?.isCollecting == true && subscription.nextActionAt == nil)
        subscription.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 3, as: .action, policy: policy, at: now)
        #expect(subscription.open?.isCollecting == false && subscription.nextActionAt == due.adding(days(14)))
    }

    @Test("one of another invoice, or of a billing that is closed, changes nothing") func strangers() {
        var subscription = unfinished()
        let before: Subscription = subscription
        subscription.attemptBegun(InvoiceID(unchecked: "inv_other"), attempt: 2, at: start)
        #expect(subscription == before)
        subscription.act()
        let expired: Subscription = subscription
        subscription.attemptBegun(invoice, attempt: 2, at: start)
        #expect(subscription == expired)
    }
}
