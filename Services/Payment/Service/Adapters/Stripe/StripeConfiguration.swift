package import BillingCore
package import Telemetry

/// What the Stripe connector is told once, when it is built.
package struct StripeConfiguration: Sendable {
    /// The version of Stripe's API that requests are written for and answers are read as; sent with every request.
    package static let apiVersion = "2026-10-28.endive"

    /// Where the API is, without a slash at the end: `https://api.stripe.com`.
    package let baseURL: String
    /// The account's secret key.
    package let secretKey: Secret
    /// Where a customer comes back to after 3-D Secure for a stored method; the payment's id is appended.
    package let returnURL: String
    /// Whether the account may capture one authorization in several parts. Stripe grants this per account.
    package let multipleCapture: Bool
    /// How a request is repeated inside of one call.
    package let retries: StripeRetryPolicy
    /// Tells how old an id, and with it a key, is.
    package let clock: any WallClock
    /// Waits between two tries; throws when the task is canceled.
    package let sleep: @Sendable (Duration) async throws -> Void
    /// Draws a number out of a range, for the waits.
    package let jitter: @Sendable (ClosedRange<Int64>) -> Int64

    package init(
        baseURL: String = "https://api.stripe.com", secretKey: Secret, returnURL: String,
        multipleCapture: Bool = false, retries: StripeRetryPolicy = StripeRetryPolicy(),
        clock: any WallClock = SystemClock(),
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        jitter: @escaping @Sendable (ClosedRange<Int64>) -> Int64 = { Int64.random(in: $0) }
    ) {
        self.baseURL = baseURL
        self.secretKey = secretKey
        self.returnURL = returnURL
        self.multipleCapture = multipleCapture
        self.retries = retries
        self.clock = clock
        self.sleep = sleep
        self.jitter = jitter
    }
}

/// How often and after which waits a request is repeated inside of one call, always under the same key.
package struct StripeRetryPolicy: Sendable, Equatable {
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
