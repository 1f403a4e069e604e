import Redis
import TestKit
import Testing

@Suite("A Redis client in trouble") struct RedisFailureTests {
    @Test("fails at once while the server is down, and works again when it is back") func killAndReturn() async throws {
        let server = try OwnRedis()
        try await server.start()
        let redis = RedisClient(server.configuration)
        _ = try await redis.send(["SET", "k", "1"], timeout: .seconds(1))
        server.kill()
        try await eventually(within: .seconds(2)) { !redis.isConnected }
        let started = ContinuousClock.now
        await #expect(throws: RedisError.unavailable) { try await redis.send(["PING"], timeout: .seconds(5)) }
        #expect(started.duration(to: .now) < .seconds(1))
        try await server.start()
        try await eventually(within: .seconds(5)) { redis.isConnected }
        #expect(try await redis.send(["GET", "k"], timeout: .seconds(1)) == .null)
        #expect(redis.statistics.connections == 2)
        #expect(redis.statistics.open == 0)
        await redis.shutdown()
    }

    @Test("fails open commands when the server dies") func openCommands() async throws {
        let server = try OwnRedis()
        try await server.start()
        let redis = RedisClient(server.configuration)
        let waiting = Task { try await redis.send(["BLPOP", "nothing", "0"], timeout: .seconds(20)) }
        try await eventually(within: .seconds(2)) { redis.statistics.writes == 1 }
        server.kill()
        await #expect(throws: RedisError.unavailable) { try await waiting.value }
        await redis.shutdown()
    }

    @Test("gives each command its own time, and late answers go nowhere else") func timeouts() async throws {
        let server = try OwnRedis()
        try await server.start()
        let redis = RedisClient(server.configuration)
        _ = try await redis.send(["SET", "a", "1"], timeout: .seconds(1))
        server.suspend()
        async let short = outcome { try await redis.send(["GET", "a"], timeout: .milliseconds(60)) }
        async let long = outcome { try await redis.send(["INCR", "a"], timeout: .seconds(2)) }
        let started = ContinuousClock.now
        #expect(await short == .failure(.timedOut))
        #expect(started.duration(to: .now) < .seconds(1))
        server.resume()
        #expect(await long == .success(.integer(2)))
        #expect(try await redis.send(["GET", "a"], timeout: .seconds(1)) == .string("2"))
        #expect(redis.statistics.timedOut == 1)
        #expect(redis.statistics.open == 0)
        await redis.shutdown()
    }

    @Test("gives up a server that hangs") func stall() async throws {
        let server = try OwnRedis()
        try await server.start()
        var configuration = server.configuration
        configuration.stallTimeout = .milliseconds(200)
        configuration.connectTimeout = .milliseconds(200)
        let redis = RedisClient(configuration)
        _ = try await redis.send(["PING"], timeout: .seconds(1))
        server.suspend()
        await #expect(throws: RedisError.unavailable) { try await redis.send(["PING"], timeout: .seconds(10)) }
        #expect(!redis.isConnected)
        server.resume()
        try await eventually(within: .seconds(5)) { redis.isConnected }
        #expect(try await redis.send(["PING"], timeout: .seconds(1)) == .string("PONG"))
        await redis.shutdown()
    }

    @Test("fails at once when there never was a server") func neverThere() async throws {
        let redis = RedisClient(host: "127.0.0.1", port: 1)
        await #expect(throws: RedisError.unavailable) { try await redis.send(["PING"], timeout: .seconds(5)) }
        await redis.shutdown()
    }

    @Test("refuses more open commands than its limit") func overloaded() async throws {
        let server = try OwnRedis()
        try await server.start()
        var configuration = server.configuration
        configuration.maxOpen = 2
        let redis = RedisClient(configuration)
        let waiting = (0..<2).map { _ in
            Task { try await redis.send(["BLPOP", "nothing", "0"], timeout: .seconds(20)) }
        }
        try await eventually(within: .seconds(2)) { redis.statistics.open == 2 }
        await #expect(throws: RedisError.overloaded) { try await redis.send(["PING"]) }
        for task in waiting { task.cancel() }
        for task in waiting { await #expect(throws: RedisError.cancelled) { try await task.value } }
        await redis.shutdown()
    }

    @Test("fails what is open when it shuts down, and everything later") func shutdown() async throws {
        let redis = try await TestRedis.client()
        let key = TestRedis.uniqueKey("nothing")
        let waiting = Task { try await redis.send(["BLPOP", key, "0"], timeout: .seconds(20)) }
        try await eventually(within: .seconds(2)) { redis.statistics.open == 1 }
        await redis.shutdown()
        await #expect(throws: RedisError.closed) { try await waiting.value }
        await #expect(throws: RedisError.closed) { try await redis.send(["PING"]) }
        await redis.shutdown()
    }

    private func outcome(_ body: () async throws -> RedisReply) async -> Result<RedisReply, RedisError> {
        do {
            return .success(try await body())
        } catch {
            return .failure(error as? RedisError ?? .closed)
        }
    }
}
