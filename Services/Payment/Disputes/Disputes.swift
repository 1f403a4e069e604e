package import BillingCore
package import HTTPKit
package import Logging
package import PaymentContract
package import Postgres
package import ServiceKit

/// Payment's part for disputes, wired.
package struct Disputes: Sendable {
    /// `/v1/disputes`.
    package let endpoints: [Endpoint]
    /// Asks providers, reads what they tell of, hands in responses.
    package let follow: FollowDisputes

    /// Wires it.
    /// - Parameter lostSeconds: A provider call without an outcome is repeated after this.
    package init(
        providers: PaymentProviders, pool: PostgresPool, clock: any WallClock, lostSeconds: Int, logger: Logger
    ) {
        let respond = RespondToDispute(providers: providers, pool: pool, clock: clock)
        endpoints = DisputeRoutes.endpoints
        follow = FollowDisputes(
            providers: providers, pool: pool, clock: clock, respond: respond, lostSeconds: lostSeconds, logger: logger)
    }

    /// Keeps up with them.
    package var loop: BackgroundLoop { follow.loop }
}
