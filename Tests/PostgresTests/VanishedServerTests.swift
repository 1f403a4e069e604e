import Glibc
import Postgres
import Synchronization
import TestKit
import Testing
import Threads

/// Passes its first connection on to a server of this machine, and leaves every later one without an answer.
private final class FirstCallOnly: Sendable {
    /// Where it listens.
    let port: Int
    private let listener: Int32
    private let isStopped = Atomic<Bool>(false)

    init(to target: Int) throws {
        let port: Int = try ChildProcess.freePort()
        let listener: Int32 = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let isBound: Bool = Self.withLoopback(port) { bind(listener, $0, $1) == 0 }
        guard isBound, listen(listener, 8) == 0 else { throw MissingInfrastructure("port \(port) cannot be had") }
        self.port = port
        self.listener = listener
        OwnedThread.start("test-front") { Self.accept(on: listener, to: target) }
    }

    /// Hangs up on everybody.
    func stop() {
        guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private static func accept(on listener: Int32, to target: Int) {
        var unheard: [Int32] = []
        var isFirst: Bool = true
        while true {
            let caller: Int32 = Glibc.accept(listener, nil, nil)
            guard caller >= 0 else { break }
            if isFirst {
                isFirst = false
                OwnedThread.start("test-front-pipe") { Self.pass(caller, to: target) }
            } else {
                unheard.append(caller)
            }
        }
        for caller in unheard { close(caller) }
        close(listener)
    }

    /// Carries bytes in both directions until one side hangs up.
    private static func pass(_ caller: Int32, to target: Int) {
        let server: Int32 = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(caller)
            close(server)
        }
        guard withLoopback(target, { connect(server, $0, $1) == 0 }) else { return }
        var ends: [pollfd] = [caller, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while poll(&ends, 2, -1) > 0 {
            for (from, to) in [(0, 1), (1, 0)] where ends[from].revents != 0 {
                let count: Int = recv(ends[from].fd, &buffer, buffer.count, 0)
                guard count > 0, send(ends[to].fd, buffer, count, Int32(MSG_NOSIGNAL)) == count else { return }
            }
        }
    }

    private static func withLoopback(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                body(raw, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

@Suite("A server that is not there any more", .serialized) struct VanishedServerTests {
    @Test("a caller's deadline holds even where nobody takes the wish to stop its statement", .timeLimit(.minutes(1)))
    func cancelUnheard() async throws {
        try await withPool(connections: 1) { direct, database in
            let front = try FirstCallOnly(to: try await direct.count("SELECT current_setting('port')::int"))
            // Were it waited for without a limit, the test would end all the same.
            let limit = Task {
                try await Task.sleep(for: .seconds(20))
                front.stop()
            }
            var configuration: PostgresConfiguration = database.configuration(connections: 1)
            configuration.url += configuration.url.contains("?") ? "&" : "?"
            configuration.url += "host=127.0.0.1&port=\(front.port)"
            let pool = PostgresPool(configuration, logger: quiet)
            let answers: Int = try await pool.count("SELECT 1")
            #expect(answers == 1)
            let began: ContinuousClock.Instant = .now
            let error = await failure {
                try await pool.transaction(deadline: .now + .milliseconds(100)) { db in
                    try db.execute("SELECT pg_sleep(30)")
                }
            }
            #expect(error?.kind == .deadlineExceeded)
            #expect(ContinuousClock.now - began < .seconds(15))
            #expect(pool.statistics.open == 0, "the session is of no use any more")
            limit.cancel()
            front.stop()
            await pool.shutdown()
        }
    }

    @Test("a batch that is taken apart does not look for the server once for each item", .timeLimit(.minutes(1)))
    func batchInParts() async throws {
        try await withPool(connections: 1) { direct, database in
            let front = try FirstCallOnly(to: try await direct.count("SELECT current_setting('port')::int"))
            var configuration: PostgresConfiguration = database.configuration(connections: 1)
            configuration.url += configuration.url.contains("?") ? "&" : "?"
            configuration.url += "host=127.0.0.1&port=\(front.port)"
            let pool = PostgresPool(configuration, logger: quiet)
            let gate = Gate()
            let group = GroupCommit<Int, Int>(pool, maxBatch: 10) { db, items in
                if items.count > 1 { throw Refused() }
                if items[0] == 0 { gate.pass() }
                if items[0] > 0 { try db.execute("SELECT pg_terminate_backend(pg_backend_pid())") }
                return [.success(items[0])]
            }
            let holder = Task { try await group.submit(0) }
            try await gate.awaitVisitor()
            let others = (1...4).map { number in Task { await failure { try await group.submit(number) } } }
            try await eventually(within: .seconds(5)) { group.statistics.queueDepth == others.count }
            gate.open()
            #expect(try await holder.value == 0)
            // Whoever looks for the server is told after five seconds that it cannot be reached.
            for other in others { #expect(await other.value?.kind == .connectionLost) }
            #expect(group.statistics.splits == 1)
            front.stop()
            await pool.shutdown()
        }
    }

    @Test("what is sent to a peer that is away is given up after a minute") func userTimeout() async throws {
        try await withPool(connections: 1) { pool, _ in
            let answers: Int = try await pool.count("SELECT 1")
            #expect(answers == 1)
            let limits: [Int32] = (3..<1_024).compactMap { (descriptor: Int32) -> Int32? in
                var limit: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                let status: Int32 = getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &limit, &size)
                return status == 0 ? limit : nil
            }
            #expect(limits.contains(60_000))
        }
    }
}
