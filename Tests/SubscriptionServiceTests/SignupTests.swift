import BillingCore
import BillingEvents
import HTTPKit
import JSON
import Postgres
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Signing up") struct SignupTests {
    @Test("the first period is billed in the same transaction, and the answer says it is not settled yet")
    func billsAtOnce() async throws {
        try await withSubscriptions { world in
            let customer = try await world.customer()
            try await world.plan()
            let reply = try await world.signUp(world.request())
            #expect(reply.status == 202)
            #expect(try world.json(reply)["status"]?.stringValue == "incomplete")
            let billed = try await world.published(SubscriptionBilledV1.self)
            #expect(billed.map(\.amount.minor) == [1_000] && billed.first?.customerID == customer)
            #expect(billed.first?.reason == "signup" && billed.first?.periodEnd == time("2027-02-15T10:00:00Z"))
            #expect(try await world.published(SubscriptionCreatedV1.self).map(\.status) == ["incomplete"])
        }
    }

    @Test("a waiting caller is answered as soon as the invoice is paid") func waits() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let request = try world.request(key: "k1", wait: .seconds(20))
            async let reply: Reply<SubscriptionView> = world.signUp(request)
            try await eventually(within: .seconds(10), "billed") {
                try await !world.published(SubscriptionBilledV1.self).isEmpty
            }
            let open = try await world.subscription(SubscriptionID(unchecked: world.openID()))
            try await world.pay(open)
            let answer = try await reply
            #expect(answer.status == 201)
            #expect(try world.json(answer)["status"]?.stringValue == "active")
            let replay = try await world.signUp(world.request(key: "k1"))
            #expect(replay.isReplay && replay.body == answer.body && replay.status == 201)
        }
    }

    @Test("a caller who waits while the daemon stops gets 202 with how the sign-up stands, and a repeat the same")
    func stopping() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let began: ContinuousClock.Instant = .now
            let request = try world.request(key: "k1", wait: .seconds(25))
            async let reply: Reply<SubscriptionView> = world.signUp(request)
            try await eventually(within: .seconds(10), "billed") {
                try await !world.published(SubscriptionBilledV1.self).isEmpty
            }
            world.waiters.stop()
            let answer = try await reply
            #expect(answer.status == 202)
            #expect(try world.json(answer)["status"]?.stringValue == "incomplete")
            #expect(ContinuousClock.now - began < .seconds(15), "nobody waits their time out")
            #expect(try await world.signUp(world.request(key: "k1")).body == answer.body)
        }
    }

    @Test("a declined first payment and a required authentication are answers too", arguments: [false, true])
    func unpaidAnswers(_ needsAction: Bool) async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            async let reply: Reply<SubscriptionView> = world.signUp(world.request(wait: .seconds(20)))
            try await eventually(within: .seconds(10), "billed") {
                try await !world.published(SubscriptionBilledV1.self).isEmpty
            }
            let open = try await world.subscription(SubscriptionID(unchecked: world.openID()))
            let billing = try #require(open.open)
            try await world.finalize(open, billing: billing.id)
            if needsAction { try await world.requireAction(open) } else { try await world.fail(open, "soft") }
            let answer = try await reply
            #expect(answer.status == 201)
            #expect(try world.json(answer)["status"]?.stringValue == "incomplete")
        }
    }

    @Test("an outcome that another instance handled is found by looking") func otherInstance() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            async let reply: Reply<SubscriptionView> = world.signUp(world.request(wait: .seconds(20)))
            try await eventually(within: .seconds(10), "billed") {
                try await !world.published(SubscriptionBilledV1.self).isEmpty
            }
            let other = SubscriptionWorld(database: world.database)
            try await other.pay(world.subscription(SubscriptionID(unchecked: world.openID())))
            #expect(try await reply.status == 201)
        }
    }

    @Test("a request repeated after a crash goes on with the subscription that was made") func crashRecovery()
        async throws
    {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let first = try world.request(key: "k1")
            // What the crashed process had committed: the claim and the sign-up, no answer.
            try await world.database.transaction { db in
                _ = try IdempotencyStore.claim([first.claim].compactMap { $0 }, in: db)
                _ = try SubscribeCustomer(policy: .standard, collectable: .standard)(
                    first.id, first.input, at: world.now, in: db)
            }
            let reply = try await world.signUp(world.request(key: "k1"))
            #expect(try world.id(of: reply) == first.id)
            #expect(try await world.published(SubscriptionBilledV1.self).count == 1)
        }
    }

    @Test("a trial is answered at once and billed when it ends") func trial() async throws {
        try await withSubscriptions { world in
            try await world.customer(zone: "Europe/Berlin")
            try await world.plan("trial", trial: 14)
            let reply = try await world.signUp(world.request("trial", wait: .seconds(5)))
            #expect(reply.status == 201)
            #expect(try world.json(reply)["trial_end"]?.stringValue == "2027-01-29T10:00:00Z")
            #expect(try await world.runDue() == 0)
            world.ticker.set(time("2027-01-29T10:00:00Z"))
            #expect(try await world.runDue() == 1)
            let paid = try await world.pay(world.subscription(world.id(of: reply)))
            #expect(paid.status == .active && paid.period.end == time("2027-02-28T10:00:00Z"))
        }
    }

    @Test("unknown ids are named together and nothing is stored") func unknownIDs() async throws {
        try await withSubscriptions { world in
            let request = try world.request("nothing", customer: "nobody", key: "k1")
            let problem = await #expect(throws: Problem.self) { try await world.signUp(request) }
            #expect(problem?.status == 422 && problem?.errors.map(\.param) == ["customer_id", "plan_id"])
            try await world.customer()
            try await world.plan()
            #expect(try await world.signUp(world.request(key: "k1")).isReplay == false)
        }
    }

    @Test("a sign-up that is never paid expires after 23 hours and its invoice is withdrawn") func expiry() async throws
    {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let open = try await world.subscribe()
            let slow = try await world.subscribe()
            _ = try await world.fail(open, "soft")
            world.ticker.set(SubscriptionWorld.start.adding(.seconds(23 * 3_600)))
            #expect(try await world.runDue() == 2)
            #expect(try await world.subscription(open.id).status == .incompleteExpired)
            // Of the other nobody has heard yet whether its bank pays.
            #expect(try await world.subscription(slow.id).status == .incomplete)
            #expect(try await world.pay(slow).status == .active)
            #expect(try await world.published(SubscriptionBillingWithdrawnV1.self).map(\.reason) == ["signup_expired"])
            // The customer's payment was already on its way: booked for a refund, the subscription stays ended.
            let late = try await world.pay(open)
            #expect(late.status == .incompleteExpired)
            #expect(try await world.facts()["late_payments_to_refund"]?.intValue == 1)
            #expect(try await world.violations().isEmpty)
        }
    }
}

extension SubscriptionWorld {
    /// The only subscription there is.
    func openID() async throws -> String {
        try await database.transaction { db in
            try db.first("SELECT id FROM subscriptions") { row in try row.next() } ?? ""
        }
    }
}
