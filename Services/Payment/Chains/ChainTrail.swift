package import BillingCore

/// A block by height and hash. The height alone does not name a block: a reorganisation puts another one there.
package struct BlockRef: Hashable, Sendable {
    /// How many blocks come before it.
    package let height: UInt64
    /// Its hash, as the chain's nodes write it, in lower case.
    package let hash: String

    /// A block.
    package init(height: UInt64, hash: String) {
        self.height = height
        self.hash = hash
    }
}

/// A block and the time its maker gave it. Bitcoin's rules let it be up to two hours wrong.
package struct BlockStamp: Hashable, Sendable {
    /// Which block it is.
    package let ref: BlockRef
    /// When it says it was made.
    package let time: Instant

    /// A block at a time.
    package init(ref: BlockRef, time: Instant) {
        self.ref = ref
        self.time = time
    }
}

/// What a block says of itself.
package struct BlockHeader: Hashable, Sendable {
    /// Which block it is.
    package let ref: BlockRef
    /// The block before it; empty for the first one.
    package let parentHash: String
    /// When it says it was made.
    package let time: Instant

    /// The block without its parent.
    package var stamp: BlockStamp { BlockStamp(ref: ref, time: time) }

    /// A header.
    package init(ref: BlockRef, parentHash: String, time: Instant) {
        self.ref = ref
        self.parentHash = parentHash
        self.time = time
    }
}

/// The last blocks of a chain as this service knows it, without gaps: what counts as being on the chain.
package struct ChainTrail: Hashable, Sendable {
    /// Why the trail cannot follow.
    package enum Failure: Error, Equatable, Sendable {
        /// The block does not stand on the trail's last one.
        case disconnected
        /// A reorganisation undoes blocks that counted as final. A person must look.
        case tooDeep
    }

    /// How many blocks are kept. A block is final at half of it.
    package let depth: Int
    /// The blocks, each one higher than the one before.
    package private(set) var blocks: [BlockRef]
    /// The greatest height there ever was; what was final then stays final.
    package private(set) var peak: UInt64

    /// An empty trail.
    /// - Parameter depth: At least 2; at least twice the deepest reorganisation to live through.
    package init(depth: Int = 400) {
        self.depth = max(2, depth)
        blocks = []
        peak = 0
    }

    /// A trail as it was stored.
    /// - Returns: `nil` when there are gaps between the blocks, or the peak is below them.
    package init?(depth: Int, blocks: [BlockRef], peak: UInt64) {
        guard blocks.last.map({ $0.height <= peak }) ?? true,
            zip(blocks, blocks.dropFirst()).allSatisfy({ $0.height + 1 == $1.height })
        else { return nil }
        self.depth = max(2, depth)
        self.blocks = blocks
        self.peak = peak
    }

    /// The highest block.
    package var tip: BlockRef? { blocks.last }
    /// The lowest block that is kept.
    package var floor: BlockRef? { blocks.first }
    /// How many confirmations make a block final.
    package var finalConfirmations: UInt64 { UInt64(depth / 2) }

    /// The hash at a height; `nil` outside of what is kept.
    package func hash(at height: UInt64) -> String? {
        guard let floor, let tip, (floor.height...tip.height).contains(height) else { return nil }
        return blocks[Int(height - floor.height)].hash
    }

    /// Whether a block is among those kept.
    package func contains(_ block: BlockRef) -> Bool { hash(at: block.height) == block.hash }

    /// How many blocks confirm a transaction in the block at this height: 1 for the tip, 0 above it.
    package func confirmations(at height: UInt64) -> UInt64 {
        guard let tip, height <= tip.height else { return 0 }
        return tip.height - height + 1
    }

    /// Adds the next block; the first one may be any.
    /// - Throws: ``Failure/disconnected``.
    package mutating func append(_ header: BlockHeader) throws(Failure) {
        if let tip {
            guard header.ref.height == tip.height + 1, header.parentHash == tip.hash else { throw .disconnected }
        }
        blocks.append(header.ref)
        peak = max(peak, header.ref.height)
        if blocks.count > depth { blocks.removeFirst(blocks.count - depth) }
    }

    /// Takes back all blocks above a height.
    /// - Returns: The blocks that are on the chain no more, the highest first.
    /// - Throws: ``Failure/tooDeep`` when one of them was final, or none would be left.
    package mutating func rewind(to height: UInt64) throws(Failure) -> [BlockRef] {
        guard let tip, tip.height > height else { return [] }
        guard let floor, height >= floor.height, peak - height < finalConfirmations else { throw .tooDeep }
        let undone: [BlockRef] = blocks.suffix(Int(tip.height - height)).reversed()
        blocks.removeLast(undone.count)
        return undone
    }
}
