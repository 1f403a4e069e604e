package import PaymentContract
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
    /// The account's publishable key, which browsers are told, for Stripe's fields on our pages; `nil`: those have none.
    package let publishableKey: String?
    /// Where a customer comes back to after 3-D Secure for a stored method; the payment's id is appended.
    package let returnURL: String
    /// Whether the account may capture one authorization in several parts. Stripe grants this per account.
    package let multipleCapture: Bool
    /// How a request is repeated inside of one call.
    package let retries: ProviderRetryPolicy
    /// Tells how old an id, and with it a key, is.
    package let clock: any WallClock

    package init(
        baseURL: String = "https://api.stripe.com", secretKey: Secret, publishableKey: String? = nil,
        returnURL: String, multipleCapture: Bool = false, retries: ProviderRetryPolicy = ProviderRetryPolicy(),
        clock: any WallClock = SystemClock()
    ) {
        self.baseURL = baseURL
        self.secretKey = secretKey
        self.publishableKey = publishableKey
        self.returnURL = returnURL
        self.multipleCapture = multipleCapture
        self.retries = retries
        self.clock = clock
    }
}
