import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

extension CryptoWorld {
    /// A watcher that keeps 40 blocks: a reorganisation of 20 undoes what was final.
    fileprivate func shortWatcher() -> ChainWatcher {
        ChainWatcher(
            chain: "bitcoin:regtest", scanner: chain, assets: [asset], pool: database, clock: clock, realTime: chain,
            terms: terms, depth: 40, logger: Logger(label: "test.crypto") { _ in SwiftLogNoOpLogHandler() })
    }

    fileprivate func shortLook() async throws { while try await shortWatcher().look() == .behind {} }

    fileprivate func standing() async throws -> ChainStanding {
        let found: ChainStanding? = try await database.transaction { db in
            try ChainStops.find("bitcoin:regtest", in: db)
        }
        return try #require(found)
    }

    fileprivate func restart(_ height: Int64, of chain: String = "bitcoin:regtest") async throws {
        let now: Instant = clock.now
        try await database.transaction { db in
            _ = try ChainRoutes.restart(
                chain, ChainRestartInput(height: height, reason: "the pool forked"), by: "key_bob", at: now, in: db)
        }
    }

    fileprivate func refusal(_ height: Int64, of chain: String = "bitcoin:regtest") async throws -> String? {
        do { try await restart(height, of: chain) } catch let problem as Problem {
            return problem.errors.first?.code ?? problem.code
        }
        return nil
    }
}

/// The code of the problem that some work ends in; `nil` when it does not.
private func code(_ work: () async throws -> Void) async throws -> String? {
    do { try await work() } catch let problem as Problem { return problem.errors.first?.code ?? problem.code }
    return nil
}

@Suite("A chain that stands still") struct ChainStopTests {
    @Test("a reorganisation below what was final stops the watcher, until a person has it begin again from a height")
    func stopped() async throws {
        try await withCrypto { world in
            try await world.shortLook()
            let (early, address) = try await world.opened()
            let (undone, other) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.shortLook()
            #expect(try await world.refusal(1_000) == "chain_followed")
            world.chain.mine(10)
            world.chain.pay(other, CryptoWorld.due)
            world.chain.mine(20)
            try await world.shortLook()
            #expect(try await world.charge(undone).answer == .captured)
            let tip: Int64 = try #require(try await world.standing().tipHeight)
            world.chain.reorganise(depth: 25, dropping: true)
            world.chain.pay(other, CryptoWorld.due)
            world.chain.mine(3)
            for _ in 0..<2 {
                await #expect(throws: ChainFault.reorganisedTooDeep) { try await world.shortLook() }
                #expect(try await world.standing().stopReason == "a reorganisation undoes blocks that were final")
            }
            let since: Instant? = try await world.standing().stoppedAt
            #expect(since != nil)
            // Above the fork: the node has other blocks there.
            try await world.restart(tip - 3)
            await #expect(throws: (any Error).self) { try await world.shortLook() }
            #expect(try await world.standing().stopReason?.hasSuffix("begin at a lower height") == true)
            #expect(try await world.standing().stoppedAt == since)
            for (height, chain, code) in [
                (tip + 1, "bitcoin:regtest", "out_of_range"), (tip, "bitcoin:nowhere", "not_found"),
            ] {
                #expect(try await world.refusal(height, of: chain) == code)
            }
            try await world.restart(tip - 27)
            try await world.shortLook()
            let standing: ChainStanding = try await world.standing()
            #expect(standing.stoppedAt == nil && standing.restartHeight == nil)
            #expect(standing.tipHeight == tip + 4)
            #expect(try await world.charge(early).standing.received == BaseUnits(CryptoWorld.due))
            #expect(try await world.charge(undone).standing.received == BaseUnits(CryptoWorld.due))
            #expect(try await world.charge(undone).standing.refundable == .zero)
            #expect(try await world.books() == [0, 0])
            #expect(try await world.violations().filter { !$0.contains("are not booked") } == [])
            let audit: Int = try await world.number(
                "SELECT count(*) FROM crypto_chain_restarts WHERE actor = 'key_bob' AND reason = 'the pool forked'")
            #expect(audit == 2)
        }
    }

