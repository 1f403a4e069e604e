public import ArgumentParser
public import BillingCore
import Foundation
public import HTTPKit
import Logging
public import Messaging
import PaymentAuthentication
import PaymentContract
import PaymentCrypto
import PaymentDisputes
import PaymentDomain
import PaymentExchange
import PaymentInbound
import PaymentInstalments
import PaymentLedger
import PaymentLinks
import PaymentReconciliation
import PaymentSandbox
import PaymentThreeDS
public import Postgres
public import ServiceKit

/// Builds the Payment service out of its configuration.
public struct PaymentAssembly: ServiceAssembly {
    /// The name.
    public static let name = "payment"

    /// What it answers.
    public let endpoints: [Endpoint]
    /// What it listens to.
    public let consumers: [EventConsumer]
    /// What it does on its own.
    public let loops: [BackgroundLoop]
    private let waiters: PaymentWaiters

    /// Wires everything; reads the encryption key.
    public init(_ parts: ServiceParts) throws {
        let configuration: ServiceConfiguration = parts.configuration
        let environment: [String: String] = ProcessInfo.processInfo.environment
        let transport: any ProviderTransport = ProviderHTTP.shared
        let crypto = CryptoPart(
            try CryptoSettings(tunables: configuration.tunables, environment: environment, mode: configuration.mode),
            pool: parts.pool, clock: parts.clock, transport: transport, logger: parts.logger)
        let configured = try ConfiguredProviders(
            tunables: configuration.tunables, environment: environment, mode: configuration.mode,
            publicURL: configuration.publicURL, beside: crypto.providers, transport: transport)
        let routing = try RoutingAssembly(parts, further: configured.all + crypto.providers)
        let providers: PaymentProviders = routing.providers
        let encryption = try EncryptionKey(path: configuration.encryptionKeyPath, mode: configuration.mode)
        let policy = try SweepPolicy(configuration)
        let settlement = try SettlementPolicy(configuration)
        let risk = try RiskPolicy(tunables: configuration.tunables)
        let work = PaymentUseCases(
            pool: parts.pool, providers: providers, clock: parts.clock, policy: policy,
            actions: ActionPolicy(configuration), confirmation: ActionPolicy(confirmation: configuration),
            fingerprintKey: encryption.derived(for: "card fingerprint"),
            acquirers: routing.acquirers, wallets: try WalletConfiguration.wallets(environment),
            credentialKey: encryption.derived(for: "wallet credential"),
            directory: try ThreeDSConfiguration.server(
                environment, isLive: configuration.mode == .live, publicURL: configuration.publicURL,
                policy: try UnauthenticatedPolicy(configuration), transport: transport),
            pages: ChallengePages(publicURL: configuration.publicURL), risk: risk,
            sca: AssessAuthentication(policy: try SCAPolicy(configuration), risk: risk, rates: settlement.rates),
            route: routing.route, cascade: routing.cascade,
            exchange: BookExchange(policy: settlement), logger: parts.logger)
        let fraudRate = MeasureFraudRate(rates: settlement.rates, pool: parts.pool, clock: parts.clock)
        let wallets = PruneWallets(pool: parts.pool, clock: parts.clock)
        let assets = try PageAssets(home: configuration.home)
        let sandbox = try SandboxPart(
            routing.local, acquirers: routing.acquirers, assets: assets, news: work.news, logger: parts.logger)
        let disputes = Disputes(
            providers: providers, pool: parts.pool, clock: parts.clock, lostSeconds: policy.lostSeconds,
            news: sandbox.disputes, logger: parts.logger)
        let terms = try InstalmentSettings(configuration.tunables)
        let instalments = InstalmentPart(
            terms, providers: providers, pool: parts.pool, clock: parts.clock, logger: parts.logger)
        let links = try LinkSettings(configuration, environment: environment, providers, crypto, terms)
        let webhooks = try WebhooksIn(parts, handler: work.news, transport: transport)
        let reconcile = try ReconcileProviders(parts, providers: providers.beneath)
        endpoints =
            try work.endpoints + LedgerRoutes().endpoints
            + ExchangeRoutes(rates: settlement.rates).endpoints + disputes.endpoints
            + ReconciliationRoutes(policy: try ReconciliationPolicy(configuration)).endpoints
            + instalments.endpoints + webhooks.endpoints + crypto.endpoints
            + Self.links(parts, assets, links, work) + sandbox.endpoints
            + work.authenticationPages(
                AuthenticationPage(assets: assets, isSandbox: configuration.mode == .sandbox)) + routing.endpoints
        consumers = [work.consumer]
        waiters = work.waiters
        let news: HandleNews = work.news
        let settling: [any ProviderSettlements] = providers.beneath.compactMap { $0 as? any ProviderSettlements }
        let own: [BackgroundLoop] = [
            SealEntries(pool: parts.pool).loop, wallets.loop, fraudRate.loop, webhooks.pruning,
            reconcile.loop(
                every: .seconds(configuration.int("payment.reconciliation_interval_seconds", default: 300))),
            FollowLines(providers: settling, news: news, pool: parts.pool, logger: parts.logger).loop,
        ]
        let looks: [[Look]] = [
            work.sweep.looks, disputes.follow.looks, webhooks.looks, routing.looks, sandbox.looks,
            [instalments.look, reconcile.look], work.authenticate.map { [$0.look] } ?? [],
        ]
        loops =
            own + Looks(Array(looks.joined()), parts.pool).loops + routing.loops
            + [Self.rates(parts, transport)?.loop].compactMap(\.self) + crypto.loops { try await news.follow($0) }
    }

