import BillingCore
import SubscriptionDomain
import Testing

@Suite("Which payment method is new") struct NewMethodTests {
    let due = time("2027-02-28T10:30:00Z")

    /// A renewal whose first attempt is under way, its invoice known.
    func renewing() throws -> Subscription {
        var subscription = Subscription.active()
        subscription.act()
        subscription.learnInvoice()
        return subscription
    }

    @Test("another one than the attempt's is charged, though Payment's clock is behind") func clockBehind() throws {
        var failed = try renewing()
        failed.attemptBegun(invoice, attempt: 1, at: due)
        var collecting: Subscription = failed
        let told: Instant = due.adding(.seconds(-3_600))
        failed.failOpen(.hard, at: due.adding(.seconds(60)))
        failed.methodAttached(at: told, policy: policy, now: due.adding(.seconds(120)))
        #expect(failed.names.last == "collect 2 new_payment_method")
        collecting.methodAttached(at: told, policy: policy, now: due.adding(.seconds(30)))
        collecting.failOpen(.hard, at: due.adding(.seconds(60)))
        #expect(collecting.names.last == "collect 2 new_payment_method")
    }

    @Test("the attempt's own is not charged again, whether told of before the attempt, after it or after its failure")
    func own() throws {
        for moment in 0..<3 {
            var subscription = try renewing()
            for step in 0..<3 {
                if step == moment {
                    subscription.methodAttached(
                        ownMethod, at: due.adding(.seconds(5)), policy: policy, now: due.adding(.seconds(6)))
                }
                if step == 0 { subscription.attemptBegun(invoice, attempt: 1, at: due.adding(.seconds(5))) }
                if step == 1 { subscription.failOpen(.hard, at: due.adding(.seconds(10))) }
            }
            #expect(subscription.names == ["status past_due"], "told at \(moment)")
        }
    }

    @Test("one that a later attempt uses is not charged a second time") func usedSince() throws {
        var subscription = try renewing()
        subscription.attemptBegun(invoice, attempt: 1, at: due)
        subscription.methodAttached(at: due.adding(.seconds(5)), policy: policy, now: due.adding(.seconds(5)))
        subscription.attemptBegun(invoice, attempt: 2, with: newMethod, at: due.adding(.seconds(6)))
        subscription.failOpen(.hard, at: due.adding(.seconds(10)))
        #expect(subscription.names == ["status past_due"])
    }

    @Test("old news that is told again leads to nothing") func oldNews() throws {
        var subscription = try renewing()
        subscription.attemptBegun(invoice, attempt: 1, at: due)
        subscription.failOpen(.hard, at: due)
        subscription.methodAttached(at: due.adding(days(-2)), policy: policy, now: due)
        #expect(subscription.names == ["status past_due"])
    }

    @Test(
        "one that was just refused is not charged again, though its attempt is told of last", arguments: [true, false])
    func refused(isCollecting: Bool) throws {
        var subscription = try renewing()
        let attachedAt: Instant = due.adding(.seconds(-3))
        if isCollecting { subscription.methodAttached(at: attachedAt, policy: policy, now: due) }
        subscription.failOpen(.fraud, with: newMethod, at: due)
        if !isCollecting { subscription.methodAttached(at: attachedAt, policy: policy, now: due) }
        subscription.attemptBegun(invoice, attempt: 1, with: newMethod, at: due)
        #expect(subscription.names == ["status past_due"])
    }

    @Test("the attempt's own as the default again takes a new one's place: it is not charged anew when it fails")
    func backAgain() throws {
        var subscription = try renewing()
        subscription.attemptBegun(invoice, attempt: 1, at: due)
        subscription.methodAttached(at: due.adding(.seconds(5)), policy: policy, now: due.adding(.seconds(5)))
        subscription.methodAttached(
            ownMethod, at: due.adding(.seconds(9)), policy: policy, now: due.adding(.seconds(9)))
        subscription.failOpen(.hard, with: ownMethod, at: due.adding(days(3)))
        #expect(subscription.names == ["status past_due"])
    }

    /// One whose first attempt failed, and that is asked for another with a new method.
    func asked(_ failure: StatusReason = .paymentFailed) throws -> Subscription {
        var subscription = try renewing()
        subscription.attemptBegun(invoice, attempt: 1, at: due)
        subscription.end(1, failure, at: due)
        subscription.methodAttached(at: due.adding(.seconds(60)), policy: policy, now: due.adding(.seconds(60)))
        #expect(subscription.names == ["status past_due", "collect 2 new_payment_method"])
        return subscription
    }

    @Test(
        "one that Payment was asked for while the customer's own attempt was under way is asked for once more",
        arguments: [StatusReason.paymentFailed, .actionRequired])
    func missed(end: StatusReason) throws {
        var subscription = try asked()
        let later: Instant = due.adding(.seconds(70))
        subscription.attemptBegun(invoice, attempt: 2, at: later)
        subscription.end(2, end, at: later)
        #expect(subscription.names.last == "collect 3 new_payment_method" && subscription.open?.isCollecting == true)
        let events: [String] = subscription.names
        subscription.attemptBegun(invoice, attempt: 3, at: later)
        subscription.end(3, .paymentFailed, at: later)
        #expect(subscription.names == events && subscription.nextActionAt == due.adding(days(14)))
    }

    @Test("the failure of the attempt before, told late, is no answer to what is asked") func before() throws {
        var subscription = try asked(.actionRequired)
        subscription.end(1, .paymentFailed, at: due.adding(.seconds(61)))
        #expect(subscription.names == ["status past_due", "collect 2 new_payment_method"])
    }

    @Test("a newer one, used by the attempt that is asked for, is not charged a second time") func newer() throws {
        var subscription = try asked()
        let newer = PaymentMethodID(unchecked: "pm_newer")
        let later: Instant = due.adding(.seconds(70))
        subscription.methodAttached(newer, at: later, policy: policy, now: later)
        subscription.attemptBegun(invoice, attempt: 2, with: newer, at: later)
        subscription.failOpen(.hard, with: newer, at: later)
        #expect(subscription.names == ["status past_due", "collect 2 new_payment_method"])
    }

    @Test("where the attempt's own is not known, a clock may be half a minute behind") func unknown() throws {
        let failure: String = "status past_due"
        for (seconds, events) in [(-20, [failure, "collect 2 new_payment_method"]), (-60, [failure])] {
            var subscription = try renewing()
            subscription.failOpen(.soft, at: due)
            subscription.methodAttached(at: due.adding(.seconds(seconds)), policy: policy, now: due)
            #expect(subscription.names == events)
        }
    }
}

extension Subscription {
    /// An attempt with ``ownMethod`` is refused, or waits for the customer: a challenge does not tell the method.
    fileprivate mutating func end(_ attempt: Int64, _ reason: StatusReason, at now: Instant) {
        guard let billing = open else { return }
        let method: PaymentMethodID? = reason == .actionRequired ? nil : ownMethod
        collectionFailed(
            billing.id, invoiceID: invoice, attempt: attempt, as: reason == .actionRequired ? .action : .hard,
            with: method, reason: reason, policy: policy, at: now)
    }
}
