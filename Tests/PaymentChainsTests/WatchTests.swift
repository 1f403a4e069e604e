import BillingCore
import PaymentChains
import Testing

/// A chain and an address to play with: expected 1,000,000, one percent tolerance, 2 confirmations up to a million,
/// 4 up to five million, 6 beyond.
struct WatchWorld {
    static let opens = Instant(seconds: 1_800_000_000)
    static let expires = opens + .seconds(900)
    var now: Instant = opens + .seconds(60)
    var trail = ChainTrail(depth: 40)
    var watch: AddressWatch
    private var made = 0

    init(late: WatchPolicy.LateRule = .hold, leastRefund: UInt128 = 1_000) throws {
        let policy = try WatchPolicy(
            tiers: [
                .init(upTo: BaseUnits(1_000_000), confirmations: 2),
                .init(upTo: BaseUnits(5_000_000), confirmations: 4),
                .init(upTo: nil, confirmations: 6),
            ], toleranceBasisPoints: 100, leastRefund: BaseUnits(leastRefund), late: late)
        watch = AddressWatch(
            terms: WatchTerms(
                address: "a", expected: BaseUnits(1_000_000), opensAt: Self.opens, expiresAt: Self.expires,
                policy: policy))
        try mine(1)
    }

    mutating func mine(_ count: Int) throws {
        for _ in 0..<count {
            made += 1
            let height: UInt64 = trail.tip.map { $0.height + 1 } ?? 100
            try trail.append(
                BlockHeader(
                    ref: BlockRef(height: height, hash: "h\(made)"), parentHash: trail.tip?.hash ?? "", time: now))
            watch.settle(on: trail)
        }
    }

    func transfer(_ id: String, _ amount: UInt128, succeeded: Bool = true) -> ChainTransfer {
        ChainTransfer(
            id: TransferID(transaction: id, position: 0), address: "a", amount: BaseUnits(amount),
            succeeded: succeeded, block: trail.tip.map { BlockStamp(ref: $0, time: now) })
    }

    /// A transfer in a new block.
    mutating func confirm(_ id: String, _ amount: UInt128, succeeded: Bool = true, more: Int = 0) throws {
        try mine(1)
        try watch.see([transfer(id, amount, succeeded: succeeded)], at: now)
        try mine(more)
    }

    mutating func pool(_ amounts: [(String, UInt128)]) throws {
        try watch.replaceUnconfirmed(
            amounts.map { id, amount in
                ChainTransfer(
                    id: TransferID(transaction: id, position: 0), address: "a", amount: BaseUnits(amount), block: nil)
            }, at: now)
    }

    var standing: Standing { get throws { try watch.standing(on: trail, at: now) } }
}

private func units(_ value: some BinaryInteger) -> BaseUnits { BaseUnits(UInt128(value)) }

@Suite("Watching an address") struct WatchTests {
    @Test("a payment is seen, confirmed and paid, and counted once however often it is reported") func paid() throws {
        var world = try WatchWorld()
        #expect(try world.standing.outcome == .waiting)
        #expect(try world.standing.missing == units(1_000_000))
        try world.pool([("t", 1_000_000)])
        #expect(try world.standing.outcome == .seen)
        #expect(try world.standing.pending == units(1_000_000) && world.standing.missing == .zero)
        try world.confirm("t", 1_000_000)
        let again: ChainTransfer = world.transfer("t", 1_000_000)
        try world.watch.see([again, again], at: world.now)
        #expect(try world.standing.outcome == .seen)
        try world.mine(1)
        let standing: Standing = try world.standing
        #expect(standing.outcome == .paid && standing.received == units(1_000_000))
        #expect(standing.applied == units(1_000_000) && standing.held == .zero && standing.refundable == .zero)
        #expect(standing.pending == .zero, "in the block and still in the pool is one transfer")
    }

    @Test(
        "under-payment is judged by the tolerance",
        arguments: [
            (990_000, Standing.Outcome.paid, 990_000, 0, 0), (989_999, .partiallyPaid, 0, 989_999, 10_001),
            (1, .partiallyPaid, 0, 1, 999_999), (999_999, .paid, 999_999, 0, 0),
        ] as [(Int, Standing.Outcome, Int, Int, Int)])
    func tolerance(
        amount: Int, outcome: Standing.Outcome, applied: Int, held: Int, missing: Int
    ) throws {
        var world = try WatchWorld()
        try world.confirm("t", UInt128(amount), more: 1)
        let standing: Standing = try world.standing
        #expect(standing.outcome == outcome && standing.applied == units(applied))
        #expect(standing.held == units(held) && standing.missing == units(missing))
    }

