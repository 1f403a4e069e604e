package import HTTPKit
package import Logging
package import PaymentContract
package import Postgres
package import ServiceKit

/// Own instalment plans, wired.
package struct InstalmentPart: Sendable {
    /// `/v1/instalment_plans`.
    package let endpoints: [Endpoint]
    /// News of payments and methods, and what is due.
    package let look: Look

    /// Wires it.
    package init(
        _ settings: InstalmentSettings, providers: PaymentProviders, pool: PostgresPool, clock: any ServiceClock,
        logger: Logger
    ) {
        endpoints = InstalmentPlanRoutes(settings: settings, providers: providers).endpoints
        look = InstalmentLoop(pool: pool, clock: clock, logger: logger).look
    }
}
