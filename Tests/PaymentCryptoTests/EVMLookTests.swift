import BillingCore
import JSON
import Logging
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

/// Payments in ether on a database and a node of their own. A coin costs 2,000, so 100.00 are 0.05; two confirmations are
/// needed.
private struct EtherWorld: Sendable {
    /// In wei.
    static let price = BaseUnits(50_000_000_000_000_000)
    /// BIP-84's published account.
    private static let account =
        "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"

    let pool: PostgresPool
    let clock: ManualClock
    let node: FakeEVM
    private let asset: AcceptedAsset
    private let balanceLimit: Int

    init(_ pool: PostgresPool, balanceLimit: Int) throws {
        self.pool = pool
        self.balanceLimit = balanceLimit
        clock = ManualClock(CryptoWorld.start)
        node = FakeEVM(clock)
        let policy = try WatchPolicy(
            tiers: [.init(upTo: nil, confirmations: 2)], toleranceBasisPoints: 100, leastRefund: BaseUnits(1_000),
            late: .refund)
        asset = AcceptedAsset(
            name: "ethereum", asset: .ether(chainID: 7), policy: policy, fixedRates: [.usd: ExactDecimal(2_000)])
    }

    private var terms: CryptoTerms {
        var terms = CryptoTerms()
        terms.spreadBasisPoints = 0
        terms.poll = .zero
        return terms
    }

    func provider() throws -> CryptoProvider {
        CryptoProvider(
            asset, addresses: try AddressSource(extendedKey: Self.account, network: nil), pool: pool, clock: clock,
            terms: terms)
    }

    /// Looks until the chain is caught up.
    func look() async throws {
        let scanner = EVMScanner(
            transport: node, chainID: 7, assets: ["ethereum": asset.asset], balanceLimit: balanceLimit)
        let watcher = ChainWatcher(
            chain: "evm:7", scanner: scanner, assets: [asset], pool: pool, clock: clock, realTime: clock, terms: terms,
            logger: Logger(label: "test.crypto") { _ in SwiftLogNoOpLogHandler() })
        while try await watcher.look() == .behind {}
    }

    /// An attempt that has its address.
    func opened() async throws -> (request: ChargeRequest, address: String) {
        try await look()
        let request = ChargeRequest(
            idempotencyKey: .new(at: clock.now), paymentID: .new(at: clock.now),
            source: .redirect(method: "ethereum", returnURL: "https://shop.test/back"), amount: CryptoWorld.price)
        let answer: ChargeAnswer = try await provider().charge(request)
        guard case .actionRequired(let address, .transfer) = answer else { throw CryptoWorld.Unexpected(answer) }
        return (request, address)
    }

    func charge(_ request: ChargeRequest) async throws -> CryptoCharge {
        let attempt: AttemptID = request.idempotencyKey
        let found: CryptoCharge? = try await pool.transaction { db in try CryptoChargeStore.find(attempt, in: db) }
        return try #require(found)
    }

    /// How many attempts have found nobody to pay them.
    func expired() async throws -> Int {
        try await pool.transaction { db in
            try db.first("SELECT count(*) FROM crypto_charges WHERE answer = 'quote_expired'") { row in try row.next() }
                ?? 0
        }
    }

    /// How many addresses are not looked at any more.
    func closed() async throws -> Int {
        try await pool.transaction { db in
            try db.first("SELECT count(*) FROM crypto_charges WHERE closed_at IS NOT NULL") { row in try row.next() }
                ?? 0
        }
    }

    /// Somebody has found the transaction that brought what is unexplained.
    func count(_ request: ChargeRequest) async throws {
        let (accepted, attempt, now): (AcceptedAssets, AttemptID, Instant) = (
            AcceptedAssets([asset]), request.idempotencyKey, clock.now
        )
        let input = UnexplainedInput(
            transactionID: "0x" + String(repeating: "ef", count: 32), amount: nil, reason: "an exchange's hot wallet")
        try await pool.transaction { db in
            _ = try Unexplained.count(attempt, input, by: "key_bob", at: now, accepted, in: db)
        }
    }
}

private func withEther(balanceLimit: Int = 200, _ body: (EtherWorld) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Payment") { lent in
        try await body(EtherWorld(lent.pool, balanceLimit: balanceLimit))
    }
}

