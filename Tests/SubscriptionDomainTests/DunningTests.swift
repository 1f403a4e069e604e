import BillingCore
import SubscriptionDomain
import Testing

@Suite("Dunning") struct DunningTests {
    let due = time("2027-02-28T10:30:00Z")

    /// A renewal that is being collected for the first time.
    func renewing() -> Subscription {
        var subscription = Subscription.active()
        subscription.act()
        _ = subscription.takeEffects()
        return subscription
    }

    @Test("soft declines: retries after 1, 3, 5 and 7 days, then unpaid, then canceled after 14") func soft() {
        var subscription = renewing()
        subscription.failOpen(.soft, at: due)
        for (attempt, day) in [(2, 1), (3, 3), (4, 5), (5, 7)] {
            #expect(subscription.status == .pastDue && subscription.nextActionAt == due.adding(days(day)))
            subscription.act()
            #expect(subscription.names.last == "collect \(attempt) retry" && subscription.nextActionAt == nil)
            subscription.failOpen(.soft, at: due.adding(days(day)))
        }
        #expect(subscription.status == .unpaid && subscription.nextActionAt == due.adding(days(14)))
        subscription.act()
        #expect(
            subscription.moves == [
                "active > past_due: payment_failed", "past_due > unpaid: retries_exhausted",
                "unpaid > canceled: dunning_exhausted",
            ])
        #expect(subscription.names.suffix(2) == ["withdrawn dunning_exhausted", "status canceled"])
        #expect(subscription.open == nil && subscription.nextActionAt == nil)
    }

    @Test("hard and fraud declines are never retried with the same card", arguments: [DeclineClass.hard, .fraud])
    func hard(_ decline: DeclineClass) {
        var subscription = renewing()
        subscription.failOpen(decline, at: due)
        #expect(subscription.status == .pastDue && subscription.nextActionAt == due.adding(days(14)))
        subscription.act()
        #expect(subscription.moves.last == "past_due > canceled: dunning_exhausted")
        #expect(!subscription.names.contains { $0.hasPrefix("collect") })
    }

    @Test("a failure that is heard by a clock which is behind leads to the next retry, not to the same one again")
    func clockBehind() throws {
        var subscription = renewing()
        subscription.failOpen(.soft, at: due)
        subscription.performDue(policy: policy, at: due.adding(days(1)))
        subscription.failOpen(.soft, at: due.adding(days(1)).adding(.seconds(-3)))
        #expect(subscription.nextActionAt == due.adding(days(3)))
        var upgrade = Subscription.active()
        let now: Instant = start.adding(days(5))
        try upgrade.changePlanNow(to: plan("pro", 2_000), at: now)
        upgrade.failOpen(.soft, at: now)
        upgrade.performDue(policy: policy, at: now.adding(days(1)))
        upgrade.failOpen(.soft, at: now.adding(days(1)).adding(.seconds(-3)))
        #expect(upgrade.plan.id.rawValue == "pro" && upgrade.nextActionAt == now.adding(days(3)))
    }

    @Test("a provider's own time holds a retry back, and leads to one attempt after the last that is planned")
    func heldBack() {
        var subscription = renewing()
        subscription.failOpen(.soft, notBefore: due.adding(days(2)), at: due)
        for day in [2, 3, 5, 7] {
            #expect(subscription.nextActionAt == due.adding(days(day)))
            subscription.act()
            subscription.failOpen(.soft, notBefore: day == 7 ? due.adding(days(9)) : nil, at: due.adding(days(day)))
        }
        #expect(subscription.status == .pastDue && subscription.nextActionAt == due.adding(days(9)))
        subscription.act()
        #expect(subscription.names.last == "collect 6 retry")
        subscription.failOpen(.soft, notBefore: due.adding(days(11)), at: due.adding(days(9)))
        #expect(subscription.status == .unpaid && subscription.nextActionAt == due.adding(days(14)))
    }

    @Test("a change of plan waits for the provider's own time, if that lies within the old period") func heldUpgrade()
        throws
    {
        let now: Instant = start.adding(days(5))
        for (day, isKept) in [(9, true), (30, false)] {
            var subscription = Subscription.active()
            try subscription.changePlanNow(to: plan("pro", 2_000), at: now)
            subscription.failOpen(.soft, notBefore: now.adding(days(day)), at: now)
            #expect(subscription.plan.id.rawValue == (isKept ? "pro" : "basic"))
            #expect(subscription.nextActionAt == (isKept ? now.adding(days(9)) : due))
        }
    }

    @Test("a hard decline on a retry ends the retries") func hardOnRetry() {
        var subscription = renewing()
        subscription.failOpen(.soft, at: due)
        subscription.act()
        subscription.failOpen(.hard, at: due.adding(days(1)))
        #expect(subscription.nextActionAt == due.adding(days(14)))
    }

    @Test(
        "a new card is charged at once, and the planned retries stay", arguments: [DeclineClass.soft, .hard, .action])
    func newCard(_ decline: DeclineClass) {
        var subscription = renewing()
        subscription.failOpen(decline, at: due)
        let now: Instant = due.adding(days(2))
        subscription.methodAttached(at: now, policy: policy, now: now)
        #expect(subscription.names.last == "collect 2 new_payment_method" && subscription.nextActionAt == nil)
        subscription.failOpen(.soft, at: now)
        #expect(subscription.nextActionAt == due.adding(days(3)))
    }

    @Test("a payment at any time restores", arguments: [0, 1, 3, 5, 7, 13]) func recovery(_ day: Int) {
        var subscription = renewing()
        subscription.failOpen(.soft, at: due)
        while let next = subscription.nextActionAt, next <= due.adding(days(day)), subscription.status != .unpaid {
            subscription.act()
            subscription.failOpen(.soft, at: next)
        }
        subscription.payOpen(at: due.adding(days(day)))
        #expect(subscription.moves.last == "\(day < 7 ? "past_due" : "unpaid") > active: payment_recovered")
        #expect(subscription.period.end == time("2027-03-31T10:30:00Z"))
        #expect(subscription.nextActionAt == subscription.period.end)
    }

    @Test("unpaid with a new card: charged at once, active again when it works") func unpaidRestores() {
        var subscription = renewing()
        subscription.failOpen(.soft, at: due)
        while subscription.status != .unpaid {
            let next: Instant = subscription.nextActionAt ?? due
            subscription.act()
            subscription.failOpen(.soft, at: next)
        }
        let now: Instant = due.adding(days(9))
        subscription.methodAttached(at: now, policy: policy, now: now)
        #expect(subscription.names.last == "collect 6 new_payment_method")
        subscription.payOpen(at: now)
        #expect(subscription.status == .active)
    }

    @Test("a new card that is refused softly takes over the retries that are left, also when unpaid")
    func unpaidRetries() {
        var subscription = renewing()
        subscription.failOpen(.soft, notBefore: due.adding(days(20)), at: due)
        #expect(subscription.status == .unpaid && subscription.nextActionAt == due.adding(days(14)))
        let now: Instant = due.adding(days(2))
        subscription.methodAttached(at: now, policy: policy, now: now)
        subscription.failOpen(.soft, at: now)
        #expect(subscription.nextActionAt == due.adding(days(3)))
        subscription.act()
        #expect(subscription.names.last == "collect 3 retry" && subscription.nextActionAt == nil)
    }

    @Test(
        "a new card that nobody could be asked with after the last planned retry is asked for once more",
        arguments: [true, false])
    func unaskedCard(isUnpaid: Bool) {
        var subscription = renewing()
        subscription.failOpen(isUnpaid ? .soft : .hard, notBefore: isUnpaid ? due.adding(days(20)) : nil, at: due)
        #expect(subscription.status == (isUnpaid ? .unpaid : .pastDue))
        let now: Instant = due.adding(days(9))
        subscription.methodAttached(at: now, policy: policy, now: now)
        subscription.attemptBegun(invoice, attempt: 2, with: newMethod, at: now)
        let again: Instant = now.adding(.seconds(1_020))
        subscription.failOpen(.soft, with: newMethod, notBefore: again, at: now.adding(.seconds(120)))
        #expect(subscription.status == (isUnpaid ? .unpaid : .pastDue) && subscription.nextActionAt == again)
        subscription.act()
        #expect(subscription.names.last == "collect 3 retry" && subscription.nextActionAt == nil)
        var paid: Subscription = subscription
        paid.payOpen(at: again)
        #expect(paid.status == .active)
        subscription.failOpen(.soft, with: newMethod, notBefore: again.adding(days(1)), at: again)
        #expect(subscription.status == .unpaid && subscription.nextActionAt == due.adding(days(14)))
    }

    @Test("a card that came while an attempt was under way is used when that attempt fails") func cardDuringAttempt() {
        var subscription = renewing()
        subscription.methodAttached(at: due.adding(.seconds(1)), policy: policy, now: due.adding(.seconds(1)))
        #expect(subscription.effects.events.isEmpty)
        subscription.failOpen(.hard, at: due.adding(.seconds(2)))
        #expect(subscription.names == ["status past_due", "collect 2 new_payment_method"])
        subscription.payOpen(at: due.adding(.seconds(3)))
        #expect(subscription.status == .active)
    }

    @Test("a card from before the billing is no new card") func oldCard() {
        var subscription = renewing()
        subscription.methodAttached(at: due.adding(.seconds(-60)), policy: policy, now: due)
        subscription.failOpen(.soft, at: due)
        #expect(subscription.names == ["status past_due"])
        subscription.methodAttached(at: due.adding(.seconds(-60)), policy: policy, now: due)
        #expect(subscription.names == ["status past_due"])
    }

    @Test("with no attempt under way, a repeated outcome of an older attempt is ignored") func staleOutcome() throws {
        var subscription = renewing()
        subscription.failOpen(.soft, at: due)
        subscription.act()
        subscription.failOpen(.soft, at: due.adding(days(1)))
        let before: Subscription = subscription
        let billing = try #require(subscription.open)
        subscription.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 1, as: .hard, policy: policy, at: due.adding(days(2)))
        #expect(subscription == before)
    }

    @Test("a customer without any card is retried and given up like anybody, though no attempt gets a number")
    func neverAnAttempt() throws {
        var subscription = renewing()
        var failures: Int = 0
        while subscription.status != .canceled, let billing = subscription.open {
            let now: Instant = subscription.nextActionAt ?? due.adding(days(failures))
            if billing.isCollecting {
                subscription.collectionFailed(
                    billing.id, invoiceID: invoice, attempt: 1, as: .soft, policy: policy,
                    at: max(due, billing.requestedAt))
                failures += 1
            } else {
                subscription.performDue(policy: policy, at: now)
            }
            try #require(failures < 10)
        }
        #expect(failures == 5)
        #expect(subscription.moves.last == "unpaid > canceled: dunning_exhausted")
    }

    @Test("a payment that waits for the customer is past due without retries, and restores when it succeeds")
    func authentication() throws {
        var subscription = renewing()
        let billing = try #require(subscription.open)
        subscription.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 1, as: .action, reason: .actionRequired, policy: policy, at: due)
        #expect(subscription.moves == ["active > past_due: action_required"])
        #expect(subscription.nextActionAt == due.adding(days(14)))
        subscription.payOpen(at: due.adding(days(1)))
        #expect(subscription.status == .active)
    }

    @Test("after an outage past the 14th day it ends, without a burst of missed retries") func longOutage() {
        var subscription = renewing()
        subscription.failOpen(.soft, at: due)
        subscription.performDue(policy: policy, at: due.adding(days(20)))
        #expect(subscription.status == .canceled)
    }

    @Test("a trial that cannot be paid is dunned like a renewal") func trial() {
        var subscription = signUp(plan(trial: 7))
        subscription.act()
        subscription.failOpen(.soft, at: start.adding(days(7)))
        #expect(subscription.moves == ["trialing > past_due: payment_failed"])
        subscription.act()
        subscription.payOpen(at: start.adding(days(8)))
        #expect(subscription.status == .active && subscription.period.start == start.adding(days(7)))
    }
}
