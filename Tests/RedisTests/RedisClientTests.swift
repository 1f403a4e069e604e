import Redis
import Telemetry
import TestKit
import Testing

@Suite("A Redis client") struct RedisClientTests {
    @Test("answers with every kind of reply") func replies() async throws {
        let redis = try await TestRedis.client()
        let key = TestRedis.uniqueKey("replies")
        #expect(try await redis.send(["SET", key, "grüße\r\n\u{0}end"]) == .string("OK"))
        #expect(try await redis.send(["GET", key]) == .string("grüße\r\n\u{0}end"))
        #expect(try await redis.send(["GET", key + ":none"]) == .null)
        #expect(try await redis.send(["INCRBY", key + ":n", "41"]) == .integer(41))
        #expect(try await redis.send(["MGET", key + ":n", key + ":none"]) == .array([.string("41"), .null]))
        #expect(try await redis.send(["GET", key + ":n"]).integer == 41)
        await redis.shutdown()
    }

    @Test("throws what the server refuses, and goes on") func refused() async throws {
        let redis = try await TestRedis.client()
        let key = TestRedis.uniqueKey("refused")
        _ = try await redis.send(["SET", key, "text"])
        let error = await #expect(throws: RedisError.self) { try await redis.send(["INCR", key]) }
        guard case .refused(let reason) = error else {
            Issue.record("expected a refusal, got \(String(describing: error))")
            return
        }
        #expect(reason.contains("not an integer"))
        #expect(try await redis.send(["GET", key]) == .string("text"))
        await redis.shutdown()
    }

    @Test("answers a pipeline in order, with refusals in their places") func pipeline() async throws {
        let redis = try await TestRedis.client()
        let key = TestRedis.uniqueKey("pipeline")
        let replies = try await redis.pipeline([
            ["SET", key, "a"], ["INCR", key], ["APPEND", key, "b"], ["GET", key],
        ])
        #expect(replies.count == 4)
        #expect(replies[0] == .string("OK"))
        if case .error = replies[1] {} else { Issue.record("expected an error, got \(replies[1])") }
        #expect(replies[2] == .integer(2))
        #expect(replies[3] == .string("ab"))
        #expect(try await redis.pipeline([]).isEmpty)
        await redis.shutdown()
    }

    @Test("gives each of many callers its own answer, in fewer writes than commands") func manyCallers() async throws {
        let redis = try await TestRedis.client()
        let key = TestRedis.uniqueKey("many")
        let started = ContinuousClock.now
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<2_000 {
                group.addTask {
                    let reply = try await redis.pipeline(
                        [["SET", "\(key):\(number)", "\(number)", "EX", "10"], ["GET", "\(key):\(number)"]],
                        timeout: .seconds(5))
                    return reply[1] == .string("\(number)")
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        let took = started.duration(to: .now)
        print("redis: 4000 commands of 2000 callers in \(took), \(redis.statistics.writes) writes")
        #expect(redis.statistics.answered == 4_000)
        #expect(redis.statistics.writes < 2_000)
        #expect(redis.statistics.open == 0)
        await redis.shutdown()
    }

    @Test("carries large values in both directions") func large() async throws {
        let redis = try await TestRedis.client()
        let key = TestRedis.uniqueKey("large")
        let value = String(repeating: "0123456789", count: 800_000)
        _ = try await redis.send(["SET", key, value, "EX", "10"], timeout: .seconds(5))
        #expect(try await redis.send(["GET", key], timeout: .seconds(5)) == .string(value))
        await redis.shutdown()
    }

    @Test("answers a single command fast") func latency() async throws {
        let redis = try await TestRedis.client()
        var times: [Duration] = []
        for _ in 0..<500 {
            let started = ContinuousClock.now
            _ = try await redis.send(["PING"], timeout: .seconds(1))
            times.append(started.duration(to: .now))
        }
        times.sort()
        print("redis PING: p50 \(times[250]), p99 \(times[495])")
        #expect(times[250] < .milliseconds(2))
        await redis.shutdown()
    }

    @Test("runs scripts by hash, and again after the server forgot them") func scripts() async throws {
        let server = try OwnRedis()
        try await server.start()
        let redis = RedisClient(server.configuration)
        let script = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}"
        #expect(
            try await redis.eval(script, keys: ["k"], arguments: ["x"])
                == .array([.string("k"), .string("x"), .integer(1)]))
        _ = try await redis.send(["SCRIPT", "FLUSH"])
        #expect(
            try await redis.eval(script, keys: ["k"], arguments: ["y"])
                == .array([.string("k"), .string("y"), .integer(2)]))
        #expect(try await redis.eval(script, keys: ["k"], arguments: ["z"]).array?.last == .integer(3))
        let error = await #expect(throws: RedisError.self) { try await redis.eval("return nonsense(", keys: []) }
        #expect(error?.isRetryable == false)
        await redis.shutdown()
    }

    @Test("logs in and chooses a database") func authentication() async throws {
        let server = try OwnRedis(password: "correct horse")
        try await server.start()
        var configuration = server.configuration
        configuration.database = 3
        let redis = RedisClient(configuration)
        _ = try await redis.send(["SET", "k", "v"], timeout: .seconds(1))
        #expect(try await redis.send(["CLIENT", "INFO"]).string?.contains("db=3") == true)
        configuration.password = Secret("wrong")
        let stranger = RedisClient(configuration)
        await #expect(throws: RedisError.unavailable) { try await stranger.send(["PING"], timeout: .seconds(2)) }
        #expect(!stranger.isConnected)
        await stranger.shutdown()
        await redis.shutdown()
    }

    @Test(
        "reads its address",
        arguments: [
            ("redis://localhost", "localhost", 6379, nil as String?, 0),
            ("redis://10.0.0.1:7000/2", "10.0.0.1", 7000, nil, 2),
            ("redis://:p@ss:w@host:1/", "host", 1, "p@ss:w", 0),
            ("redis://:ab%2Fcd%2Bef%3D%25@host", "host", 6379, "ab/cd+ef=%", 0),
        ])
    func address(url: String, host: String, port: Int, password: String?, database: Int) throws {
        let configuration = try #require(RedisConfiguration(url: url))
        #expect(configuration.host == host)
        #expect(configuration.port == port)
        #expect(configuration.password?.reveal() == password)
        #expect(configuration.database == database)
        #expect(!configuration.isEncrypted)
        let encrypted = try #require(RedisConfiguration(url: url.replacing("redis://", with: "rediss://")))
        #expect(encrypted.isEncrypted && encrypted.host == host && encrypted.password?.reveal() == password)
    }

    @Test(
        "refuses an address it cannot use",
        arguments: [
            "rediss://", "redisss://host", "host:1", "redis://", "redis://:1", "redis://h:0", "redis://h:x",
            "redis://h/x",
            "redis://u@h", "redis://:%zz@h",
        ])
    func badAddress(url: String) { #expect(RedisConfiguration(url: url) == nil) }
}
