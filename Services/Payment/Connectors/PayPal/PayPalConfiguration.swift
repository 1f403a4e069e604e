package import PaymentContract
package import BillingCore
package import PaymentDomain
package import Telemetry

/// What the PayPal connector is told once, at the start.
package struct PayPalConfiguration: Sendable {
    /// Where PayPal is, without a slash at the end: `https://api-m.paypal.com`, `https://api-m.sandbox.paypal.com`.
    package let baseURL: String
    /// The REST app's client id.
    package let clientID: String
    /// The REST app's client secret.
    package let clientSecret: Secret
    /// Where a customer comes back to from the bank of a stored card; the payment's id is appended.
    package let returnURL: String
    /// The wallets whose tokens, opened here, the account may be charged with. PayPal enables that by agreement.
    package let wallets: Set<Wallet>
    /// How a call is repeated.
    package let retry: ProviderRetryPolicy
    /// How long before its end a token is renewed.
    package let tokenMargin: Duration
    /// How long after its making an attempt's key is still repeated when an order is created. PayPal keeps keys of
    /// Orders v2 for six hours ("The server stores keys for 6 hours", Orders v2 reference); past that a repeated key
    /// would make a second order, so nothing is sent.
    package let orderKeyLifetime: Duration
    /// The same for captures, releases and refunds: Payments v2 keeps keys for 45 days.
    package let paymentKeyLifetime: Duration
    /// How old an attempt is before an order of it that PayPal does not find counts as dropped. PayPal drops what was not
    /// completed after three hours (github.com/paypal/Checkout-PHP-SDK/issues/84); this is twice that. Before, an order that
    /// is not found is a riddle.
    package let orderLifetime: Duration

    /// Makes a configuration; what is left out has the defaults for production.
    package init(
        baseURL: String, clientID: String, clientSecret: Secret, returnURL: String,
        wallets: Set<Wallet> = [], retry: ProviderRetryPolicy = .payPal,
        tokenMargin: Duration = .seconds(120), orderKeyLifetime: Duration = .seconds(5 * 3_600),
        paymentKeyLifetime: Duration = .seconds(44 * 86_400), orderLifetime: Duration = .seconds(6 * 3_600)
    ) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.returnURL = returnURL
        self.wallets = wallets
        self.retry = retry
        self.tokenMargin = tokenMargin
        self.orderKeyLifetime = orderKeyLifetime
        self.paymentKeyLifetime = paymentKeyLifetime
        self.orderLifetime = orderLifetime
    }
}

/// What the connector takes from the world around it, so that tests can put their own in place.
package struct PayPalSurroundings: Sendable {
    /// The way out.
    package let transport: any ProviderTransport
    /// Tells when tokens end and how old keys are.
    package let clock: any WallClock

    /// Gathers the surroundings.
    package init(transport: any ProviderTransport, clock: any WallClock) {
        self.transport = transport
        self.clock = clock
    }
}

extension ProviderRetryPolicy {
    /// Three repeats after about 200, 400 and 800 ms.
    package static let payPal = ProviderRetryPolicy(firstWait: .milliseconds(200), longestWait: .seconds(5))
}
