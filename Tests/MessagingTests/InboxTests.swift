import Kafka
import Messaging
import Postgres
import Testing

@Suite("Handling events once and in order") struct InboxTests {
    @Test("a batch that comes again, whole or in part, has no second effect") func redelivery() async throws {
        try await withMessaging { world in
            let batch: [KafkaMessage] = (0..<20).map {
                Message.created("n\($0)", key: "k\($0 % 4)", updated: $0 % 3 == 0)
            }
            await world.dispatcher.handle(batch)
            let first: [String] = try await world.effects()
            #expect(Set(first).count == 20 && first.count == 20)
            await world.dispatcher.handle(batch)
            await world.dispatcher.handle(Array(batch[5..<9]) + [Message.created("new")])
            #expect(try await world.effects() == first + ["new"])
            #expect(try await world.count("SELECT count(*) FROM inbox WHERE consumer = 'test'") == 21)
        }
    }

    @Test("an event that stands twice in one batch is handled once") func twice() async throws {
        try await withMessaging { world in
            let message: KafkaMessage = Message.created("once")
            await world.handle(message, Message.created("other"), message)
            let effects: [String] = try await world.effects()
            #expect(effects == ["once", "other"])
        }
    }

    @Test("an event that was handled and comes again is not judged anew, whatever its handler would say now")
    func notJudgedAnew() async throws {
        try await withMessaging { world in
            let (parks, fails) = (Message.created("parks", key: "a"), Message.created("fails", key: "b"))
            await world.handle(parks, fails)
            world.recorder.refuse("parks", "no more")
            world.recorder.fail("fails")
            await world.handle(parks, fails)
            await world.handle(parks)
            await world.handle(Message.created("new", key: "c"), fails)
            #expect(try await world.effects() == ["parks", "fails", "new"])
            let (parked, waiting) = (try await world.parked(), try await world.waiting())
            #expect(parked.isEmpty && waiting.isEmpty)
        }
    }

