import BillingCore
import HTTPKit
import Logging
import PaymentChains
import PaymentContract
import PaymentCrypto
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

extension CryptoWorld {
    fileprivate func standing() async throws -> ChainStanding {
        let found: ChainStanding? = try await database.transaction { db in
            try ChainStops.find("bitcoin:regtest", in: db)
        }
        return try #require(found)
    }

    fileprivate func release(_ request: ChargeRequest, _ address: String) async throws -> ReleaseAnswer {
        try await provider().release(ReleaseRequest(idempotencyKey: request.idempotencyKey, reference: address))
    }

    /// Looks with a watcher that keeps 40 blocks.
    fileprivate func shortLook() async throws {
        let watcher = ChainWatcher(
            chain: "bitcoin:regtest", scanner: chain, assets: [asset], pool: database, clock: clock, realTime: chain,
            terms: terms, depth: 40, logger: Logger(label: "test.crypto") { _ in SwiftLogNoOpLogHandler() })
        while try await watcher.look() == .behind {}
    }
}

@Suite("What is out of sight is not gone") struct OutOfSightTests {
    private static func captured(_ address: String) -> ChargeAnswer { .captured(ProviderCharge(reference: address)) }

    private static func expired(_ address: String) -> ChargeAnswer {
        .declined(ProviderDecline(code: "quote_expired", reference: address))
    }

