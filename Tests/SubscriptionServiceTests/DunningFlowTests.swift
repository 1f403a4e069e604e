import BillingCore
import BillingEvents
import JSON
import Messaging
import Postgres
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Renewals that are not paid") struct DunningFlowTests {
    /// Active, renewed, the new billing open.
    func renewing(_ world: SubscriptionWorld) async throws -> Subscription {
        try await world.customer()
        try await world.plan()
        let subscription = try await world.active()
        world.ticker.set(subscription.period.end)
        try await world.runDue()
        return try await world.subscription(subscription.id)
    }

    @Test("retries ask Payment for attempts 2 to 5 on the planned days, then it is unpaid, then canceled")
    func schedule() async throws {
        try await withSubscriptions { world in
            var subscription = try await world.fail(renewing(world), "soft")
            #expect(subscription.status == .pastDue)
            let due: Instant = world.now
            for (attempt, day) in [(Int64(2), 1), (3, 3), (4, 5), (5, 7)] {
                world.ticker.set(due.adding(.seconds(86_400 * day - 1)))
                #expect(try await world.runDue() == 0)
                world.ticker.set(due.adding(.seconds(86_400 * day)))
                #expect(try await world.runDue() == 1)
                #expect(try await world.published(SubscriptionCollectionDueV1.self).last?.attempt == attempt)
                subscription = try await world.fail(world.subscription(subscription.id), "soft")
            }
            #expect(subscription.status == .unpaid)
            world.ticker.set(due.adding(.seconds(86_400 * 14)))
            #expect(try await world.runDue() == 1)
            subscription = try await world.subscription(subscription.id)
            #expect(subscription.status == .canceled && subscription.open == nil)
            let moves = try await world.published(SubscriptionStatusChangedV1.self).map(\.newStatus)
            #expect(moves == ["active", "past_due", "unpaid", "canceled"])
            #expect(
                try await world.published(SubscriptionBillingWithdrawnV1.self).map(\.reason) == ["dunning_exhausted"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a new default card is charged at once; another card, and one that is for later charges alone, is not")
    func newCard() async throws {
        try await withSubscriptions { world in
            let subscription = try await world.fail(renewing(world), "hard")
            world.ticker.advance(by: .seconds(3_600))
            try await world.attachCard(subscription.customerID, isDefault: false)
            try await world.attachCard(subscription.customerID, isForLater: true)
            #expect(try await world.published(SubscriptionCollectionDueV1.self).isEmpty)
            try await world.attachCard(subscription.customerID)
            let asked = try await world.published(SubscriptionCollectionDueV1.self)
            #expect(asked.map(\.reason) == ["new_payment_method"] && asked.first?.attempt == 2)
            #expect(asked.first?.invoiceID == subscription.open.map { SubscriptionWorld.invoice(of: $0.id) })
            let recovered = try await world.pay(world.subscription(subscription.id))
            #expect(recovered.status == .active && recovered.nextActionAt == recovered.period.end)
        }
    }

    @Test("a card that the attempt used is not charged again; another is, though Payment's clock is behind")
    func cardOfAttempt() async throws {
        try await withSubscriptions { world in
            let own = PaymentMethodID(unchecked: "pm_own")
            let subscription = try await renewing(world)
            try await world.attachCard(subscription.customerID, own)
            try await world.begin(subscription, attempt: 1, with: own)
            let failed = try await world.fail(subscription, "hard")
            try await world.attachCard(subscription.customerID, own)
            #expect(failed.status == .pastDue)
            #expect(try await world.published(SubscriptionCollectionDueV1.self).isEmpty)
            try await world.attachCard(subscription.customerID, toldAt: world.now.adding(.seconds(-600)))
            let asked = try await world.published(SubscriptionCollectionDueV1.self)
            #expect(asked.map(\.reason) == ["new_payment_method"])
        }
    }

    @Test(
        "a card that was just refused is not charged again, though Payment's word of the attempt comes last",
        arguments: [true, false])
    func refusedCard(isCollecting: Bool) async throws {
        try await withSubscriptions { world in
            let card = PaymentMethodID(unchecked: "pm_refused")
            let subscription = try await renewing(world)
            let toldAt: Instant = world.now.adding(.seconds(-3))
            if isCollecting { try await world.attachCard(subscription.customerID, card, toldAt: toldAt) }
            try await world.fail(subscription, "fraud", with: card)
            if !isCollecting { try await world.attachCard(subscription.customerID, card, toldAt: toldAt) }
            try await world.begin(subscription, attempt: 1, with: card)
            #expect(try await world.published(SubscriptionCollectionDueV1.self).isEmpty)
            try await world.attachCard(subscription.customerID)
            let asked = try await world.published(SubscriptionCollectionDueV1.self)
            #expect(asked.map(\.reason) == ["new_payment_method"], "another card is worth an attempt")
        }
    }

    @Test("instances of this release and of the one before tell each other of a new card") func mixedReleases()
        async throws
    {
        try await withSubscriptions { world in
            let subscription = try await renewing(world)
            // The release before says only that there is one.
            try await world.execute("UPDATE billings SET has_new_method = true WHERE status = 'open'")
            let asked = try await world.fail(subscription, "hard")
            #expect(try await world.published(SubscriptionCollectionDueV1.self).map(\.attempt) == [2])
            #expect(try await hasNewMethod(world) == false)
            let card = PaymentMethodID(unchecked: "pm_new")
            try await world.attachCard(subscription.customerID, card)
            #expect(try await hasNewMethod(world))
            try await world.begin(asked, attempt: 2, with: card)
            #expect(try await hasNewMethod(world) == false)
            try await world.fail(asked, "hard", with: card)
            #expect(try await world.published(SubscriptionCollectionDueV1.self).count == 1)
        }
    }

    /// What an instance of the release before reads.
    private func hasNewMethod(_ world: SubscriptionWorld) async throws -> Bool {
        try await world.database.transaction { db in
            try db.first("SELECT has_new_method FROM billings WHERE status = 'open'") { row in try row.next() } ?? false
        }
    }

    @Test("a retry waits for the time before which the card's network wants none") func heldBack() async throws {
        try await withSubscriptions { world in
            let subscription = try await renewing(world)
            let due: Instant = world.now
            let failed = try await world.fail(subscription, "soft", retryAt: due.adding(.seconds(2 * 86_400)))
            #expect(failed.nextActionAt == due.adding(.seconds(2 * 86_400)))
            world.ticker.set(due.adding(.seconds(8 * 86_400)))
            #expect(try await world.runDue() == 1)
            let last = try await world.fail(
                world.subscription(failed.id), "soft", retryAt: due.adding(.seconds(10 * 86_400)))
            #expect(last.status == .pastDue)
            world.ticker.set(due.adding(.seconds(10 * 86_400)))
            #expect(try await world.runDue() == 1)
            let over = try await world.fail(
                world.subscription(failed.id), "soft", retryAt: due.adding(.seconds(12 * 86_400)))
            #expect(over.status == .unpaid)
        }
    }

    @Test("a new card that nobody could be asked with is asked for once more, though no retry is left")
    func unaskedCard()
        async throws
    {
        try await withSubscriptions { world in
            let subscription = try await renewing(world)
            let due: Instant = world.now
            let unpaid = try await world.fail(subscription, "soft", retryAt: due.adding(.seconds(20 * 86_400)))
            #expect(unpaid.status == .unpaid)
            world.ticker.set(due.adding(.seconds(9 * 86_400)))
            let card = PaymentMethodID(unchecked: "pm_new")
            try await world.attachCard(unpaid.customerID, card)
            let begun = try await world.begin(
                world.subscription(unpaid.id), attempt: 2, with: card, offSession: true)
            let again: Instant = world.ticker.advance(by: .seconds(120)).adding(.seconds(900))
            let waiting = try await world.fail(begun, "soft", with: card, retryAt: again)
            #expect(waiting.status == .unpaid && waiting.nextActionAt == again)
            world.ticker.set(again)
            #expect(try await world.runDue() == 1)
            let asked = try await world.published(SubscriptionCollectionDueV1.self)
            #expect(asked.map(\.reason) == ["new_payment_method", "retry"])
            let recovered = try await world.pay(world.subscription(unpaid.id))
            #expect(recovered.status == .active)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("books are in order while a bank takes weeks over a debit; an outcome that never comes is told of")
    func slowOutcome() async throws {
        try await withSubscriptions { world in
            let subscription = try await renewing(world)
            let due: Instant = world.now
            world.ticker.set(due.adding(.seconds(30 * 86_400)))
            #expect(try await world.violations() == [])
            world.ticker.set(due.adding(.seconds(36 * 86_400)))
            #expect(try await world.violations() == ["\(subscription.id): the outcome of an attempt is overdue"])
        }
    }

    @Test("a new card is asked for once more where the customer's attempt with the old one was under way")
    func missedCard() async throws {
        try await withSubscriptions { world in
            let own = PaymentMethodID(unchecked: "pm_own")
            var subscription = try await world.fail(renewing(world), "action", with: own)
            try await world.attachCard(subscription.customerID)
            for attempt: Int64 in [2, 3] {
                subscription = try await world.begin(subscription, attempt: attempt, with: own)
                subscription = try await world.fail(subscription, "hard", with: own)
            }
            let asked = try await world.published(SubscriptionCollectionDueV1.self)
            #expect(asked.map(\.attempt) == [2, 3])
            #expect(asked.allSatisfy { $0.reason == "new_payment_method" })
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a card of a customer without anything unpaid changes nothing") func idleCard() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let subscription = try await world.active()
            try await world.attachCard(subscription.customerID)
            try await world.attachCard(CustomerID(unchecked: "stranger"))
            #expect(try await world.subscription(subscription.id) == subscription)
        }
    }

    @Test("an invoice that became known late does not undo what happened since") func lateInvoice() async throws {
        try await withSubscriptions { world in
            let subscription = try await renewing(world)
            let billing = try #require(subscription.open)
            let paid = try await world.pay(subscription)
            try await world.finalize(paid, billing: billing.id)
            #expect(try await world.subscription(paid.id) == paid)
        }
    }

    @Test("events about what does not exist are parked with a reason") func unknown() async throws {
        try await withSubscriptions { world in
            let subscription = try await renewing(world)
            await #expect(throws: Refusal.park(reason: "unknown billing")) {
                try await world.finalize(subscription, billing: BillingID(unchecked: "bil_none"))
            }
            await #expect(throws: Refusal.self) { try await world.fail(subscription, "sunspots") }
        }
    }

    @Test("one batch with outcomes of many subscriptions is applied whole") func batch() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            var all: [Subscription] = []
            for _ in 0..<60 { all.append(try await world.subscribe()) }
            try await world.pay(all + all.prefix(5))
            let facts = try await world.facts()
            #expect(facts["active"]?.intValue == 60)
            #expect(facts["mrr"]?["USD"]?.intValue == 60_000)
            #expect(facts["billings"]?["paid"]?["count"]?.intValue == 60)
            #expect(try await world.published(SubscriptionStatusChangedV1.self).count == 60)
            #expect(try await world.violations().isEmpty)
        }
    }
}
