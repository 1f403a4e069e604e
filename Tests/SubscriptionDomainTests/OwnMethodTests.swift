import BillingCore
import SubscriptionDomain
import Testing

@Suite("Attempts that the customer makes with a method of their own") struct OwnMethodTests {
    let due = time("2027-02-28T10:30:00Z")

    /// A renewal whose first attempt has failed.
    func failed(_ decline: DeclineClass, notBefore: Instant? = nil) -> Subscription {
        var subscription = Subscription.active()
        subscription.act()
        subscription.failOpen(decline, with: ownMethod, notBefore: notBefore, at: due)
        _ = subscription.takeEffects()
        return subscription
    }

    /// An immediate change of plan whose first attempt has failed softly.
    func upgrading(with method: PaymentMethodID? = ownMethod, at now: Instant) throws -> Subscription {
        var subscription = Subscription.active()
        try subscription.changePlanNow(to: plan("pro", 2_000), at: now)
        subscription.failOpen(.soft, with: method, at: now)
        return subscription
    }

    @Test(
        "one that is refused costs the default method no retry",
        arguments: [DeclineClass.soft, .hard, .fraud, .action])
    func retries(_ decline: DeclineClass) {
        var subscription = failed(.soft)
        subscription.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        #expect(subscription.open?.isCollecting == true && subscription.nextActionAt == nil)
        subscription.failOpen(
            decline, with: pageMethod, notBefore: due.adding(days(9)), at: due.adding(.seconds(660)))
        #expect(subscription.open?.isCollecting == false && subscription.open?.lastDecline == .soft)
        #expect(subscription.nextActionAt == due.adding(days(1)))
        subscription.act()
        #expect(subscription.names == ["collect 3 retry"])
        subscription.attemptBegun(invoice, attempt: 3, at: due.adding(days(1)))
        subscription.failOpen(.hard, with: ownMethod, at: due.adding(days(1)))
        #expect(subscription.nextActionAt == due.adding(days(14)), "what became of the default's own counts")
    }

