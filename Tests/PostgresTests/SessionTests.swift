import Glibc
import Postgres
import TestKit
import Testing
import Threads

@Suite("A session on a thread of its own", .serialized) struct SessionTests {
    @Test("begin, statements, commit and rollback") func transactions() async throws {
        try await withLentDatabase { database in
            let configuration: PostgresConfiguration = database.configuration()
            try await OwnedThread.run("test") {
                let session = PostgresSession(configuration, logger: quiet)
                #expect(session.socketDescriptor == -1)
                try session.connect()
                #expect(session.socketDescriptor >= 0)
                try session.execute("CREATE TABLE t (n int)")
                try session.begin()
                try session.execute("INSERT INTO t VALUES (\(1))")
                #expect(session.isInTransaction)
                try session.commit()
                try session.begin()
                try session.execute("INSERT INTO t VALUES (2)")
                session.rollback()
                #expect(try session.execute("INSERT INTO t VALUES (4)") == 1)
                let found: [Int] = try session.query("SELECT n FROM t ORDER BY n") { row in try row.next() }
                #expect(found == [1, 4])
                try session.begin()
                #expect(throws: PostgresError.self) { try session.begin() }
                session.rollback()
                session.close()
                #expect(session.socketDescriptor == -1)
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
                #expect(try !session.value.consumeNotifications())
                return try session.value.first("SELECT pg_backend_pid()") { row in try row.next(Int.self) } ?? 0
            }
            try await pool.prepare("SELECT pg_notify('wake', 'up')")
            let isHeard: Bool = try await OwnedThread.run("test") {
                var request = pollfd(fd: session.value.socketDescriptor, events: Int16(POLLIN), revents: 0)
                #expect(poll(&request, 1, 5_000) == 1)
                return try session.value.consumeNotifications()
            }
            #expect(isHeard)
            try await pool.prepare("SELECT pg_terminate_backend(\(pid)::int, 5000)")
            try await OwnedThread.run("test") {
                #expect(throws: PostgresError.self) { try session.value.consumeNotifications() }
                session.value.close()
            }
        }
    }
}