@Suite("What looks at an EVM node conclude") struct EVMLookTests {
    @Test("a balance that a look has no room for declines nothing before it was asked for, and what it has was in time")
    func inTurn() async throws {
        try await withEther(balanceLimit: 1) { world in
            _ = try await world.opened()
            world.clock.advance(by: .seconds(1))
            _ = try await world.opened()
            world.clock.advance(by: .seconds(1))
            let (paid, address) = try await world.opened()
            world.node.give(address, EtherWorld.price)
            world.clock.advance(by: .seconds(86_400))
            world.node.mine()
            for (expired, isAllRead) in [(1, false), (2, false), (2, true)] {
                try await world.look()
                #expect(try await world.expired() == expired)
                let charge: CryptoCharge = try await world.charge(paid)
                #expect(charge.answer == nil && charge.isAllRead == isAllRead)
                let released: ReleaseAnswer = try await world.provider().release(
                    ReleaseRequest(idempotencyKey: paid.idempotencyKey, reference: address))
                #expect(released == .refused(code: "payment_unclear"))
            }
            #expect(try await world.charge(paid).unexplained == EtherWorld.price)
            let asked: Int = world.node.asked
            try await world.look()
            #expect(world.node.asked == asked, "the last block has nothing new to tell")
            // Looks were made since the quote's end: none of them had asked for this balance.
            try await world.count(paid)
            world.node.mine()
            try await world.look()
            let charge: CryptoCharge = try await world.charge(paid)
            #expect(charge.answer == .captured && charge.standing.late == .zero && charge.unexplained == .zero)
        }
    }

    @Test("an address is looked at for the last time with its balance, though there is no room for all of them at once")
    func lastLook() async throws {
        try await withEther(balanceLimit: 1) { world in
            for _ in 0..<2 {
                _ = try await world.opened()
                world.clock.advance(by: .seconds(1))
            }
            world.clock.advance(by: .seconds(86_400))
            world.node.mine()
            for _ in 0..<2 { try await world.look() }
            #expect(try await world.expired() == 2)
            world.clock.advance(by: .seconds(366 * 86_400))
            world.node.mine()
            for closed in 1...2 {
                try await world.look()
                #expect(try await world.closed() == closed)
            }
        }
    }

    @Test("after a look that only caught up balances are asked for by the next, though it finds no new block")
    func caughtUp() async throws {
        try await withEther { world in
            let (request, address) = try await world.opened()
            world.node.give(address, EtherWorld.price)
            world.clock.advance(by: .seconds(86_400))
            world.node.mine(100)
            try await world.look()
            #expect(try await world.charge(request).answer == nil)
            #expect(try await world.charge(request).unexplained == EtherWorld.price)
        }
    }

    @Test("of 401 addresses at once each has its balance asked for within three looks, one whose quote is over at once")
    func many() async throws {
        let node = FakeEVM(ManualClock(CryptoWorld.start))
        let scanner = EVMScanner(transport: node, chainID: 7, assets: ["ethereum": .ether(chainID: 7)])
        let step: TrailAdvance = try await scanner.reader.catchUp(ChainTrail(depth: 40))
        let tip: BlockRef = try #require(step.trail.tip)
        let attempts: [AttemptID] = (0..<401).map { AttemptID.new(at: CryptoWorld.start + .seconds(Int64($0))) }
        var told: Set<AttemptID> = []
        for room in [200, 200, 1] {
            let watched: [WatchedAddress] = attempts.enumerated().map { place, attempt in
                let digits = String(place + 1, radix: 16)
                return WatchedAddress(
                    attemptID: attempt, provider: "ethereum",
                    address: "0x" + String(repeating: "0", count: 40 - digits.utf8.count) + digits, isOpen: true,
                    since: CryptoWorld.start + .seconds(Int64(place)), isOver: place == 400,
                    balanceBlock: told.contains(attempt) ? tip.hash : nil)
            }
            let seen: [AttemptID: Sighting] = try await scanner.sightings(of: watched, after: step, isWhole: true)
            let asked: Set<AttemptID> = Set(seen.filter { $0.value.question == .asked }.map(\.key))
            #expect(asked.count == room && asked.isDisjoint(with: told))
            told.formUnion(asked)
            #expect(told.contains(attempts[400]))
            #expect(Set(seen.filter { $0.value.question == .postponed }.map(\.key)) == Set(attempts).subtracting(told))
        }
        #expect(told.count == 401)
    }

    @Test(
        "what waited counts on where the node tells no next block any more, until the chain is its confirmations further",
        arguments: [false, true])
    func untold(isBehind: Bool) async throws {
        try await withEther { world in
            let (request, address) = try await world.opened()
            let sent: JSONValue = [
                "hash": .string("0x" + String(repeating: "5a", count: 32)), "to": .string(address),
                "value": .string("0x" + String(EtherWorld.price.low, radix: 16)), "input": "0x",
            ]
            func silence() { world.node.wait(isBehind ? [] : nil, ahead: isBehind ? 0 : 1) }
            func blocks(_ count: Int) async throws {
                for _ in 0..<count {
                    world.node.mine()
                    try await world.look()
                }
            }
            world.node.wait([sent])
            try await world.look()
            #expect(try await world.charge(request).standing.pending == EtherWorld.price)
            world.clock.advance(by: .seconds(86_400))
            // The first of them finds that nothing is told any more; telling it again begins anew.
            for _ in 0..<2 {
                silence()
                try await blocks(2)
                #expect(try await world.charge(request).answer == nil)
                #expect(try await world.charge(request).standing.pending == EtherWorld.price)
                world.node.wait([sent])
                try await world.look()
            }
            silence()
            try await blocks(3)
            #expect(try await world.charge(request).answer == .declined("quote_expired"))
            #expect(try await world.charge(request).standing.pending == .zero)
        }
    }
}
