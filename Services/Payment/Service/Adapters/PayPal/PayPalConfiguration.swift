package import BillingCore
package import Telemetry

/// What the PayPal connector is told once, at the start.
package struct PayPalConfiguration: Sendable {
    /// Where PayPal is, without a slash at the end: `https://api-m.paypal.com`, `https://api-m.sandbox.paypal.com`.
    package let baseURL: String
    /// The REST app's client id.
    package let clientID: String
    /// The REST app's client secret.
    package let clientSecret: Secret
    /// How a call is repeated.
    package let retry: PayPalRetryPolicy
    /// How long before its end a token is renewed.
    package let tokenMargin: Duration
    /// How long after its making an attempt's key is still repeated when an order is created. PayPal keeps keys of
    /// Orders v2 for six hours ("The server stores keys for 6 hours", Orders v2 reference); past that a repeated key
    /// would make a second order, so nothing is sent.
    package let orderKeyLifetime: Duration
    /// The same for captures, releases and refunds: Payments v2 keeps keys for 45 days.
    package let paymentKeyLifetime: Duration

    /// Makes a configuration; what is left out has the defaults for production.
    package init(
        baseURL: String, clientID: String, clientSecret: Secret, retry: PayPalRetryPolicy = PayPalRetryPolicy(),
        tokenMargin: Duration = .seconds(120), orderKeyLifetime: Duration = .seconds(5 * 3_600),
        paymentKeyLifetime: Duration = .seconds(44 * 86_400)
    ) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.retry = retry
        self.tokenMargin = tokenMargin
        self.orderKeyLifetime = orderKeyLifetime
        self.paymentKeyLifetime = paymentKeyLifetime
    }
}

/// How often and after which waits a call is repeated under its key: the wait doubles, and half of it is chance.
package struct PayPalRetryPolicy: Sendable, Equatable {
    /// How many times a call is repeated after the first.
    package let retries: Int
    /// The wait before the first repeat.
    package let firstWait: Duration
    /// The longest wait; a provider that asks for more patience is not waited for inside the call.
    package let longestWait: Duration

    /// Makes a policy; the defaults are three repeats after about 200, 400 and 800 ms.
    package init(
        retries: Int = 3, firstWait: Duration = .milliseconds(200), longestWait: Duration = .seconds(5)
    ) {
        self.retries = retries
        self.firstWait = firstWait
        self.longestWait = longestWait
    }

    /// The wait before a repeat: between half and all of `firstWait` doubled once per earlier repeat.
    /// - Parameters:
    ///   - number: Which repeat it is, from 0.
    ///   - draw: Chooses a number of microseconds out of a range.
    func wait(before number: Int, draw: (ClosedRange<Int64>) -> Int64) -> Duration {
        let most: Int64 = longestWait.wholeMicroseconds
        var full: Int64 = min(firstWait.wholeMicroseconds, most)
        for _ in 0..<number where full < most { full = min(full &* 2, most) }
        return .microseconds(draw(full / 2...full))
    }
}

/// What the connector takes from the world around it, so that tests can put their own in place.
package struct PayPalSurroundings: Sendable {
    /// The way out.
    package let transport: any ProviderTransport
    /// Tells when tokens end and how old keys are.
    package let clock: any WallClock
    /// Waits between repeats; throws when the caller has given up.
    package let sleep: @Sendable (Duration) async throws -> Void
    /// Chooses the part of a wait that is chance.
    package let draw: @Sendable (ClosedRange<Int64>) -> Int64

    /// Gathers the surroundings; waiting and chance have the real ones as defaults.
    package init(
        transport: any ProviderTransport, clock: any WallClock,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        draw: @escaping @Sendable (ClosedRange<Int64>) -> Int64 = { Int64.random(in: $0) }
    ) {
        self.transport = transport
        self.clock = clock
        self.sleep = sleep
        self.draw = draw
    }
}

extension TypedID {
    /// When the id was made, from its first ten digits: 48 bits of Unix milliseconds in Crockford base 32. `nil` for
    /// text that this service did not make.
    var madeAt: Instant? {
        let alphabet: [UInt8] = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
        let digits = rawValue.utf8.dropFirst(Self.prefix.utf8.count + 1)
        guard digits.count == 26 else { return nil }
        var milliseconds: Int64 = 0
        for digit in digits.prefix(10) {
            guard let value = alphabet.firstIndex(of: digit) else { return nil }
            milliseconds = milliseconds << 5 | Int64(value)
        }
        let (microseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000)
        return overflow ? nil : Instant(microseconds: microseconds)
    }
}
