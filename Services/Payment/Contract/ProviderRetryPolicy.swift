import BillingCore

/// How often and after which waits a request is repeated inside of one call, always under the same key.
package struct ProviderRetryPolicy: Sendable {
    /// How many tries follow the first.
    package let retries: Int
    /// The wait before the first repeat; each later one is twice as long.
    package let firstWait: Duration
    /// No wait is longer; a provider that asks for more is not waited for.
    package let longestWait: Duration
    /// Waits between two tries; throws when the caller has given up.
    package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// Draws a number out of a range: the part of a wait that is chance.
    package var draw: @Sendable (ClosedRange<Int64>) -> Int64 = { Int64.random(in: $0) }

    package init(retries: Int = 3, firstWait: Duration = .milliseconds(500), longestWait: Duration = .seconds(8)) {
        self.retries = retries
        self.firstWait = firstWait
        self.longestWait = longestWait
    }

    /// Waits before a repeat.
    /// - Parameters:
    ///   - retry: 1 for the first repeat.
    ///   - retryAfter: The seconds the provider asked for.
    /// - Returns: Whether there is one: there are repeats left, the provider does not ask for more than ``longestWait``, and
    ///   the caller has not given up.
    package func pause(before retry: Int, retryAfter: Int? = nil) async -> Bool {
        guard let wait: Duration = wait(before: retry, retryAfter: retryAfter) else { return false }
        do {
            try await sleep(wait)
            return true
        } catch {
            return false
        }
    }

    /// How long to wait before a repeat, between half and the whole of its length; `nil` when there is none.
    package func wait(before retry: Int, retryAfter: Int? = nil) -> Duration? {
        guard retry <= retries else { return nil }
        let longest: Int64 = longestWait.wholeMicroseconds
        var whole: Int64 = min(firstWait.wholeMicroseconds, longest)
        for _ in 1..<max(retry, 1) { whole = whole > longest / 2 ? longest : whole * 2 }
        let drawn: Duration = .microseconds(whole > 0 ? draw(whole / 2...whole) : 0)
        guard let retryAfter else { return drawn }
        let asked: Duration = .seconds(retryAfter)
        return asked > longestWait ? nil : max(drawn, asked)
    }
}
