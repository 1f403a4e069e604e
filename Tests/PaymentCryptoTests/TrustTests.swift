import BillingCore
import Dispatch
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

@Suite("What may go wrong between a chain and its payments") struct TrustTests {
    @Test("a block that leaves the chain takes its payment along, until another block holds it")
    func reorganisation() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine()
            try await world.look()
            #expect(try await world.missing(request) == "0")
            world.chain.reorganise(depth: 1)
            try await world.look()
            #expect(try await world.charge(request).standing.pending == BaseUnits(CryptoWorld.due))
            #expect(try await world.missing(request) == "0")
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
            #expect(try await world.charge(request).standing.received == BaseUnits(CryptoWorld.due))
        }
    }

    @Test("a reorganisation right after a chain was seen first is followed")
    func firstReorganisation() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.reorganise(depth: 6)
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
        }
    }

    @Test("money that leaves the chain after it was booked is reported, not unsaid; when it comes back all is well")
    func doubleSpend() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            world.chain.reorganise(depth: 2, dropping: true)
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
            #expect(try await world.charge(request).standing.received == .zero)
            let lost = "1 crypto payments whose money left the chain after they were booked"
            #expect(try await world.violations().contains(lost))
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            #expect(try await !world.violations().contains(lost))
            #expect(world.flow.heard.count == 1)
        }
    }

    @Test("when a part of what was captured leaves the chain, what is left pays: none of it is offered back")
    func partLeaves() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, 120_000)
            world.chain.mine()
            world.chain.pay(address, 80_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.charge(request).answer == .captured)
            world.chain.reorganise(depth: 2, dropping: true)
            try await world.look()
            let charge: CryptoCharge = try await world.charge(request)
            #expect(charge.standing.received == BaseUnits(120_000))
            #expect(charge.standing.applied == BaseUnits(120_000))
            #expect(charge.standing.held == .zero && charge.standing.refundable == .zero)
            #expect(try await world.goingBack(request) == [])
            #expect(try await world.number("SELECT booked_surplus::int FROM crypto_charges") == 0)
            #expect(try await world.books() == [0, 0])
            let lost = "1 crypto payments whose money left the chain after they were booked"
            #expect(try await world.faults() == [lost])
        }
    }

    @Test(
        "nothing is concluded from a node that does not answer, or lags behind",
        arguments: [
            ChainFault.unreachable, .timedOut, .unavailable(500), .moved, .unusable("json"), .refused(401),
        ])
    func silence(_ fault: ChainFault) async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            world.chain.breaks(fault)
            world.clock.advance(by: .seconds(86_400))
            await #expect(throws: fault) { try await world.look() }
            #expect(try await world.missing(request) == "200000")
            world.chain.breaks(nil)
            try await world.look()
            // It was in a block in time; that nobody looked is not the payer's fault.
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
        }
    }

    @Test("a long way behind the chain nothing is declined before the last block was seen")
    func catchingUp() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.mine(250)
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            world.clock.advance(by: .seconds(86_400))
            #expect(try await world.watcher().look() == .behind)
            #expect(try await world.missing(request) == "200000")
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
        }
    }

    @Test("of watchers that look at once one stores, and whatever they do a payment is captured once")
    func manyWatchers() async throws {
        try await withCrypto(connections: 6) { world in
            var opened: [(request: ChargeRequest, address: String)] = []
            for _ in 0..<6 { opened.append(try await world.opened()) }
            for (_, address) in opened { world.chain.pay(address, CryptoWorld.due) }
            for _ in 0..<4 {
                world.chain.mine()
                try await withThrowingTaskGroup { group in
                    for _ in 0..<6 {
                        group.addTask {
                            _ = try await world.watcher().look()
                            try await world.watcher().tellNews(world.flow.hear)
                        }
                    }
                    try await group.waitForAll()
                }
            }
            try await world.look()
            for (request, address) in opened {
                #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
                #expect(world.flow.heard.contains(.charge(request.idempotencyKey)))
            }
            #expect(try await world.number("SELECT count(*) FROM crypto_transfers") == 6)
        }
    }

    @Test("a look that another one overtook stores nothing")
    func overtaken() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            let before: Int = try await world.number("SELECT version::int FROM crypto_chains")
            let gate = Gate()
            world.chain.meanwhile { gate.wait() }
            async let slow: ChainWatcher.Look = world.watcher().look()
            try await eventually(within: .seconds(10), "the slow look is under way") { world.chain.asked >= 2 }
            // Its lease is over: another instance looks and stores.
            try await world.execute("UPDATE crypto_chains SET due_at = now()")
            #expect(try await world.watcher().look() == .done)
            gate.open()
            #expect(try await slow == .notOurs)
            #expect(try await world.number("SELECT version::int FROM crypto_chains") == before + 1)
            #expect(try await world.missing(request) == nil)
        }
    }

    @Test("a process that dies while it looks leaves the state before; another one takes over when its lease is over")
    func dies() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            _ = try await world.database.transaction { db in try ChainStore.claim("bitcoin:regtest", depth: 400, in: db)
            }
            #expect(try await world.watcher().look() == .notOurs)
            #expect(try await world.missing(request) == "200000")
            try await world.execute("UPDATE crypto_chains SET due_at = now()")
            #expect(try await world.watcher().look() == .done)
            #expect(try await world.missing(request) == nil)
        }
    }

    @Test("the charge flow hears of an answer until it has taken it, and one that is deaf to one holds up no other")
    func deaf() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            world.flow.deafen(true)
            try await world.look()
            #expect(try await world.inFlight() == 1)
            try await world.look()
            #expect(world.flow.heard == [])
            world.flow.deafen(false)
            try await world.look()
            try await world.look()
            #expect(world.flow.heard == [.charge(request.idempotencyKey)])
            #expect(try await world.inFlight() == 0)
        }
    }

    @Test("an attempt that was given up takes nothing: what arrives is offered back")
    func released() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let release = ReleaseRequest(idempotencyKey: request.idempotencyKey, reference: address)
            #expect(try await world.provider().release(release) == .released)
            #expect(try await world.provider().release(release) == .released)
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == .declined(ProviderDecline(code: "canceled", reference: address)))
            #expect(try await world.goingBack(request) == ["late 200000 open"])
            let (paid, paidTo) = try await world.opened()
            world.chain.pay(paidTo, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            let tooLate = ReleaseRequest(idempotencyKey: paid.idempotencyKey, reference: paidTo)
            #expect(try await world.provider().release(tooLate) == .refused(code: "captured"))
        }
    }

    @Test(
        "an attempt whose payment went on without it takes nothing either", arguments: ["canceled", "failed", "other"])
    func abandoned(_ how: String) async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let attempt: String = how == "other" ? "att_other" : request.idempotencyKey.rawValue
            let status: String = how == "other" ? "requires_action" : how
            let payment: PaymentID = request.paymentID
            try await world.execute(
                """
                INSERT INTO payments (id, customer_id, provider, amount, currency, status, off_session, attempt_id,
                    created_at)
                VALUES (\(payment), 'cus_1', 'bitcoin', 10000, 'USD', \(status), false, \(attempt), now())
                """)
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == .declined(ProviderDecline(code: "canceled", reference: address)))
            #expect(try await world.charge(request).standing.refundable == BaseUnits(CryptoWorld.due))
        }
    }

    @Test("an address is looked at until its time is over and nothing on it can be undone")
    func closing() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            world.clock.advance(by: .seconds(31 * 86_400))
            try await world.look()
            #expect(try await world.charge(request).closedAt == nil)
            world.chain.mine(198)
            try await world.look()
            #expect(try await world.charge(request).closedAt != nil)
        }
    }
}

/// Holds a thread up until it is opened.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func wait() { semaphore.wait() }
    func open() { semaphore.signal() }
}
