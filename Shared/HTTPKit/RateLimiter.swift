package import Redis
import Synchronization
package import Telemetry

/// Token buckets per principal, shared by all instances through Redis.
///
/// An instance takes tokens in small batches, the next one before the last is spent or old, and spends them by itself, so
/// that the requests of a steady caller wait for no round trip. A principal that is out of tokens is remembered as such until the next token, so floods cost Redis nothing. Without
/// Redis each instance keeps buckets of its own.
package final class RateLimiter: Sendable {
    /// What a request is told.
    package enum Decision: Sendable {
        /// Go on; about this many tokens are left.
        case allowed(remaining: Int)
        /// Come back after so many milliseconds.
        case refused(retryMilliseconds: Int)
    }

    private struct Lease {
        var tokens = 0
        var remaining = 0
        var validUntil: ContinuousClock.Instant
        var refusedUntil: ContinuousClock.Instant?
        var isBeingRenewed = false
    }

    /// Takes tokens out of a shared bucket: how many were taken, how many are left, milliseconds until the next. A negative
    /// number is put back.
    package typealias SharedBucket = @Sendable (_ principal: String, _ wanted: Int) async throws -> (Int, Int, Int)

    let limit: RateLimit
    private let shared: SharedBucket?
    private let batch: Int
    private let leases = Mutex<[String: Lease]>([:])
    private let local: LocalBuckets
    private let fallbacks: Counter

    /// - Parameters:
    ///   - limit: How many requests a principal may make.
    ///   - shared: The buckets of all instances; `nil` for buckets of this process.
    ///   - metrics: Where decisions made without the shared buckets are counted.
    package init(_ limit: RateLimit, shared: SharedBucket?, metrics: Metrics) {
        self.limit = limit
        self.shared = shared
        // A fortieth of the burst at once: exact for small limits, one round trip per 50 requests for the default.
        batch = min(50, max(1, limit.burst / 40))
        local = LocalBuckets(limit)
        fallbacks = metrics.counter(
            "http_rate_limit_fallbacks_total", help: "Decisions made without Redis because it did not answer.")
    }

    /// Buckets under a name of their own in a Redis that all instances share; without one, buckets of this process.
    package convenience init(
        _ limit: RateLimit, named name: String, redis: RedisClient?, metrics: Metrics = .shared
    ) {
        let bucket = redis.map { RedisBucket(redis: $0, prefix: name, limit: limit, timeout: Self.patience) }
        self.init(
            limit, shared: bucket.map { bucket in { @Sendable in try await bucket.take($0, $1) } }, metrics: metrics)
    }

    private static let patience: Duration = .milliseconds(100)

    /// Takes one token.
    package func take(_ principal: String) async -> Decision {
        let now = ContinuousClock.now
        if let (decision, renewal) = spend(principal, now) {
            if let renewal { Task { await renew(principal, wanted: renewal) } }
            return decision
        }
        guard let shared else { return local.take(principal, now) }
        do {
            let (granted, remaining, wait) = try await shared(principal, batch)
            return settle(principal, now, granted: granted, remaining: remaining, wait: wait)
        } catch {
            // The shared bucket being away must not cost a request: the count goes on here.
            fallbacks.increment()
            return local.take(principal, now)
        }
    }

    /// Puts back a token that was taken, for what turned out not to count. A bucket gets no fuller than it was at first.
    package func giveBack(_ principal: String) async {
        guard let shared else { return local.giveBack(principal, .now) }
        do {
            _ = try await shared(principal, -1)
            leases.withLock { (leases: inout [String: Lease]) -> Void in leases[principal]?.refusedUntil = nil }
        } catch {
            fallbacks.increment()
            local.giveBack(principal, .now)
        }
    }

    /// Decides out of what is known here; `nil` when Redis has to be asked. With it, how many tokens are to be fetched beside
    /// it, where what is left will soon be spent or old.
    private func spend(_ principal: String, _ now: ContinuousClock.Instant) -> (Decision, renewal: Int?)? {
        leases.withLock { (leases: inout [String: Lease]) -> (Decision, renewal: Int?)? in
            guard var lease = leases[principal] else { return nil }
            if let refusedUntil = lease.refusedUntil, now < refusedUntil {
                return (.refused(retryMilliseconds: milliseconds(refusedUntil - now)), nil)
            }
            guard lease.tokens > 0, now < lease.validUntil else { return nil }
            lease.tokens -= 1
            let isLow: Bool = lease.tokens <= batch / 5 || lease.validUntil - now < Self.leaseTime / 2
            // Of a small limit each token is taken when it is wanted: what is fetched ahead may go to waste.
            let renews: Bool = isLow && lease.tokens > 0 && !lease.isBeingRenewed && shared != nil
            if renews { lease.isBeingRenewed = true }
            leases[principal] = lease
            let decision: Decision = .allowed(remaining: lease.remaining + lease.tokens)
            return (decision, renews ? batch - lease.tokens : nil)
        }
    }

    /// Fills a lease up while requests go on with what is left of it. Where there is nothing to be had, the request that finds
    /// it empty asks for itself.
    private func renew(_ principal: String, wanted: Int) async {
        let now = ContinuousClock.now
        let found = try? await shared?(principal, wanted)
        leases.withLock { (leases: inout [String: Lease]) in
            guard var lease = leases[principal] else { return }
            lease.isBeingRenewed = false
            if let (granted, remaining, _) = found, granted > 0 {
                if now >= lease.validUntil { lease.tokens = 0 }
                lease.tokens += granted
                lease.remaining = remaining
                lease.validUntil = now + Self.leaseTime
                lease.refusedUntil = nil
            }
            leases[principal] = lease
        }
    }

    private func settle(
        _ principal: String, _ now: ContinuousClock.Instant, granted: Int, remaining: Int, wait: Int
    ) -> Decision {
        leases.withLock { (leases: inout [String: Lease]) -> Decision in
            if leases.count >= Self.maximumPrincipals { leases.removeAll(keepingCapacity: true) }
            var lease = leases[principal] ?? Lease(validUntil: now)
            // Tokens of an earlier batch that have not been used within a second go to waste: the bucket refills.
            if now >= lease.validUntil { lease.tokens = 0 }
            lease.remaining = remaining
            lease.validUntil = now + Self.leaseTime
            guard granted > 0 else {
                // What the bucket had a renewal has brought here meanwhile.
                if lease.tokens > 0 {
                    lease.tokens -= 1
                    leases[principal] = lease
                    return .allowed(remaining: remaining + lease.tokens)
                }
                lease.refusedUntil = now + .milliseconds(wait)
                leases[principal] = lease
                return .refused(retryMilliseconds: wait)
            }
            lease.refusedUntil = nil
            lease.tokens += granted - 1
            leases[principal] = lease
            return .allowed(remaining: remaining + lease.tokens)
        }
    }

    private static let maximumPrincipals = 10_000
    /// How long tokens that were taken may be spent.
    private static let leaseTime: Duration = .seconds(1)
}