    @Test("the same batch at two members at once has one effect") func concurrent() async throws {
        try await withMessaging { world in
            let batch: [KafkaMessage] = (0..<50).map { Message.created("n\($0)", key: "k\($0)") }
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { await world.dispatcher.handle(batch) } }
            }
            let effects: [String] = try await world.effects()
            #expect(effects.count == 50)
            #expect(try await world.waiting().isEmpty)
        }
    }

    @Test("a failing event waits, later ones of its key wait behind it in order, and other keys go on")
    func retryBehindKey() async throws {
        try await withMessaging { world in
            world.recorder.fail("bad")
            let bad: KafkaMessage = Message.created("bad", key: "a")
            await world.handle(
                Message.created("a1", key: "a"), bad, Message.created("a2", key: "a"), Message.created("b1", key: "b"))
            await world.handle(Message.created("a3", key: "a", updated: true), Message.created("b2", key: "b"))
            #expect(try await world.effects() == ["a1", "b1", "b2"])
            #expect(try await world.waiting().count == 3)
            try await world.retryNow()
            #expect(try await world.effects(of: "a") == ["a1"], "it still fails, and nobody passes it")
            await world.handle(bad)
            #expect(try await world.waiting().count == 3, "a repeated delivery does not queue twice")
            world.recorder.heal()
            try await world.retryNow()
            #expect(try await world.effects(of: "a") == ["a1", "bad", "a2", "a3"])
            #expect(try await world.waiting().isEmpty)
            await world.handle(Message.created("a4", key: "a"), bad)
            #expect(try await world.effects(of: "a") == ["a1", "bad", "a2", "a3", "a4"])
        }
    }

    @Test("attempts and the reason are kept, and the waits grow") func attempts() async throws {
        try await withMessaging { world in
            world.recorder.fail("bad")
            await world.handle(Message.created("bad"))
            for _ in 0..<3 { try await world.retryNow() }
            #expect(try await world.texts("SELECT attempts || ' ' || reason FROM event_retries") == ["4 forNow"])
            let waits: [String] = try await world.texts(
                "SELECT CASE WHEN next_at > now() + interval '5 seconds' THEN 'long' ELSE 'short' END FROM event_retries"
            )
            #expect(waits == ["long"])
            #expect(try await world.retries.pass() == false, "it is not due")
        }
    }

    @Test(
        "an event that always takes the database too long is put off: its batch, its partition and other keys go on",
        .timeLimit(.minutes(1)))
    func tooSlow() async throws {
        try await withMessaging { world in
            world.recorder.slow("slow")
            await world.handle(
                Message.created("slow", key: "a"), Message.created("a1", key: "a"), Message.created("b1", key: "b"))
            #expect(try await world.effects() == ["b1"])
            world.recorder.fail("c1")
            await world.handle(Message.created("c1", key: "c"))
            world.recorder.heal()
            world.recorder.slow("slow")
            try await world.retryNow()
            #expect(try await world.effects() == ["b1", "c1"], "what comes after it in the table goes on as well")
            #expect(try await world.waiting().count == 2)
            world.recorder.heal()
            try await world.retryNow()
            #expect(try await world.effects(of: "a") == ["slow", "a1"])
        }
    }

    @Test(
        "an event whose row somebody has locked is put off: its batch, its partition and other keys go on",
        .timeLimit(.minutes(1)))
    func lockedRow() async throws {
        try await withMessaging { world in
            try await world.execute("CREATE TABLE held (name text PRIMARY KEY)")
            try await world.execute("INSERT INTO held VALUES ('locked')")
            let somebody = PostgresSession(world.configuration, logger: world.logger)
            try somebody.connect()
            try somebody.begin()
            try somebody.execute("SELECT name FROM held FOR UPDATE")
            world.recorder.lock("locked")
            await world.handle(
                Message.created("locked", key: "a"), Message.created("a1", key: "a"), Message.created("b1", key: "b"))
            #expect(try await world.effects() == ["b1"])
            world.recorder.fail("c1")
            await world.handle(Message.created("c1", key: "c"))
            world.recorder.heal()
            world.recorder.lock("locked")
            try await world.retryNow()
            #expect(try await world.effects() == ["b1", "c1"], "what comes after it in the table goes on as well")
            #expect(try await world.waiting().count == 2)
            somebody.rollback()
            somebody.close()
            try await world.retryNow()
            #expect(try await world.effects(of: "a") == ["locked", "a1"])
        }
    }

    @Test("however much waits behind a key, a look at what is due reads the first of each key") func costOfDue()
        async throws
    {
        try await withMessaging { world in
            try await world.execute(
                """
                INSERT INTO event_retries (consumer, event_id, type, source, topic, key, time, body, reason, next_at)
                SELECT 'test', 'evt_' || n, 'customer.created.v1', 's', 't', 'k' || n % 3, now(), '{}', 'waits',
                    now() + interval '1 day'
                FROM generate_series(1, 9000) AS n
                """)
            try await world.execute("ANALYZE event_retries")
            _ = try await world.retries.pass()
            let rows: Int = try await world.database.transaction { db in
                let read: SQL = """
                    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint
                    FROM pg_stat_xact_user_tables WHERE relname = 'event_retries'
                    """
                let before: Int = try db.first(read) { row in try row.next() } ?? 0
                _ = try RetryStore.due(for: "test", limit: 100, in: db)
                return (try db.first(read) { row in try row.next() } ?? 0) - before
            }
            #expect(rows <= 10, "\(rows) rows")
        }
    }

    @Test("two retry loops at once handle each event once, in order") func twoLoops() async throws {
        try await withMessaging { world in
            world.recorder.fail("0")
            for number in 0..<20 { await world.handle(Message.created("\(number)", key: "a")) }
            world.recorder.heal()
            try await world.execute("UPDATE event_retries SET next_at = now() - interval '1 second'")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        while try await world.waiting().isEmpty == false { _ = try await world.retries.pass() }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await world.effects() == (0..<20).map(String.init))
        }
    }

    @Test("a batch that fails as a whole is split: what can be handled is handled, alone") func split() async throws {
        try await withMessaging { world in
            world.recorder.fail("bad")
            let names: [String] = (0..<9).map { $0 == 4 ? "bad" : "n\($0)" }
            await world.dispatcher.handle(names.enumerated().map { Message.created($1, key: "k\($0)") })
            let effects: [String] = try await world.effects()
            #expect(effects == names.filter { $0 != "bad" })
            #expect(world.recorder.batches == Array(repeating: 1, count: 8))
            #expect(try await world.waiting().count == 1)
        }
    }
}
