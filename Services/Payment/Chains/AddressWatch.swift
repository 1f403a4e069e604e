package import BillingCore

/// Everything seen on one payment's address. It only collects; ``standing(on:at:)`` judges.
///
/// A transfer counts while a block that holds it is on the chain, or while it waits for a block and the node knows it.
/// So a block that leaves the chain takes its transfers along: for a while they are on the way again. It does not matter
/// in which order blocks, repeated and outdated reports come in.
package struct AddressWatch: Hashable, Sendable {
    /// Why a report is refused.
    package enum Failure: Error, Equatable, Sendable {
        /// A transfer to another address.
        case otherAddress
        /// The same transfer in the same block with another amount or outcome: the node is not to be trusted.
        case contradiction
        /// A transfer without a block among those in blocks, or the other way round.
        case misplaced
    }

    /// A transfer in a block.
    package struct Placement: Hashable, Sendable {
        /// The block.
        package let block: BlockRef
        /// How much, there.
        package let amount: BaseUnits
        /// Whether it was carried out, there.
        package let succeeded: Bool
        /// The block has so many confirmations that it is never asked for again.
        package var isFinal: Bool

        /// A placement, as it was stored.
        package init(block: BlockRef, amount: BaseUnits, succeeded: Bool, isFinal: Bool) {
            self.block = block
            self.amount = amount
            self.succeeded = succeeded
            self.isFinal = isFinal
        }
    }

    /// When a transaction arrived, as far as known.
    package struct Arrival: Hashable, Sendable {
        /// When it was first reported.
        package let reportedAt: Instant
        /// When it has come: at the last look that would have shown it, or when its block was made, if that was before.
        package let arrivedAt: Instant

        /// An arrival, as it was stored.
        package init(reportedAt: Instant, arrivedAt: Instant) {
            self.reportedAt = reportedAt
            self.arrivedAt = arrivedAt
        }
    }

    /// What is waited for.
    package let terms: WatchTerms
    /// Each transfer with the blocks it was seen in; more than one after a reorganisation.
    package private(set) var placements: [TransferID: [Placement]] = [:]
    /// The transfers that wait for a block, as far as was reported.
    package private(set) var unconfirmed: [TransferID: BaseUnits] = [:]
    /// Per transaction, because a reorganisation may renumber what is inside.
    package private(set) var arrivals: [String: Arrival] = [:]

    /// A watch that has seen nothing.
    package init(terms: WatchTerms) { self.terms = terms }

    /// A watch as it was stored.
    package init(
        terms: WatchTerms, placements: [TransferID: [Placement]], unconfirmed: [TransferID: BaseUnits],
        arrivals: [String: Arrival]
    ) {
        self.terms = terms
        self.placements = placements.mapValues { known in known.sorted { $0.block.precedes($1.block) } }
        self.unconfirmed = unconfirmed
        self.arrivals = arrivals
    }

    /// Takes in transfers in blocks. Saying the same again changes nothing.
    /// - Parameters:
    ///   - now: When they were reported.
    ///   - since: When the last look began that saw all there was. What is new came between the two, nobody knows when: the
    ///     payer has the benefit of it.
    /// - Throws: ``Failure``; nothing is taken in then.
    package mutating func see(
        _ transfers: [ChainTransfer], at now: Instant, since: Instant? = nil
    ) throws(Failure) {
        var next: AddressWatch = self
        for transfer in transfers {
            guard transfer.address == terms.address else { throw .otherAddress }
            guard let block = transfer.block else { throw .misplaced }
            let known: [Placement] = next.placements[transfer.id] ?? []
            if let same = known.first(where: { $0.block == block.ref }) {
                guard same.amount == transfer.amount, same.succeeded == transfer.succeeded else {
                    throw .contradiction
                }
            } else {
                let placement = Placement(
                    block: block.ref, amount: transfer.amount, succeeded: transfer.succeeded, isFinal: false)
                next.placements[transfer.id] = (known + [placement]).sorted { $0.block.precedes($1.block) }
            }
            let made: Instant = max(block.time, terms.opensAt)
            next.note(
                transfer.id.transaction, Arrival(reportedAt: now, arrivedAt: min(terms.came(by: now, since), made)))
        }
        self = next
    }

    /// Takes in all transfers that wait for a block. One that was there before and is not any more was replaced (RBF),
    /// dropped, or is in a block now. Call it after ``see(_:at:since:)``: what replaced it may be in a block.
    /// - Parameters:
    ///   - now: When they were reported.
    ///   - since: When the last look began that saw all there was.
    /// - Throws: ``Failure``; nothing is taken in then.
    package mutating func replaceUnconfirmed(
        _ transfers: [ChainTransfer], at now: Instant, since: Instant? = nil
    ) throws(Failure) {
        var next: AddressWatch = self
        next.unconfirmed = [:]
        try next.addUnconfirmed(transfers, at: now, since: since)
        next.handOn(from: unconfirmed)
        self = next
    }

    /// Takes in some of the transfers that wait for a block. Those that were there before go on to wait.
    /// - Parameters:
    ///   - now: When they were reported.
    ///   - since: When the last look began that saw all there was.
    /// - Throws: ``Failure``; nothing is taken in then.
    package mutating func addUnconfirmed(
        _ transfers: [ChainTransfer], at now: Instant, since: Instant? = nil
    ) throws(Failure) {
        var next: AddressWatch = self
        for transfer in transfers {
            guard transfer.address == terms.address else { throw .otherAddress }
            guard transfer.block == nil else { throw .misplaced }
            if let amount = next.unconfirmed.updateValue(transfer.amount, forKey: transfer.id) {
                guard amount == transfer.amount else { throw .contradiction }
            }
            next.note(transfer.id.transaction, Arrival(reportedAt: now, arrivedAt: terms.came(by: now, since)))
        }
        self = next
    }

    /// Whoever raises a fee sends the same anew under another id. So a transaction that came in time, waited and is gone
    /// hands on when it came, to one that is late and brings just as much. Nobody gains by it: the first could have been
    /// left to wait.
    /// - Parameter waiting: What waited before.
    private mutating func handOn(from waiting: [TransferID: BaseUnits]) {
        let placed: Set<String> = Set(placements.keys.map(\.transaction))
        let present: Set<String> = placed.union(unconfirmed.keys.map(\.transaction))
        for gone in Set(waiting.keys.map(\.transaction)).subtracting(present).sorted() {
            let parts: [BaseUnits] = waiting.filter { $0.key.transaction == gone }.map(\.value)
            guard let came = arrivals[gone]?.arrivedAt, came < terms.expiresAt, let amount = Self.total(parts) else {
                continue
            }
            let heirs: [(id: String, reportedAt: Instant)] = present.compactMap { id in
                guard let own = arrivals[id], own.arrivedAt >= terms.expiresAt, total(of: id) == amount else {
                    return nil
                }
                return (id, own.reportedAt)
            }
            guard let heir = heirs.max(by: { ($0.reportedAt, $0.id) < ($1.reportedAt, $1.id) }) else { continue }
            arrivals[heir.id] = Arrival(reportedAt: heir.reportedAt, arrivedAt: came)
        }
    }

    /// What a transaction brings, in its last block or where it waits; `nil` beyond 256 bits.
    private func total(of transaction: String) -> BaseUnits? {
        let placed: [Placement] = placements.filter { $0.key.transaction == transaction }.compactMap(\.value.last)
        guard placed.isEmpty else { return Self.total(placed.filter(\.succeeded).map(\.amount)) }
        return Self.total(unconfirmed.filter { $0.key.transaction == transaction }.map(\.value))
    }

    private static func total(_ amounts: [BaseUnits]) -> BaseUnits? {
        do throws(MoneyError) { return try BaseUnits.sum(amounts) } catch { return nil }
    }

    /// Marks what has become final, before its blocks leave the trail. Call it after each step of the trail, of at most
    /// ``ChainTrail/finalConfirmations`` blocks.
    package mutating func settle(on trail: ChainTrail) {
        for (id, known) in placements {
            let settled: [Placement] = known.map { placement in
                var placement: Placement = placement
                let confirmations: UInt64 = trail.confirmations(at: placement.block.height)
                if confirmations >= trail.finalConfirmations, trail.contains(placement.block) {
                    placement.isFinal = true
                }
                return placement
            }
            if settled != known { placements[id] = settled }
        }
    }

    /// Marks a block below the trail as final, when the node was asked and has it on its chain.
    package mutating func settle(_ block: BlockRef) {
        for (id, known) in placements where known.contains(where: { $0.block == block }) {
            placements[id] = known.map { placement in
                var placement: Placement = placement
                if placement.block == block { placement.isFinal = true }
                return placement
            }
        }
    }

    /// Forgets of what waits for a block the transactions that are in one on the chain: a node may tell of both, and a
    /// transfer's place in its block is known there only.
    package mutating func dropPlaced(on trail: ChainTrail) {
        let placed: Set<String> = transactions(on: trail)
        unconfirmed = unconfirmed.filter { !placed.contains($0.key.transaction) }
    }

    /// Forgets what waits for a block once the node has told nothing of it for the confirmations that it needs: like a
    /// transfer whose block has left, it may be gone, and nobody would say so. What came in time is so when it comes after all.
    /// - Parameter height: Where the chain was when the node told nothing of it first.
    package mutating func dropUntold(since height: UInt64, on trail: ChainTrail) {
        guard let tip = trail.tip else { return }
        let waiting: [TransferID: BaseUnits] = unconfirmed
        unconfirmed = waiting.filter { _, amount in
            let needed: UInt64 = terms.policy.confirmations(for: max(amount, terms.expected))
            let (end, isEndless) = height.addingReportingOverflow(needed)
            return isEndless || tip.height < end
        }
        handOn(from: waiting)
    }

    /// The transactions that are in a block of the chain.
    func transactions(on trail: ChainTrail) -> Set<String> {
        Set(
            placements.filter { _, known in known.contains { $0.isFinal || trail.contains($0.block) } }
                .keys.map(\.transaction))
    }

    /// What the transfers in blocks of the chain have brought, however many confirmations they have.
    /// - Throws: ``MoneyError/overflow``.
    package func onChain(_ trail: ChainTrail) throws(MoneyError) -> BaseUnits {
        var total: BaseUnits = .zero
        for known in placements.values {
            guard let place = known.first(where: { $0.isFinal || trail.contains($0.block) }), place.succeeded else {
                continue
            }
            total = try total.adding(place.amount)
        }
        return total
    }

    /// The earliest report decides when a transaction arrived: a later block's time, which its maker chooses, does not
    /// move it.
    private mutating func note(_ transaction: String, _ arrival: Arrival) {
        guard let known = arrivals[transaction] else {
            arrivals[transaction] = arrival
            return
        }
        let isEarlier: Bool =
            (arrival.reportedAt, arrival.arrivedAt) < (known.reportedAt, known.arrivedAt)
        if isEarlier { arrivals[transaction] = arrival }
    }
}

extension BlockRef {
    /// An order for equal states to be equal values.
    package func precedes(_ other: BlockRef) -> Bool { (height, hash) < (other.height, other.hash) }
}
