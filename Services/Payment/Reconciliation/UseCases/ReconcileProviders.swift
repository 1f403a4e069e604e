package import BillingCore
package import Logging
package import PaymentContract
package import Postgres
package import ServiceKit

/// Goes on with every provider: reads its lines, matches and books them, and books payouts that have arrived. Providers
/// known only from files are matched too.
package struct ReconcileProviders: Sendable {
    /// How long the look rests after a fault: a line that cannot be booked waits for a person, and is due until then.
    private static let faultRest: Duration = .seconds(10)

    let read: ImportSettlements
    let match: MatchSettlements
    let arrivals: BookArrivals
    let pool: PostgresPool
    let logger: Logger

    package init(
        providers: [any ProviderSettlements], pool: PostgresPool, clock: any WallClock, policy: ReconciliationPolicy,
        logger: Logger
    ) {
        read = ImportSettlements(providers: providers, pool: pool, clock: clock)
        match = MatchSettlements(pool: pool, clock: clock, policy: policy)
        arrivals = BookArrivals(pool: pool, clock: clock)
        self.pool = pool
        self.logger = logger
    }

    /// The work of a service.
    /// - Throws: `ServiceConfiguration.Invalid` for fees that cannot be read.
    package init(
        _ parts: ServiceParts, providers: [any PaymentProvider]
    ) throws(ServiceConfiguration.Invalid) {
        self.init(
            providers: providers.compactMap { $0 as? any ProviderSettlements }, pool: parts.pool, clock: parts.clock,
            policy: try ReconciliationPolicy(parts.configuration), logger: parts.logger)
    }

    /// Goes over everything again and again.
    package func loop(every interval: Duration) -> BackgroundLoop {
        BackgroundLoop(name: "reconcile", every: interval) { try await pass() }
    }

    /// Matches lines and books arrivals as soon as something is due by the business clock. Only days that are over are read
    /// for it: other providers' reports are never at an end, and are left to the loop.
    package var look: Look {
        Look(
            name: "reconcile what is due", restAfterFault: Self.faultRest,
            when: { "(\(ReconciliationConsistency.due)) > 0" }
        ) {
            try await goOn(reading: read.providers.filter { $0.reportsDays })
        }
    }

    /// Once over everything; a provider that does not answer, or whose lines cannot be booked, holds up no other.
    /// - Throws: The first of the faults that were not a provider's, when all else is done.
    package func pass() async throws { try await goOn(reading: read.providers) }

    private func goOn(reading providers: [any ProviderSettlements]) async throws {
        var failure: (any Error)?
        for provider in providers {
            do { try await read(provider) } catch let fault as ProviderFault {
                logger.warning(
                    "settlement lines cannot be read",
                    metadata: ["provider": "\(provider.name)", "fault": "\(fault)"])
            } catch {
                failure = failure ?? told("settlement lines cannot be stored", provider.name, error)
            }
        }
        let known: [String] = try await pool.transaction(readOnly: true) { db in
            try db.query("SELECT provider FROM settlement_cursors ORDER BY provider") { row in try row.next() }
        }
        for provider in known {
            do { try await match(provider) } catch {
                failure = failure ?? told("settlement lines cannot be booked", provider, error)
            }
        }
        try await arrivals()
        if let failure { throw failure }
    }

    private func told(_ what: Logger.Message, _ provider: String, _ error: any Error) -> any Error {
        logger.error(what, metadata: ["provider": "\(provider)", "error": "\(error)"])
        return error
    }
}
