import HTTPKit
import NIOHTTP1
import Redis
import TestKit
import Testing

@Suite("Rate limits") struct RateLimitTests {
    /// Sends requests one after the other and returns the statuses with the last answer.
    static func burst(_ world: World, _ count: Int, key: String? = nil) async throws -> ([Int], Answer) {
        var statuses: [Int] = []
        var last = try await world.send(.GET, "/healthz")
        for _ in 0..<count {
            last = try await world.send(.GET, "/v1/widgets", headers: [("Authorization", "Bearer \(key ?? world.key)")])
            statuses.append(last.status)
        }
        return (statuses, last)
    }

    static func service() -> String { "test-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))" }

    @Test("past the burst a caller gets 429 with the time to wait, others do not, and it recovers") func limited()
        async throws
    {
        let redis = try await TestRedis.client()
        let name = Self.service()
        try await withServer(
            redis: redis,
            {
                $0.rateLimit = RateLimit(perSecond: 2, burst: 3)
                $0.serviceName = name
            }
        ) { world in
            let (statuses, last) = try await Self.burst(world, 5)
            #expect(statuses == [200, 200, 200, 429, 429])
            #expect(try last.problem(429) == "rate_limited")
            #expect(last["Retry-After"] == "1")
            #expect(last["RateLimit"] == "\"default\";r=0;t=1")
            #expect(last["RateLimit-Policy"] == "\"default\";q=3;w=1")
            let other = try await world.makeKey(["*"]).secret
            #expect(try await Self.burst(world, 1, key: other).0 == [200])
            #expect(try await world.send(.GET, "/healthz").status == 200)
            try await Task.sleep(for: .milliseconds(600))
            #expect(try await Self.burst(world, 1).0 == [200])
            #expect(world.metricsText.contains("http_rate_limit_fallbacks_total 0"))
        }
        await redis.shutdown()
    }

    @Test("two instances share one bucket in Redis") func shared() async throws {
        let redis = try await TestRedis.client()
        let name = Self.service()
        let adjust: (inout HTTPServerConfiguration) -> Void = {
            $0.rateLimit = RateLimit(perSecond: 1, burst: 4)
            $0.serviceName = name
        }
        let tokens = try await SharedIssuer.make()
        try await withServer(
            redis: redis,
            {
                adjust(&$0)
                $0.tokens = tokens.configuration
            }
        ) { first in
            try await withServer(
                redis: redis,
                {
                    adjust(&$0)
                    $0.tokens = tokens.configuration
                }
            ) { second in
                var statuses: [Int] = []
                for index in 0..<6 {
                    let world = index % 2 == 0 ? first : second
                    statuses += try await Self.burst(world, 1, key: tokens.token).0
                }
                #expect(statuses == [200, 200, 200, 200, 429, 429])
            }
        }
        await redis.shutdown()
    }

    @Test("a large limit costs one round trip per batch") func batches() async throws {
        let redis = try await TestRedis.client()
        let name = Self.service()
        try await withServer(
            redis: redis,
            {
                $0.rateLimit = RateLimit()
                $0.serviceName = name
            }
        ) { world in
            let before = redis.statistics.answered
            let (statuses, last) = try await Self.burst(world, 50)
            #expect(statuses.allSatisfy { $0 == 200 })
            #expect(last["RateLimit"]?.hasPrefix("\"default\";r=1") == true)
            // The script is loaded once, and batches are taken anew after a second.
            #expect(redis.statistics.answered - before <= 6)
        }
        await redis.shutdown()
    }

    @Test("without Redis the limit holds here, and goes back to Redis when it returns") func down() async throws {
        let own = try OwnRedis()
        try await own.start()
        let redis = try RedisClient(own.configuration)
        try await eventually(within: .seconds(5), "connected") { redis.isConnected }
        try await withServer(redis: redis, { $0.rateLimit = RateLimit(perSecond: 1, burst: 3) }) { world in
            #expect(try await Self.burst(world, 1).0 == [200])
            own.kill()
            try await eventually(within: .seconds(5), "disconnected") { !redis.isConnected }
            #expect(try await Self.burst(world, 5).0 == [200, 200, 200, 429, 429])
            #expect(!world.metricsText.contains("http_rate_limit_fallbacks_total 0"))
            try await own.start()
            try await eventually(within: .seconds(10), "connected again") { redis.isConnected }
            #expect(try await Self.burst(world, 4).0 == [200, 200, 200, 429])
        }
        await redis.shutdown()
        own.kill()
    }

    @Test("a Redis that hangs delays a request by the time limit only") func hangs() async throws {
        let own = try OwnRedis()
        try await own.start()
        let redis = try RedisClient(own.configuration)
        try await eventually(within: .seconds(5), "connected") { redis.isConnected }
        try await withServer(redis: redis, { $0.rateLimit = RateLimit(perSecond: 1, burst: 3) }) { world in
            let before = try await Self.burst(world, 1).0
            own.suspend()
            let started = ContinuousClock.now
            let during = try await Self.burst(world, 1).0
            #expect(before + during == [200, 200])
            #expect(ContinuousClock.now - started < .milliseconds(500))
            own.resume()
        }
        await redis.shutdown()
        own.kill()
    }

    @Test("no limit is configured by zero") func unlimited() {
        #expect(RateLimit(configured: 0, burst: 5) == nil)
        #expect(RateLimit(configured: 7, burst: 5) == RateLimit(perSecond: 7, burst: 5))
    }
}

/// A principal that several servers know: a token of one issuer.
struct SharedIssuer {
    let configuration: TokenConfiguration
    let token: String

    static func make() async throws -> SharedIssuer {
        var issuer = Issuer()
        try await issuer.addES256("es")
        try issuer.write()
        return SharedIssuer(
            configuration: issuer.configuration, token: try await issuer.token(TokenTests.good(), "es"))
    }
}
