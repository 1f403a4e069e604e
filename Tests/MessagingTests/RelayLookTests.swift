import Messaging
import Postgres
import TestKit
import Testing

@Suite("What the outbox relay looks for", .serialized) struct RelayLookTests {
    /// Publishes lone events, each after the last one's place is stored, until one of them has cost so few looks: commits of
    /// other tests wake every relay of the process, and once a second it looks without being woken.
    private static func publishes(on stage: Stage, withLooks limit: Int) async throws -> Bool {
        var names: [String] = []
        for number in 0..<40 {
            let looks: Int = stage.looks
            names.append("n\(number)")
            try await stage.append([names[number]])
            try await stage.arrives(names)
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            if number > 0, stage.looks - looks <= limit { return true }
        }
        return false
    }

    @Test("where nothing comes for a moment, the place reached is stored without another look") func stored()
        async throws
    {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            let isQuiet: Bool = try await Self.publishes(on: stage, withLooks: 1)
            #expect(isQuiet)
            await relay.stop()
        }
    }

    @Test("a lone event leaves without a look of the relay's own") func lone() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            let isFound: Bool = try await Self.publishes(on: stage, withLooks: 0)
            #expect(isFound)
            #expect(Set(stage.reader.names).count == stage.reader.names.count, "nothing was published twice")
            await relay.stop()
        }
    }

    @Test("what a transaction finds for the relay is published in order, though many commit at once") func many()
        async throws
    {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            // Each key's events one after the other, the keys side by side.
            try await withThrowingTaskGroup(of: Void.self) { writers in
                for key in 0..<4 {
                    writers.addTask {
                        for number in 0..<50 { try await stage.append(["\(key)-\(number)"], key: "\(key)") }
                    }
                }
                try await writers.waitForAll()
            }
            try await eventually(within: .seconds(30), "all arrive") { stage.reader.firsts.count == 200 }
            for key in 0..<4 {
                let names: [String] = stage.reader.names.filter { $0.hasPrefix("\(key)-") }
                #expect(names == (0..<50).map { "\(key)-\($0)" })
            }
            await relay.stop()
        }
    }

    @Test("a cursor that was set back while the relay rested is taken up, whatever a transaction has found meanwhile")
    func setBack() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            try await stage.append(["old"])
            try await stage.arrives(["old"])
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            try await stage.world.execute("UPDATE outbox_relay SET xid = '0', seq = 0")
            try await stage.append(["new"])
            try await eventually(within: .seconds(20), "both come again") { stage.reader.names.count >= 4 }
            #expect(stage.reader.names == ["old", "new", "old", "new"])
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            await relay.stop()
        }
    }

    @Test("a transaction looks for no relay of another outbox") func elsewhere() async throws {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay()
            try await withStage { other in
                try await stage.append(["a"])
                try await stage.arrives(["a"])
                try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
                // Nobody publishes these.
                for number in 0..<5 { try await other.append(["\(number)"]) }
                try await stage.append(["b"])
                try await stage.arrives(["a", "b"])
                try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
                #expect(stage.published == 2)
                #expect(other.reader.names.isEmpty)
            }
            await relay.stop()
        }
    }

    @Test("of two relays the one that stands by is looked for by nobody, and takes over what the other leaves")
    func standby() async throws {
        try await withStage { stage in
            let first: OutboxRelay = stage.relay()
            try await stage.append(["a"])
            try await stage.arrives(["a"])
            let second: OutboxRelay = stage.relay()
            var names: [String] = ["a"]
            for number in 0..<20 {
                names.append("n\(number)")
                try await stage.append([names[number + 1]])
                try await stage.arrives(names)
            }
            #expect(stage.reader.names == names, "only one has published")
            await first.stop()
            try await stage.append(["after"])
            try await stage.arrives(names + ["after"])
            await second.stop()
        }
    }

    @Test(
        "a transaction that has held events up without writing any wakes the relay when it ends, whichever way",
        arguments: [true, false]) func heldUp(commits: Bool) async throws
    {
        try await withStage { stage in
            let relay: OutboxRelay = stage.relay(horizonWait: .seconds(600))
            try await stage.append(["before"])
            try await stage.arrives(["before"])
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            let database: PostgresPool = stage.world.database
            let gate = Gate()
            let older = Task {
                try await database.transaction { db in
                    try db.execute("SELECT pg_current_xact_id()")
                    gate.pass()
                    if !commits { throw CancellationError() }
                }
            }
            try await gate.awaitVisitor()
            try await stage.append(["held"])
            try await eventually(within: .seconds(10), "the relay has looked, and waits") { stage.waits > 0 }
            #expect(stage.reader.firsts == ["before"])
            gate.open()
            try await stage.arrives(["before", "held"])
            _ = await older.result
            await relay.stop()
        }
    }
}
