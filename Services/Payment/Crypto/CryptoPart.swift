package import BillingCore
package import HTTPKit
package import Logging
import PaymentChains
package import PaymentContract
package import Postgres
package import ServiceKit

/// Crypto, wired: the providers, what they answer over HTTP, and the loops that follow the chains.
package struct CryptoPart: Sendable {
    /// One for each accepted asset; none where nothing is configured.
    package let providers: [any PaymentProvider]
    /// What customers can pay in.
    package let assets: [AcceptedAsset]
    /// There whatever is configured: the API is the same everywhere, and so is what is held from earlier.
    package let endpoints: [Endpoint]
    private let watchers: [ChainWatcher]
    private let rateAge: Duration

    /// - Parameter transport: The way out to nodes.
    package init(
        _ settings: CryptoSettings, pool: PostgresPool, clock: any WallClock, transport: any ProviderTransport,
        logger: Logger
    ) {
        var providers: [any PaymentProvider] = []
        var watchers: [ChainWatcher] = []
        var assets: [AcceptedAsset] = []
        func add(_ accepted: [AcceptedAsset], _ addresses: AddressSource, _ scanner: any ChainScanner) {
            for asset in accepted {
                providers.append(
                    CryptoProvider(
                        asset, addresses: addresses, pool: pool, clock: clock, terms: settings.terms))
            }
            guard let chain = accepted.first?.asset.chain else { return }
            watchers.append(
                ChainWatcher(
                    chain: chain, scanner: scanner, assets: accepted, pool: pool, clock: clock, terms: settings.terms,
                    logger: logger))
            assets += accepted
        }
        if let bitcoin = settings.bitcoin {
            add([bitcoin.asset], bitcoin.addresses, Self.scanner(bitcoin, transport))
        }
        if let evm = settings.evm {
            let node = NodeTransport(url: evm.node.url, credentials: evm.node.credentials, transport: transport)
            let byName: [String: CryptoAsset] = Dictionary(
                uniqueKeysWithValues: evm.assets.map { ($0.name, $0.asset) })
            add(evm.assets, evm.addresses, EVMScanner(transport: node, chainID: evm.chainID, assets: byName))
        }
        self.providers = providers
        self.watchers = watchers
        self.assets = assets
        rateAge = settings.terms.rateAge
        let accepted = AcceptedAssets(assets)
        endpoints =
            CryptoRoutes(accepted: accepted).endpoints + RefundInstructionRoutes(accepted: accepted).endpoints
            + ChainRoutes().endpoints + UnexplainedRoutes(accepted: accepted).endpoints
            + HeldRoutes(
                accepted: accepted,
                decide: DecideHeld(accepted: accepted, keepsSurplus: settings.terms.keepsSurplus)
            ).endpoints
    }

    /// Whether an asset has a rate that a quote can be given at now.
    package func prices(
        _ asset: AcceptedAsset, in currency: Currency, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try ToldRates.rate(of: asset, in: currency, db)?.isUsable(at: now, age: rateAge) ?? false
    }

    /// The loops that follow the chains.
    /// - Parameter tell: Hears of charges and refunds that were settled, perhaps more than once; it reads their outcome
    ///   back from the provider.
    package func loops(
        _ tell: @escaping @Sendable (ProviderNews) async throws -> Void
    ) -> [BackgroundLoop] {
        watchers.map { $0.loop(tell) }
    }

    private static func scanner(
        _ bitcoin: CryptoSettings.Bitcoin, _ transport: any ProviderTransport
    ) -> any ChainScanner {
        let node = NodeTransport(
            url: bitcoin.node.url, credentials: bitcoin.node.credentials, transport: transport)
        return switch bitcoin.node.kind {
        case .core: CoreScanner(transport: node, network: bitcoin.network)
        case .esplora: EsploraScanner(transport: node, network: bitcoin.network)
        }
    }
}

/// What is accepted, by provider.
package struct AcceptedAssets: Sendable {
    private let byName: [String: AcceptedAsset]

    package init(_ assets: [AcceptedAsset]) {
        byName = Dictionary(uniqueKeysWithValues: assets.map { ($0.name, $0) })
    }

    package var names: [String] { byName.keys.sorted() }

    /// All of them, by name.
    package var all: [AcceptedAsset] { names.compactMap(find) }

    /// One by its name; `nil` for one that is not configured, any more or here.
    package func find(_ name: String) -> AcceptedAsset? { byName[name] }

    /// - Throws: ``Problem`` with 409 for one that was accepted under another configuration.
    package func named(_ name: String) throws -> AcceptedAsset {
        guard let asset = byName[name] else {
            throw Problem.conflict("asset_not_configured", "\(name) is not configured any more.")
        }
        return asset
    }
}