    @Test("one that the customer leaves waiting costs no retry either, nor does its end") func challenge() throws {
        var subscription = failed(.soft)
        let billing = try #require(subscription.open)
        subscription.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        subscription.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 2, as: .action, reason: .actionRequired, policy: policy,
            at: due.adding(.seconds(601)))
        #expect(subscription.open?.isCollecting == false && subscription.nextActionAt == due.adding(days(1)))
        var passed: Subscription = subscription
        subscription.failOpen(.action, with: pageMethod, at: due.adding(.seconds(3_600)))
        #expect(subscription.nextActionAt == due.adding(days(1)))
        // Who has passed it makes another attempt with the same method.
        passed.pageBegun(attempt: 3, at: due.adding(.seconds(700)))
        #expect(passed.open?.isCollecting == true && passed.nextActionAt == nil)
        passed.failOpen(.hard, with: pageMethod, at: due.adding(.seconds(710)))
        #expect(passed.nextActionAt == due.adding(days(1)))
        passed.act()
        #expect(passed.names == ["collect 4 retry"])
    }

    @Test("one that is refused softly brings back no retry of a method that is not retried") func notRetried() {
        for decline in [DeclineClass.hard, .fraud, .action] {
            var subscription = failed(decline)
            subscription.pageBegun(attempt: 2, at: due.adding(days(2)))
            subscription.failOpen(.soft, with: pageMethod, at: due.adding(days(2)))
            #expect(subscription.nextActionAt == due.adding(days(14)), "\(decline)")
            subscription.act()
            #expect(subscription.names == ["withdrawn dunning_exhausted", "status canceled"], "\(decline)")
        }
    }

    @Test("a time before which the default's network wants no attempt stays; a retry that came due is made once")
    func plannedTime() {
        var subscription = failed(.soft, notBefore: due.adding(days(2)))
        subscription.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        subscription.pageBegun(attempt: 3, with: newMethod, at: due.adding(.seconds(700)))
        var late: Subscription = subscription
        subscription.failOpen(.hard, with: newMethod, at: due.adding(.seconds(800)))
        #expect(subscription.nextActionAt == due.adding(days(2)))
        late.failOpen(.hard, with: newMethod, at: due.adding(days(6)))
        late.performDue(policy: policy, at: due.adding(days(6)))
        #expect(late.names == ["collect 4 retry"])
        late.failOpen(.soft, with: ownMethod, at: due.adding(days(6)))
        #expect(late.nextActionAt == due.adding(days(7)))
    }

    @Test("how a retry failed counts where it is told after the customer's own attempt has begun") func behind() throws
    {
        var subscription = failed(.soft)
        subscription.act()
        subscription.attemptBegun(invoice, attempt: 2, at: due.adding(days(1)))
        subscription.pageBegun(attempt: 3, at: due.adding(days(1)))
        let billing = try #require(subscription.open)
        for _ in 0..<2 {
            subscription.collectionFailed(
                billing.id, invoiceID: invoice, attempt: 2, as: .hard, with: ownMethod, policy: policy,
                at: due.adding(days(1)))
        }
        #expect(subscription.open?.isCollecting == true && subscription.open?.lastDecline == .hard)
        subscription.failOpen(.soft, with: pageMethod, at: due.adding(days(1)))
        #expect(subscription.nextActionAt == due.adding(days(14)), "a card that was refused for good is not retried")
    }

    @Test("where a retry was asked for and had to stand back, the next one follows") func stoodBack() {
        var subscription = failed(.soft)
        subscription.act()
        subscription.pageBegun(attempt: 2, at: due.adding(days(1)))
        subscription.failOpen(.hard, with: pageMethod, at: due.adding(days(1)).adding(.seconds(60)))
        #expect(subscription.nextActionAt == due.adding(days(3)))
        subscription.act()
        #expect(subscription.names == ["collect 2 retry", "collect 3 retry"])
    }

    @Test(
        "one that Payment goes on with under later numbers stays the customer's own",
        arguments: [DeclineClass.soft, .hard, .fraud, .action])
    func followed(_ decline: DeclineClass) throws {
        let retryAt: Instant = due.adding(days(1))
        var refused = failed(.soft)
        let billing = try #require(refused.open)
        refused.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        var challenged: Subscription = refused
        // Two more acquirers were asked; nobody is told of those attempts before the last one's end.
        for _ in 0..<2 {
            refused.collectionFailed(
                billing.id, invoiceID: invoice, attempt: 4, as: decline, with: pageMethod,
                notBefore: due.adding(days(9)),
                policy: policy, at: due.adding(.seconds(660)))
            #expect(refused.open?.isCollecting == false && refused.open?.lastDecline == .soft)
            #expect(refused.open?.paymentMethodID == ownMethod && refused.nextActionAt == retryAt)
        }
        refused.act()
        #expect(refused.names == ["collect 5 retry"])
        // The bank asked for the customer, who is asked in another attempt.
        challenged.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 3, as: .action, reason: .actionRequired, policy: policy,
            at: due.adding(.seconds(601)))
        #expect(challenged.open?.isCollecting == false && challenged.open?.lastDecline == .soft)
        #expect(challenged.nextActionAt == retryAt)
        var passed: Subscription = challenged
        challenged.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 3, as: decline, with: pageMethod, policy: policy,
            at: due.adding(.seconds(3_600)))
        #expect(challenged.nextActionAt == retryAt && challenged.open?.lastDecline == .soft)
        passed.pageBegun(attempt: 4, at: due.adding(.seconds(700)))
        passed.failOpen(decline, with: pageMethod, at: due.adding(.seconds(710)))
        #expect(passed.nextActionAt == retryAt)
        passed.act()
        #expect(passed.names == ["collect 5 retry"])
    }

    @Test("nor does it bring back retries under a later number, or end a change of plan") func followedOthers() throws {
        for decline in [DeclineClass.hard, .fraud, .action] {
            var subscription = failed(decline)
            let billing = try #require(subscription.open)
            subscription.pageBegun(attempt: 2, at: due.adding(days(2)))
            subscription.collectionFailed(
                billing.id, invoiceID: invoice, attempt: 3, as: .soft, with: pageMethod, policy: policy,
                at: due.adding(days(2)))
            #expect(subscription.nextActionAt == due.adding(days(14)), "\(decline)")
        }
        let now: Instant = start.adding(days(5))
        for reason in [StatusReason.paymentFailed, .actionRequired] {
            var upgrade = try upgrading(at: now)
            let billing = try #require(upgrade.open)
            upgrade.pageBegun(attempt: 2, at: now.adding(.seconds(600)))
            upgrade.collectionFailed(
                billing.id, invoiceID: invoice, attempt: 3, as: reason == .actionRequired ? .action : .hard,
                with: reason == .actionRequired ? nil : pageMethod, reason: reason, policy: policy,
                at: now.adding(.seconds(660)))
            #expect(upgrade.plan.id.rawValue == "pro" && upgrade.nextActionAt == now.adding(days(1)), "\(reason)")
        }
    }

    @Test("a change of plan waits for its retry all the same", arguments: [ownMethod, nil] as [PaymentMethodID?])
    func upgrade(method: PaymentMethodID?) throws {
        let now: Instant = start.adding(days(5))
        for decline in [DeclineClass.hard, .fraud, .action] {
            var subscription = try upgrading(with: method, at: now)
            subscription.pageBegun(attempt: 2, at: now.adding(.seconds(600)))
            subscription.failOpen(decline, with: pageMethod, at: now.adding(.seconds(660)))
            #expect(subscription.plan.id.rawValue == "pro" && subscription.open != nil, "\(decline)")
            #expect(subscription.nextActionAt == now.adding(days(1)), "\(decline)")
            subscription.act()
            #expect(subscription.names.last == "collect 3 retry", "\(decline)")
        }
    }

    @Test("with the method of the attempt before it counts as any other") func sameMethod() throws {
        var subscription = failed(.soft)
        subscription.pageBegun(attempt: 2, with: ownMethod, at: due.adding(.seconds(600)))
        subscription.failOpen(.hard, with: ownMethod, at: due.adding(.seconds(660)))
        #expect(subscription.nextActionAt == due.adding(days(14)))
        var upgrade = try upgrading(at: start)
        upgrade.pageBegun(attempt: 2, with: ownMethod, at: start)
        upgrade.failOpen(.hard, with: ownMethod, at: start)
        #expect(upgrade.plan.id.rawValue == "basic")
    }

    @Test("that nothing could begin for want of a method is no word on one") func withoutMethod() throws {
        var subscription = failed(.hard)
        subscription.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        subscription.failOpen(.hard, with: pageMethod, at: due.adding(.seconds(660)))
        let later: Instant = due.adding(.seconds(700))
        subscription.methodAttached(at: later, policy: policy, now: later)
        // The new one is gone before Payment is asked: the failure bears the number of the attempt before.
        let billing = try #require(subscription.open)
        subscription.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 2, as: .soft, policy: policy, at: later)
        #expect(subscription.nextActionAt == due.adding(days(1)))
    }

    @Test("told of after its failure, or again, it changes nothing; without a failure before it counts as any other")
    func order() throws {
        var toldLate = failed(.soft)
        let billing = try #require(toldLate.open)
        toldLate.collectionFailed(
            billing.id, invoiceID: invoice, attempt: 2, as: .hard, with: pageMethod, policy: policy,
            at: due.adding(.seconds(660)))
        let before: Subscription = toldLate
        toldLate.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        #expect(toldLate == before && toldLate.nextActionAt == due.adding(days(14)))
        var toldTwice = failed(.soft)
        for _ in 0..<2 { toldTwice.pageBegun(attempt: 2, at: due.adding(.seconds(600))) }
        for _ in 0..<2 { toldTwice.failOpen(.hard, with: pageMethod, at: due.adding(.seconds(660))) }
        toldTwice.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        #expect(toldTwice.open?.isCollecting == false && toldTwice.nextActionAt == due.adding(days(1)))
        var first = Subscription.active()
        first.act()
        first.learnInvoice()
        first.attemptBegun(invoice, attempt: 1, at: due)
        first.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        first.failOpen(.hard, with: pageMethod, at: due.adding(.seconds(660)))
        #expect(first.status == .pastDue && first.nextActionAt == due.adding(.seconds(660)).adding(days(14)))
    }
}

