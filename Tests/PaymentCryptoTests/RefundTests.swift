import BillingCore
import HTTPKit
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

@Suite("Giving crypto back") struct RefundTests {
    @Test("a refund waits for a person, then for the chain, and is refunded once that confirmed it")
    func whole() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.captured()
            let id = RefundID.new(at: world.clock.now)
            #expect(try await world.refund(address, 100_00, id: id) == .pending(reference: id.rawValue))
            #expect(try await world.refund(address, 100_00, id: id) == .pending(reference: id.rawValue))
            #expect(try await world.goingBack(request) == ["merchant 200000 open"])
            let open: InstructionRecord = try await world.direct(id)
            let transaction: String = world.chain.payOut(CryptoWorld.payer, 200_000)
            try await world.send(id, transaction, world.fingerprint(open))
            try await world.look()
            world.chain.mine()
            try await world.look()
            #expect(try await world.refund(address, 100_00, id: id) == .pending(reference: id.rawValue))
            world.chain.mine()
            try await world.look()
            #expect(try await world.refund(address, 100_00, id: id) == .refunded(reference: "\(transaction)/\(id)"))
            let done: InstructionRecord = try #require(try await world.instructions(request).first)
            #expect(done.status == .confirmed)
            #expect(done.signedOffBy == "key_ada")
            let told = ProviderRefund(
                reference: "\(transaction)/\(id)", taken: address, refundID: id, amount: CryptoWorld.price,
                state: .succeeded)
            #expect(world.flow.heard == [.charge(request.idempotencyKey), .refund(told)])
            try await world.look()
            #expect(world.flow.heard.count == 2)
        }
    }

    @Test("refunds in parts give back all that was taken, to the last unit, and no more")
    func parts() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.captured(198_001)
            var random = Seeded()
            var left: Int64 = 100_00
            while left > 0 {
                let part: Int64 = min(left, Int64.random(in: 1...3_333, using: &random))
                guard case .pending = try await world.refund(address, part) else {
                    Issue.record("\(part) of \(left) is refused")
                    return
                }
                left -= part
            }
            let total: BaseUnits = try BaseUnits.sum(try await world.instructions(request).map(\.amount))
            #expect(total == BaseUnits(198_001))
            #expect(try await world.refund(address, 1) == .refused(code: "amount_unsupported"))
            #expect(try await !world.violations().contains { $0.contains("goes back") })
        }
    }

    @Test("a refund that is taken back between others leaves no more for those that follow than was taken")
    func canceledBetween() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.captured(198_001)
            let first = RefundID.new(at: world.clock.now)
            _ = try await world.refund(address, 33_33, id: first)
            for part: Int64 in [33_33, 33_34] { _ = try await world.refund(address, part) }
            try await world.cancel(first)
            _ = try await world.refund(address, 33_33)
            let standing: [InstructionRecord] = try await world.instructions(request).filter { $0.status == .open }
            #expect(standing.count == 3)
            let total: BaseUnits = try BaseUnits.sum(standing.map(\.amount))
            #expect(total == BaseUnits(198_001))
            #expect(try await !world.violations().contains { $0.contains("goes back") })
        }
    }

    @Test("what comes in time on top of a payment within the tolerance goes back with it, or is held after a refund")
    func completedAfterwards() async throws {
        try await withCrypto { world in
            let (whole, first) = try await world.captured(199_200)
            let (parted, second) = try await world.captured(199_200)
            _ = try await world.refund(second, 40_00)
            for address in [first, second] { world.chain.pay(address, 800) }
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.charge(whole).standing.applied == BaseUnits(200_000))
            #expect(try await world.charge(whole).standing.held == .zero)
            #expect(try await world.charge(parted).standing.applied == BaseUnits(199_200))
            #expect(try await world.held().map(\.free) == [BaseUnits(800)])
            _ = try await world.refund(first, 100_00)
            _ = try await world.refund(second, 60_00)
            for (request, amount) in [(whole, UInt128(200_000)), (parted, 199_200)] {
                let total: BaseUnits = try BaseUnits.sum(try await world.instructions(request).map(\.amount))
                #expect(total == BaseUnits(amount))
            }
            #expect(try await world.faults() == [])
        }
    }

    @Test("refunds at once of one payment never ask for more than was taken")
    func concurrentRefunds() async throws {
        try await withCrypto(connections: 8) { world in
            let (request, address) = try await world.captured()
            let answers: [RefundAnswer] = try await withThrowingTaskGroup { group in
                for _ in 0..<12 { group.addTask { try await world.refund(address, 30_00) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { $0 == .refused(code: "amount_unsupported") } == 9)
            let total: BaseUnits = try BaseUnits.sum(try await world.instructions(request).map(\.amount))
            #expect(total == BaseUnits(180_000))
        }
    }

    @Test("what was not captured is not refunded")
    func notCaptured() async throws {
        try await withCrypto { world in
            let (_, address) = try await world.opened()
            #expect(try await world.refund(address, 1) == .refused(code: "not_captured"))
            #expect(try await world.refund("bcrt1qnobody", 1) == .refused(code: "unknown_charge"))
        }
    }

    @Test(
        "an address must be one of the chain, and one from which money can be taken",
        arguments: [
            "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bcrt1q8c6fshw2dlwun7ekn9qwf37cu2rn755ufhry48", "hello", "",
        ])
    func badAddress(_ address: String) async throws {
        try await withCrypto { world in
            let (_, paidTo) = try await world.captured()
            let id = RefundID.new(at: world.clock.now)
            _ = try await world.refund(paidTo, 100_00, id: id)
            await #expect(throws: Problem.self) { try await world.direct(id, to: address) }
            await #expect(throws: Problem.self) { try await world.direct(.new(at: world.clock.now)) }
        }
    }

    @Test("what is signed off is what is sent: more that arrives meanwhile is an instruction of its own")
    func changed() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.captured(250_000)
            let surplus: InstructionRecord = try #require(try await world.instructions(request).first)
            let paid: String = world.chain.payOut(CryptoWorld.payer, 50_000)
            await #expect(throws: Problem.self) { try await world.send(surplus.id, paid, paid) }
            let signed: String = try world.fingerprint(try await world.direct(surplus.id))
            world.clock.advance(by: .seconds(1))
            world.chain.pay(address, 5_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid 50000 open", "overpaid 5000 open"])
            await #expect(throws: Problem.self) { try await world.send(surplus.id, paid, paid) }
            await #expect(throws: Problem.self) {
                try await world.send(surplus.id, String(repeating: "zz", count: 32), signed)
            }
            try await world.send(surplus.id, paid, signed)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid 50000 confirmed", "overpaid 5000 open"])
            // Sent is sent, and what has no address yet grows.
            world.chain.pay(address, 9_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid 50000 confirmed", "overpaid 14000 open"])
            #expect(try await world.faults() == [])
        }
    }

    @Test("an instruction with an address stays while it is covered, and is withdrawn when its money leaves the chain")
    func uncovered() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.captured()
            world.chain.pay(address, 50_000)
            world.chain.mine(2)
            try await world.look()
            let first: InstructionRecord = try #require(try await world.instructions(request).first)
            _ = try await world.direct(first.id)
            world.clock.advance(by: .seconds(1))
            world.chain.pay(address, 7_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid 50000 open", "overpaid 7000 open"])
            world.chain.reorganise(depth: 2, dropping: true)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid 50000 open", "overpaid 7000 withdrawn"])
            world.chain.reorganise(depth: 5, dropping: true)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid 50000 withdrawn", "overpaid 7000 withdrawn"])
            #expect(try await world.faults() == [])
        }
    }

    @Test(
        "too little sent back, or to somebody else, confirms nothing; a transaction that replaced another is told anew")
    func wrongTransaction() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.captured()
            let id = RefundID.new(at: world.clock.now)
            _ = try await world.refund(address, 100_00, id: id)
            let signed: String = try world.fingerprint(try await world.direct(id))
            let little: String = world.chain.payOut(CryptoWorld.payer, 199_999)
            let elsewhere: String = world.chain.payOut("bcrt1qelsewhere", 200_000)
            let right: String = world.chain.payOut(CryptoWorld.payer, 200_000)
            world.chain.mine(2)
            for wrong in [little, elsewhere, String(repeating: "cd", count: 32)] {
                try await world.send(id, wrong, signed)
                try await world.look()
                #expect(try await world.instructions(request).first?.status == .sent)
            }
            try await world.send(id, right, signed)
            try await world.look()
            #expect(try await world.instructions(request).first?.status == .confirmed)
            await #expect(throws: Problem.self) { try await world.send(id, little, signed) }
        }
    }

    @Test("one transaction cannot carry out two instructions to the same address")
    func takenTransaction() async throws {
        try await withCrypto { world in
            let (_, address) = try await world.captured()
            let (first, second) = (RefundID.new(at: world.clock.now), RefundID.new(at: world.clock.now))
            let transaction = String(repeating: "ab", count: 32)
            for id in [first, second] { _ = try await world.refund(address, 50_00, id: id) }
            let signed: String = try world.fingerprint(try await world.direct(first))
            let other: String = try world.fingerprint(try await world.direct(second))
            try await world.send(first, transaction, signed)
            await #expect(throws: Problem.self) { try await world.send(second, transaction, other) }
        }
    }
}
