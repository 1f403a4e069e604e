import Glibc
import Postgres
import TestKit
import Testing
import Threads

@Suite("Listening", .serialized) struct ListenerTests {
    @Test("notifications arrive in order after COMMIT, from every channel, with hostile payloads") func delivery()
        async throws
    {
        try await withPool { pool, database in
            let heard = Ledger<PostgresNotification>()
            let listener = PostgresListener(
                database.configuration(), channels: ["one", "Odd \"channel"], logger: quiet
            ) { heard.add($0) }
            listener.start()
            listener.start()
            try await eventually(within: .seconds(5)) { listener.isListening }
            try await pool.transaction { db in
                try db.execute("SELECT pg_notify('one', \("it's {\"n\":1} 🎵"))")
                try db.execute("SELECT pg_notify('elsewhere', 'x')")
                try db.execute("SELECT pg_notify(\("Odd \"channel"), '')")
            }
            try await eventually(within: .seconds(5)) { heard.entries.count == 2 }
            #expect(heard.entries.map(\.channel) == ["one", "Odd \"channel"])
            #expect(heard.entries.map(\.payload) == ["it's {\"n\":1} 🎵", ""])
            await listener.stop()
            await listener.stop()
            #expect(!listener.isListening)
        }
    }

    @Test("a killed listener listens again and says so") func reconnect() async throws {
        try await withPool { pool, database in
            let heard = Ledger<String>()
            let connections = Ledger<Int>()
            var configuration: PostgresConfiguration = database.configuration()
            configuration.applicationName = "listener under test"
            configuration.reconnectPause = .milliseconds(10)
            let listener = PostgresListener(
                configuration, channels: ["one"], logger: quiet, onConnect: { connections.add(1) }
            ) { heard.add($0.payload) }
            listener.start()
            try await eventually(within: .seconds(5)) { connections.entries.count == 1 }
            try await pool.prepare(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'listener under test'"
            )
            try await eventually(within: .seconds(5)) { connections.entries.count == 2 }
            try await pool.prepare("SELECT pg_notify('one', 'after')")
            try await eventually(within: .seconds(5)) { heard.entries == ["after"] }
            await listener.stop()
        }
    }

    @Test("a listener that was never started, or has no server, stops at once") func stopping() async throws {
        let configuration = PostgresConfiguration(url: "postgresql://nobody@127.0.0.1:1/none")
        let idle = PostgresListener(configuration, channels: ["one"], logger: quiet) { _ in }
        await idle.stop()
        let lost = PostgresListener(configuration, channels: ["one"], logger: quiet) { _ in }
        lost.start()
        await lost.stop()
        #expect(!lost.isListening)
    }
}

@Suite("A session on a thread of its own", .serialized) struct SessionTests {
    @Test("begin, statements, commit and rollback") func transactions() async throws {
        try await withLentDatabase { database in
            let configuration: PostgresConfiguration = database.configuration()
            try await OwnedThread.run("test") {
                let session = PostgresSession(configuration, logger: quiet)
                #expect(!session.isHealthy)
                try session.connect()
                #expect(session.isHealthy && session.socketDescriptor >= 0)
                try session.execute("CREATE TABLE t (n int)")
                try session.begin()
                try session.execute("INSERT INTO t VALUES (\(1))")
                #expect(session.isInTransaction)
                try session.commit()
                try session.begin(serializable: true)
                try session.pipeline(["INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"])
                session.rollback()
                #expect(try session.copyIn("t", columns: ["n"], rows: [["4".postgresValue]]) == 1)
                let found: [Int] = try session.query("SELECT n FROM t ORDER BY n") { row in try row.next() }
                #expect(found == [1, 4])
                try session.begin()
                #expect(throws: PostgresError.self) { try session.begin() }
                session.rollback()
                session.close()
                #expect(!session.isHealthy)
                #expect(throws: PostgresError.self) { try session.execute("SELECT 1") }
                try session.connect()
                #expect(try session.first("SELECT 5") { row in try row.next(Int.self) } == 5)
                session.close()
            }
        }
    }

    @Test("notifications can be polled for, and a hang-up is noticed") func polling() async throws {
        try await withPool { pool, database in
            let configuration: PostgresConfiguration = database.configuration()
            let session = Box(PostgresSession(configuration, logger: quiet))
            let pid: Int = try await OwnedThread.run("test") {
                try session.value.connect()
                try session.value.listen("wake")
                #expect(try session.value.consumeNotifications().isEmpty)
                return try session.value.first("SELECT pg_backend_pid()") { row in try row.next(Int.self) } ?? 0
            }
            try await pool.prepare("SELECT pg_notify('wake', 'up')")
            let heard: [PostgresNotification] = try await OwnedThread.run("test") {
                var request = pollfd(fd: session.value.socketDescriptor, events: Int16(POLLIN), revents: 0)
                #expect(poll(&request, 1, 5_000) == 1)
                return try session.value.consumeNotifications()
            }
            #expect(heard.map(\.channel) == ["wake"] && heard.map(\.payload) == ["up"])
            try await pool.prepare("SELECT pg_terminate_backend(\(pid)::int, 5000)")
            try await OwnedThread.run("test") {
                #expect(!session.value.isHealthy)
                #expect(throws: PostgresError.self) { try session.value.consumeNotifications() }
                session.value.close()
            }
        }
    }
}
