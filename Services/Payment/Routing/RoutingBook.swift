package import BillingCore
import HTTPKit
package import Logging
import PaymentContract
package import PaymentDomain
package import Postgres
package import ServiceKit
import Synchronization

/// The rules that count and the providers there are, in memory: a decision waits for nothing.
///
/// Another instance's new rules are here after ``refreshInterval`` at the latest. Before they have been read once, whoever
/// needs them reads them.
package final class RoutingBook: Sendable {
    /// How long it rests after it has taken in new rules.
    static let refreshInterval: Duration = .milliseconds(500)

    /// What counts at a moment.
    struct Page: Sendable {
        /// Zero when there has never been a version.
        let version: Int64
        /// `nil`: a payment goes to the provider of its method, and on to others that keep it, see ``OwnProviderFirst``.
        let rules: RoutingRules?
        /// Why the version's rules do not count, for people; `nil` where they do.
        let fault: String?
        /// Providers that an operator took out.
        let down: Set<String>

        /// The version that decides; zero where there are no rules to go by.
        var deciding: Int64 { rules == nil ? 0 : version }
    }

    package let catalogue: ProviderCatalogue
    package let health: ProviderHealth
    private let logger: Logger
    /// `nil` until it has been read.
    private let state = Mutex<Page?>(nil)

    package init(catalogue: ProviderCatalogue, health: ProviderHealth, logger: Logger) {
        self.catalogue = catalogue
        self.health = health
        self.logger = logger
    }

    /// What counts now: out of memory, or read in the transaction that asks where nobody has read it before.
    func page(in db: borrowing PostgresTransaction) throws -> Page {
        if let known: Page = state.withLock({ $0 }) { return known }
        let page: Page = try read(in: db)
        state.withLock { known in known = known ?? page }
        return page
    }

    /// Whether an operator took a provider out, as far as it is known here: out of memory.
    package func isTakenOut(_ provider: String) -> Bool { state.withLock { $0?.down.contains(provider) ?? false } }

    /// Whether a provider may be asked now: nobody took it out, and its circuit lets calls through.
    func isWell(_ provider: String, _ down: Set<String>) -> Bool { !down.contains(provider) && health.isOpen(provider) }

    /// Keeps up with the database.
    package func look(_ pool: PostgresPool) -> Look {
        Look(name: "routing_rules", rest: Self.refreshInterval, when: { self.isBehind }) {
            try await self.refresh(pool)
        }
    }

    /// Whether the database has something else than what is known here.
    private var isBehind: SQL {
        guard let known: Page = state.withLock({ $0 }) else { return "true" }
        return "(\(RoutingDocumentStore.latest)) <> \(known.version) OR \(ProviderDownStore.differ(from: known.down))"
    }

    /// Takes in what stands in the database.
    package func refresh(_ pool: PostgresPool) async throws {
        let page: Page = try await pool.transaction(readOnly: true) { db in try self.read(in: db) }
        state.withLock { $0 = page }
    }

    /// Puts new rules in place; they count here with the commit.
    /// - Parameters:
    ///   - document: `nil` sends every payment to the provider of its method, and on to others that keep it.
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
        let page = Page(
            version: version?.number ?? 0, rules: version?.rules, fault: version?.fault,
            down: Set(try ProviderDownStore.all(in: db).keys))
        if let fault: String = page.fault, state.withLock({ $0?.version }) != page.version {
            // Better no rules than half of them.
            logger.error(
                "the routing rules cannot be gone by", metadata: ["version": "\(page.version)", "fault": "\(fault)"])
        }
        return page
    }

    /// The providers as routing sees them now, out of memory.
    /// - Parameters:
    ///   - names: Those that can charge the method; `nil` for all.
    ///   - down: Those that an operator took out.
    package func candidates(
        for request: RoutingRequest, among names: Set<String>? = nil, down: Set<String>
    ) -> [RoutingCandidate] {
        catalogue.profiles.filter { names?.contains($0.name) ?? true }.map { profile in
            RoutingCandidate(
                provider: profile.name, methods: profile.methods,
                refuses: { profile.capabilities.refusal($0) != nil }, fees: profile.fees,
                isDown: down.contains(profile.name), circuit: health.admission(profile.name),
                success: health.successes(of: request.segment, at: profile.name))
        }
    }
}
