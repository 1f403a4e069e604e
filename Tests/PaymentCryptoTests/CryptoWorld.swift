import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import Synchronization
import TestKit
import Testing

/// What the charge flow has heard; it may be deaf.
final class Flow: Sendable {
    struct Deaf: Error {}

    private let state = Mutex((news: [ProviderNews](), deaf: false))

    var heard: [ProviderNews] { state.withLock { $0.news } }
    func deafen(_ deaf: Bool) { state.withLock { $0.deaf = deaf } }

    @Sendable func hear(_ news: ProviderNews) async throws {
        try state.withLock { state in
            if state.deaf { throw Deaf() }
            state.news.append(news)
        }
    }
}

/// Bitcoin payments on a database and a chain of their own. A coin costs 50,000, so 100.00 is 200,000 satoshi, which
/// need two confirmations; from a million on it is three.
struct CryptoWorld: Sendable {
    static let start = Instant(seconds: 1_800_000_000)
    static let price = Money(minor: 100_00, currency: .usd)
    static let due: UInt128 = 200_000
    /// BIP-84's published account.
    static let account =
        "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"

    let database: PostgresPool
    let clock: ManualClock
    let chain: FakeChain
    let flow = Flow()
    let terms: CryptoTerms
    let asset: AcceptedAsset
    let accepted: AcceptedAssets

    init(_ database: PostgresPool, late: WatchPolicy.LateRule) throws {
        self.database = database
        let clock = ManualClock(Self.start)
        self.clock = clock
        chain = FakeChain(clock)
        var terms = CryptoTerms()
        terms.spreadBasisPoints = 0
        terms.poll = .zero
        self.terms = terms
        let policy = try WatchPolicy(
            tiers: [.init(upTo: BaseUnits(999_999), confirmations: 2), .init(upTo: nil, confirmations: 3)],
            toleranceBasisPoints: 100, leastRefund: BaseUnits(1_000), late: late)
        asset = AcceptedAsset(
            name: "bitcoin", asset: .bitcoin(.regtest), policy: policy, fixedRates: [.usd: ExactDecimal(50_000)],
            refundFee: BaseUnits(500))
        accepted = AcceptedAssets([asset])
    }

    /// A provider as each instance of the service has one.
    func provider(asset: AcceptedAsset? = nil) throws -> CryptoProvider {
        CryptoProvider(
            asset ?? self.asset, addresses: try AddressSource(extendedKey: Self.account, network: .regtest),
            pool: database, clock: clock, terms: terms)
    }

    /// A watcher as each instance of the service has one.
    func watcher(of assets: [AcceptedAsset]? = nil) -> ChainWatcher {
        ChainWatcher(
            chain: "bitcoin:regtest", scanner: chain, assets: assets ?? [asset], pool: database, clock: clock,
            realTime: chain, terms: terms,
            logger: Logger(label: "test.crypto") { _ in SwiftLogNoOpLogHandler() })
    }

    func request(_ amount: Money = price, method: String = "bitcoin", capture: Bool = true) -> ChargeRequest {
        ChargeRequest(
            idempotencyKey: .new(at: clock.now), paymentID: .new(at: clock.now),
            source: .redirect(method: method, returnURL: "https://shop.test/back"), amount: amount, capture: capture)
    }

    /// Looks until the chain is caught up, and tells the news.
    func look() async throws {
        while try await watcher().look() == .behind {}
        try await watcher().tellNews(flow.hear)
    }

    /// An attempt that has its address.
    func opened(_ amount: Money = price) async throws -> (request: ChargeRequest, address: String) {
        try await look()
        let request: ChargeRequest = request(amount)
        let answer: ChargeAnswer = try await provider().charge(request)
        guard case .actionRequired(let address, .transfer) = answer else { throw Unexpected(answer) }
        return (request, address)
    }

    struct Unexpected: Error {
        let answer: ChargeAnswer
        init(_ answer: ChargeAnswer) { self.answer = answer }
    }

    func answer(_ request: ChargeRequest) async throws -> ChargeAnswer { try await provider().outcome(of: request) }

    /// What is asked for still; `nil` once the attempt is answered.
    func missing(_ request: ChargeRequest) async throws -> String? {
        guard case .actionRequired(_, .transfer(let transfer)) = try await answer(request) else { return nil }
        return transfer.amount
    }

    func charge(_ request: ChargeRequest) async throws -> CryptoCharge {
        let attempt: AttemptID = request.idempotencyKey
        let found: CryptoCharge? = try await database.transaction { db in try CryptoChargeStore.find(attempt, in: db) }
        return try #require(found)
    }

    func instructions(_ request: ChargeRequest) async throws -> [InstructionRecord] {
        let payment: PaymentID = request.paymentID
        return try await database.transaction { db in
            try InstructionStore.list(status: nil, payment: payment, after: nil, limit: 50, in: db)
        }
    }

    /// `reason amount status` of what goes back, the oldest first.
    func goingBack(_ request: ChargeRequest) async throws -> [String] {
        try await instructions(request).reversed().map { "\($0.reason.rawValue) \($0.amount) \($0.status.rawValue)" }
    }

    /// What the ledger says is owed to payers, and what was kept, in minor units.
    func books() async throws -> [Int] {
        try await database.transaction { db in
            try ["liabilities:payer_funds:bitcoin", "income:accepted_surplus"].map { account in
                try db.first("SELECT coalesce(-sum(amount), 0)::bigint FROM journal_lines WHERE account = \(account)") {
                    row in try row.next()
                } ?? 0
            }
        }
    }

    func execute(_ sql: SQL) async throws { try await database.transaction { db in _ = try db.execute(sql) } }

    func texts(_ sql: SQL) async throws -> [String] {
        try await database.transaction { db in try db.query(sql) { row in try row.next() } }
    }

    func number(_ sql: SQL) async throws -> Int {
        try await database.transaction { db in try db.first(sql) { row in try row.next() } ?? -1 }
    }

    func violations() async throws -> [String] {
        try await database.transaction { db in try CryptoWork.violations(in: db) }
    }

    /// What the test clock, set to the world's time, sees under way.
    func inFlight() async throws -> Int64 {
        let now: Instant = clock.now
        return try await database.transaction { db in
            try setTestClock(to: now, in: db)
            return try CryptoWork.inFlight(db)
        }
    }
}

/// Lends a migrated schema and the parts of crypto on it.
func withCrypto(
    connections: Int = 4, late: WatchPolicy.LateRule = .refund, _ body: (CryptoWorld) async throws -> Void
) async throws {
    try await withMigratedDatabase(service: "Payment", connections: connections) { lent in
        try await body(CryptoWorld(lent.pool, late: late))
    }
}