@Suite("New default methods beside the customer's own attempt") struct OwnMethodAsDefaultTests {
    let due = time("2027-02-28T10:30:00Z")

    /// A renewal whose first attempt was refused for good, and that the customer pays on a page at this moment.
    func paying() -> Subscription {
        var subscription = Subscription.active()
        subscription.act()
        subscription.failOpen(.hard, with: ownMethod, at: due)
        subscription.pageBegun(attempt: 2, at: due.adding(.seconds(600)))
        _ = subscription.takeEffects()
        return subscription
    }

    @Test("the refused default, told of again, is not charged anew; another is, once the customer's own has failed")
    func others() {
        let now: Instant = due.adding(.seconds(660))
        var subscription = paying()
        subscription.methodAttached(ownMethod, at: due.adding(.seconds(-3)), policy: policy, now: now)
        subscription.failOpen(.soft, with: pageMethod, at: now)
        subscription.methodAttached(ownMethod, at: due.adding(.seconds(-3)), policy: policy, now: now)
        #expect(subscription.names.isEmpty && subscription.nextActionAt == due.adding(days(14)))
        var renewed = paying()
        renewed.methodAttached(newMethod, at: now, policy: policy, now: now)
        #expect(renewed.names.isEmpty)
        renewed.failOpen(.hard, with: pageMethod, at: now)
        #expect(renewed.names == ["collect 3 new_payment_method"])
    }

