import BillingCore
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

@Suite("Crypto in disorder") struct DisorderTests {
    /// What may happen next.
    private enum Step: CaseIterable {
        case open, pay, mine, reorganise, drop, look, race, crash, fault, later, release, deaf
    }

    @Test(
        "whatever happens in whatever order, what is booked is what is on the chain, and every attempt is answered once"
    )
    func seeded() async throws {
        try await withCrypto(connections: 6) { world in
            var random = Seeded()
            var opened: [(request: ChargeRequest, address: String)] = []
            for _ in 0..<400 {
                let step: Step = Step.allCases.randomElement(using: &random) ?? .look
                try await take(step, world, &opened, &random)
            }
            try await rest(world)
            try await check(world, opened)
        }
    }

    private func take(
        _ step: Step, _ world: CryptoWorld, _ opened: inout [(request: ChargeRequest, address: String)],
        _ random: inout Seeded
    ) async throws {
        switch step {
        case .open: opened.append(try await world.opened())
        case .pay:
            guard let (_, address) = opened.randomElement(using: &random) else { return }
            let amounts: [UInt128] = [CryptoWorld.due, CryptoWorld.due, 198_500, 120_000, 80_000, 260_000, 900]
            world.chain.pay(address, amounts.randomElement(using: &random) ?? CryptoWorld.due)
        case .mine: world.chain.mine(Int.random(in: 1...3, using: &random))
        // Not deeper than what is confirmed: what is booked stays true.
        case .reorganise: world.chain.reorganise(depth: 1)
        case .drop: world.chain.reorganise(depth: 1, dropping: true)
        case .look: try await world.look()
        case .race:
            try await withThrowingTaskGroup { group in
                for _ in 0..<3 { group.addTask { _ = try await world.watcher().look() } }
                try await group.waitForAll()
            }
        case .crash:
            // Dies with the look claimed; the lease runs out.
            _ = try await world.database.transaction { db in try ChainStore.claim("bitcoin:regtest", depth: 400, in: db)
            }
            try await world.execute("UPDATE crypto_chains SET due_at = now()")
        case .fault:
            world.chain.breaks(.timedOut)
            await #expect(throws: ChainFault.timedOut) { try await world.watcher().look() }
            world.chain.breaks(nil)
        case .later: world.clock.advance(by: .seconds(Int64.random(in: 1...300, using: &random)))
        case .release:
            guard Int.random(in: 0..<4, using: &random) == 0,
                let (request, address) = opened.randomElement(using: &random)
            else { return }
            _ = try await world.provider().release(
                ReleaseRequest(idempotencyKey: request.idempotencyKey, reference: address))
        case .deaf:
            world.flow.deafen(true)
            try await world.look()
            world.flow.deafen(false)
        }
    }

    /// All that waits is confirmed and all quotes are over.
    private func rest(_ world: CryptoWorld) async throws {
        world.chain.mine(4)
        try await world.look()
        world.clock.advance(by: .seconds(2_000))
        try await world.look()
        try await world.look()
    }

    private func check(
        _ world: CryptoWorld, _ opened: [(request: ChargeRequest, address: String)]
    ) async throws {
        for (request, address) in opened {
            let charge: CryptoCharge = try await world.charge(request)
            #expect(charge.standing.received == world.chain.settled(address, confirmations: 2))
            #expect(charge.answer != nil)
            #expect(world.flow.heard.contains(.charge(request.idempotencyKey)))
            let back: BaseUnits = try BaseUnits.sum(
                try await world.instructions(request).filter { $0.status == .open }.map(\.amount))
            #expect(back == charge.standing.refundable)
            if charge.answer == .captured {
                #expect(try charge.standing.applied >= BaseUnits(CryptoWorld.due).share(basisPoints: 9_900))
            } else {
                #expect(charge.standing.applied == .zero)
            }
        }
        let told: Set<ProviderNewsKey> = Set(world.flow.heard.map(ProviderNewsKey.init))
        #expect(told.count == opened.count)
        #expect(try await world.inFlight() == 0)
        // Nobody books here.
        #expect(try await world.violations().filter { !$0.contains("are not booked") } == [])
    }
}

/// Which attempt news is about.
private struct ProviderNewsKey: Hashable {
    let attempt: AttemptID?

    init(_ news: ProviderNews) {
        if case .charge(let attempt, _) = news { self.attempt = attempt } else { attempt = nil }
    }
}
