import BillingCore
import Glibc
import Kafka
import Messaging
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("The outbox relay", .serialized) struct RelayTests {
    @Test(
        "committed events arrive in the order of their transactions and, inside one, of their writing; none of a rollback"
    )
    func order() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            var names: [String] = []
            for number in 0..<40 {
                let batch: [String] = (0...(number % 5)).map { "\(number)-\($0)" }
                names += batch
                try await stage.append(batch)
                if number % 7 == 0 {
                    let topic: String = stage.topic
                    await #expect(throws: CancellationError.self) {
                        try await stage.world.database.transaction { db in
                            try Stage.insert(["never\(number)"], "k", topic, db)
                            throw CancellationError()
                        }
                    }
                }
            }
            try await stage.arrives(names)
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            #expect(stage.reader.names == names, "nothing was published twice")
            await relay.stop()
        }
    }

    @Test("more events than one pass takes arrive whole and in order") func manyPasses() async throws {
        try await withStage { stage in
            let names: [String] = (0..<2_500).map { "n\($0)" }
            try await stage.append(names)
            let relay: OutboxRelay = stage.relay()
            try await stage.arrives(names)
            await relay.stop()
        }
    }

    @Test("large events do not all leave in one go, and arrive whole and in order") func largeOnes() async throws {
        try await withStage { stage in
            let names: [String] = (0..<12).map { "\($0)" + String(repeating: "x", count: 900_000) }
            try await stage.append(names)
            let relay: OutboxRelay = stage.relay()
            try await stage.arrives(names)
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            #expect(stage.passes >= 2)
            await relay.stop()
        }
    }

    @Test("an event of a transaction that began earlier and commits later is neither lost nor overtaken")
    func lateCommit() async throws {
        try await withStage { stage in
            // Those for which somebody waits are not held back with the others, however long it is to company.
            let relay: OutboxRelay = stage.relay(patience: .seconds(60))
            try await stage.append(["before"])
            try await stage.arrives(["before"])
            let (opened, release): (Flag, Flag) = (Flag(), Flag())
            let topic: String = stage.topic
            async let late: Void = stage.world.database.transaction { db in
                try Stage.insert(["late"], "k", topic, db, .background)
                opened.raise()
                release.block()
            }
            try await eventually(within: .seconds(10), "the early transaction is open") { opened.isRaised }
            try await stage.append(["early1", "early2"])
            try await stage.append(["early3"], urgency: .background)
            // The later ones are committed and stay in front of the horizon as long as the earlier one is open.
            try await eventually(within: .seconds(10), "the relay has looked, and waits") { stage.waits > 0 }
            #expect(try await stage.backlog() == 3)
            #expect(stage.reader.firsts == ["before"])
            release.raise()
            try await late
            try await stage.arrives(["before", "late", "early1", "early2", "early3"])
            await relay.stop()
            #expect(stage.delays == 5)
        }
    }

    @Test("of two transactions that tell of one thing the one that wrote first is published first, whoever began first")
    func writtenFirst() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            let (opened, release): (Flag, Flag) = (Flag(), Flag())
            let topic: String = stage.topic
            async let waiting: Void = stage.world.database.transaction { db in
                // It has written of something else, and waits for the row that the other one holds.
                try db.execute("SELECT pg_current_xact_id()")
                opened.raise()
                release.block()
                try Stage.insert(["second"], "k", topic, db)
            }
            try await eventually(within: .seconds(10), "the older transaction is open") { opened.isRaised }
            try await stage.append(["first"])
            release.raise()
            try await waiting
            try await stage.arrives(["first", "second"])
            await relay.stop()
        }
    }

    @Test("a long transaction of somebody else, who cannot write to this outbox, holds nothing up") func stranger()
        async throws
    {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            try await stage.append(["before"])
            try await stage.arrives(["before"])
            let (opened, release): (Flag, Flag) = (Flag(), Flag())
            let stranger: PostgresPool = stage.world.lent.pool()
            async let long: Void = stranger.transaction { db in
                try db.execute("SELECT pg_current_xact_id()")
                opened.raise()
                release.block()
            }
            try await eventually(within: .seconds(10), "the long transaction is open") { opened.isRaised }
            try await stage.append(["meanwhile"])
            try await stage.arrives(["before", "meanwhile"])
            release.raise()
            try await long
            await relay.stop()
            await stranger.shutdown()
            #expect(stage.waits == 0, "nothing of the service's own was in the way")
            #expect(stage.delays == 2)
        }
    }

    @Test("relays that are ended and started again publish everything, in order of first arrival") func restart()
        async throws
    {
        try await withStage { stage in
            let names: [String] = (0..<300).map { "n\($0)" }
            async let writing: Void = {
                for name in names { try await stage.append([name]) }
            }()
            for _ in 0..<5 {
                let relay: OutboxRelay = stage.relay()
                let seen: Int = stage.reader.firsts.count
                try await eventually(within: .seconds(10), "it publishes") {
                    stage.reader.firsts.count > seen || stage.reader.firsts.count == names.count
                }
                await relay.stop()
            }
            try await writing
            let last: OutboxRelay = stage.relay()
            try await stage.arrives(names)
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            #expect(Set(stage.reader.names) == Set(names), "what repeats is what was published before")
            await last.stop()
        }
    }

    @Test("a relay whose session is killed starts over; events may repeat, none is lost or out of order") func killed()
        async throws
    {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            let names: [String] = (0..<200).map { "n\($0)" }
            let admin: PostgresPool = stage.world.lent.pool()
            for (number, name) in names.enumerated() {
                try await stage.append([name])
                guard number % 50 == 25 else { continue }
                try await admin.transaction { db in
                    _ = try db.query(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'refrain/test relay'
                        """
                    ) { row in try row.next() as Bool }
                }
            }
            await admin.shutdown()
            try await stage.arrives(names)
            await relay.stop()
        }
    }

    @Test("one of two relays leads; the other takes over when it ends") func takeover() async throws {
        try await withStage { stage in
            let first: OutboxRelay = stage.relay()
            try await stage.append(["a"])
            try await stage.arrives(["a"])
            let second: OutboxRelay = stage.relay()
            let locks: SQL = """
                SELECT count(*) FROM pg_locks l JOIN pg_stat_activity s USING (pid)
                WHERE l.locktype = 'advisory' AND l.granted AND s.datname = current_database()
                    AND s.application_name = 'refrain/test relay'
                """
            try await eventually(within: .seconds(10), "both are connected") {
                try await stage.world.count(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'refrain/test relay'"
                ) == 2
            }
            #expect(try await stage.world.count(locks) == 1)
            let names: [String] = (0..<50).map { "n\($0)" }
            for name in names { try await stage.append([name]) }
            try await stage.arrives(["a"] + names)
            #expect(stage.reader.names.count == 51, "only one published")
            await first.stop()
            let ended: ContinuousClock.Instant = .now
            try await stage.append(["after"])
            try await stage.arrives(["a"] + names + ["after"])
            print("takeover after \(milliseconds(ended.duration(to: .now))) ms")
            #expect(try await stage.world.count(locks) == 1)
            await second.stop()
        }
    }

    @Test("replay publishes what was recorded since a time again, and moves on after it") func replay() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            try await stage.append(["old1", "old2"])
            try await stage.arrives(["old1", "old2"])
            try await stage.world.execute("UPDATE outbox SET recorded_at = recorded_at - interval '1 hour'")
            try await stage.append(["new1", "new2"])
            try await stage.arrives(["old1", "old2", "new1", "new2"])
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            let since: Instant = SystemClock().now.adding(.seconds(-600))
            let again: Int = try await stage.world.database.transaction { db in try Outbox.replay(from: since, in: db) }
            #expect(again == 2)
            try await eventually(within: .seconds(20), "they come again") { stage.reader.names.count >= 6 }
            #expect(stage.reader.names == ["old1", "old2", "new1", "new2", "new1", "new2"])
            let none: Int = try await stage.world.database.transaction { db in
                try Outbox.replay(from: SystemClock().now.adding(.seconds(600)), in: db)
            }
            #expect(none == 0)
            try await stage.append(["next"])
            try await stage.arrives(["old1", "old2", "new1", "new2", "next"])
            await relay.stop()
        }
    }

    @Test("replay passes over nothing that is not published yet, however late it is to begin") func replayForward()
        async throws
    {
        try await withStage { stage in
            let first: OutboxRelay = stage.relay()
            try await stage.append(["published"])
            try await stage.arrives(["published"])
            await first.stop()
            try await stage.append(["waiting"])
            try await stage.world.execute("UPDATE outbox SET recorded_at = recorded_at - interval '1 hour'")
            try await stage.append(["late"])
            let since: Instant = SystemClock().now.adding(.seconds(-600))
            let again: Int = try await stage.world.database.transaction { db in try Outbox.replay(from: since, in: db) }
            #expect(again == 0)
            #expect(try await stage.backlog() == 2)
            let second: OutboxRelay = stage.relay()
            try await stage.arrives(["published", "waiting", "late"])
            await second.stop()
            #expect(stage.reader.names.count == 3, "nothing was published twice")
        }
    }

    @Test("events that nobody waits for leave with the next ones that somebody does") func gathered() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay(patience: .seconds(60))
            try await stage.append(["warm"])
            try await stage.arrives(["warm"])
            try await eventually(within: .seconds(10), "that is counted") { stage.passes > 0 }
            let passes: UInt64 = stage.passes
            let begin: ContinuousClock.Instant = .now
            let names: [String] = (1...20).map { "n\($0)" }
            for name in names { try await stage.append([name], urgency: .background) }
            #expect(stage.passes == passes)
            try await stage.append(["last"])
            try await stage.arrives(["warm"] + names + ["last"])
            #expect(.now - begin < .seconds(60))
            await relay.stop()
        }
    }

    @Test("events that nobody waits for leave by themselves when nothing else does") func alone() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            try await stage.append(["warm"])
            try await stage.arrives(["warm"])
            try await stage.append(["a"], urgency: .background)
            try await stage.arrives(["warm", "a"])
            await relay.stop()
        }
    }

    @Test("a commit wakes the relay at once") func latency() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            try await stage.append(["warm"])
            try await stage.arrives(["warm"])
            var delays: [Double] = []
            for number in 0..<20 {
                try await stage.append(["n\(number)"])
                let committed: ContinuousClock.Instant = .now
                try await eventually(within: .seconds(10), "it arrives") { stage.reader.arrival("n\(number)") != nil }
                guard let arrival: ContinuousClock.Instant = stage.reader.arrival("n\(number)") else { continue }
                delays.append(milliseconds(committed.duration(to: arrival)))
            }
            delays.sort()
            print("commit to arrival: median \(delays[10]) ms, worst \(delays[19]) ms")
            #expect(delays[10] < 1_000)
            await relay.stop()
        }
    }
}

/// A flag that one thread may block for.
private final class Flag: Sendable {
    private let raised = Atomic<Bool>(false)
    var isRaised: Bool { raised.load(ordering: .acquiring) }
    func raise() { raised.store(true, ordering: .releasing) }

    /// Holds up the calling thread, which is the pool's own.
    func block() {
        let end: ContinuousClock.Instant = .now + .seconds(20)
        while !isRaised, ContinuousClock.now < end { usleep(1_000) }
    }
}

private func milliseconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) * 1_000 + Double(duration.components.attoseconds) / 1e15
}