    private static func links(
        _ parts: ServiceParts, _ assets: PageAssets, _ settings: LinkSettings, _ work: PaymentUseCases
    ) throws -> [Endpoint] {
        let visits = VisitLimits(redis: parts.redis)
        let pay = PayLink(pool: parts.pool, work: work, settings: settings, limits: visits)
        let pages = LinkPageRoutes(
            assets: assets, settings: settings, limits: visits, pool: parts.pool)
        return LinkRoutes(pool: parts.pool, settings: settings).endpoints
            + PayLinkRoutes(pay: pay).endpoints + pages.endpoints
    }

    private static func rates(_ parts: ServiceParts, _ transport: any ProviderTransport) -> ImportRates? {
        ImportRates(
            url: parts.configuration.text("payment.ecb_feed_url", default: ""), transport: transport, pool: parts.pool,
            clock: parts.clock, logger: parts.logger)
    }

    /// Maintenance of its own.
    public static var commands: [any ParsableCommand.Type] {
        [LedgerCommand.self, ReconcileCommand.self, WebhooksCommand.self]
    }

    /// The ledger: balances are totals up to a place in this order, and what comes after it.
    public static let orderedTables = ["journal_entries"]

    /// Callers who wait for payments hear how they stand.
    public func stopping() { waiters.stop() }

    /// Work under way outside the event flow: what moves on by itself now, not what waits for the world.
    public static func inFlight(_ db: borrowing PostgresTransaction) throws -> Int64 {
        try paymentsInFlight(db) + CryptoWork.inFlight(db) + DisputeReadingStore.inFlight(in: db)
            + ReconciliationConsistency.inFlight(db) + SandboxDue.inFlight(db)
    }

    private static func paymentsInFlight(_ db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            WITH business AS (SELECT now() + offset_microseconds * interval '1 microsecond' AS now FROM test_clock)
            SELECT (SELECT count(*) FROM payments WHERE status IN ('created', 'processing', 'canceling')
                        AND (look_at IS NULL OR look_at <= now()))
                 + (SELECT count(*) FROM payments WHERE status = 'requires_action' AND look_at IS NOT NULL
                        AND action_expires_at <= (SELECT now FROM business))
                 + (SELECT count(*) FROM payments WHERE status = 'authorized'
                        AND authorization_expires_at <= (SELECT now FROM business))
                 + (SELECT count(*) FROM captures WHERE status = 'processing'
                        AND (look_at IS NULL OR look_at <= now()))
                 + (SELECT count(*) FROM refunds WHERE status = 'processing'
                        AND (look_at IS NULL OR look_at <= now()))
                 + (SELECT count(*) FROM three_d_secure
                    WHERE status <> 'done' AND deadline <= (SELECT now FROM business))
                 + (\(InstalmentBooks.dueNow)) + (\(InboundLog.underWay))
            """
        ) { row in try row.next() } ?? 0
    }

    /// Facts and broken invariants, see ``ServiceAssembly``.
    public static func consistency(_ db: borrowing PostgresTransaction, now: Instant) throws -> ConsistencyFacts {
        try PaymentConsistency.facts(in: db)
    }
}

extension ActionPolicy {
    init(_ configuration: ServiceConfiguration) {
        self.init(seconds: Int64(configuration.int("payment.action_expires_seconds", default: 86_400)))
    }

    /// How long a payment can be confirmed.
    init(confirmation configuration: ServiceConfiguration) {
        self.init(seconds: Int64(configuration.int("payment.confirmation_expires_seconds", default: 86_400)))
    }
}

extension SweepPolicy {
    /// - Throws: When `payment.fraud_fallback` is none of the words.
    package init(_ configuration: ServiceConfiguration) throws(ServiceConfiguration.Invalid) {
        guard let fallback = FraudFallback(rawValue: configuration.text("payment.fraud_fallback", default: "rules"))
        else {
            let words: String = FraudFallback.allCases.map(\.rawValue).joined(separator: ", ")
            throw ServiceConfiguration.Invalid(faults: ["payment.fraud_fallback must be one of \(words)"])
        }
        self.init(
            silenceSeconds: configuration.int("payment.fraud_timeout_seconds", default: 2),
            offSessionSilenceSeconds: configuration.int("payment.fraud_timeout_off_session_seconds", default: 60),
            lostSeconds: configuration.int("payment.lost_call_seconds", default: 5),
            fallback: fallback)
    }
}
