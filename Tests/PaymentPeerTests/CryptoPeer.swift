import BillingCore
import HTTPKit
import Logging
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import Synchronization
import TestKit

/// A connector on a database of its own, over a node.
struct CryptoPeer: Sendable {
    /// BIP-84's published account, written for each kind of chain.
    static let zpub =
        "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
    static let xpub =
        "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"

    let pool: PostgresPool
    let assets: [AcceptedAsset]
    let addresses: AddressSource
    let scanner: any ChainScanner
    let clock = ManualClock(SystemClock().now)
    let heard = Heard()

    /// What the charge flow has heard.
    final class Heard: Sendable {
        private let news = Mutex<[ProviderNews]>([])
        var all: [ProviderNews] { news.withLock { $0 } }
        @Sendable func hear(_ one: ProviderNews) async throws { news.withLock { $0.append(one) } }
    }

    private var terms: CryptoTerms {
        var terms = CryptoTerms()
        terms.spreadBasisPoints = 0
        terms.poll = .zero
        return terms
    }

    func provider(_ name: String) throws -> CryptoProvider {
        guard let asset = assets.first(where: { $0.name == name }) else { throw MissingInfrastructure("no \(name)") }
        return CryptoProvider(asset, addresses: addresses, pool: pool, clock: clock, terms: terms)
    }

    /// Looks until the chain is caught up, and tells the news.
    func look() async throws {
        let logger = Logger(label: "test.crypto") { _ in SwiftLogNoOpLogHandler() }
        let watcher = ChainWatcher(
            chain: assets[0].asset.chain, scanner: scanner, assets: assets, pool: pool, clock: clock, terms: terms,
            logger: logger)
        while try await watcher.look() == .behind {}
        try await watcher.tellNews(heard.hear)
    }

    /// An attempt that has its address. 100.00 are 0.002 BTC, 0.05 ETH, 100 USDC.
    func open(_ name: String) async throws -> (request: ChargeRequest, address: String, transfer: CryptoTransfer) {
        try await look()
        let request = ChargeRequest(
            idempotencyKey: .new(at: clock.now), paymentID: .new(at: clock.now),
            source: .redirect(method: name, returnURL: "https://shop.test/back"),
            amount: Money(minor: 100_00, currency: .usd))
        guard case .actionRequired(let address, .transfer(let transfer)) = try await provider(name).charge(request)
        else { throw MissingInfrastructure("no address") }
        return (request, address, transfer)
    }

    /// `captured`, the code of a decline, or how much is missing.
    func word(_ request: ChargeRequest, of name: String) async throws -> String {
        switch try await provider(name).outcome(of: request) {
        case .captured: "captured"
        case .declined(let decline): decline.code
        case .actionRequired(_, .transfer(let transfer)): transfer.amount
        default: "unexpected"
        }
    }

    func charge(_ request: ChargeRequest) async throws -> CryptoCharge {
        let attempt: AttemptID = request.idempotencyKey
        let found: CryptoCharge? = try await pool.transaction { db in try CryptoChargeStore.find(attempt, in: db) }
        guard let found else { throw MissingInfrastructure("no charge") }
        return found
    }

    func instructions(_ request: ChargeRequest) async throws -> [InstructionRecord] {
        let payment: PaymentID = request.paymentID
        return try await pool.transaction { db in
            try InstructionStore.list(status: nil, payment: payment, after: nil, limit: 50, in: db)
        }
    }

    /// A person says where it goes.
    func direct(_ id: RefundID, to address: String) async throws {
        let accepted = AcceptedAssets(assets)
        let bob = Principal(id: "key_bob", scopes: .none)
        _ = try await pool.transaction { db in try SignOff.direct(id, to: address, by: bob, accepted, in: db) }
    }

    /// A person has sent it.
    func sign(_ id: RefundID, _ transaction: String) async throws {
        let (accepted, now): (AcceptedAssets, Instant) = (AcceptedAssets(assets), clock.now)
        try await pool.transaction { db in
            guard let directed: InstructionRecord = try InstructionStore.find(id, in: db) else { return }
            let asset: CryptoAsset = try accepted.named(directed.provider).asset
            let fingerprint: String = try directed.instruction(asset)?.fingerprint ?? ""
            let input = InstructionSentInput(transactionID: transaction, fingerprint: fingerprint)
            let ada = Principal(id: "key_ada", scopes: .none)
            _ = try SignOff.send(id, input, by: ada, at: now, accepted, in: db)
        }
    }
}

/// Lends a migrated schema, and a connector on it.
func withCryptoPeer(
    _ assets: [AcceptedAsset], _ addresses: AddressSource, _ scanner: any ChainScanner,
    _ body: (CryptoPeer) async throws -> Void
) async throws {
    try await withMigratedDatabase(service: "Payment") { lent in
        try await body(CryptoPeer(pool: lent.pool, assets: assets, addresses: addresses, scanner: scanner))
    }
}