    @Test("what was paid in undone blocks and never again is gone after the restart, and the check says so")
    func gone() async throws {
        try await withCrypto { world in
            try await world.shortLook()
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(30)
            try await world.shortLook()
            let tip: Int64 = try #require(try await world.standing().tipHeight)
            world.chain.reorganise(depth: 33, dropping: true)
            await #expect(throws: ChainFault.reorganisedTooDeep) { try await world.shortLook() }
            try await world.restart(tip - 38)
            try await world.shortLook()
            #expect(try await world.charge(request).answer == .captured)
            #expect(try await world.charge(request).standing.received == .zero)
            #expect(try await world.violations().contains { $0.contains("left the chain after they were booked") })
        }
    }

    @Test("nothing is decided on held money while its chain stands still; afterwards it goes by what is there")
    func held() async throws {
        try await withCrypto(late: .hold) { world in
            try await world.shortLook()
            let (request, address) = try await world.opened()
            world.clock.advance(by: .seconds(2_000))
            try await world.shortLook()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(30)
            try await world.shortLook()
            try await world.declined(request)
            #expect(try await world.held().map(\.free) == [BaseUnits(CryptoWorld.due)])
            let tip: Int64 = try #require(try await world.standing().tipHeight)
            world.chain.reorganise(depth: 33, dropping: true)
            await #expect(throws: ChainFault.reorganisedTooDeep) { try await world.shortLook() }
            #expect(try await code { try await world.complete(request) } == "chain_stopped")
            #expect(try await code { try await world.sendBack(request) } == "chain_stopped")
            #expect(try await code { try await world.keep(request) } == "chain_stopped")
            #expect(try await world.charge(request).answer == .declined("quote_expired"))
            #expect(try await world.goingBack(request) == [])
            try await world.restart(tip - 38)
            try await world.shortLook()
            #expect(try await code { try await world.complete(request) } == "not_found")
            #expect(try await code { try await world.sendBack(request) } == "not_found")
            #expect(try await world.books() == [0, 0])
        }
    }

    @Test("a node that comes back to the chain that was followed needs nobody")
    func byItself() async throws {
        try await withCrypto { world in
            try await world.shortLook()
            world.chain.mine(30)
            try await world.shortLook()
            world.chain.fork()
            world.chain.reorganise(depth: 25, dropping: true)
            await #expect(throws: ChainFault.reorganisedTooDeep) { try await world.shortLook() }
            world.chain.rejoin()
            world.chain.mine()
            try await world.shortLook()
            #expect(try await world.standing().stoppedAt == nil)
        }
    }
}

@Suite("Money that no transfer explains") struct UnexplainedTests {
    private static let transaction = String(repeating: "ef", count: 32)

    /// What is left by the answer.
    private func left(
        _ world: CryptoWorld, _ request: ChargeRequest, _ amount: UInt128? = nil, _ hash: String = transaction
    ) async throws -> Unexplained {
        let (accepted, now, attempt): (AcceptedAssets, Instant, AttemptID) = (
            world.accepted, world.clock.now, request.idempotencyKey
        )
        return try await world.database.transaction { db in
            try Unexplained.count(
                attempt,
                UnexplainedInput(
                    transactionID: hash, amount: amount.map { BaseUnits($0) }, reason: "seen at an explorer"),
                by: "key_bob", at: now, accepted, in: db)
        }
    }

    private func count(
        _ world: CryptoWorld, _ request: ChargeRequest, _ amount: UInt128? = nil, _ hash: String = transaction
    ) async throws -> String? {
        do { _ = try await left(world, request, amount, hash) } catch let problem as Problem {
            return problem.errors.first?.code ?? problem.code
        }
        return nil
    }

    private func listed(_ world: CryptoWorld) async throws -> [Unexplained] {
        try await world.database.transaction { db in try Unexplained.list(after: nil, limit: 10, in: db) }
    }

