package import BillingCore
import HTTPKit
package import Logging
package import PaymentDomain
package import Postgres
package import ServiceKit
import Synchronization

/// The rules that count and the providers there are, in memory: a decision waits for nothing.
///
/// Another instance's new rules are here after ``refreshInterval`` at the latest.
package final class RoutingBook: Sendable {
    /// How often it looks for new rules.
    static let refreshInterval: Duration = .milliseconds(500)

    /// What counts at a moment.
    struct Page: Sendable {
        /// Zero when there has never been a version.
        var version: Int64 = 0
        /// `nil`: every payment goes to the provider of its method.
        var rules: RoutingRules?
        /// Providers that an operator took out.
        var down: Set<String> = []
    }

    package let catalogue: ProviderCatalogue
    package let health: ProviderHealth
    private let logger: Logger
    private let state = Mutex(Page())

    package init(catalogue: ProviderCatalogue, health: ProviderHealth, logger: Logger) {
        self.catalogue = catalogue
        self.health = health
        self.logger = logger
    }

    var page: Page { state.withLock { $0 } }

    /// Keeps up with the database.
    package func loop(_ pool: PostgresPool) -> BackgroundLoop {
        BackgroundLoop(name: "routing_rules", every: Self.refreshInterval) { try await self.refresh(pool) }
    }

    /// Takes in what stands in the database.
    package func refresh(_ pool: PostgresPool) async throws {
        let page: Page = try await pool.transaction(readOnly: true) { db in try self.read(in: db) }
        state.withLock { $0 = page }
    }

    /// Puts new rules in place; they count here with the commit.
    /// - Parameters:
    ///   - document: `nil` sends every payment to the provider of its method.
    ///   - replaces: The version the caller has seen; `nil` when it does not matter.
    /// - Throws: ``Problem`` with every fault of the rules, or when another version counts; nothing is stored then.
    package func replace(
        with document: RoutingDocument?, replaces: Int64?, at now: Instant, by principal: String,
        in db: borrowing PostgresTransaction
    ) throws -> RoutingVersion {
        if let document {
            do { _ = try RoutingRules(document, providers: catalogue.names) } catch {
                throw Problem.invalid(error)
            }
        }
        let version: RoutingVersion? = try RoutingDocumentStore.add(
            document, replaces: replaces, at: now, by: principal, in: db)
        guard let version else {
            throw Problem.conflict("routing_version", "Another version counts than the one you have seen.")
        }
        try install(in: db)
        return version
    }

    /// Takes in what a transaction has written, once it is committed.
    func install(in db: borrowing PostgresTransaction) throws {
        let page: Page = try read(in: db)
        db.onCommit { self.state.withLock { $0 = page } }
    }

    private func read(in db: borrowing PostgresTransaction) throws -> Page {
        let version: RoutingVersion? = try RoutingDocumentStore.current(in: db)
        var page = Page(version: version?.number ?? 0, down: try ProviderDownStore.all(in: db))
        guard let document: RoutingDocument = version?.document else { return page }
        do { page.rules = try RoutingRules(document, providers: catalogue.names) } catch {
            // A provider that the rules name is no longer configured: better no rules than half of them.
            logger.error(
                "the routing rules do not fit the configured providers",
                metadata: ["version": "\(page.version)", "faults": "\(error.faults.map(\.path))"])
        }
        return page
    }

    /// The providers as routing sees them now, out of memory.
    /// - Parameter names: Those that can charge the method; `nil` for all.
    package func candidates(for request: RoutingRequest, among names: Set<String>? = nil) -> [RoutingCandidate] {
        let down: Set<String> = page.down
        return catalogue.profiles.filter { names?.contains($0.name) ?? true }.map { profile in
            RoutingCandidate(
                provider: profile.name, methods: profile.methods, fees: profile.fees,
                isDown: down.contains(profile.name), circuit: health.admission(profile.name),
                success: health.successes(of: request.segment, at: profile.name))
        }
    }
}
