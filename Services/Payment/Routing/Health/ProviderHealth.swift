package import BillingCore
package import Logging
package import PaymentDomain
package import Redis
package import ServiceKit
import Synchronization

/// How the providers are: circuits, success rates and calls under way, shared by all instances through Redis.
///
/// Every question is answered out of memory; ``exchange()`` brings the instances together. Without Redis each goes by
/// what it sees itself. It goes by real time: the test clock makes no provider well.
package final class ProviderHealth: Sendable {
    /// How often instances tell each other.
    static let interval: Duration = .milliseconds(500)
    /// An instance that has not reported for so long has no share of the limits.
    static let presenceMilliseconds: Int64 = 5_000
    /// Attempts whose segment is remembered until their outcome is here; of more, the oldest are forgotten and not counted.
    static let rememberedLimit = 20_000

    struct Watched: Sendable {
        let circuit: CircuitBoard
        let bulkhead: Bulkhead
        let credentials = CredentialsWatch()
    }

    private let watched: [String: Watched]
    private let success: SuccessBoard
    private let segments = Mutex(RecentSegments())
    private let clock: any WallClock
    private let redis: RedisClient?
    private let prefix: String
    private let instance: String
    private let logger: Logger

    /// - Parameters:
    ///   - redis: Where instances meet; `nil` for one that is alone.
    ///   - prefix: What every key starts with; tests use their own.
    ///   - instance: A name no other instance has.
    ///   - clock: Real time.
    package init(
        _ catalogue: ProviderCatalogue, policy: CircuitBreaker.Policy = CircuitBreaker.Policy(), redis: RedisClient?,
        prefix: String = "refrain:payment:routing", instance: String, clock: any WallClock = SystemClock(),
        logger: Logger
    ) {
        watched = Dictionary(
            uniqueKeysWithValues: catalogue.profiles.map { profile in
                let shared: SharedCircuit? = redis.map {
                    SharedCircuit(redis: $0, key: "\(prefix):circuit:\(profile.name)", policy: policy)
                }
                let circuit = CircuitBoard(policy: policy, shared: shared)
                return (profile.name, Watched(circuit: circuit, bulkhead: Bulkhead(limit: profile.limits.inFlight)))
            })
        success = SuccessBoard(redis: redis, prefix: prefix)
        self.clock = clock
        self.redis = redis
        self.prefix = prefix
        self.instance = instance
        self.logger = logger
    }

    /// Real time.
    var now: Instant { clock.now }

    func watched(_ provider: String) -> Watched? { watched[provider] }

    /// What a provider's circuit says now.
    package func admission(_ provider: String) -> CircuitBreaker.Admission {
        watched[provider]?.circuit.breaker.admission(at: clock.now) ?? .allowed
    }

    /// What is known of a segment at a provider.
    package func successes(of segment: RoutingSegment, at provider: String) -> SuccessCounts {
        success.counts(of: segment, at: provider)
    }

    /// Remembers which segment an attempt's outcome counts for.
    package func remember(_ attempt: AttemptID, _ segment: RoutingSegment) {
        segments.withLock { $0.remember(attempt, segment) }
    }

    /// Counts how an attempt ended, where its segment is known.
    package func record(_ attempt: AttemptID, at provider: String, succeeded: Bool) {
        let segment: RoutingSegment? = segments.withLock { $0.take(attempt) }
        if let segment { success.record(segment, at: provider, succeeded: succeeded) }
    }

    /// One provider as it stands, for people.
    package func snapshot(_ provider: String) -> ProviderSnapshot? {
        guard let watched: Watched = watched[provider] else { return nil }
        let breaker: CircuitBreaker = watched.circuit.breaker
        let total: (answered: Int64, failed: Int64) = breaker.counts.total(at: clock.now)
        let load: (inFlight: Int, share: Int) = watched.bulkhead.load
        return ProviderSnapshot(
            phase: breaker.phase, answered: total.answered, failed: total.failed, inFlight: load.inFlight,
            inFlightLimit: load.share)
    }

    /// Keeps up with the other instances.
    package var loop: BackgroundLoop {
        BackgroundLoop(name: "provider_health", every: Self.interval) { await self.exchange() }
    }

    /// Shares what happened here and takes in what happened elsewhere. Without Redis nothing changes.
    package func exchange() async {
        let now: Instant = clock.now
        for (_, watched) in watched { await watched.circuit.exchange(at: now) }
        do {
            try await success.exchange(watched.keys.sorted(), at: now)
            try await shareLimits()
        } catch {
            logger.debug("providers' health is not shared now", metadata: ["error": "\(error)"])
        }
    }

    /// Reports that this instance is alive and deals the limits out among those that are.
    private func shareLimits() async throws {
        guard let redis else { return }
        let reply: RedisReply = try await redis.eval(
            Self.presence, keys: ["\(prefix):instances"],
            arguments: [instance, "\(Self.presenceMilliseconds)"])
        guard let instances: Int64 = reply.integer else { return }
        for (_, watched) in watched { watched.bulkhead.share(among: Int(clamping: instances)) }
    }

    /// By the server's clock, so that instances need not agree on the time.
    private static let presence = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('ZADD', KEYS[1], now, ARGV[1])
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
        redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
        return redis.call('ZCARD', KEYS[1])
        """
}

/// The segments of attempts under way, in two generations: many attempts never end here (another one follows, another
/// instance asks), so the older generation goes when the younger one is full.
private struct RecentSegments {
    private var young: [AttemptID: RoutingSegment] = [:]
    private var old: [AttemptID: RoutingSegment] = [:]

    mutating func remember(_ attempt: AttemptID, _ segment: RoutingSegment) {
        if young.count >= ProviderHealth.rememberedLimit / 2 {
            old = young
            young = [:]
        }
        young[attempt] = segment
    }

    mutating func take(_ attempt: AttemptID) -> RoutingSegment? {
        young.removeValue(forKey: attempt) ?? old.removeValue(forKey: attempt)
    }
}

/// How a provider is at a moment, as far as this instance knows.
package struct ProviderSnapshot: Sendable {
    package let phase: CircuitBreaker.Phase
    /// Good answers in the circuit's window, declines included.
    package let answered: Int64
    /// Outages in it.
    package let failed: Int64
    /// Calls under way here.
    package let inFlight: Int
    /// How many there may be here.
    package let inFlightLimit: Int
}