    @Test("several payments add up; what is too much is offered back unless it is not worth it") func several() throws {
        var world = try WatchWorld()
        try world.confirm("a", 400_000, more: 1)
        #expect(try world.standing.outcome == .partiallyPaid)
        try world.pool([("b", 600_500)])
        #expect(try world.standing.outcome == .seen && world.standing.applied == .zero)
        try world.confirm("b", 600_500, more: 1)
        #expect(try world.standing.outcome == .overpaid)
        #expect(try world.standing.held == units(500) && world.standing.refundable == .zero)
        try world.confirm("c", 499, more: 1)
        #expect(try world.standing.held == units(999))
        try world.confirm("d", 1, more: 1)
        let standing: Standing = try world.standing
        #expect(standing.refundable == units(1_000) && standing.held == .zero && standing.applied == units(1_000_000))
    }

    @Test("large amounts need more confirmations; splitting does not help; later ones unsettle nothing") func tiers()
        throws
    {
        var world = try WatchWorld()
        try world.confirm("large", 5_000_001, more: 4)
        #expect(try world.standing.outcome == .seen)
        try world.mine(1)
        #expect(try world.standing.outcome == .overpaid)
        #expect(try world.standing.refundable == units(4_000_001))
        try world.confirm("larger", 9_000_000)
        #expect(try world.standing.outcome == .overpaid && world.standing.pending == units(9_000_000))
        var split = try WatchWorld()
        try split.confirm("a", 500_000)
        try split.confirm("b", 500_000)
        #expect(try split.standing.outcome == .seen)
        try split.mine(1)
        #expect(try split.standing.outcome == .paid)
    }

    @Test("a replaced transaction is gone, its replacement counts") func replaced() throws {
        var world = try WatchWorld()
        try world.pool([("old", 1_000_000)])
        try world.pool([("new", 1_000_000)])
        #expect(try world.standing.pending == units(1_000_000))
        try world.pool([])
        #expect(try world.standing.outcome == .waiting && world.standing.pending == .zero)
    }

    @Test("a fee that is raised when the quote is over keeps the time at which the payment came, however often")
    func raised() throws {
        var world = try WatchWorld()
        try world.pool([("old", 1_000_000)])
        world.now = WatchWorld.expires + .seconds(600)
        for id in ["new", "newer"] {
            try world.pool([(id, 1_000_000)])
            #expect(try world.standing.outcome == .seen && world.standing.missing == .zero)
        }
        try world.confirm("newer", 1_000_000, more: 1)
        #expect(try world.standing.outcome == .paid)
        var mined = try WatchWorld()
        try mined.pool([("old", 1_000_000)])
        mined.now = WatchWorld.expires + .seconds(600)
        try mined.confirm("new", 1_000_000)
        try mined.pool([])
        try mined.mine(1)
        #expect(try mined.standing.outcome == .paid, "nobody looked before it was in a block")
    }

    @Test(
        "what brings less or more than the one that is gone, comes beside it, or in place of a late one is late",
        arguments: [
            (60, [("new", 999_999)]), (60, [("new", 1_000_001)]), (60, [("old", 1_000_000), ("new", 1_000_000)]),
            (900, [("new", 1_000_000)]),
        ] as [(Int64, [(String, UInt128)])])
    func notRaised(_ seconds: Int64, _ pool: [(String, UInt128)]) throws {
        var world = try WatchWorld()
        world.now = WatchWorld.opens + .seconds(seconds)
        try world.pool([("old", 1_000_000)])
        world.now = WatchWorld.expires + .seconds(600)
        try world.pool(pool)
        let late: [String] = world.watch.counted(on: world.trail).filter(\.isLate).map(\.id.transaction)
        #expect(late == ["new"])
    }

