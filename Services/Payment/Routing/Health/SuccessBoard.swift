import BillingCore
import PaymentDomain
import Redis
import Synchronization

/// How payments ended lately, by provider and segment: what all instances saw, and what happened here since.
///
/// Two windows of time, the current and the one before, are kept in Redis as hashes of counters. Counts are statistics:
/// a lost or doubled one changes an estimate, never money.
final class SuccessBoard: Sendable {
    /// How long a window is; counts reach back one to two of them.
    static let window: Duration = .seconds(12 * 3_600)
    /// Segments of a provider that are told apart; further ones are not counted.
    static let segmentLimit = 5_000

    private typealias Counts = [String: [String: SuccessCounts]]

    private let redis: RedisClient?
    private let prefix: String
    private let state = Mutex<(shared: Counts, unshared: Counts)>((shared: [:], unshared: [:]))

    init(redis: RedisClient?, prefix: String) {
        self.redis = redis
        self.prefix = prefix
    }

    /// What is known of a segment at a provider.
    func counts(of segment: RoutingSegment, at provider: String) -> SuccessCounts {
        let field: String = Self.field(segment)
        return state.withLock { state in
            let shared: SuccessCounts = state.shared[provider]?[field] ?? SuccessCounts()
            return shared.merging(state.unshared[provider]?[field] ?? SuccessCounts())
        }
    }

    /// Counts one payment.
    func record(_ segment: RoutingSegment, at provider: String, succeeded: Bool) {
        let field: String = Self.field(segment)
        state.withLock { state in
            var counts: [String: SuccessCounts] = state.unshared[provider] ?? [:]
            guard counts[field] != nil || counts.count < Self.segmentLimit else { return }
            counts[field] = (counts[field] ?? SuccessCounts())
                .merging(SuccessCounts(succeeded: succeeded ? 1 : 0, tried: 1))
            state.unshared[provider] = counts
        }
    }

    /// Shares what was counted here and takes in what was counted elsewhere.
    /// - Throws: `RedisError`; what is not shared is kept for the next time.
    func exchange(_ providers: [String], at now: Instant) async throws {
        guard let redis else { return }
        let number: Int64 = now.microseconds / Self.window.wholeMicroseconds
        let taken: Counts = state.withLock { state in
            defer { state.unshared = [:] }
            return state.unshared
        }
        do {
            let commands: [[String]] = taken.flatMap { provider, counts in additions(counts, key(provider, number)) }
            _ = try await redis.pipeline(commands)
        } catch {
            state.withLock { state in
                for (provider, counts) in taken {
                    state.unshared[provider, default: [:]].merge(counts) { $0.merging($1) }
                }
            }
            throw error
        }
        var read: Counts = [:]
        for provider in providers {
            let replies: [RedisReply] = try await redis.pipeline([
                ["HGETALL", key(provider, number)], ["HGETALL", key(provider, number - 1)],
            ])
            for reply in replies { Self.add(reply, to: &read[provider, default: [:]]) }
        }
        let counted: Counts = read
        state.withLock { $0.shared = counted }
    }

    private func key(_ provider: String, _ window: Int64) -> String { "\(prefix):success:\(provider):\(window)" }

    private func additions(_ counts: [String: SuccessCounts], _ key: String) -> [[String]] {
        counts.flatMap { field, counts in
            [
                ["HINCRBY", key, "\(field)|t", "\(counts.tried)"],
                ["HINCRBY", key, "\(field)|s", "\(counts.succeeded)"],
            ]
        } + [["PEXPIRE", key, "\(Self.window.wholeMicroseconds / 1_000 * 2)"]]
    }

    private static func field(_ segment: RoutingSegment) -> String {
        "\(segment.method)|\(segment.brand ?? "")|\(segment.country ?? "")|\(segment.currency.code)"
    }

    /// Adds a hash's counters: field, number, field, number…
    private static func add(_ reply: RedisReply, to counts: inout [String: SuccessCounts]) {
        let flat: [RedisReply] = reply.array ?? []
        var numbers: [String: Int64] = [:]
        for index in stride(from: 0, to: flat.count - 1, by: 2) {
            if let name: String = flat[index].string { numbers[name] = flat[index + 1].integer }
        }
        for (name, tried) in numbers where name.hasSuffix("|t") {
            let field = String(name.dropLast(2))
            guard counts[field] != nil || counts.count < segmentLimit else { continue }
            let here = SuccessCounts(succeeded: numbers["\(field)|s"] ?? 0, tried: tried)
            counts[field] = (counts[field] ?? SuccessCounts()).merging(here)
        }
    }
}
