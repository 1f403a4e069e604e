import BillingCore
import PaymentChains
import PaymentCrypto
import Synchronization
import TestKit

/// A chain in the process: payers pay into its memory pool, blocks take payments up, branches take over.
final class FakeChain: ChainScanner, ChainReader {
    /// A payment somebody makes.
    struct Payment: Sendable, Hashable {
        let transaction: String
        let address: String
        let amount: BaseUnits
        var succeeded = true
    }

    private struct Block {
        let header: BlockHeader
        var payments: [Payment]
    }

    /// What the node shows.
    struct Shows: Sendable {
        /// What waits for a block.
        var pool = true
        /// Each address with all its blocks, instead of each block with all its addresses.
        var histories = false
        var extent: Sighting.Extent = .whole
        /// Of what waits on an address only so many, the newest.
        var told = Int.max
        /// Its last block grows old with the world's clock, which else jumps like a test clock.
        var ageing = false
    }

    private struct State {
        var blocks: [Block] = []
        var pool: [Payment] = []
        var made = 0
        var fault: ChainFault?
        var asked = 0
        /// What contracts have sent to addresses.
        var smuggled: [String: Int] = [:]
        /// The chain before a fork.
        var kept: [Block] = []
        /// Blocks at the end that the node does not have yet.
        var hidden = 0
        var shows = Shows()
        var seen: [Block] { blocks.dropLast(hidden) }
        /// Runs once when the node is asked for what is on addresses.
        var meanwhile: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    private let clock: any WallClock

    init(_ clock: any WallClock) {
        self.clock = clock
        mine(40)
    }

    var reader: any ChainReader { self }
    /// How often the node was asked for what is on addresses.
    var asked: Int { state.withLock { $0.asked } }

    /// From now on the node answers with this; `nil` mends it.
    func breaks(_ fault: ChainFault?) { state.withLock { $0.fault = fault } }

    /// From now on the node is so many blocks behind the chain.
    func lags(_ count: Int) { state.withLock { $0.hidden = count } }

    /// From now on the node shows this much.
    func shows(_ change: (inout Shows) -> Void) { state.withLock { change(&$0.shows) } }

    /// Something that happens once, while a look is under way.
    func meanwhile(_ work: @escaping @Sendable () -> Void) { state.withLock { $0.meanwhile = work } }

    /// Pays into the memory pool.
    @discardableResult
    func pay(_ address: String, _ amount: UInt128, succeeded: Bool = true) -> String {
        state.withLock { state in
            state.made += 1
            let payment = Payment(
                transaction: "t\(state.made)", address: address.lowercased(), amount: BaseUnits(amount),
                succeeded: succeeded)
            state.pool.append(payment)
            return payment.transaction
        }
    }

    /// Somebody sends money elsewhere, in a transaction with a hash as Bitcoin has.
    func payOut(_ address: String, _ amount: UInt128) -> String {
        state.withLock { state in
            state.made += 1
            let transaction = String(repeating: "0", count: 64 - String(state.made).count) + String(state.made)
            state.pool.append(
                Payment(transaction: transaction, address: address.lowercased(), amount: BaseUnits(amount)))
            return transaction
        }
    }

    /// A contract sends money: the balance grows, and no transfer says why.
    func smuggle(_ address: String, _ amount: Int) {
        state.withLock { $0.smuggled[address.lowercased(), default: 0] += amount }
    }

    /// Remembers the chain as it is.
    func fork() { state.withLock { $0.kept = $0.blocks } }

    /// Comes back to the chain as it was.
    func rejoin() { state.withLock { $0.blocks = $0.kept } }

    /// A payment that waits is replaced by another, or by none.
    func replace(_ transaction: String, by address: String? = nil, _ amount: UInt128 = 0) {
        state.withLock { $0.pool.removeAll { $0.transaction == transaction } }
        if let address { pay(address, amount) }
    }

    /// Puts blocks on top; the first takes up what waits.
    func mine(_ count: Int = 1, empty: Bool = false) {
        let now: Instant = clock.now
        state.withLock { state in
            for _ in 0..<count {
                state.made += 1
                let height: UInt64 = state.blocks.last.map { $0.header.ref.height + 1 } ?? 1_000
                let header = BlockHeader(
                    ref: BlockRef(height: height, hash: "b\(state.made)"),
                    parentHash: state.blocks.last?.header.ref.hash ?? "", time: now)
                state.blocks.append(Block(header: header, payments: empty ? [] : state.pool))
                if !empty { state.pool = [] }
            }
        }
    }

