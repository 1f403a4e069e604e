package import HTTPKit
package import Redis

/// How much one visitor may do on pages in a minute, whichever instance they talk to: guessing codes and trying cards stay
/// slow. While Redis is away each instance counts for itself.
///
/// A visitor is an address, see ``HTTPKit/Visitor``. Nothing is counted for everybody together: who guesses much could shut
/// all others out.
package struct VisitLimits: Sendable {
    /// A code leads nowhere; ``VisitLimits/looking(_:_:)`` says what that is answered with.
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
    /// - Throws: ``Missed`` for what cannot be a code.
    package static func code(_ call: Call) throws(Missed) -> LinkCode {
        guard let code = LinkCode(call.parameter("code")) else { throw Missed() }
        return code
    }

    /// Runs what looks a code up. A guess is counted before it is made, and a right one is taken back: of those that are made
    /// at once, at whichever instances, no more learn anything than wrong codes are allowed.
    /// - Throws: ``Problem``: 429, without a look, for an address that has guessed too much; 404 for a code that leads nowhere.
    ///   What `work` throws.
    package func looking<Answer>(_ call: Call, _ work: () async throws -> Answer) async throws -> Answer {
        let visitor: String = Visitor.of(call.clientAddress)
        if case .refused = await misses.take(visitor) { throw Self.tooMany }
        do {
            let answer: Answer = try await work()
            await giveBack(visitor)
            return answer
        } catch is Missed {
            throw Problem.notFound("payment link")
        } catch {
            await giveBack(visitor)
            throw error
        }
    }

    /// Also for a visitor who has gone meanwhile: what Redis is asked for in a cancelled task it never hears.
    private func giveBack(_ visitor: String) async {
        let misses: RateLimiter = misses
        await Task { await misses.giveBack(visitor) }.value
    }

    /// Takes note of an action.
    /// - Throws: ``Problem`` 429 when there were too many.
    package func act(_ call: Call) async throws {
        if case .refused = await actions.take(Visitor.of(call.clientAddress)) { throw Self.tooMany }
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
