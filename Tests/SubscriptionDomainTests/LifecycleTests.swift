import BillingCore
import SubscriptionDomain
import Testing

@Suite("A subscription's life") struct LifecycleTests {
    @Test("signing up bills the first period and waits for 23 hours") func signup() {
        let subscription = signUp()
        #expect(subscription.names == ["created", "billed signup 1000"])
        #expect(subscription.status == .incomplete && !subscription.isSignupSettled)
        #expect(subscription.nextActionAt == start.adding(.seconds(23 * 3_600)))
    }

    @Test("the first payment makes it active until the period ends") func firstPayment() {
        var subscription = signUp()
        subscription.payOpen(at: start.adding(.seconds(2)))
        #expect(subscription.moves == ["incomplete > active: first_payment"])
        #expect(subscription.nextActionAt == time("2027-02-28T10:30:00Z"))
        #expect(subscription.open == nil && subscription.isSignupSettled)
    }

    @Test("a declined sign-up is answered, can be paid with a new card, and expires otherwise") func declinedSignup() {
        var subscription = signUp()
        subscription.failOpen(.soft, at: start)
        #expect(subscription.status == .incomplete && subscription.isSignupSettled)
        var second = subscription
        second.methodAttached(at: start, policy: policy, now: start)
        #expect(second.names.last == "collect 2 new_payment_method")
        #expect(second.nextActionAt == start.adding(.seconds(23 * 3_600)))
        second.payOpen(at: start)
        #expect(second.status == .active)
        subscription.act()
        #expect(subscription.names.suffix(2) == ["withdrawn signup_expired", "status incomplete_expired"])
        #expect(subscription.nextActionAt == nil && subscription.open == nil)
    }

    @Test("a sign-up whose bank is still at work does not expire under it; a failure that comes late ends it")
    func slowSignup() {
        var subscription = signUp()
        let late: Instant = start.adding(.seconds(24 * 3_600))
        subscription.performDue(policy: policy, at: late)
        #expect(subscription.status == .incomplete && subscription.nextActionAt == nil)
        #expect(subscription.names == ["created", "billed signup 1000"])
        var failed = subscription
        subscription.payOpen(at: start.adding(.seconds(5 * 86_400)))
        #expect(subscription.status == .active && subscription.nextActionAt == time("2027-02-28T10:30:00Z"))
        let end: Instant = start.adding(.seconds(6 * 86_400))
        failed.failOpen(.soft, at: end)
        #expect(failed.status == .incomplete && failed.nextActionAt == end)
        failed.performDue(policy: policy, at: end)
        #expect(failed.names.suffix(2) == ["withdrawn signup_expired", "status incomplete_expired"])
    }

    @Test("renewals are billed one at a time, missed ones one after another") func catchUp() {
        var subscription = Subscription.active()
        let now = time("2027-06-15T00:00:00Z")
        for month in ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"] {
            subscription.performDue(policy: policy, at: now)
            #expect(subscription.open?.period.start == time("\(month)T10:30:00Z"))
            #expect(subscription.nextActionAt == nil)
            subscription.performDue(policy: policy, at: now)
            subscription.payOpen(at: now)
        }
        #expect(subscription.effects.billings.count == 4)
        #expect(subscription.nextActionAt == time("2027-06-30T10:30:00Z"))
        subscription.performDue(policy: policy, at: now)
        #expect(subscription.open == nil)
    }

    @Test("canceling at the period's end ends there without a billing") func cancelAtEnd() {
        var subscription = Subscription.active()
        let isPlanned: Bool = subscription.cancelAtPeriodEnd(at: start)
        #expect(isPlanned)
        #expect(subscription.status == .active && subscription.cancelsAtPeriodEnd)
        subscription.act()
        #expect(subscription.names == ["status canceled"])
        #expect(subscription.canceledAt == time("2027-02-28T10:30:00Z") && subscription.nextActionAt == nil)
        let (again, now): (Bool, Bool) = (subscription.cancelAtPeriodEnd(at: start), subscription.cancelNow(at: start))
        #expect(!again && !now)
    }

    @Test("canceling a trial at its end never bills") func cancelTrial() {
        var subscription = signUp(plan(trial: 7))
        subscription.cancelAtPeriodEnd(at: start)
        subscription.act()
        #expect(subscription.names == ["created", "status canceled"])
    }

    @Test("canceling now withdraws what is unpaid; a sign-up always ends now") func cancelNow() {
        var subscription = signUp()
        subscription.cancelAtPeriodEnd(at: start)
        #expect(subscription.names.suffix(2) == ["withdrawn canceled", "status canceled"])
        #expect(subscription.canceledAt == start)
    }

    @Test("outcomes of other billings and repeated outcomes change nothing") func strangers() {
        var subscription = Subscription.active()
        subscription.act()
        let before: Subscription = subscription
        let isOurs: Bool = subscription.paid(BillingID(unchecked: "bil_other"), invoiceID: invoice, at: start)
        #expect(!isOurs)
        subscription.collectionFailed(
            BillingID(unchecked: "bil_other"), invoiceID: invoice, attempt: 9, as: .hard, policy: policy, at: start)
        subscription.invoiceVoided(BillingID(unchecked: "bil_other"), at: start)
        #expect(subscription == before)
    }

    @Test("money for a billing given up becomes credit while it lives, and is to be given back after its end")
    func latePayment() throws {
        var subscription = signUp()
        let billing = try #require(subscription.open)
        subscription.cancelNow(at: start)
        let withdrawn = try #require(subscription.effects.billings[billing.id])
        subscription.paidLate(withdrawn, invoiceID: invoice, at: start)
        #expect(subscription.status == .canceled && subscription.credit == 0)
        #expect(subscription.effects.billings[billing.id]?.isPaidLate == true)
        #expect(subscription.names.last == "refund due")

        var living = Subscription.active()
        try living.changePlanNow(to: plan("pro", 5_000), at: start.adding(days(14)))
        let upgrade = try #require(living.open)
        living.failOpen(.hard, at: start.adding(days(14)))
        let reverted = try #require(living.effects.billings[upgrade.id])
        living.paidLate(reverted, invoiceID: invoice, at: start.adding(days(14)))
        #expect(living.credit == upgrade.amount.minor && !living.names.contains("refund due"))
    }

    @Test("money for a billing given up is to be given back when the end is planned: no billing would use it")
    func latePaymentBeforeTheEnd() throws {
        var ending = Subscription.active()
        let now: Instant = start.adding(days(14))
        try ending.changePlanNow(to: plan("pro", 5_000), at: now)
        let upgrade = try #require(ending.open)
        ending.failOpen(.hard, at: now)
        ending.cancelAtPeriodEnd(at: now)
        let reverted = try #require(ending.effects.billings[upgrade.id])
        ending.paidLate(reverted, invoiceID: invoice, at: now)
        #expect(ending.status == .active && ending.credit == 0)
        #expect(ending.names.last == "refund due")
    }

    @Test("a void invoice ends what it was for") func voided() throws {
        var subscription = Subscription.active()
        subscription.act()
        let billing = try #require(subscription.open)
        subscription.invoiceVoided(billing.id, at: start)
        #expect(subscription.moves == ["active > canceled: invoice_voided"])
        #expect(!subscription.names.contains { $0.hasPrefix("withdrawn") })
    }
}
