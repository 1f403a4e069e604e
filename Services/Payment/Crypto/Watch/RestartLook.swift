import BillingCore
import PaymentChains
import Postgres

/// The first look of a chain that is followed again after it stood still.
struct RestartLook: Sendable {
    let step: TrailAdvance
    let height: UInt64
    /// The blocks below with transfers of ours that the node has.
    let confirmed: [PlacedBlock]
}

extension ChainWatcher {
    /// Checks from where on a chain is to be followed again, and reads the first blocks.
    /// - Throws: ``ChainFault``; ``RestartRefused`` when the height is no place to begin.
    func restart(from height: UInt64, after old: ChainTrail) async throws -> RestartLook {
        try await scanner.reader.verify()
        guard try await scanner.reader.tipHeight() >= height else { throw ChainFault.behind }
        if height > 0, let below = old.hash(at: height - 1),
            try await scanner.reader.header(at: height - 1).ref.hash != below
        {
            throw RestartRefused(
                "the node has another block at \(height - 1) than was followed: begin at a lower height")
        }
        let chain: String = chain
        let placed: [PlacedBlock] = try await pool.transaction(readOnly: true) { db in
            try ChainStops.placements(on: chain, below: height, in: db)
        }
        var confirmed: [PlacedBlock] = []
        for block in placed
        where try await scanner.reader.header(at: UInt64(block.height)).ref.hash == block.hash {
            confirmed.append(block)
        }
        let step: TrailAdvance = try await scanner.reader.catchUp(
            ChainTrail(depth: depth), startingAt: height, limit: min(100, depth / 2))
        return RestartLook(step: step, height: height, confirmed: confirmed)
    }
}

/// A chain cannot be followed again from there.
struct RestartRefused: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