    @Test(
        "one that was asked for while the customer's own was under way is asked for once more, also where that goes on",
        arguments: [(.paymentFailed, 3), (.actionRequired, 3), (.actionRequired, 4)] as [(StatusReason, Int64)])
    func missed(reason: StatusReason, attempt: Int64) throws {
        var subscription = paying()
        let billing = try #require(subscription.open)
        let now: Instant = due.adding(.seconds(660))
        subscription.failOpen(.hard, with: pageMethod, at: now)
        subscription.methodAttached(newMethod, at: now, policy: policy, now: now)
        subscription.pageBegun(attempt: 3, at: now.adding(.seconds(1)))
        subscription.collectionFailed(
            billing.id, invoiceID: invoice, attempt: attempt, as: .action,
            with: reason == .paymentFailed ? pageMethod : nil, reason: reason, policy: policy,
            at: now.adding(.seconds(2)))
        #expect(
            subscription.names == ["collect 3 new_payment_method", "collect \(attempt + 1) new_payment_method"])
    }

    @Test("the customer's own, made the default once its attempt had failed, counts also where its end is told first")
    func ownAsDefaultToldLate() {
        let now: Instant = due.adding(.seconds(660))
        var subscription = paying()
        subscription.failOpen(.hard, with: pageMethod, at: now)
        subscription.methodAttached(pageMethod, at: now, policy: policy, now: now)
        subscription.failOpen(.soft, with: pageMethod, at: now)
        #expect(subscription.names == ["collect 3 new_payment_method"])
        #expect(subscription.nextActionAt == due.adding(days(1)))
        subscription.attemptBegun(invoice, attempt: 3, with: pageMethod, at: now)
        #expect(subscription.nextActionAt == due.adding(days(1)))
    }

    @Test("the customer's own, made the default: its attempt counts; once that has failed it is charged")
    func ownAsDefault() {
        let now: Instant = due.adding(.seconds(660))
        var underWay = paying()
        underWay.methodAttached(pageMethod, at: now, policy: policy, now: now)
        underWay.failOpen(.soft, with: pageMethod, at: now)
        #expect(underWay.names.isEmpty && underWay.nextActionAt == due.adding(days(1)))
        var refused = paying()
        refused.failOpen(.hard, with: pageMethod, at: now)
        refused.methodAttached(pageMethod, at: now, policy: policy, now: now)
        #expect(refused.names == ["collect 3 new_payment_method"])
        refused.attemptBegun(invoice, attempt: 3, with: pageMethod, at: now)
        refused.failOpen(.soft, with: pageMethod, at: now)
        #expect(refused.nextActionAt == due.adding(days(1)))
    }
}