    @Test("a node that is behind what was seen of the chain undoes no payment, and nothing is withdrawn")
    func behind() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let (over, other) = try await world.opened()
            world.chain.pay(other, 250_000)
            world.chain.mine()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine()
            try await world.look()
            #expect(try await world.goingBack(over) == ["overpaid 50000 open"])
            world.clock.advance(by: .seconds(86_400))
            let looked: Instant? = try await world.standing().lookedAt
            world.chain.lags(2)
            #expect(try await world.watcher().look() == .done)
            #expect(try await world.charge(request).answer == nil)
            #expect(try await world.goingBack(over) == ["overpaid 50000 open"])
            #expect(try await world.standing().lookedAt == looked, "it does not count as seen")
            world.chain.lags(0)
            world.chain.mine()
            try await world.look()
            #expect(try await world.answer(request) == Self.captured(address))
            #expect(try await world.goingBack(over) == ["overpaid 50000 open"])
        }
    }

    @Test("a node that has stopped following its network declines nothing that may have been paid in time")
    func standingStill() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.shows {
                $0.ageing = true
                $0.pool = false
            }
            world.clock.advance(by: .seconds(60))
            world.chain.pay(address, CryptoWorld.due)
            world.chain.lags(2)
            world.chain.mine(2)
            world.clock.advance(by: .seconds(86_400))
            #expect(try await world.watcher().look() == .done)
            #expect(try await world.charge(request).answer == nil)
            #expect(
                try await world.provider().release(
                    ReleaseRequest(idempotencyKey: request.idempotencyKey, reference: address))
                    == .refused(code: "payment_unclear"))
            world.chain.lags(0)
            try await world.look()
            #expect(try await world.answer(request) == Self.captured(address))
        }
    }

    @Test("nobody paid: declined once there is a block that was made after the quote's end") func blockAfter()
        async throws
    {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.shows { $0.ageing = true }
            world.clock.advance(by: .seconds(86_400))
            try await world.look()
            #expect(try await world.charge(request).answer == nil)
            world.chain.mine()
            try await world.look()
            #expect(try await world.answer(request) == Self.expired(address))
        }
    }

    @Test("an instance without an asset does not move the chain past its payments") func unknownAsset() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            let before: Int = try await world.number("SELECT version::int FROM crypto_chains")
            let other = AcceptedAsset(name: "other", asset: world.asset.asset, policy: world.asset.policy)
            await #expect(throws: UnknownAssets(names: ["bitcoin"])) { try await world.watcher(of: [other]).look() }
            #expect(try await world.number("SELECT version::int FROM crypto_chains") == before)
            #expect(try await world.watcher(of: [other, world.asset]).look() == .done)
            #expect(try await world.answer(request) == Self.captured(address))
        }
    }

    @Test("a payment whose block has left is waited for where nobody tells that it waits; one that stays away is gone")
    func departed() async throws {
        try await withCrypto { world in
            world.chain.shows { $0.pool = false }
            let (request, address) = try await world.opened()
            let (lost, other) = try await world.opened()
            world.chain.pay(other, CryptoWorld.due)
            world.chain.mine()
            try await world.look()
            world.chain.reorganise(depth: 1, dropping: true)
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine()
            try await world.look()
            world.clock.advance(by: .seconds(86_400))
            world.chain.reorganise(depth: 1)
            try await world.look()
            #expect(try await world.charge(request).answer == nil)
            #expect(try await world.charge(request).standing.pending == BaseUnits(CryptoWorld.due))
            #expect(try await world.answer(lost) == Self.expired(other))
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == Self.captured(address))
        }
    }

    @Test("while a pool is not read to its end nothing is declined, and what is confirmed is captured")
    func partialPool() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let (unpaid, other) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            world.clock.advance(by: .seconds(86_400))
            world.chain.shows { $0.extent = .partial }
            try await world.look()
            #expect(try await world.answer(request) == Self.captured(address))
            #expect(try await world.charge(unpaid).answer == nil)
            world.chain.shows { $0.extent = .whole }
            try await world.look()
            #expect(try await world.answer(unpaid) == Self.expired(other))
        }
    }

    @Test("a payment that waits goes on to count while others hide it, and nothing is declined until all are told")
    func hiddenByOthers() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let (dropped, second) = try await world.opened()
            let (unpaid, third) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            let gone: String = world.chain.pay(second, CryptoWorld.due)
            try await world.look()
            world.chain.replace(gone)
            for _ in 0..<3 { world.chain.pay(address, 1) }
            world.chain.shows {
                $0.extent = .truncated
                $0.told = 2
            }
            try await world.look()
            #expect(try await world.charge(request).standing.pending == BaseUnits(CryptoWorld.due + 2))
            world.clock.advance(by: .seconds(86_400))
            try await world.look()
            for request in [request, dropped] { #expect(try await world.missing(request) == "0") }
            #expect(try await world.charge(unpaid).answer == nil)
            #expect(try await world.faults() == [])
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == Self.captured(address))
            world.chain.shows { $0 = FakeChain.Shows() }
            try await world.look()
            #expect(try await world.answer(dropped) == Self.expired(second))
            #expect(try await world.answer(unpaid) == Self.expired(third))
        }
    }

    @Test("what is known to pay is captured though somebody floods its address; of nothing else is anything concluded")
    func flooded() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let (unpaid, other) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine()
            try await world.look()
            #expect(try await world.charge(request).answer == nil)
            world.chain.shows { $0.extent = .tooMuch }
            world.chain.mine()
            try await world.look()
            #expect(try await world.answer(request) == Self.captured(address))
            world.clock.advance(by: .seconds(86_400))
            try await world.look()
            #expect(try await world.charge(unpaid).answer == nil)
            #expect(try await world.faults() == ["2 crypto addresses with more transactions than are read"])
            world.chain.shows { $0.extent = .whole }
            try await world.look()
            #expect(try await world.answer(unpaid) == Self.expired(other))
            #expect(try await world.faults() == [])
        }
    }

    @Test("a flooded address of a payment that is over is not watched for ever; one that is only unread just now is")
    func closing() async throws {
        try await withCrypto { world in
            let (_, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            world.clock.advance(by: .seconds(86_400 * 60))
            let open: SQL = "SELECT count(*) FROM crypto_charges WHERE closed_at IS NULL"
            world.chain.shows { $0.extent = .unread }
            world.chain.mine(240)
            try await world.look()
            #expect(try await world.number(open) == 1)
            world.chain.shows { $0.extent = .tooMuch }
            try await world.look()
            #expect(try await world.number(open) == 0)
            #expect(try await world.faults() == [])
        }
    }

    @Test("an address that could not be read declines nothing") func unread() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.clock.advance(by: .seconds(86_400))
            world.chain.shows { $0.extent = .unread }
            try await world.look()
            #expect(try await world.charge(request).answer == nil)
            world.chain.shows { $0.extent = .whole }
            try await world.look()
            #expect(try await world.answer(request) == Self.expired(address))
        }
    }

    @Test("a payment in a block that is no more among those kept counts once the node has said that it has the block")
    func longAgo() async throws {
        try await withCrypto { world in
            world.chain.shows { $0.histories = true }
            try await world.shortLook()
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(70)
            world.clock.advance(by: .seconds(86_400))
            try await world.shortLook()
            #expect(try await world.answer(request) == Self.captured(address))
            #expect(try await world.number("SELECT count(*) FROM crypto_transfers WHERE is_final") == 1)
        }
    }

    @Test("an answer that is too long to read stops the chain for everybody to see, until it can be read")
    func tooMuch() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            world.chain.breaks(.tooMuch("answer"))
            await #expect(throws: ChainFault.tooMuch("answer")) { try await world.look() }
            #expect(ChainFault.tooMuch("answer").isAlarming)
            #expect(try await world.standing().stopReason == "the node tells more than is read: answer")
            #expect(
                try await world.provider().charge(world.request())
                    == .declined(ProviderDecline(code: "chain_unavailable")))
            world.chain.breaks(nil)
            try await world.look()
            #expect(try await world.standing().stoppedAt == nil)
            #expect(try await world.answer(request) == Self.captured(address))
        }
    }
}

