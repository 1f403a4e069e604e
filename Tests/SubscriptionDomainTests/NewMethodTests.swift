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
