import BillingCore
import HTTPKit
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

extension CryptoWorld {
    func held() async throws -> [HeldMoney] {
        try await database.transaction { db in try HeldStore.list(payment: nil, after: nil, limit: 50, in: db) }
    }

    /// Somebody decides that it goes back.
    @discardableResult
    func sendBack(
        _ request: ChargeRequest, _ amount: UInt128? = nil, to address: String = payer
    ) async throws -> InstructionRecord {
        let (decide, now): (DecideHeld, Instant) = (DecideHeld(accepted: accepted, keepsSurplus: true), clock.now)
        let attempt: AttemptID = request.idempotencyKey
        return try await database.transactionRetrying { db in
            try decide.sendBack(
                attempt, amount.map { BaseUnits($0) }, to: address, by: .bob, at: now, in: db)
        }
    }

    @discardableResult
    func keep(
        _ request: ChargeRequest, _ amount: UInt128? = nil, keepsSurplus: Bool = true
    ) async throws -> HeldMoney {
        let decide = DecideHeld(accepted: accepted, keepsSurplus: keepsSurplus)
        let (attempt, now): (AttemptID, Instant) = (request.idempotencyKey, clock.now)
        return try await database.transactionRetrying { db in
            try decide.keep(
                attempt, amount.map { BaseUnits($0) }, reason: "a tip, they write", by: "key_bob", at: now, in: db)
        }
    }

    @discardableResult
    func cancel(_ id: RefundID) async throws -> InstructionRecord {
        let now: Instant = clock.now
        return try await database.transactionRetrying { db in
            try SignOff.cancel(id, by: "key_bob", at: now, in: db)
        }
    }

    /// It is signed off, sent, and confirmed by the chain.
    func carryOut(_ record: InstructionRecord) async throws {
        let transaction: String = chain.payOut(Self.payer, record.amount.low)
        try await send(record.id, transaction, fingerprint(record))
        chain.mine(2)
        try await look()
    }

    /// An attempt that nobody paid in time, and 200,000 that came afterwards.
    func paidLate() async throws -> ChargeRequest {
        let (request, address) = try await opened()
        clock.advance(by: .seconds(2_000))
        try await look()
        chain.pay(address, Self.due)
        chain.mine(2)
        try await look()
        return request
    }

    func hasMoney(_ request: ChargeRequest) async throws -> Bool {
        let payment: PaymentID = request.paymentID
        return try await database.transaction { db in try CryptoChargeStore.hasMoney(of: payment, in: db) }
    }

    func faults() async throws -> [String] {
        // Nobody books payments here.
        try await violations().filter { !$0.contains("are not booked") }
    }
}

/// The code of the problem that some work ends in; `nil` when it does not.
private func code(_ work: () async throws -> Void) async throws -> String? {
    do { try await work() } catch let problem as Problem { return problem.errors.first?.code ?? problem.code }
    return nil
}

