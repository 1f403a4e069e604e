import BillingCore
import PaymentChains
import TestKit
import Testing

/// A tree of blocks with transfers, made at random: a chain from which branches of some depth take over.
private struct RandomChain {
    let start = Instant(seconds: 1_800_000_000)
    var random = Seeded()
    /// The chain as it is now.
    var blocks: [BlockHeader] = []
    /// Every report that was ever true.
    var reports: [ChainTransfer] = []
    /// What each block holds.
    var contents: [BlockRef: [ChainTransfer]] = [:]
    private var made = 0
    private var paid = 0

    var tip: BlockHeader? { blocks.last }
    var watch: AddressWatch

    init(late: WatchPolicy.LateRule) throws {
        let policy = try WatchPolicy(
            tiers: [.init(upTo: BaseUnits(600), confirmations: 1), .init(upTo: nil, confirmations: 3)],
            toleranceBasisPoints: 200, leastRefund: BaseUnits(50), late: late)
        watch = AddressWatch(
            terms: WatchTerms(
                address: "a", expected: BaseUnits(1_000), opensAt: start, expiresAt: start + .seconds(1_500),
                policy: policy))
    }

    /// Puts a block on top, with new transfers and some that a left branch held.
    mutating func mine() {
        made += 1
        let height: UInt64 = tip.map { $0.ref.height + 1 } ?? 7
        let header = BlockHeader(
            ref: BlockRef(height: height, hash: "b\(made)"), parentHash: tip?.ref.hash ?? "",
            time: start + .seconds(60 * (height - 7)))
        var held: [ChainTransfer] = []
        let onChain: Set<TransferID> = Set(blocks.flatMap { contents[$0.ref] ?? [] }.map(\.id))
        let left: [ChainTransfer] = reports.filter { !onChain.contains($0.id) }
        if let again = left.randomElement(using: &random), Bool.random(using: &random) {
            held.append(placed(again.id, again.amount, again.succeeded, header))
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            paid += 1
            let amount = BaseUnits(UInt128.random(in: 1...700, using: &random))
            let id = TransferID(transaction: "t\(paid)", position: 0)
            held.append(placed(id, amount, Int.random(in: 0..<6, using: &random) > 0, header))
        }
        contents[header.ref] = held
        reports += held
        blocks.append(header)
    }

    mutating func reorganise(depth: Int) {
        blocks.removeLast(min(depth, blocks.count - 1))
        for _ in 0...depth { mine() }
    }

    /// The state from the final chain alone, without any of what this service does.
    func expected(at now: Instant) throws -> (received: BaseUnits, pending: BaseUnits) {
        var received: BaseUnits = .zero
        var pending: BaseUnits = .zero
        for (index, header) in blocks.enumerated() {
            for transfer in contents[header.ref] ?? [] where transfer.succeeded {
                // The expected amount is in the upper tier: three confirmations.
                if blocks.count - index >= 3 {
                    received = try received.adding(transfer.amount)
                } else {
                    pending = try pending.adding(transfer.amount)
                }
            }
        }
        for transfer in departed where transfer.succeeded { pending = try pending.adding(transfer.amount) }
        return (received, pending)
    }

    /// The transfers that no block of the chain holds, and that were in one it is not three confirmations past.
    private var departed: [ChainTransfer] {
        let onChain: Set<TransferID> = Set(blocks.flatMap { contents[$0.ref] ?? [] }.map(\.id))
        let left: [TransferID: [ChainTransfer]] = Dictionary(
            grouping: reports.filter { !onChain.contains($0.id) }, by: \.id)
        return left.values.compactMap { reports in
            let last: ChainTransfer? = reports.max { ($0.block?.ref.height ?? 0) < ($1.block?.ref.height ?? 0) }
            guard let last, let height = last.block?.ref.height, let tip else { return nil }
            return tip.ref.height < height + 3 ? last : nil
        }
    }

    private func placed(
        _ id: TransferID, _ amount: BaseUnits, _ succeeded: Bool, _ header: BlockHeader
    ) -> ChainTransfer {
        ChainTransfer(id: id, address: "a", amount: amount, succeeded: succeeded, block: header.stamp)
    }
}

