package import BillingCore

/// Reads a chain from a node, whichever chain it is.
///
/// One poll: ``catchUp(_:limit:)``, then the transfers of the blocks that were added or of the addresses, then the
/// watches, all of it stored together. A fault in between leaves everything as it was.
package protocol ChainReader: Sendable {
    /// Whether the node is on the configured chain; ask once after connecting.
    /// - Throws: ``ChainFault/otherChain``, ``ChainFault/behind``, and what else prevents an answer.
    func verify() async throws(ChainFault)
    /// The height of the node's last block.
    func tipHeight() async throws(ChainFault) -> UInt64
    /// The block at a height.
    /// - Throws: ``ChainFault/moved`` when there is none (any more).
    func header(at height: UInt64) async throws(ChainFault) -> BlockHeader
}

/// A trail brought forward.
package struct TrailAdvance: Hashable, Sendable {
    /// The trail now.
    package let trail: ChainTrail
    /// The blocks that left the chain, the highest first.
    package let undone: [BlockRef]
    /// The blocks that joined it, the lowest first.
    package let added: [BlockHeader]
    /// When its last block says it was made; `nil` when it is empty.
    package let tipTime: Instant?
}

extension ChainReader {
    /// Follows the node: takes back what is not on its chain and adds what is new.
    /// - Parameters:
    ///   - trail: What is known.
    ///   - below: An empty trail starts so many blocks below the node's tip: as far as a reorganisation can be undone.
    ///   - start: Where an empty trail starts instead.
    ///   - limit: The most blocks to add at once, and never more than half of the trail, so that watches can mark
    ///     what is final in time. Call again while the trail's tip is below the node's.
    /// - Throws: ``ChainFault/reorganisedTooDeep``, ``ChainFault/unusable(_:)``, and what else prevents an answer.
    package func catchUp(
        _ trail: ChainTrail, startingBelowTip below: UInt64 = 0, startingAt start: UInt64? = nil, limit: Int = 100
    ) async throws(ChainFault) -> TrailAdvance {
        let top: UInt64 = try await tipHeight()
        guard top < 1 << 48 else { throw .unusable("height") }
        var next: ChainTrail = trail
        var undone: [BlockRef] = []
        var last: BlockHeader?
        if let tip = trail.tip {
            var height: UInt64 = min(tip.height, top)
            var known: BlockHeader = try await header(at: height)
            while known.ref.hash != trail.hash(at: height) {
                guard let floor = trail.floor, height > floor.height, trail.peak - height < trail.finalConfirmations
                else { throw .reorganisedTooDeep }
                height -= 1
                known = try await header(at: height)
            }
            last = known
            do throws(ChainTrail.Failure) {
                undone = try next.rewind(to: height)
            } catch {
                throw .reorganisedTooDeep
            }
        }
        var added: [BlockHeader] = []
        var height: UInt64 = next.tip.map { $0.height + 1 } ?? start ?? top - min(top, below)
        while height <= top, added.count < min(limit, trail.depth / 2) {
            let header: BlockHeader = try await header(at: height)
            do throws(ChainTrail.Failure) {
                try next.append(header)
            } catch {
                // The chain changed between two answers.
                throw .moved
            }
            added.append(header)
            last = header
            height += 1
        }
        return TrailAdvance(trail: next, undone: undone, added: added, tipTime: last?.time)
    }
}

extension Instant {
    /// A node's time: whole seconds since 1970.
    /// - Throws: ``ChainFault/unusable(_:)`` from the year 5138 on.
    package init(nodeSeconds seconds: UInt64) throws(ChainFault) {
        guard seconds < 100_000_000_000 else { throw .unusable("time") }
        self.init(seconds: Int64(seconds))
    }
}
