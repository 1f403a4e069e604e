import BillingCore

/// How often and after which waits a request is repeated inside of one call, always under the same key.
package struct ProviderRetryPolicy: Sendable, Equatable {
    /// How many tries follow the first.
    package let retries: Int
    /// The wait before the first repeat; each later one is twice as long.
    package let firstWait: Duration
    /// No wait is longer; a provider that asks for more is not waited for.
    package let longestWait: Duration

    package init(retries: Int = 3, firstWait: Duration = .milliseconds(500), longestWait: Duration = .seconds(8)) {
        self.retries = retries
        self.firstWait = firstWait
        self.longestWait = longestWait
    }

    /// How long to wait before a repeat.
    /// - Parameters:
    ///   - retry: 1 for the first repeat.
    ///   - retryAfter: The seconds the provider asked for.
    ///   - jitter: Draws a number out of a range; waits vary between half and the whole of their length.
    /// - Returns: `nil` when there are no repeats left or the provider asks for more than ``longestWait``.
    package func wait(
        before retry: Int, retryAfter: Int?, jitter: @Sendable (ClosedRange<Int64>) -> Int64
    ) -> Duration? {
        guard retry <= retries else { return nil }
        let longest: Int64 = longestWait.wholeMicroseconds
        var whole: Int64 = min(firstWait.wholeMicroseconds, longest)
        for _ in 1..<max(retry, 1) { whole = whole > longest / 2 ? longest : whole * 2 }
        let drawn: Duration = .microseconds(whole > 0 ? jitter(whole / 2...whole) : 0)
        guard let retryAfter else { return drawn }
        let asked: Duration = .seconds(retryAfter)
        return asked > longestWait ? nil : max(drawn, asked)
    }
}