private func milliseconds(_ duration: Duration) -> Int {
    let parts = duration.components
    return max(1, Int(parts.seconds) * 1_000 + Int(parts.attoseconds / 1_000_000_000_000_000))
}

/// Token buckets of this process alone.
final class LocalBuckets: Sendable {
    private struct Bucket {
        var tokens: Double
        var at: ContinuousClock.Instant
    }

    private let limit: RateLimit
    private let buckets = Mutex<[String: Bucket]>([:])

    init(_ limit: RateLimit) {
        self.limit = limit
    }

    /// Takes one token.
    func take(_ principal: String, _ now: ContinuousClock.Instant) -> RateLimiter.Decision {
        buckets.withLock { (buckets: inout [String: Bucket]) -> RateLimiter.Decision in
            if buckets.count >= 10_000 { buckets.removeAll(keepingCapacity: true) }
            var bucket = refilled(buckets[principal], now)
            defer { buckets[principal] = bucket }
            guard bucket.tokens >= 1 else {
                return .refused(
                    retryMilliseconds: max(1, Int(((1 - bucket.tokens) * 1_000 / limit.rate).rounded(.up))))
            }
            bucket.tokens -= 1
            return .allowed(remaining: Int(bucket.tokens))
        }
    }

    /// Puts a token back.
    func giveBack(_ principal: String, _ now: ContinuousClock.Instant) {
        buckets.withLock { (buckets: inout [String: Bucket]) in
            guard let bucket = buckets[principal] else { return }
            var fuller = refilled(bucket, now)
            fuller.tokens = min(Double(limit.burst), fuller.tokens + 1)
            buckets[principal] = fuller
        }
    }

    /// Whether a bucket has no whole token; none is taken.
    func isOut(_ principal: String, _ now: ContinuousClock.Instant) -> Bool {
        buckets.withLock { buckets in buckets[principal].map { refilled($0, now).tokens < 1 } ?? false }
    }

    private func refilled(_ bucket: Bucket?, _ now: ContinuousClock.Instant) -> Bucket {
        guard let bucket else { return Bucket(tokens: Double(limit.burst), at: now) }
        let elapsed = (now - bucket.at).components
        let seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18
        return Bucket(tokens: min(Double(limit.burst), bucket.tokens + max(0, seconds) * limit.rate), at: now)
    }
}

extension RateLimiter {
    /// The header that tells how much is left, after the IETF draft "RateLimit header fields for HTTP".
    func header(_ remaining: Int) -> String {
        "\"default\";r=\(remaining);t=1"
    }

    /// 429 with the time to wait.
    func problem(retryMilliseconds: Int) -> Problem {
        let seconds = max(1, (retryMilliseconds + 999) / 1_000)
        return Problem(
            429, code: "rate_limited", title: "Too many requests",
            detail: "At most \(limit.perSecond) requests per second, \(limit.burst) at once.",
            headers: [
                HeaderField("Retry-After", String(seconds)),
                HeaderField(
                    "RateLimit-Policy", "\"default\";q=\(limit.burst);w=\(max(1, limit.burst / limit.perSecond))"),
                HeaderField("RateLimit", "\"default\";r=0;t=\(seconds)"),
            ])
    }
}
