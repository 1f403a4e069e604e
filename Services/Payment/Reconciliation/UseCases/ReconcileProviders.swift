package import BillingCore
package import Logging
package import PaymentContract
package import Postgres
package import ServiceKit

/// Goes on with every provider: reads its lines, matches and books them, and books payouts that have arrived. Providers
/// known only from files are matched too.
package struct ReconcileProviders: Sendable {
    /// How often it looks whether something is due, beside the moments at which the business clock jumps.
    private static let look: Duration = .milliseconds(500)

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

    /// The loops of a service: every `payment.reconciliation_interval_seconds`, and as soon as something is due by the
    /// business clock.
    /// - Throws: `ServiceConfiguration.Invalid` for fees that cannot be read.
    package static func loops(
        _ parts: ServiceParts, providers: [any PaymentProvider]
    ) throws(ServiceConfiguration.Invalid) -> [BackgroundLoop] {
        let reconcile = ReconcileProviders(
            providers: providers.compactMap { $0 as? any ProviderSettlements }, pool: parts.pool, clock: parts.clock,
            policy: try ReconciliationPolicy(parts.configuration), logger: parts.logger)
        let interval: Int = parts.configuration.int("payment.reconciliation_interval_seconds", default: 300)
        return [
            BackgroundLoop(name: "reconcile", every: .seconds(interval)) { try await reconcile.pass() },
            BackgroundLoop(name: "reconcile what is due") {
                let due: Int64 = try await parts.pool.transaction(readOnly: true) { db in
                    try ReconciliationConsistency.inFlight(db)
                }
                if due > 0 { try await reconcile.pass() }
                return .due(nil, atMost: Self.look)
            },
        ]
    }

    /// Once over everything; a provider that does not answer, or whose lines cannot be booked, holds up no other.
    /// - Throws: The first of the faults that were not a provider's, when all else is done.
    package func pass() async throws {
        var failure: (any Error)?
        for provider in read.providers {
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
