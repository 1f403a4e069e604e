package import HTTPKit
package import Logging
package import Messaging
package import Postgres
package import ServiceKit

/// Own instalment plans, wired.
package struct InstalmentPart: Sendable {
    /// `/v1/instalment_plans`.
    package let endpoints: [Endpoint]
    /// Outcomes of payments, and new methods.
    package let consumer: EventConsumer = InstalmentConsumer.consumer
    /// What is due.
    package let loop: BackgroundLoop

    /// Wires it.
    package init(
        _ settings: InstalmentSettings, pool: PostgresPool, clock: any ServiceClock, logger: Logger
    ) {
        endpoints = InstalmentPlanRoutes(settings: settings).endpoints
        let loop = InstalmentLoop(pool: pool, clock: clock, logger: logger)
        self.loop = BackgroundLoop(name: "instalments") { try await loop.run() }
    }
}
