import BillingCore
package import BillingEvents
package import FraudDomain
package import Logging
package import Redis
import Telemetry

/// Counts attempts in Redis with ``VelocityScript``.
package struct RedisVelocity: VelocityCounter {
    private struct UnexpectedReply: Error {}

    private let redis: RedisClient
    private let scope: CardScope
    private let keptAttempts: Int
    private let keyPrefix: String
    private let logger: Logger
    private let unavailable: Counter = FraudMetrics.shared.velocityUnavailable

    /// - Parameters:
    ///   - limits: How far a window has to count.
    ///   - keyPrefix: What every key starts with; tests use their own.
    package init(
        redis: RedisClient, scope: CardScope, limits: VelocityLimits, keyPrefix: String = "refrain:fraud:velocity",
        logger: Logger
    ) {
        self.redis = redis
        self.scope = scope
        self.keyPrefix = keyPrefix
        self.logger = logger
        // One more than the highest limit: enough to see that it is passed, and no key grows beyond it.
        keptAttempts = limits.blockPerHour * VelocityLimits.dayFactor + 1
    }

    package func count(_ attempts: [PaymentCreatedV1]) async -> VelocityReadings {
        var counts: [AttemptKey: VelocityCounts] = [:]
        do {
            var rest: ArraySlice<PaymentCreatedV1> = attempts[...]
            while !rest.isEmpty {
                let chunk: ArraySlice<PaymentCreatedV1> = rest.prefix(VelocityScript.attemptsPerCall)
                for (attempt, found) in zip(chunk, try await read(chunk)) { counts[AttemptKey(attempt)] = found }
                rest = rest.dropFirst(chunk.count)
            }
            return .counted(counts)
        } catch {
            unavailable.increment()
            logger.warning(
                "velocity is unavailable, amounts decide alone",
                metadata: ["attempts": "\(attempts.count)", "error": "\(error)"])
            return .unavailable
        }
    }

    private func read(_ attempts: ArraySlice<PaymentCreatedV1>) async throws -> [VelocityCounts] {
        var keys: [String] = []
        var arguments: [String] = [
            String(VelocityScript.hourMilliseconds), String(VelocityScript.dayMilliseconds),
            String(VelocityScript.expiryMilliseconds), String(keptAttempts),
        ]
        for attempt in attempts {
            keys.append(cardKey(attempt))
            keys.append("\(keyPrefix):customer:\(attempt.customerID.rawValue)")
            arguments.append(AttemptKey(attempt).member)
            arguments.append(String(attempt.createdAt.microseconds / 1_000))
        }
        let reply: RedisReply = try await redis.eval(VelocityScript.text, keys: keys, arguments: arguments)
        guard case .array(let flat) = reply, flat.count == attempts.count * 4 else { throw UnexpectedReply() }
        let numbers: [Int] = try flat.map { item in
            guard case .integer(let number) = item else { throw UnexpectedReply() }
            return Int(number)
        }
        return stride(from: 0, to: numbers.count, by: 4).map { at in
            VelocityCounts(
                cardHour: numbers[at], cardDay: numbers[at + 1], customerHour: numbers[at + 2],
                customerDay: numbers[at + 3])
        }
    }

    private func cardKey(_ attempt: PaymentCreatedV1) -> String {
        guard !attempt.fingerprint.isEmpty else { return "" }
        let card = "\(keyPrefix):card:\(attempt.fingerprint)"
        switch scope {
        case .everyone: return card
        case .perCustomer: return "\(card):\(attempt.customerID.rawValue)"
        }
    }
}
