import PaymentDomain
import Redis

/// The circuit breaker of one provider, as all instances see it: a text in Redis, changed by compare-and-set.
struct SharedCircuit: Sendable {
    /// How often a change is tried again when another instance was faster.
    static let tries = 8
    /// How long a state lives that nobody touches.
    static let expiryMilliseconds = "3600000"

    let redis: RedisClient
    let key: String
    let policy: CircuitBreaker.Policy

    /// Too many others at the same time.
    struct Contended: Error {}

    /// Changes the state that is shared.
    /// - Parameter change: Gets what stands there; `nil` when nothing does. May run several times.
    /// - Returns: What stands there now.
    /// - Throws: `RedisError`, or ``Contended``; nothing has changed then, as far as is known.
    func change(_ change: (CircuitBreaker?) -> CircuitBreaker) async throws -> CircuitBreaker {
        var standing: String = try await redis.send(["GET", key]).string ?? ""
        for _ in 0..<Self.tries {
            let next: CircuitBreaker = change(CircuitText.read(standing, policy: policy))
            let reply: RedisReply = try await redis.eval(
                Self.compareAndSet, keys: [key],
                arguments: [standing, CircuitText.write(next), Self.expiryMilliseconds])
            switch reply {
            case .integer: return next
            case .string(let other): standing = other
            default: throw RedisError.refused("another answer than the script's")
            }
        }
        throw Contended()
    }

    /// Answers 1, or what stands there instead. Another instance may have written the very text that this one would have:
    /// only the answer tells whose change it was.
    private static let compareAndSet = """
        local standing = redis.call('GET', KEYS[1]) or ''
        if standing ~= ARGV[1] then return standing end
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        return 1
        """
}
