import Redis

/// A token bucket in Redis: one script, one round trip.
struct RedisBucket: Sendable {
    let redis: RedisClient
    /// Keeps services apart in a shared Redis.
    let prefix: String
    let limit: RateLimit
    let timeout: Duration

    /// See ``RateLimiter/SharedBucket``.
    func take(_ principal: String, _ wanted: Int) async throws -> (Int, Int, Int) {
        let reply = try await redis.eval(
            Self.script, keys: ["\(prefix):rate:\(principal)"],
            arguments: ["\(limit.rate)", "\(limit.burst)", "\(wanted)"], timeout: timeout)
        guard case .array(let parts) = reply, parts.count == 3, case .integer(let granted) = parts[0],
            case .integer(let remaining) = parts[1], case .integer(let wait) = parts[2]
        else { throw Unexpected() }
        return (Int(granted), Int(remaining), Int(wait))
    }

    /// An answer of another shape than the script's.
    struct Unexpected: Error {}

    /// Refills by the server's clock, takes up to ARGV[3] tokens (puts back what is below zero), answers
    /// {taken, left, milliseconds until the next}.
    private static let script = """
        local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local bucket = redis.call('HMGET', KEYS[1], 't', 'at')
        local tokens, at = tonumber(bucket[1]) or burst, tonumber(bucket[2]) or now
        tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000000)
        local taken = math.min(wanted, math.floor(tokens))
        tokens = math.min(burst, tokens - taken)
        redis.call('HSET', KEYS[1], 't', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
        redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
        local wait = 0
        if taken == 0 then wait = math.max(1, math.ceil((1 - tokens) * 1000 / rate)) end
        return {taken, math.floor(tokens), wait}
        """
}