@Suite("Money that is held") struct HeldTests {
    @Test("late money is listed, sent back less the fee under a second person's hand, and leaves the books as it went")
    func sentBack() async throws {
        try await withCrypto(late: .hold) { world in
            let request: ChargeRequest = try await world.paidLate()
            let waiting: HeldMoney = try #require(try await world.held().first)
            #expect((waiting.attemptID, waiting.answer) == (request.idempotencyKey, "quote_expired"))
            #expect(waiting.free == BaseUnits(200_000))
            #expect(try await world.books() == [100_00, 0])
            let record: InstructionRecord = try await world.sendBack(request)
            #expect(record.amount == BaseUnits(199_500) && record.fee == BaseUnits(500))
            #expect(try await world.held().isEmpty)
            #expect(try await code { try await world.sendBack(request) } == "nothing_held")
            let signed: String = try world.fingerprint(record)
            let transaction: String = world.chain.payOut(CryptoWorld.payer, 199_500)
            // Neither who decided, though somebody else has given the address again, nor who has.
            let directed: InstructionRecord = try await world.direct(record.id, by: .carol)
            #expect(directed.askedBy == "key_bob")
            for one: Principal in [.bob, .carol] {
                let refused: String? = try await code { try await world.send(record.id, transaction, signed, by: one) }
                #expect(refused == "second_person_needed")
            }
            try await world.send(record.id, transaction, signed)
            #expect(try await code { try await world.cancel(record.id) } == "instruction_not_open")
            try await world.look()
            #expect(try await world.books() == [100_00, 0])
            world.chain.mine(2)
            try await world.look()
            try await world.look()
            #expect(try await world.goingBack(request) == ["held 199500 confirmed"])
            #expect(try await world.books() == [0, 0])
            #expect(
                try await world.number(
                    "SELECT count(*) FROM journal_entries WHERE reference = \(record.id.rawValue)") == 1)
            #expect(try await world.faults() == [])
        }
    }

    @Test("whoever pays is told of money that has neither paid nor gone back, and of no other") func told() async throws
    {
        try await withCrypto(late: .hold) { world in
            let (paid, address) = try await world.opened()
            #expect(try await world.hasMoney(paid) == false)
            world.chain.pay(address, 150_000)
            try await world.look()
            #expect(try await world.hasMoney(paid), "a part is on its way")
            world.chain.pay(address, 50_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.hasMoney(paid) == false)
            let late: ChargeRequest = try await world.paidLate()
            #expect(try await world.hasMoney(late))
            try await world.carryOut(try await world.sendBack(late))
            #expect(try await world.hasMoney(late) == false)
        }
    }

    @Test(
        "an address must be the payer's on the chain, an amount must be there and worth its fee; nothing is stored else",
        arguments: [
            ("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", nil, "invalid_address"), ("ours", nil, "unusable_address"),
            (CryptoWorld.payer, 500, "below_fee"), (CryptoWorld.payer, 0, "out_of_range"),
            (CryptoWorld.payer, 200_001, "out_of_range"),
        ] as [(String, UInt128?, String)])
    func refused(_ address: String, _ amount: UInt128?, _ fault: String) async throws {
        try await withCrypto(late: .hold) { world in
            let request: ChargeRequest = try await world.paidLate()
            let own: String = try await world.charge(request).address
            let found: String? = try await code {
                try await world.sendBack(request, amount, to: address == "ours" ? own : address)
            }
            #expect(found == fault)
            #expect(try await world.goingBack(request) == [])
            #expect(try await world.held().map(\.free) == [BaseUnits(200_000)])
        }
    }

    @Test("more than the price may be kept, in parts, as income; the money of a payment that was not made may not")
    func kept() async throws {
        try await withCrypto(late: .hold) { world in
            let (request, address) = try await world.captured()
            world.clock.advance(by: .seconds(2_000))
            try await world.look()
            world.chain.pay(address, 30_001)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.books() == [15_00, 0])
            #expect(try await code { try await world.keep(request, keepsSurplus: false) } == "surplus_not_kept")
            try await world.keep(request, 9_999)
            #expect(try await world.keep(request).accepted == BaseUnits(30_001))
            #expect(try await code { try await world.keep(request) } == "nothing_held")
            #expect(try await world.books() == [0, 15_00])
            let unpaid: ChargeRequest = try await world.paidLate()
            #expect(try await code { try await world.keep(unpaid) } == "payment_not_made")
            #expect(try await code { try await world.keep(world.request()) } == "not_found")
            #expect(try await world.faults() == [])
        }
    }

    @Test("what is taken back before it was sent is held again; a refund that is taken back fails, and is heard of")
    func canceled() async throws {
        try await withCrypto(late: .hold) { world in
            let request: ChargeRequest = try await world.paidLate()
            let record: InstructionRecord = try await world.sendBack(request, 150_000)
            #expect(try await world.held().map(\.free) == [BaseUnits(50_000)])
            #expect(try await world.cancel(record.id).status == .canceled)
            #expect(try await code { try await world.cancel(record.id) } == "instruction_not_open")
            #expect(try await world.held().map(\.free) == [BaseUnits(200_000)])
            let (paid, address) = try await world.captured(250_000)
            #expect(try await world.goingBack(paid) == ["overpaid 50000 open"])
            let surplus: InstructionRecord = try #require(try await world.instructions(paid).first)
            #expect(try await code { try await world.cancel(surplus.id) } == "instruction_of_the_watcher")
            let id = RefundID.new(at: world.clock.now)
            _ = try await world.refund(address, 40_00, id: id)
            try await world.cancel(id)
            #expect(try await world.refund(address, 40_00, id: id) == .refused(code: "canceled"))
            #expect(try await world.inFlight() > 0)
            try await world.look()
            let told = ProviderRefund(
                reference: id.rawValue, taken: address, refundID: id, amount: Money(minor: 40_00, currency: .usd),
                state: .failed(code: "canceled"))
            #expect(world.flow.heard.last == .refund(told))
            #expect(try await world.inFlight() == 0)
            #expect(try await world.refund(address, 100_00) != .refused(code: "amount_unsupported"))
        }
    }

    @Test("of decisions at once on the same money one counts")
    func concurrent() async throws {
        try await withCrypto(connections: 8, late: .hold) { world in
            let request: ChargeRequest = try await world.paidLate()
            let codes: [String?] = try await withThrowingTaskGroup { group in
                for _ in 0..<10 { group.addTask { try await code { try await world.sendBack(request) } } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1 && codes.count { $0 == "nothing_held" } == 9)
            #expect(try await world.goingBack(request) == ["held 199500 open"])
        }
    }

    @Test(
        "money that comes on top withdraws no decision, since somebody may be sending it: the rest is offered beside it"
    )
    func grown() async throws {
        for isCanceled in [false, true] {
            try await withCrypto { world in
                let (request, address) = try await world.captured()
                world.chain.pay(address, 600)
                world.chain.mine(2)
                try await world.look()
                let decided: InstructionRecord = try await world.sendBack(request)
                world.clock.advance(by: .seconds(1))
                // Together they are no more below what is sent back at least.
                world.chain.pay(address, 600)
                world.chain.mine(2)
                try await world.look()
                #expect(try await world.goingBack(request) == ["held 100 open", "overpaid 600 open"])
                if isCanceled {
                    try await world.cancel(decided.id)
                    #expect(try await world.goingBack(request) == ["held 100 canceled", "overpaid 1200 open"])
                } else {
                    try await world.carryOut(decided)
                }
                let rest: InstructionRecord = try #require(
                    try await world.instructions(request).first { $0.reason == .overpaid })
                try await world.carryOut(try await world.direct(rest.id))
                #expect(
                    try await world.goingBack(request)
                        == (isCanceled
                            ? ["held 100 canceled", "overpaid 1200 confirmed"]
                            : ["held 100 confirmed", "overpaid 600 confirmed"]))
                #expect(try await world.books() == [0, 0])
                #expect(try await world.faults() == [])
            }
        }
    }

    @Test("of money that has grown and leaves the chain again a decision goes when what is left does not cover it")
    func grownAndGone() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.captured()
            world.chain.pay(address, 600)
            world.chain.mine(2)
            try await world.look()
            try await world.sendBack(request)
            world.clock.advance(by: .seconds(1))
            world.chain.pay(address, 5_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.goingBack(request) == ["held 100 open", "overpaid 5000 open"])
            world.chain.reorganise(depth: 2, dropping: true)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.goingBack(request) == ["held 100 open", "overpaid 5000 withdrawn"])
            world.chain.reorganise(depth: 7, dropping: true)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.goingBack(request) == ["held 100 withdrawn", "overpaid 5000 withdrawn"])
        }
    }

    @Test("of late money that leaves the chain the decision goes; what the payer has said where to is somebody else's")
    func lateAndGone() async throws {
        try await withCrypto(late: .hold) { world in
            let (request, address) = try await world.captured()
            world.chain.pay(address, 5_000)
            world.chain.mine(2)
            try await world.look()
            let surplus: InstructionRecord = try #require(try await world.instructions(request).first)
            let directed: InstructionRecord = try await world.direct(surplus.id)
            world.clock.advance(by: .seconds(86_400))
            try await world.look()
            world.chain.pay(address, 3_000)
            world.chain.mine(2)
            try await world.look()
            try await world.sendBack(request)
            #expect(try await world.goingBack(request) == ["overpaid \(directed.amount) open", "held 2500 open"])
            world.chain.reorganise(depth: 2, dropping: true)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid \(directed.amount) open", "held 2500 withdrawn"])
        }
    }

    @Test("money that leaves the chain is not sent back: its instruction is withdrawn, and the books follow")
    func reorganised() async throws {
        try await withCrypto(late: .hold) { world in
            let request: ChargeRequest = try await world.paidLate()
            let record: InstructionRecord = try await world.sendBack(request)
            world.chain.reorganise(depth: 2, dropping: true)
            try await world.look()
            #expect(try await world.goingBack(request) == ["held 199500 withdrawn"])
            let hash = String(repeating: "ab", count: 32)
            let sent: String? = try await code { try await world.send(record.id, hash, hash) }
            #expect(sent == "instruction_not_open")
            #expect(try await world.books() == [0, 0])
            #expect(try await world.faults() == [])
        }
    }

    @Test("whatever is decided in whatever order, no more goes out than came in, and the books say what is owed")
    func anyOrder() async throws {
        try await withCrypto(late: .hold) { world in
            var random = Seeded()
            var opened: [(request: ChargeRequest, address: String)] = []
            for _ in 0..<3 { opened.append(try await world.opened()) }
            for (_, address) in opened.dropFirst() { world.chain.pay(address, 200_000) }
            world.chain.mine(2)
            try await world.look()
            world.clock.advance(by: .seconds(2_000))
            for _ in 0..<60 {
                let (request, address) = opened[Int.random(in: 0..<3, using: &random)]
                let some = UInt128(Int.random(in: 1...90_000, using: &random))
                switch Int.random(in: 0..<7, using: &random) {
                case 0, 1: world.chain.pay(address, some)
                case 2: _ = try await code { try await world.sendBack(request, some) }
                case 3: _ = try await code { try await world.keep(request, some) }
                case 4:
                    if let open = try await world.instructions(request).first(where: { $0.status == .open }) {
                        _ = try await code { try await world.cancel(open.id) }
                    }
                case 5:
                    let sendable: InstructionRecord? = try await world.instructions(request).first {
                        $0.status == .open && $0.address != nil
                    }
                    if let sendable { try await world.carryOut(sendable) }
                default: world.chain.reorganise(depth: 1, dropping: Bool.random(using: &random))
                }
                world.chain.mine()
                try await world.look()
            }
            world.chain.mine(3)
            try await world.look()
            // Money whose confirmed block was dropped after it was decided on is the one thing a person must see.
            let lost: Set<String> = ["more goes back than was received", "left the chain after they were booked"]
            #expect(try await world.faults().filter { fault in !lost.contains { fault.contains($0) } } == [])
        }
    }
}
