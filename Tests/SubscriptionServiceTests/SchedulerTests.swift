import BillingCore
import BillingEvents
import Postgres
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("The scheduler") struct SchedulerTests {
    @Test("a period is billed once, by however many workers at once") func manyWorkers() async throws {
        try await withSubscriptions(connections: 6) { world in
            try await world.customer()
            try await world.plan()
            var subscriptions: [Subscription] = []
            for _ in 0..<40 { subscriptions.append(try await world.subscribe()) }
            try await world.pay(subscriptions)
            world.ticker.set(time("2027-02-15T10:00:00Z"))
            let handled = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        var sum = 0
                        for _ in 0..<10 { sum += try await world.runDue(limit: 7) }
                        return sum
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(handled == 40)
            let billed = try await world.published(SubscriptionBilledV1.self).filter { $0.reason == "cycle" }
            #expect(billed.count == 40 && Set(billed.map(\.subscriptionID)).count == 40)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a worker that dies before its commit leaves everything to the next one") func crash() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let subscription = try await world.active()
            world.ticker.set(time("2027-02-15T10:00:00Z"))
            struct Killed: Error {}
            let work = RunDueWork(policy: .standard, collectable: .standard, logger: SubscriptionWorld.logger)
            let now: Instant = world.now
            await #expect(throws: Killed.self) {
                try await world.database.transaction { db in
                    _ = try work(at: now, in: db)
                    throw Killed()
                }
            }
            #expect(try await world.subscription(subscription.id).open == nil)
            #expect(try await world.runDue() == 1)
            #expect(try await world.runDue() == 0)
            #expect(try await world.subscription(subscription.id).open?.reason == .cycle)
        }
    }

    @Test("a subscription that cannot be read keeps no other from being renewed, and is tried again later")
    func unreadable() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let (gone, fine) = (try await world.active(), try await world.active())
            try await world.execute("UPDATE subscriptions SET time_zone = 'Nowhere/Gone' WHERE id = \(gone.id)")
            world.ticker.set(fine.period.end)
            #expect(try await world.runDue() == 2)
            #expect(try await world.subscription(fine.id).open?.reason == .cycle)
            #expect(try await world.runDue() == 0, "it is not taken again at once")
            #expect(try await world.violations() == ["\(gone.id): its time zone is not known here"])
            try await world.execute("UPDATE subscriptions SET time_zone = 'UTC' WHERE id = \(gone.id)")
            world.ticker.advance(by: RunDueWork.pause)
            #expect(try await world.runDue() == 1)
            let renewed = try await world.subscription(gone.id)
            #expect(renewed.open?.period.start == gone.period.end)
        }
    }

    @Test("missed periods are caught up one after another") func catchUp() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            var subscription = try await world.active()
            world.ticker.set(time("2027-05-20T00:00:00Z"))
            for month in ["2027-02-15", "2027-03-15", "2027-04-15", "2027-05-15"] {
                #expect(try await world.runDue() == 1)
                subscription = try await world.subscription(subscription.id)
                #expect(subscription.open?.period.start == time("\(month)T10:00:00Z"))
                #expect(try await world.runDue() == 0)
                subscription = try await world.pay(subscription)
            }
            #expect(try await world.runDue() == 0)
            #expect(subscription.period.end == time("2027-06-15T10:00:00Z"))
            #expect(try await world.published(SubscriptionBilledV1.self).count == 5)
        }
    }

    @Test("the database itself refuses to bill a period twice, or a second billing beside an open one")
    func uniqueness() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            _ = try await world.active()
            let copy: SQL =
                """
                INSERT INTO billings SELECT (jsonb_populate_record(b, '{"id": "bil_copy"}')).* FROM billings b
                """
            let error = await #expect(throws: PostgresError.self) {
                try await world.database.transaction { db in try db.execute(copy) }
            }
            #expect(error?.constraint == "billings_once_per_period")
        }
    }

    @Test("finding what is due uses the index, however many subscriptions there are") func plan() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            _ = try await world.active()
            let lines: [String] = try await world.database.transaction { db in
                try db.execute(
                    """
                    INSERT INTO subscriptions SELECT (jsonb_populate_record(s, jsonb_build_object('id', 'sub_' || n,
                        'next_action_at', s.next_action_at + n * interval '1 minute'))).*
                    FROM subscriptions s, generate_series(1, 20000) n
                    """)
                try db.execute("ANALYZE subscriptions")
                return try db.query(
                    """
                    EXPLAIN SELECT id FROM subscriptions WHERE next_action_at <= \(time("2027-02-15T11:00:00Z"))
                    ORDER BY next_action_at LIMIT 500 FOR UPDATE SKIP LOCKED
                    """
                ) { row in try row.next() }
            }
            #expect(lines.contains { $0.contains("subscriptions_due") }, "\(lines)")
        }
    }
}
