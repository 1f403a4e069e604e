import HTTPKit
import NIOHTTP1
import Redis
import Synchronization
import Telemetry
import TestKit
import Testing

/// What became of a burst of requests. How many a bucket lets through depends on how long the burst took.
struct Burst {
    var allowed = 0
    var refused = 0
    var refusal: Answer?
    var last: Answer?
    var time: Duration = .zero

    /// Whether a bucket let these through: at least its burst, at most that and what flowed in meanwhile.
    func fits(_ limit: RateLimit, sent: Int) -> Bool {
        let most = limit.burst + (Int(time.components.seconds) + 1) * limit.perSecond
        return allowed + refused == sent && (min(limit.burst, sent)...most).contains(allowed)
    }
}

/// Numbers calls.
private final class Calls: Sendable {
    private let last = Mutex(0)
    var count: Int { last.withLock { $0 } }

    func next() -> Int {
        last.withLock { last in
            last += 1
            return last
        }
    }
}

@Suite("Rate limits") struct RateLimitTests {
    /// Sends requests at once, in turn to each of the servers.
    static func burst(_ worlds: [World], _ count: Int, key: String? = nil) async throws -> Burst {
        let started = ContinuousClock.now
        var burst = Burst()
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for index in 0..<count {
                let world = worlds[index % worlds.count]
                let credential = "Bearer \(key ?? world.key)"
                group.addTask { try await world.send(.GET, "/v1/widgets", headers: [("Authorization", credential)]) }
            }
            for try await answer in group {
                if answer.status == 200 { burst.allowed += 1 }
                if answer.status == 429 {
                    burst.refused += 1
                    burst.refusal = answer
                }
                burst.last = answer
            }
        }
        burst.time = ContinuousClock.now - started
        return burst
    }

    static func service() -> String { "test-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))" }

    /// Waits until the caller may send again.
    static func recover(_ world: World) async throws {
        try await eventually(within: .seconds(20), "the bucket has a token again") {
            try await world.send(.GET, "/v1/widgets").status == 200
        }
    }

    @Test("past the burst a caller gets 429 with the time to wait, others do not, and it recovers") func limited()
        async throws
    {
        let redis = try await TestRedis.client()
        let limit = RateLimit(perSecond: 1, burst: 3)
        let name = Self.service()
        let adjust: (inout HTTPServerConfiguration) -> Void = {
            $0.rateLimit = limit
            $0.serviceName = name
            $0.rateLimitTimeout = .seconds(10)
        }
        try await withServer(redis: redis, adjust) { world in
            let burst = try await Self.burst([world], 40)
            #expect(burst.fits(limit, sent: 40), "\(burst)")
            let refusal = try #require(burst.refusal)
            #expect(try refusal.problem(429) == "rate_limited")
            #expect(refusal["Retry-After"] == "1")
            #expect(refusal["RateLimit"] == "\"default\";r=0;t=1")
            #expect(refusal["RateLimit-Policy"] == "\"default\";q=3;w=3")
            let other = try await world.makeKey(["*"]).secret
            #expect(try await Self.burst([world], 3, key: other).allowed == 3)
            #expect(try await world.send(.GET, "/healthz").status == 200)
            try await Self.recover(world)
        }
        await redis.shutdown()
    }

    @Test("two instances share one bucket in Redis") func shared() async throws {
        let redis = try await TestRedis.client()
        let limit = RateLimit(perSecond: 1, burst: 30)
        let tokens = try await SharedIssuer.make()
        let name = Self.service()
        let adjust: (inout HTTPServerConfiguration) -> Void = {
            $0.rateLimit = limit
            $0.serviceName = name
            $0.rateLimitTimeout = .seconds(10)
            $0.tokens = tokens.configuration
        }
        try await withServer(redis: redis, adjust) { first in
            try await withServer(redis: redis, adjust) { second in
                let burst = try await Self.burst([first, second], 100, key: tokens.token)
                #expect(burst.fits(limit, sent: 100), "\(burst)")
                #expect(burst.refused > 0)
            }
        }
        await redis.shutdown()
    }

    @Test("a large limit costs one round trip per batch") func batches() async throws {
        let redis = try await TestRedis.client()
        let name = Self.service()
        let adjust: (inout HTTPServerConfiguration) -> Void = {
            $0.rateLimit = RateLimit()
            $0.serviceName = name
            $0.rateLimitTimeout = .seconds(10)
        }
        try await withServer(redis: redis, adjust) { world in
            let before = redis.statistics.answered
            var burst = Burst()
            for _ in 0..<50 {
                let next = try await Self.burst([world], 1)
                burst.allowed += next.allowed
                burst.time += next.time
                burst.last = next.last
            }
            #expect(burst.allowed == 50)
            #expect(burst.last?["RateLimit"]?.hasPrefix("\"default\";r=1") == true)
            // The script is loaded once, and a batch is good for a second.
            #expect(redis.statistics.answered - before <= 5 + Int(burst.time.components.seconds))
        }
        await redis.shutdown()
    }

    @Test("a steady caller does not wait for the next batch: it is fetched before the last one is spent")
    func renewed() async throws {
        let (calls, call) = AsyncStream.makeStream(of: Int.self)
        let (answers, answer) = AsyncStream.makeStream(of: Int.self)
        let limiter = RateLimiter(
            RateLimit(),
            shared: { _, wanted in
                call.yield(wanted)
                for await granted in answers { return (granted, 100, 0) }
                return (0, 0, 1)
            }, metrics: Metrics())
        var asked = calls.makeAsyncIterator()
        func isAllowed() async -> Bool {
            if case .allowed = await limiter.take("caller") { true } else { false }
        }
        answer.yield(50)
        for _ in 0..<50 { #expect(await isAllowed()) }
        #expect(await asked.next() == 50)
        #expect(await asked.next() == 40)
        // The second batch is on its way all the time. It brings nothing, and who finds none left asks again.
        answer.finish()
        #expect(await !isAllowed())
    }

    @Test("what a renewal brings is spent, though a request that overtook it was refused") func overtaken() async throws
    {
        let (answers, answer) = AsyncStream.makeStream(of: Int.self)
        let calls = Calls()
        let limiter = RateLimiter(
            RateLimit(),
            shared: { _, _ in
                switch calls.next() {
                case 1: return (50, 0, 0)
                case 2:
                    for await granted in answers { return (granted, 0, 0) }
                    return (0, 0, 60_000)
                default: return (0, 0, 60_000)
                }
            }, metrics: Metrics())
        func isAllowed() async -> Bool {
            if case .allowed = await limiter.take("caller") { true } else { false }
        }
        for _ in 0..<50 { #expect(await isAllowed()) }
        try await eventually(within: .seconds(10), "the renewal is under way") { calls.count == 2 }
        #expect(await !isAllowed())
        answer.yield(40)
        try await eventually(within: .seconds(10), "its tokens are there") { await isAllowed() }
    }

    @Test("without Redis the limit holds here, and goes back to Redis when it returns") func down() async throws {
        let own = try OwnRedis()
        try await own.start()
        let redis = RedisClient(own.configuration)
        try await eventually(within: .seconds(10), "connected") { redis.isConnected }
        let limit = RateLimit(perSecond: 1, burst: 3)
        let adjust: (inout HTTPServerConfiguration) -> Void = {
            $0.rateLimit = limit
            $0.rateLimitTimeout = .seconds(10)
        }
        try await withServer(redis: redis, adjust) { world in
            #expect(try await Self.burst([world], 40).fits(limit, sent: 40))
            own.kill()
            try await eventually(within: .seconds(10), "disconnected") { !redis.isConnected }
            try await Self.recover(world)
            let alone = try await Self.burst([world], 40)
            // One token of the local bucket may have gone into the recovery.
            #expect(alone.fits(RateLimit(perSecond: 1, burst: 2), sent: 40), "\(alone)")
            #expect(alone.refused > 0)
            #expect(!world.metricsText.contains("http_rate_limit_fallbacks_total 0"))
            try await own.start()
            try await eventually(within: .seconds(20), "connected again") { redis.isConnected }
            let counted = world.metricsText.split(separator: "\n").first {
                $0.hasPrefix("http_rate_limit_fallbacks_total")
            }
            try await Self.recover(world)
            let again = try await Self.burst([world], 40)
            #expect(again.refused > 0)
            let after = world.metricsText.split(separator: "\n").first {
                $0.hasPrefix("http_rate_limit_fallbacks_total")
            }
            #expect(after == counted)
        }
        await redis.shutdown()
        own.kill()
    }

    @Test("a Redis that hangs delays a request by the time limit only") func hangs() async throws {
        let own = try OwnRedis()
        try await own.start()
        let redis = RedisClient(own.configuration)
        try await eventually(within: .seconds(10), "connected") { redis.isConnected }
        try await withServer(redis: redis, { $0.rateLimit = RateLimit(perSecond: 1, burst: 3) }) { world in
            let before = try await Self.burst([world], 1)
            own.suspend()
            let during = try await Self.burst([world], 1)
            own.resume()
            #expect(before.allowed + during.allowed == 2)
            #expect(during.time < .seconds(5))
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