    @Test("what is seen first has come at the look before, or when its block was made: nobody can say it was later")
    func between() throws {
        let (before, after): (Instant, Instant) = (WatchWorld.expires - .seconds(1), WatchWorld.expires)
        for (since, isLate) in [(before, false), (after, true), (nil, true), (WatchWorld.opens - .seconds(9), false)]
            as [(Instant?, Bool)]
        {
            var waiting = try WatchWorld()
            waiting.now = WatchWorld.expires + .seconds(600)
            let transfer = ChainTransfer(
                id: TransferID(transaction: "t", position: 0), address: "a", amount: units(1_000_000), block: nil)
            try waiting.watch.replaceUnconfirmed([transfer], at: waiting.now, since: since)
            #expect(waiting.watch.counted(on: waiting.trail).map(\.isLate) == [isLate])
            var mined = try WatchWorld()
            mined.now = WatchWorld.expires + .seconds(600)
            try mined.mine(1)
            try mined.watch.see([mined.transfer("t", 1_000_000)], at: mined.now, since: since)
            #expect(mined.watch.counted(on: mined.trail).map(\.isLate) == [isLate])
            let arrival: AddressWatch.Arrival? = mined.watch.arrivals["t"]
            #expect(arrival.map { $0.arrivedAt >= WatchWorld.opens && $0.reportedAt == mined.now } == true)
        }
    }