    @Test("it is listed, keeps the attempt open, and is judged like a transfer once a person has counted it")
    func counted() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            #expect(try await count(world, request) == "not_found")
            world.chain.pay(address, 50_000)
            world.chain.smuggle(address, 150_000)
            world.chain.mine(2)
            try await world.look()
            let found: [Unexplained] = try await listed(world)
            #expect(found.map(\.attemptID) == [request.idempotencyKey])
            #expect(found.map(\.amount) == [BaseUnits(150_000)])
            world.clock.advance(by: .seconds(86_400))
            try await world.look()
            #expect(try await world.charge(request).answer == nil, "it is not declined while somebody looks")
            #expect(try await count(world, request, nil, "nothing") == "invalid_hash")
            #expect(try await count(world, request, 150_001) == "out_of_range")
            let part: Unexplained = try await left(world, request, 100_000)
            let rest: [Unexplained] = try await listed(world)
            #expect(part.amount == BaseUnits(50_000))
            #expect(rest.map(\.amount) == [part.amount] && rest.map(\.block) == [part.block])
            #expect(try await count(world, request) == "transaction_counted")
            let nothing: Unexplained = try await left(world, request, nil, String(repeating: "12", count: 32))
            #expect(nothing.amount == .zero && nothing.attemptID == request.idempotencyKey)
            world.chain.mine()
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
            #expect(try await world.charge(request).unexplained == .zero)
            #expect(try await count(world, request) == "not_found")
            #expect(try await world.number("SELECT count(*) FROM crypto_counted WHERE actor = 'key_bob'") == 2)
            #expect(try await world.violations().filter { !$0.contains("are not booked") } == [])
        }
    }

    @Test("what came in time is in time, whatever comes to the address later") func inTime() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.smuggle(address, 200_000)
            world.chain.mine(1)
            // Nobody looks before the quote is over.
            world.clock.advance(by: .seconds(1_000))
            try await world.look()
            world.chain.smuggle(address, 5_000)
            world.chain.mine(1)
            try await world.look()
            #expect(try await world.charge(request).unexplained == BaseUnits(205_000))
            #expect(try await count(world, request, 200_000) == nil)
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
            #expect(try await world.charge(request).standing.late == .zero)
            let late: String = String(repeating: "12", count: 32)
            #expect(try await count(world, request, nil, late) == nil)
            world.chain.mine(1)
            try await world.look()
            #expect(try await world.charge(request).standing.late == BaseUnits(5_000))
            #expect(try await world.charge(request).unexplained == .zero)
        }
    }

    @Test("counted, and then in another block: it is counted again, and has come when it came first")
    func replaced() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.smuggle(address, 200_000)
            world.chain.mine(1)
            try await world.look()
            #expect(try await count(world, request) == nil)
            // The block that takes its place holds the transaction, too.
            world.chain.reorganise(depth: 1)
            world.clock.advance(by: .seconds(86_400))
            try await world.look()
            #expect(try await world.charge(request).unexplained == BaseUnits(200_000))
            #expect(try await world.charge(request).answer == nil)
            #expect(try await count(world, request) == nil)
            world.chain.mine()
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
            let charge: CryptoCharge = try await world.charge(request)
            #expect(charge.standing.late == .zero && charge.unexplained == .zero)
            #expect(charge.standing.received == BaseUnits(200_000))
        }
    }

    @Test("it leaves with its block")
    func reorganised() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.smuggle(address, 200_000)
            world.chain.mine(1)
            try await world.look()
            #expect(try await world.charge(request).unexplained == BaseUnits(200_000))
            world.chain.smuggle(address, -200_000)
            world.chain.reorganise(depth: 1)
            #expect(try await count(world, request) == nil)
            try await world.look()
            #expect(try await world.charge(request).standing.received == .zero)
            #expect(try await world.charge(request).unexplained == .zero)
            world.clock.advance(by: .seconds(86_400))
            try await world.look()
            #expect(try await world.charge(request).answer == nil, "another block may take it up")
            world.chain.mine()
            try await world.look()
            #expect(
                try await world.answer(request)
                    == .declined(ProviderDecline(code: "quote_expired", reference: address)))
        }
    }
}