@Suite("Giving up an attempt") struct ReleaseTests {
    private static let refused = ReleaseAnswer.refused(code: "payment_unclear")

    @Test("not while money is on its way, or something on the address is unexplained") func pending() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let (odd, other) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.smuggle(other, 5_000)
            world.chain.mine()
            try await world.look()
            #expect(try await world.release(request, address) == Self.refused)
            #expect(try await world.release(odd, other) == Self.refused)
            world.chain.mine()
            try await world.look()
            #expect(try await world.release(request, address) == .refused(code: "captured"))
        }
    }

    @Test("not while not all that is on its address was read") func unread() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            for extent: Sighting.Extent in [.partial, .truncated, .unread, .tooMuch] {
                world.chain.shows { $0.extent = extent }
                try await world.look()
                #expect(try await world.release(request, address) == Self.refused)
            }
            world.chain.shows { $0.extent = .whole }
            try await world.look()
            #expect(try await world.release(request, address) == .released)
        }
    }

    @Test("not while the chain is out of sight, stands still, or is caught up with") func blind() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            try await world.execute("UPDATE crypto_chains SET looked_at = now() - interval '301 seconds'")
            #expect(try await world.release(request, address) == Self.refused)
            world.chain.mine(250)
            #expect(try await world.watcher().look() == .behind)
            #expect(try await world.release(request, address) == Self.refused)
            try await world.look()
            try await world.execute("UPDATE crypto_chains SET stopped_at = now(), stop_reason = 'undone'")
            #expect(try await world.release(request, address) == Self.refused)
            try await world.look()
            #expect(try await world.release(request, address) == .released)
        }
    }

    @Test("a payment made in time while nobody looked is made, though its customer's time is over meanwhile")
    func outage() async throws {
        try await withCryptoShop { shop in
            let world: CryptoWorld = shop.world
            let payment: PaymentRecord = try await shop.ordered()
            world.chain.pay(try await shop.charge(payment).address, CryptoWorld.due)
            world.chain.mine(2)
            world.chain.breaks(.unreachable)
            try await world.execute("UPDATE crypto_chains SET looked_at = now() - interval '1 day'")
            world.clock.advance(by: .seconds(90_000))
            try await shop.work.sweep.pass()
            #expect(try await shop.payment(payment.id).status == .requiresAction)
            world.chain.breaks(nil)
            try await shop.lookAndTell()
            #expect(try await shop.payment(payment.id).status == .succeeded)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a payment that is being given up is not declined before its connector has let it go") func canceling()
        async throws
    {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let (attempt, payment): (AttemptID, PaymentID) = (request.idempotencyKey, request.paymentID)
            try await world.execute(
                """
                INSERT INTO payments (id, customer_id, provider, amount, currency, status, off_session, attempt_id,
                    created_at)
                VALUES (\(payment), 'cus_1', 'bitcoin', 10000, 'USD', 'canceling', false, \(attempt), now())
                """)
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine()
            try await world.look()
            #expect(try await world.charge(request).answer == nil)
            #expect(try await world.release(request, address) == Self.refused)
            world.chain.mine()
            try await world.look()
            #expect(try await world.charge(request).answer == .captured)
        }
    }

    @Test("a cancellation goes by the chain, too: what is on its way makes the payment") func canceled() async throws {
        try await withCryptoShop { shop in
            let payment: PaymentRecord = try await shop.ordered()
            shop.world.chain.pay(try await shop.charge(payment).address, CryptoWorld.due)
            shop.world.chain.mine()
            try await shop.lookAndTell()
            #expect(try await shop.cancel(payment))
            let refused: PaymentStatus = try await shop.payment(payment.id).status
            #expect(refused == .processing)
            try await shop.work.sweep.pass()
            let waiting: PaymentStatus = try await shop.payment(payment.id).status
            #expect(waiting == .requiresAction)
            shop.world.chain.mine()
            try await shop.lookAndTell()
            let made: PaymentStatus = try await shop.payment(payment.id).status
            #expect(made == .succeeded)
        }
    }
}