    /// Takes the last blocks back and puts one more in their place. Their payments wait again, unless they are dropped.
    func reorganise(depth: Int, dropping: Bool = false) {
        state.withLock { state in
            let gone: [Block] = Array(state.blocks.suffix(min(depth, state.blocks.count - 1)))
            state.blocks.removeLast(gone.count)
            if !dropping { state.pool += gone.flatMap(\.payments) }
        }
        mine(depth + 1, empty: true)
    }

    /// What is in blocks for an address, with at least so many confirmations.
    func settled(_ address: String, confirmations: Int) -> BaseUnits {
        state.withLock { state in
            let old: [Payment] = state.blocks.dropLast(confirmations - 1).flatMap(\.payments)
            let amounts: [UInt128] = old.filter { $0.address == address.lowercased() && $0.succeeded }.map(\.amount.low)
            return BaseUnits(amounts.reduce(0, +))
        }
    }

    func verify() async throws(ChainFault) { try check() }

    func tipHeight() async throws(ChainFault) -> UInt64 {
        try check()
        return state.withLock { $0.seen.last?.header.ref.height ?? 0 }
    }

    func header(at height: UInt64) async throws(ChainFault) -> BlockHeader {
        try check()
        let found: BlockHeader? = state.withLock { state in
            state.seen.first { $0.header.ref.height == height }?.header
        }
        guard let found else { throw .moved }
        return found
    }

    func sightings(
        of addresses: [WatchedAddress], after step: TrailAdvance, isWhole: Bool
    ) async throws(ChainFault) -> [AttemptID: Sighting] {
        let work: (@Sendable () -> Void)? = state.withLock { state in
            defer { state.meanwhile = nil }
            state.asked += 1
            return state.meanwhile
        }
        work?()
        try check()
        return state.withLock { state in
            guard isWhole || !state.shows.histories else { return [:] }
            var seen: [AttemptID: Sighting] = [:]
            for watched in addresses {
                seen[watched.attemptID] = sighting(watched.address.lowercased(), state, after: step, isWhole)
            }
            return seen
        }
    }

    private func sighting(
        _ address: String, _ state: State, after step: TrailAdvance, _ isWhole: Bool
    ) -> Sighting {
        var sighting = Sighting(extent: state.shows.extent)
        guard state.shows.extent != .unread, state.shows.extent != .tooMuch else { return sighting }
        for block in state.seen where state.shows.histories || step.added.contains(block.header) {
            let transfers: [ChainTransfer] = block.payments.filter { $0.address == address }.map {
                $0.transfer(block.header.stamp)
            }
            sighting.confirmed += transfers
            let isBelow: Bool = step.trail.floor.map { block.header.ref.height < $0.height } ?? false
            if isBelow, !transfers.isEmpty { sighting.settled.append(block.header.ref) }
        }
        if isWhole, state.shows.pool {
            sighting.unconfirmed = state.pool.filter { $0.address == address }.suffix(state.shows.told).map {
                $0.transfer(nil)
            }
        }
        if isWhole, let sent = state.smuggled[address], let tip = state.seen.last?.header.ref {
            let paid: [UInt128] = state.seen.flatMap(\.payments).filter { $0.address == address && $0.succeeded }
                .map(\.amount.low)
            sighting.balance = Sighting.Balance(block: tip, amount: BaseUnits(paid.reduce(0, +) + UInt128(sent)))
        }
        return sighting
    }

    func transfers(
        by transaction: String, of asset: CryptoAsset, to address: String
    ) async throws(ChainFault) -> [ChainTransfer] {
        try check()
        return state.withLock { state in
            let placed: [ChainTransfer] = state.blocks.flatMap { block in
                block.payments.map { $0.transfer(block.header.stamp) }
            }
            return (placed + state.pool.map { $0.transfer(nil) }).filter {
                $0.id.transaction == transaction && $0.address == address.lowercased()
            }
        }
    }

    private func check() throws(ChainFault) {
        if let fault = state.withLock({ $0.fault }) { throw fault }
    }
}

/// Real time, as far as the age of blocks goes.
extension FakeChain: WallClock {
    var now: Instant {
        let made: Instant? = state.withLock { $0.shows.ageing ? nil : $0.seen.last?.header.time }
        return made ?? clock.now
    }
}

extension FakeChain.Payment {
    func transfer(_ block: BlockStamp?) -> ChainTransfer {
        ChainTransfer(
            id: TransferID(transaction: transaction, position: 0), address: address, amount: amount,
            succeeded: succeeded, block: block)
    }
}
