import BillingCore
import BillingEvents
import JSON
import Postgres
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Money that comes after the end") struct LatePaymentTests {
    @Test("an invoice that was being paid when its subscription was canceled is to be given back, once")
    func canceled() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let collecting = try await world.subscribe()
            let billing = try #require(collecting.open)
            #expect(try await world.cancel(collecting.id, atPeriodEnd: false).status == .canceled)
            for _ in 0..<2 { try await world.pay(collecting) }
            let due = try await world.published(SubscriptionRefundDueV1.self)
            #expect(due.map(\.invoiceID) == [SubscriptionWorld.invoice(of: billing.id)])
            #expect(due.map(\.billingID) == [billing.id] && due.map(\.subscriptionID) == [collecting.id])
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            try await world.refunded(billing.id, collecting.customerID, 400, total: 400)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            try await world.refunded(billing.id, collecting.customerID, 600, total: 1_000)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 0)
            try await world.refundFailed(billing.id, collecting.customerID, 600, left: 400)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("refunds told again after newer ones count once and undo nothing") func toldAgain() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let collecting = try await world.subscribe()
            let billing: BillingID = try #require(collecting.open).id
            let customer: CustomerID = collecting.customerID
            _ = try await world.cancel(collecting.id, atPeriodEnd: false)
            try await world.pay(collecting)
            // 400 and 600 were given back, the 600 failed and were given back once more.
            try await world.refunded(billing, customer, 600, total: 1_000)
            try await world.refundFailed(billing, customer, 600, left: 400)
            try await world.refunded(billing, customer, 600, total: 1_000)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            try await world.refunded(billing, customer, 400, total: 400)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 0)
        }
    }

    /// Active, with the credit of an upgrade that was given up and paid late; the snapshot from before that.
    private func upgraded(_ world: SubscriptionWorld) async throws -> Subscription {
        try await world.customer()
        try await world.plan()
        try await world.plan("pro", 3_100)
        let active = try await world.active()
        world.ticker.set(time("2027-01-31T10:00:00Z"))
        let changed = try await world.change(active.id, #"{"plan_id":"pro"}"#)
        try await world.fail(changed, "hard")
        return changed
    }

    @Test("credit falls by what is refunded of its payment, and rises again when the refund fails")
    func creditRefunded() async throws {
        try await withSubscriptions { world in
            let changed = try await upgraded(world)
            let billing: BillingID = try #require(changed.open).id
            #expect(try await world.pay(changed).credit == 1_016)
            try await world.refunded(billing, changed.customerID, 1_000, total: 1_000)
            #expect(try await world.subscription(changed.id).credit == 16)
            try await world.refundFailed(billing, changed.customerID, 1_000, left: 0)
            #expect(try await world.subscription(changed.id).credit == 1_016)
            try await world.refunded(billing, changed.customerID, 1_016, total: 1_016)
            let refunded = try await world.subscription(changed.id)
            #expect(refunded.credit == 0)
            #expect(try await world.violations().isEmpty)
            world.ticker.set(refunded.period.end)
            try await world.runDue()
            #expect(try await world.subscription(changed.id).open?.amount.minor == 1_000)
        }
    }

    @Test("credit that was used before its payment is refunded is asked for with the next billing")
    func usedCreditRefunded() async throws {
        try await withSubscriptions { world in
            let changed = try await upgraded(world)
            let billing: BillingID = try #require(changed.open).id
            let credited = try await world.pay(changed)
            world.ticker.set(credited.period.end)
            try await world.runDue()
            let renewed = try await world.pay(world.subscription(changed.id))
            #expect(renewed.credit == 16)
            try await world.refunded(billing, changed.customerID, 1_016, total: 1_016)
            #expect(try await world.subscription(changed.id).credit == -1_000)
            #expect(try await world.violations().isEmpty)
            world.ticker.set(renewed.period.end)
            try await world.runDue()
            let next = try await world.subscription(changed.id)
            #expect(next.open?.amount.minor == 2_000 && next.credit == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "a refund that was counted while credit was left takes the credit with the next word, and no credit out of nothing"
    )
    func creditLeft() async throws {
        try await withSubscriptions { world in
            let changed = try await upgraded(world)
            let billing: BillingID = try #require(changed.open).id
            #expect(try await world.pay(changed).credit == 1_016)
            try await world.execute("UPDATE billings SET amount_refunded = 1016 WHERE id = \(billing)")
            try await world.refundFailed(billing, changed.customerID, 1_016, left: 0)
            #expect(try await world.subscription(changed.id).credit == 1_016)
            try await world.execute("UPDATE billings SET amount_refunded = 1000 WHERE id = \(billing)")
            try await world.refunded(billing, changed.customerID, 16, total: 1_016)
            #expect(try await world.subscription(changed.id).credit == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "credit falls by what a dispute takes of its payment, and rises again with a won appeal; old words change nothing"
    )
    func creditDisputed() async throws {
        try await withSubscriptions { world in
            let changed = try await upgraded(world)
            let billing: BillingID = try #require(changed.open).id
            #expect(try await world.pay(changed).credit == 1_016)
            try await world.refunded(billing, changed.customerID, 16, total: 16)
            let dispute: DisputeID = .new(at: world.now)
            func told(_ outcome: String, after seconds: Int64) async throws -> Int64 {
                try await world.disputeClosed(
                    dispute, billing, changed.customerID, 1_000, outcome, at: world.now.adding(.seconds(seconds)))
                return try await world.subscription(changed.id).credit
            }
            #expect(try await told("lost", after: 0) == 0)
            #expect(try await told("lost", after: 0) == 0, "told again")
            #expect(try await told("won", after: 60) == 1_000)
            #expect(try await told("lost", after: 0) == 1_000, "the appeal came later")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what a dispute took of a late payment is not to be given back any more") func lost() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let collecting = try await world.subscribe()
            let billing: BillingID = try #require(collecting.open).id
            _ = try await world.cancel(collecting.id, atPeriodEnd: false)
            try await world.pay(collecting)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            try await world.disputeClosed(
                .new(at: world.now), billing, collecting.customerID, 1_000, "lost", at: world.now)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("where the end is planned, no billing would use it: it is to be given back") func ending() async throws {
        try await withSubscriptions { world in
            let changed = try await upgraded(world)
            let billing: BillingID = try #require(changed.open).id
            _ = try await world.cancel(changed.id, atPeriodEnd: true)
            let paid = try await world.pay(changed)
            #expect(paid.status == .active && paid.credit == 0)
            let due = try await world.published(SubscriptionRefundDueV1.self)
            #expect(due.map(\.billingID) == [billing])
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("credit that nothing has used is to be given back when the subscription ends", arguments: [false, true])
    func unusedAtEnd(_ atPeriodEnd: Bool) async throws {
        try await withSubscriptions { world in
            let changed = try await upgraded(world)
            let billing: BillingID = try #require(changed.open).id
            #expect(try await world.pay(changed).credit == 1_016)
            #expect(try await world.cancel(changed.id, atPeriodEnd: atPeriodEnd).credit == 0)
            #expect(try await world.published(SubscriptionRefundDueV1.self).map(\.billingID) == [billing])
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            try await world.refunded(billing, changed.customerID, 1_016, total: 1_016)
            world.ticker.set(changed.period.end)
            try await world.runDue()
            let ended = try await world.subscription(changed.id)
            #expect(ended.status == .canceled && ended.credit == 0)
            #expect(try await world.published(SubscriptionRefundDueV1.self).count == 1)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "the rest of credit that was used in part is counted when the subscription ends, until it is given back by hand"
    )
    func partlyUsedAtEnd() async throws {
        try await withSubscriptions { world in
            let changed = try await upgraded(world)
            let billing: BillingID = try #require(changed.open).id
            let credited = try await world.pay(changed)
            world.ticker.set(credited.period.end)
            try await world.runDue()
            try await world.pay(world.subscription(changed.id))
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 0)
            #expect(try await world.cancel(changed.id, atPeriodEnd: false).credit == 16)
            #expect(try await world.published(SubscriptionRefundDueV1.self).isEmpty)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            try await world.refunded(billing, changed.customerID, 16, total: 16)
            #expect(try await world.subscription(changed.id).credit == 0)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what a living subscription can use stays its credit") func living() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            try await world.plan("pro", 3_100)
            let active = try await world.active()
            let changed = try await world.change(active.id, #"{"plan_id":"pro"}"#)
            #expect(try await world.fail(changed, "hard").plan.id.rawValue == "basic")
            #expect(try await world.pay(changed).credit > 0)
            #expect(try await world.published(SubscriptionRefundDueV1.self).isEmpty)
        }
    }

    @Test("a late payment that was used is not given back out of credit for unused time") func usedBefore() async throws
    {
        try await withSubscriptions { world in
            let changed = try await upgraded(world)
            try await world.plan("yearly", 120_000, interval: "year")
            #expect(try await world.pay(changed).credit == 1_016)
            let yearly = try await world.change(changed.id, #"{"plan_id":"yearly"}"#)
            #expect(try await world.pay(yearly).credit == 0)
            world.ticker.set(time("2027-02-01T10:00:00Z"))
            let back = try await world.change(changed.id, #"{"plan_id":"basic"}"#)
            let credit: Int64 = try await world.pay(back).credit
            #expect(credit > 1_016)
            #expect(try await world.cancel(changed.id, atPeriodEnd: false).credit == credit)
            #expect(try await world.published(SubscriptionRefundDueV1.self).isEmpty)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 0)
            #expect(try await world.violations().isEmpty)
        }
    }
}
