import Glibc
package import HTTPKit
package import Redis

/// How much one visitor may do on pages in a minute, whichever instance they talk to: guessing codes and trying cards stay
/// slow. While Redis is away each instance counts for itself.
///
/// A visitor is an address, of IPv6 its first 64 bits: whoever has one address there has all of them. Nothing is counted for
/// everybody together: who guesses much could shut all others out.
package struct VisitLimits: Sendable {
    /// A code leads nowhere; ``VisitLimits/missed(_:)`` says what that is answered with.
    package struct Missed: Error {
        package init() {}
    }

    /// Codes that lead nowhere.
    private let misses: RateLimiter
    /// Cards, payments and confirmations.
    private let actions: RateLimiter

    /// - Parameter name: Keeps the counts apart from others' in a shared Redis.
    package init(
        missesPerMinute: Int = 20, actionsPerMinute: Int = 60, redis: RedisClient? = nil,
        name: String = "refrain:payment:page"
    ) {
        misses = RateLimiter(RateLimit(perMinute: missesPerMinute), named: "\(name):misses", redis: redis)
        actions = RateLimiter(RateLimit(perMinute: actionsPerMinute), named: "\(name):actions", redis: redis)
    }

    /// The code in a request's path.
    /// - Throws: ``Problem`` 429 for an address that has guessed too much, ``Missed`` for what cannot be a code.
    package func code(_ call: Call) throws -> LinkCode {
        guard !misses.isOut(Self.visitor(call.clientAddress)) else { throw Self.tooMany }
        guard let code = LinkCode(call.parameter("code")) else { throw Missed() }
        return code
    }

    /// Runs what looks a code up, and takes note of one that leads nowhere: 404, or 429 where there were too many.
    package func looking<Answer>(_ call: Call, _ work: () async throws -> Answer) async throws -> Answer {
        do { return try await work() } catch is Missed {
            let visitor: String = Self.visitor(call.clientAddress)
            switch await misses.take(visitor) {
            case .refused: throw Self.tooMany
            // Being refused is remembered, so that a right guess after the last wrong one is none.
            case .allowed(remaining: 0): _ = await misses.take(visitor)
            case .allowed: break
            }
            throw Problem.notFound("payment link")
        }
    }

    /// Takes note of an action.
    /// - Throws: ``Problem`` 429 when there were too many.
    package func act(_ call: Call) async throws {
        if case .refused = await actions.take(Self.visitor(call.clientAddress)) { throw Self.tooMany }
    }

    /// What an address counts as: IPv4 by itself, however it is written; of IPv6 the first 64 bits.
    package static func visitor(_ address: String) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, address.prefix { $0 != "%" }.description, &bytes) == 1 else { return address }
        // ::ffff:a.b.c.d
        let isMapped: Bool = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        if isMapped { return bytes[12...].map { String($0) }.joined(separator: ".") }
        return bytes[..<8].map(\.hexDigits).joined() + "/64"
    }

    /// 429: wait a minute.
    package static let tooMany = Self.refusal("Wait a minute and try again.", seconds: 60)

    /// 429: a link has taken as many cards and other methods as it takes in an hour.
    /// - Parameter seconds: When it takes the next one.
    package static func tooManyMethods(seconds: Int) -> Problem {
        refusal("This link has taken too many methods within an hour. Try again later.", seconds: seconds)
    }

    private static func refusal(_ detail: String, seconds: Int) -> Problem {
        Problem(
            429, code: "rate_limited", title: "Too many requests", detail: detail,
            headers: [HeaderField("Retry-After", String(seconds))])
    }
}
