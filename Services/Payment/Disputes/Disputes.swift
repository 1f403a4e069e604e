package import BillingCore
package import HTTPKit
package import Logging
package import PaymentContract
package import Postgres

/// Payment's part for disputes, wired.
package struct Disputes: Sendable {
    /// `/v1/disputes`.
    package let endpoints: [Endpoint]
    /// Asks providers, reads what they tell of, hands in responses.
    package let follow: FollowDisputes

    /// Wires it.
    /// - Parameters:
    ///   - lostSeconds: A provider call without an outcome is repeated after this.
    ///   - news: By provider, where it is known here whether it has any; any other is asked now and then.
    package init(
        providers: PaymentProviders, pool: PostgresPool, clock: any WallClock, lostSeconds: Int,
        news: [String: FollowDisputes.News] = [:], logger: Logger
    ) {
        let respond = RespondToDispute(providers: providers, pool: pool, clock: clock)
        endpoints = DisputeRoutes.endpoints
        follow = FollowDisputes(
            providers: providers, pool: pool, clock: clock, respond: respond, lostSeconds: lostSeconds, news: news,
            logger: logger)
    }
}