@Suite("Reorganisations at random") struct ReorganisationTests {
    @Test("the state after any order of reports is the state of the final chain") func anyOrder() throws {
        for round in 0..<150 {
            var chain = try RandomChain(late: WatchPolicy.LateRule.allCases[round % 3])
            var trail = ChainTrail(depth: 200)
            var live: AddressWatch = chain.watch
            var known: [BlockHeader] = []
            for _ in 0..<Int.random(in: 5...40, using: &chain.random) {
                if chain.blocks.count > 3, Int.random(in: 0..<4, using: &chain.random) == 0 {
                    chain.reorganise(depth: .random(in: 1...6, using: &chain.random))
                } else {
                    chain.mine()
                }
                // What is polled live: the trail follows, then the new blocks are read, now and then twice.
                let shared: Int = zip(known, chain.blocks).prefix { $0 == $1 }.count
                if shared > 0 { _ = try trail.rewind(to: known[shared - 1].ref.height) }
                for header in chain.blocks[shared...] { try trail.append(header) }
                known = chain.blocks
                let again: Int = Bool.random(using: &chain.random) ? shared : max(0, shared - 2)
                for header in chain.blocks[again...] {
                    try live.see(chain.contents[header.ref] ?? [], at: chain.start + .seconds(9_999))
                }
                live.settle(on: trail)
            }
            let now: Instant = chain.start + .seconds(10_000)
            let standing: Standing = try live.standing(on: trail, at: now)
            let expected = try chain.expected(at: now)
            #expect(standing.received == expected.received, "seed \(chain.random.seed) round \(round)")
            #expect(standing.pending == expected.pending, "seed \(chain.random.seed) round \(round)")
            try hold(standing, chain)
            for _ in 0..<5 {
                var other: AddressWatch = chain.watch
                let doubled: [ChainTransfer] = chain.reports + chain.reports.shuffled(using: &chain.random).prefix(9)
                for report in doubled.shuffled(using: &chain.random) {
                    try other.see([report], at: chain.start + .seconds(9_999))
                }
                #expect(other == live, "seed \(chain.random.seed) round \(round)")
                #expect(try other.standing(on: trail, at: now) == standing, "seed \(chain.random.seed)")
            }
        }
    }

    /// What holds for every standing.
    private func hold(_ standing: Standing, _ chain: RandomChain) throws {
        let parts: BaseUnits = try standing.applied.adding(standing.held).adding(standing.refundable)
        #expect(parts == standing.received, "seed \(chain.random.seed)")
        #expect(standing.applied <= chain.watch.terms.expected)
        #expect(standing.late <= standing.received)
        #expect(standing.refundable.isZero || standing.refundable >= chain.watch.terms.policy.leastRefund)
        let isBooked: Bool = standing.outcome == .paid || standing.outcome == .overpaid
        #expect(isBooked == !standing.applied.isZero, "seed \(chain.random.seed)")
        #expect(!isBooked || standing.missing.isZero, "seed \(chain.random.seed)")
    }

    @Test("a trail refuses gaps and reorganisations that undo what is final") func trails() throws {
        var trail = ChainTrail(depth: 10)
        func header(_ height: UInt64, _ parent: String) -> BlockHeader {
            BlockHeader(ref: BlockRef(height: height, hash: "h\(height)"), parentHash: parent, time: .epoch)
        }
        for height: UInt64 in 50..<70 { try trail.append(header(height, "h\(height - 1)")) }
        #expect(trail.floor?.height == 60 && trail.tip?.height == 69 && trail.hash(at: 59) == nil)
        #expect(throws: ChainTrail.Failure.disconnected) { try trail.append(header(71, "h69")) }
        #expect(throws: ChainTrail.Failure.disconnected) { try trail.append(header(70, "h68")) }
        #expect(throws: ChainTrail.Failure.tooDeep) { try trail.rewind(to: 64) }
        #expect(try trail.rewind(to: 65).count == 4)
        #expect(throws: ChainTrail.Failure.tooDeep) { try trail.rewind(to: 64) }
        #expect(try trail.rewind(to: 90).isEmpty)
        #expect(ChainTrail(depth: 10, blocks: trail.blocks, peak: trail.peak) == trail)
        #expect(ChainTrail(depth: 10, blocks: trail.blocks, peak: 64) == nil)
        #expect(ChainTrail(depth: 10, blocks: [trail.blocks[0], trail.blocks[2]], peak: 69) == nil)
    }
}