    @Test("a reorganisation undoes what was paid; the same transaction in another block counts again, once")
    func reorganised() throws {
        var world = try WatchWorld()
        try world.confirm("t", 1_000_000, more: 2)
        let late: ChainTransfer = ChainTransfer(
            id: TransferID(transaction: "t", position: 0), address: "a", amount: units(1_000_000),
            block: BlockStamp(ref: try #require(world.trail.blocks.dropLast(2).last), time: world.now))
        #expect(try world.standing.outcome == .paid)
        #expect(try world.trail.rewind(to: 100).map(\.height) == [103, 102, 101])
        try world.mine(4)
        #expect(try world.standing.outcome == .waiting)
        try world.watch.see([late], at: world.now)
        #expect(try world.standing.outcome == .waiting, "an outdated report changes nothing")
        try world.pool([("t", 1_000_000)])
        #expect(try world.standing.outcome == .seen)
        try world.confirm("t", 1_000_000, more: 1)
        #expect(try world.standing.outcome == .paid && world.standing.received == units(1_000_000))
    }

    @Test("what the chain did not carry out does not count") func failed() throws {
        var world = try WatchWorld()
        try world.confirm("t", 1_000_000, succeeded: false, more: 3)
        #expect(try world.standing.outcome == .waiting && world.standing.received == .zero)
    }

    @Test("nothing in time is expired; a part is held or offered back by the rule") func expired() throws {
        var world = try WatchWorld()
        world.now = WatchWorld.expires - .microseconds(1)
        #expect(try world.standing.outcome == .waiting)
        world.now = WatchWorld.expires
        #expect(try world.standing.outcome == .expired)
        for (rule, refundable) in [
            (WatchPolicy.LateRule.hold, 0), (.accept, 0), (.refund, 400_000),
        ] as [(WatchPolicy.LateRule, Int)] {
            var partial = try WatchWorld(late: rule)
            try partial.confirm("t", 400_000, more: 1)
            #expect(try partial.standing.refundable == .zero)
            partial.now = WatchWorld.expires
            #expect(try partial.standing.outcome == .partiallyPaid)
            #expect(try partial.standing.refundable == units(refundable))
            #expect(try partial.standing.held == units(400_000 - refundable))
        }
    }

    @Test(
        "late money is accepted, held or offered back",
        arguments: [
            (WatchPolicy.LateRule.accept, Standing.Outcome.paid, 1_000_000, 0, 0), (.hold, .late, 0, 1_000_000, 0),
            (.refund, .late, 0, 0, 1_000_000),
        ] as [(WatchPolicy.LateRule, Standing.Outcome, Int, Int, Int)])
    func late(
        rule: WatchPolicy.LateRule, outcome: Standing.Outcome, applied: Int, held: Int, refundable: Int
    ) throws {
        var world = try WatchWorld(late: rule)
        world.now = WatchWorld.expires
        try world.confirm("t", 1_000_000, more: 1)
        let standing: Standing = try world.standing
        #expect(standing.outcome == outcome && standing.applied == units(applied))
        #expect(standing.held == units(held) && standing.refundable == units(refundable))
        #expect(standing.late == (rule == .accept ? .zero : units(1_000_000)))
    }

    @Test("late money on top of a full payment follows its rule too") func lateSurplus() throws {
        for (rule, refundable) in [(WatchPolicy.LateRule.hold, 0), (.refund, 300_000), (.accept, 300_000)]
            as [(WatchPolicy.LateRule, Int)]
        {
            var world = try WatchWorld(late: rule)
            try world.confirm("t", 1_000_000, more: 1)
            world.now = WatchWorld.expires + .seconds(5)
            try world.confirm("u", 300_000, more: 1)
            #expect(try world.standing.outcome == .overpaid && world.standing.applied == units(1_000_000))
            #expect(try world.standing.refundable == units(refundable))
        }
    }

    @Test("who saw it in time is on time, whatever a later block says, and the other way round") func arrival() throws {
        var world = try WatchWorld()
        try world.pool([("t", 1_000_000)])
        world.now = WatchWorld.expires + .seconds(600)
        try world.confirm("t", 1_000_000, more: 1)
        #expect(try world.standing.outcome == .paid, "seen before the quote ended")
        var tardy = try WatchWorld()
        tardy.now = WatchWorld.expires
        try tardy.pool([("t", 1_000_000)])
        tardy.now = WatchWorld.opens + .seconds(1)
        try tardy.mine(1)
        let backdated: ChainTransfer = tardy.transfer("t", 1_000_000)
        tardy.now = WatchWorld.expires + .seconds(9)
        try tardy.watch.see([backdated], at: tardy.now)
        try tardy.mine(1)
        #expect(try tardy.standing.outcome == .late, "a miner's clock does not make it timely")
        var missed = try WatchWorld()
        try missed.mine(1)
        let inTime: ChainTransfer = missed.transfer("t", 1_000_000)
        missed.now = WatchWorld.expires + .seconds(9)
        try missed.watch.see([inTime], at: missed.now)
        try missed.mine(1)
        #expect(try missed.standing.outcome == .paid, "this service slept, the block did not")
    }

    @Test("what is final stays when its block leaves the trail") func final() throws {
        var world = try WatchWorld()
        try world.confirm("t", 1_000_000, more: 100)
        #expect(world.trail.blocks.count == 40)
        #expect(try world.standing.outcome == .paid)
        var old = try WatchWorld()
        try old.mine(1)
        let transfer: ChainTransfer = old.transfer("t", 1_000_000)
        try old.mine(100)
        try old.watch.see([transfer], at: old.now)
        #expect(try old.standing.outcome == .waiting, "nobody asked whether that block is on the chain")
        old.watch.settle(try #require(transfer.block).ref)
        #expect(try old.standing.outcome == .paid)
    }

    @Test("reports that contradict themselves or are for others are refused whole") func refusals() throws {
        var world = try WatchWorld()
        try world.confirm("t", 5)
        let before: AddressWatch = world.watch
        for (transfer, failure) in [
            (world.transfer("t", 6), AddressWatch.Failure.contradiction),
            (world.transfer("t", 5, succeeded: false), .contradiction),
            (
                ChainTransfer(id: .init(transaction: "x", position: 0), address: "a", amount: .one, block: nil),
                .misplaced
            ),
            (
                ChainTransfer(id: .init(transaction: "x", position: 0), address: "b", amount: .one, block: nil),
                .otherAddress
            ),
        ] {
            #expect(throws: failure) { try world.watch.see([world.transfer("y", 9), transfer], at: world.now) }
            #expect(world.watch == before)
        }
        #expect(throws: AddressWatch.Failure.misplaced) {
            try world.watch.replaceUnconfirmed([world.transfer("y", 9)], at: world.now)
        }
        #expect(world.watch == before)
    }

    @Test("a policy without sense is refused") func policies() {
        let all: WatchPolicy.Tier = .init(upTo: nil, confirmations: 1)
        for tiers: [WatchPolicy.Tier] in [
            [], [.init(upTo: .one, confirmations: 1)], [.init(upTo: nil, confirmations: 0)], [all, all],
            [.init(upTo: units(5), confirmations: 1), .init(upTo: units(5), confirmations: 2), all],
            [.init(upTo: units(5), confirmations: 3), all],
        ] {
            #expect(throws: WatchPolicy.Failure.tiers) {
                try WatchPolicy(tiers: tiers, toleranceBasisPoints: 0, leastRefund: .zero, late: .hold)
            }
        }
        for tolerance in [-1, 10_000] {
            #expect(throws: WatchPolicy.Failure.tolerance) {
                try WatchPolicy(tiers: [all], toleranceBasisPoints: tolerance, leastRefund: .zero, late: .hold)
            }
        }
    }
}
