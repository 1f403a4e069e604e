import BillingCore
import BillingEvents
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Attempts that customers make themselves") struct CustomerAttemptFlowTests {
    let deadline: Instant = SubscriptionWorld.start.adding(.seconds(23 * 3_600))

    func signedUp(_ world: SubscriptionWorld) async throws -> Subscription {
        try await world.customer()
        try await world.plan()
        return try await world.subscribe()
    }

    @Test("a sign-up whose customer has authenticated is not given up before the outcome is known") func signup()
        async throws
    {
        try await withSubscriptions { world in
            let unfinished = try await world.fail(signedUp(world), "action")
            world.ticker.set(deadline.adding(.seconds(-3_600)))
            try await world.begin(unfinished, attempt: 2)
            world.ticker.set(deadline)
            #expect(try await world.runDue() == 1)
            let waiting = try await world.subscription(unfinished.id)
            #expect(waiting.status == .incomplete && waiting.open?.isCollecting == true)
            world.ticker.set(deadline.adding(.seconds(3 * 86_400)))
            #expect(try await world.runDue() == 0)
            #expect(try await world.pay(waiting).status == .active)
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).isEmpty)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("events about attempts and their failures may come in any order; nothing is awaited for ever")
    func disorder() async throws {
        try await withSubscriptions { world in
            let subscription = try await signedUp(world)
            let billing = try #require(subscription.open)
            try await world.finalize(subscription, billing: billing.id)
            let begun = try await world.begin(subscription, attempt: 2)
            // The first attempt's failure comes after the second attempt.
            let waiting = try await world.fail(subscription, "action")
            #expect(waiting == begun && waiting.open?.isCollecting == true)
            let failed = try await world.fail(waiting, "action")
            #expect(failed.open?.isCollecting == false && failed.nextActionAt == deadline)
            // And this one's failure before the attempt itself.
            #expect(try await world.begin(failed, attempt: 2) == failed)
            world.ticker.set(deadline)
            #expect(try await world.runDue() == 1)
            let expired = try await world.subscription(failed.id)
            #expect(expired.status == .incompleteExpired)
            #expect(try await world.begin(failed, attempt: 3) == expired)
            #expect(try await world.violations().isEmpty)
        }
    }

    /// Active, renewed, the first attempt failed and one of the customer's under way.
    func returning(_ world: SubscriptionWorld) async throws -> Subscription {
        let paid = try await world.pay(signedUp(world))
        world.ticker.set(paid.period.end)
        try await world.runDue()
        let failed = try await world.fail(world.subscription(paid.id), "soft")
        return try await world.begin(failed, attempt: 2)
    }

    @Test(
        "a challenge leads to the same, told of before its failure or after it: the retries stay",
        arguments: [true, false])
    func challenge(isLate: Bool) async throws {
        try await withSubscriptions { world in
            let begun = try await returning(world)
            let retryAt: Instant = world.now.adding(.seconds(86_400))
            if !isLate { try await world.requireAction(begun) }
            let failed = try await world.fail(begun, "soft")
            #expect(failed.nextActionAt == retryAt && failed.open?.lastDecline == .soft)
            #expect(try await world.requireAction(begun) == failed)
            world.ticker.set(retryAt)
            #expect(try await world.runDue() == 1)
            #expect(try await world.published(SubscriptionCollectionDueV1.self).map(\.attempt) == [3])
            let asked = try await world.subscription(begun.id)
            #expect(try await world.requireAction(begun) == asked)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "a challenge of an invoice that is paid is not taken for the next one's, whose invoice is not known yet",
        arguments: [true, false])
    func earlierInvoice(isLate: Bool) async throws {
        try await withSubscriptions { world in
            let begun = try await returning(world)
            if !isLate { try await world.requireAction(begun) }
            let paid = try await world.pay(begun)
            #expect(paid.status == .active)
            world.ticker.set(paid.period.end)
            try await world.runDue()
            let next = try await world.subscription(paid.id)
            let billing = try #require(next.open)
            if isLate { #expect(try await world.requireAction(begun) == next) }
            try await world.finalize(next, billing: billing.id)
            let failed = try await world.fail(next, "soft")
            #expect(failed.open?.invoiceID == SubscriptionWorld.invoice(of: billing.id))
            #expect(failed.status == .pastDue && failed.nextActionAt == world.now.adding(.seconds(86_400)))
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what becomes of a card of the customer's own on an invoice's page leaves the default's retries as they are")
    func page() async throws {
        try await withSubscriptions { world in
            let (own, page) = (PaymentMethodID(unchecked: "pm_own"), PaymentMethodID(unchecked: "pm_page"))
            let paid = try await world.pay(signedUp(world))
            world.ticker.set(paid.period.end)
            try await world.runDue()
            let due: Instant = world.now
            let renewed = try await world.begin(
                world.subscription(paid.id), attempt: 1, with: own, offSession: true)
            let failed = try await world.fail(renewed, "soft", with: own)
            world.ticker.advance(by: .seconds(600))
            let begun = try await world.begin(failed, attempt: 2, with: page)
            #expect(begun.open?.isCollecting == true && begun.nextActionAt == nil)
            let asked = try await world.requireAction(begun)
            #expect(asked.open?.isCollecting == false && asked.nextActionAt == due.adding(.seconds(86_400)))
            let refused = try await world.fail(
                asked, "hard", with: page, retryAt: due.adding(.seconds(9 * 86_400)))
            #expect(refused.open?.lastDecline == .soft && refused.open?.paymentMethodID == own)
            #expect(refused.nextActionAt == due.adding(.seconds(86_400)))
            try await world.attachCard(refused.customerID, own, toldAt: due)
            #expect(try await world.published(SubscriptionCollectionDueV1.self).isEmpty)
            world.ticker.set(due.adding(.seconds(86_400)))
            #expect(try await world.runDue() == 1)
            let collected = try await world.published(SubscriptionCollectionDueV1.self)
            #expect(collected.map(\.reason) == ["retry"] && collected.first?.attempt == 3)
            try await world.begin(refused, attempt: 3, with: own, offSession: true)
            let last = try await world.fail(world.subscription(paid.id), "hard", with: own)
            #expect(last.nextActionAt == due.adding(.seconds(14 * 86_400)))
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a card of the customer's own that Payment steps up, or tries elsewhere, leaves the default's retries, too")
    func followed() async throws {
        try await withSubscriptions { world in
            let (own, page) = (PaymentMethodID(unchecked: "pm_own"), PaymentMethodID(unchecked: "pm_page"))
            let paid = try await world.pay(signedUp(world))
            world.ticker.set(paid.period.end)
            try await world.runDue()
            let retryAt: Instant = world.now.adding(.seconds(86_400))
            let renewed = try await world.begin(
                world.subscription(paid.id), attempt: 1, with: own, offSession: true)
            let failed = try await world.fail(renewed, "soft", with: own)
            world.ticker.advance(by: .seconds(600))
            let begun = try await world.begin(failed, attempt: 2, with: page)
            // Nobody is told that the third attempt begins, and the fourth.
            let asked = try await world.requireAction(begun, attempt: 3)
            #expect(asked.open?.ownAttempt == 3 && asked.nextActionAt == retryAt)
            let refused = try await world.fail(asked, "hard", attempt: 4, with: page)
            #expect(refused.open?.lastDecline == .soft && refused.open?.paymentMethodID == own)
            #expect(refused.nextActionAt == retryAt)
            world.ticker.set(retryAt)
            #expect(try await world.runDue() == 1)
            let collected = try await world.published(SubscriptionCollectionDueV1.self)
            #expect(collected.map(\.reason) == ["retry"] && collected.first?.attempt == 5)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an upgrade whose customer has authenticated is not taken back before the outcome is known") func upgrade()
        async throws
    {
        try await withSubscriptions { world in
            let subscription = try await world.pay(signedUp(world))
            try await world.plan("pro", 3_100)
            let changed = try await world.change(subscription.id, #"{"plan_id":"pro"}"#)
            let unfinished = try await world.fail(changed, "action")
            try await world.begin(unfinished, attempt: 2)
            world.ticker.set(deadline)
            #expect(try await world.runDue() == 0)
            let paid = try await world.pay(unfinished)
            #expect(paid.plan.id.rawValue == "pro" && paid.nextActionAt == subscription.period.end)
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).isEmpty)
        }
    }
}
