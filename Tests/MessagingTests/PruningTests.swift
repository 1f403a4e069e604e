import Messaging
import Postgres
import Testing

@Suite("Pruning", .serialized) struct PruningTests {
    /// Events of these ages; the relay has confirmed the first `confirmed` of them.
    private func publish(_ ages: [Int], confirmed: Int, in world: MessagingWorld) async throws {
        for (index, age) in ages.enumerated() {
            try await world.execute(
                """
                INSERT INTO outbox (id, type, topic, key, time, recorded_at, body)
                VALUES (\("evt_\(index)"), \(index.isMultiple(of: 2) ? "even.v1" : "odd.v1"), 't', 'k', now(),
                    now() - make_interval(days => \(age)), '')
                """)
        }
        try await world.execute(
            """
            UPDATE outbox_relay SET (xid, seq) = (SELECT xid, seq FROM outbox ORDER BY xid, seq
                OFFSET \(confirmed - 1) LIMIT 1)
            """)
    }

    private func tallies(_ world: MessagingWorld) async throws -> [[EventTally]] {
        try await world.database.transaction { db in
            [
                try EventTally.published(withSums: true, in: db), try EventTally.handled(withSums: true, in: db),
                try EventTally.published(withSums: false, in: db),
            ]
        }
    }

    @Test("old events that the broker has go; young and unpublished ones stay; the counts are as before")
    func events() async throws {
        try await withMessaging { world in
            try await publish([40, 35, 31, 29, 1], confirmed: 5, in: world)
            let before: [[EventTally]] = try await tallies(world)
            let pruning = Pruning(keepDays: 30, pool: world.database)
            #expect(try await pruning.prune() == 3)
            #expect(try await world.texts("SELECT id FROM outbox ORDER BY id") == ["evt_3", "evt_4"])
            #expect(try await tallies(world) == before)
            #expect(before[0].map(\.count) == [3, 2])
            #expect(try await pruning.prune() == 0)
        }
    }

    @Test("what the broker has not confirmed stays, however old") func unpublished() async throws {
        try await withMessaging { world in
            try await publish([90, 80, 70], confirmed: 2, in: world)
            let pruning = Pruning(keepDays: 30, pool: world.database)
            #expect(try await pruning.prune() == 2)
            #expect(try await world.texts("SELECT id FROM outbox") == ["evt_2"])
        }
    }

    @Test("claims outlive the events of every outbox, and are counted for ever") func claims() async throws {
        try await withMessaging { world in
            for (id, age) in [("evt_a", 60), ("evt_b", 41), ("evt_c", 39), ("evt_d", 0)] {
                try await world.execute(
                    """
                    INSERT INTO inbox (event_id, consumer, type, handled_at)
                    VALUES (\(id), 'test', 'x.v1', now() - make_interval(days => \(age)))
                    """)
            }
            let before: [[EventTally]] = try await tallies(world)
            let pruning = Pruning(keepDays: 30, pool: world.database)
            #expect(try await pruning.prune() == 2)
            #expect(try await world.texts("SELECT event_id FROM inbox ORDER BY 1") == ["evt_c", "evt_d"])
            #expect(try await tallies(world) == before)
            #expect(before[1].map(\.count) == [4])
        }
    }
}
