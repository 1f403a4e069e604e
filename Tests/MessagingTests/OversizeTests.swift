import BillingCore
import BillingEvents
import Logging
import Messaging
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("Events that no broker takes", .serialized) struct OversizeTests {
    @Test(
        "what no broker takes is told of, counted and passed over: the others leave, once, and it is kept for a replay")
    func oversize() async throws {
        try await withStage { stage in
            let largest = String(repeating: "x", count: Outbox.sizeLimit - 1)
            let larger = String(repeating: "y", count: 1_000_000)
            try await stage.append(["a", largest, larger, "b", larger + "z", "c"])
            let lines = Lines()
            let relay: OutboxRelay = stage.relay(logger: lines.logger)
            try await stage.arrives(["a", largest, "b", "c"])
            try await eventually(within: .seconds(10), "the cursor follows") { try await stage.backlog() == 0 }
            #expect(stage.refused == 2)
            let told: [String] = lines.all.filter { $0.contains("passed over") }
            #expect(told.count == 2 && told.allSatisfy { $0.contains("test.v1") && $0.contains("MSG_SIZE_TOO_LARGE") })
            #expect(told.first?.contains("evt_yyy") == true)
            #expect(try await stage.world.count("SELECT count(*) FROM outbox") == 6)
            // What comes later has nothing to do with it: nothing begins anew, nothing is published again.
            let repeats: Int = stage.reader.names.count
            try await stage.append(["d"])
            try await stage.arrives(["a", largest, "b", "c", "d"])
            #expect(stage.reader.names.count == repeats + 1 && stage.refused == 2)
            let since: Instant = SystemClock().now.adding(.seconds(-600))
            _ = try await stage.world.database.transaction { db in try Outbox.replay(from: since, in: db) }
            try await eventually(within: .seconds(20), "it is tried again") { stage.refused == 4 }
            await relay.stop()
        }
    }

    @Test("an event that no broker would take is refused with its type and size, before anything is written")
    func refusedBefore() async throws {
        try await withMessaging { world in
            @Sendable func fact(_ bytes: Int) -> CustomerUpdatedV1 {
                CustomerUpdatedV1(
                    customerID: .new(at: MessagingWorld.start), email: "e", name: String(repeating: "n", count: bytes))
            }
            let failure: (any Error)? = await #expect(throws: Outbox.Failure.self) {
                try await world.database.transaction { db in
                    try Outbox.append(fact(10), key: "cus_1", at: MessagingWorld.start, in: db)
                    try Outbox.append(fact(Outbox.sizeLimit), key: "cus_1", at: MessagingWorld.start, in: db)
                }
            }
            let text = "\(try #require(failure))"
            #expect(text.contains(CustomerUpdatedV1.type) && text.contains("990") && !text.contains("nnn"))
            #expect(try await world.count("SELECT count(*) FROM outbox") == 0)
            try await world.database.transaction { db in
                try Outbox.append(fact(Outbox.sizeLimit - 200), key: "cus_1", at: MessagingWorld.start, in: db)
            }
            #expect(try await world.count("SELECT count(*) FROM outbox") == 1)
        }
    }
}

/// Log lines that a test looks at.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }
    var logger: Logger {
        let sink = LogSink { [self] (bytes: UnsafeRawBufferPointer) in
            let line = String(decoding: bytes, as: UTF8.self)
            lines.withLock { $0.append(line) }
        }
        return Logger(label: "test") { JSONLogHandler(service: "test", label: $0, level: .info, sink: sink) }
    }
}
