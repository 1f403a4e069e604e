package import BillingCore
package import PaymentChains
package import Postgres

/// A chain as it was stored, claimed for one look.
package struct FollowedChain: Sendable {
    package let trail: ChainTrail
    /// Which state it is; a look is stored only where it still is this one.
    package let version: Int64
    /// Whether it stands still.
    package let isStopped: Bool
    /// From where on it is to be followed again.
    package let restartHeight: UInt64?
    /// When the last look began, by the business clock, that saw all there was; `nil` when there was none.
    package let readAt: Instant?
}

/// SQL over followed chains.
package enum ChainStore {
    /// Blocks of a chain that are kept; half of them are final.
    package static let depth = 400
    /// So long others leave a chain alone whose look has begun: longer than a look takes, shorter than patience.
    private static let leaseSeconds = 60

    /// Claims a look that is due.
    /// - Returns: `nil` when none is due, or another instance looks.
    package static func claim(
        _ chain: String, depth: Int, in db: borrowing PostgresTransaction
    ) throws -> FollowedChain? {
        _ = try db.execute("INSERT INTO crypto_chains (chain) VALUES (\(chain)) ON CONFLICT DO NOTHING")
        let claimed: (version: Int64, peak: Int64, isStopped: Bool, restart: Int64?, readAt: Instant?)? = try db.first(
            """
            UPDATE crypto_chains SET due_at = now() + make_interval(secs => \(leaseSeconds))
            WHERE chain = (SELECT chain FROM crypto_chains WHERE chain = \(chain) AND due_at <= now()
                FOR UPDATE SKIP LOCKED)
            RETURNING version, peak, stopped_at IS NOT NULL, restart_height, read_at
            """
        ) { row in (try row.next(), try row.next(), try row.next(), try row.next(), try row.next()) }
        guard let claimed else { return nil }
        return FollowedChain(
            trail: try trail(chain, depth, claimed.peak, in: db), version: claimed.version,
            isStopped: claimed.isStopped, restartHeight: claimed.restart.map { UInt64($0) }, readAt: claimed.readAt)
    }

    /// The chain as it is known; empty when it was never seen.
    package static func trail(
        of chain: String, depth: Int, in db: borrowing PostgresTransaction
    ) throws -> ChainTrail {
        let peak: Int64? = try db.first("SELECT peak FROM crypto_chains WHERE chain = \(chain)") { row in
            try row.next()
        }
        return try trail(chain, depth, peak ?? 0, in: db)
    }

    private static func trail(
        _ chain: String, _ depth: Int, _ peak: Int64, in db: borrowing PostgresTransaction
    ) throws -> ChainTrail {
        let blocks: [BlockRef] = try db.query(
            """
            SELECT height, hash FROM (SELECT height, hash FROM crypto_blocks WHERE chain = \(chain)
                ORDER BY height DESC LIMIT \(depth)) AS b ORDER BY height
            """
        ) { row in BlockRef(height: UInt64(try row.next() as Int64), hash: try row.next()) }
        guard let trail = ChainTrail(depth: depth, blocks: blocks, peak: UInt64(peak)) else {
            throw UnreadableRecord("blocks of \(chain) with gaps")
        }
        return trail
    }

    /// Locks a chain for storing a look that began at a version.
    /// - Returns: `false` when another look was stored since.
    package static func lock(
        _ chain: String, version: Int64, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let standing: Int64? = try db.first(
            "SELECT version FROM crypto_chains WHERE chain = \(chain) FOR UPDATE"
        ) { row in try row.next() }
        return standing == version
    }

    /// Stores a trail in place of the one a look began with.
    /// - Parameters:
    ///   - isWhole: Whether the look saw the chain to its end; one that is not seen so far is out of sight.
    ///   - readAt: When it began, by the business clock, where it saw what waits for a block, too.
    package static func save(
        _ trail: ChainTrail, from old: ChainTrail, of chain: String, dueIn seconds: Int, isWhole: Bool,
        readAt: Instant?, in db: borrowing PostgresTransaction
    ) throws {
        let known: Set<BlockRef> = Set(old.blocks)
        let kept: Set<BlockRef> = Set(trail.blocks)
        let gone: [Int64] = old.blocks.filter { !kept.contains($0) }.map { Int64($0.height) }
        let added: [BlockRef] = trail.blocks.filter { !known.contains($0) }
        try db.enqueue("DELETE FROM crypto_blocks WHERE chain = \(chain) AND height = ANY(\(gone)::bigint[])")
        try db.enqueue(
            """
            INSERT INTO crypto_blocks (chain, height, hash)
            SELECT \(chain), * FROM unnest(\(added.map { Int64($0.height) })::bigint[], \(added.map(\.hash))::text[])
            """)
        try db.enqueue(
            """
            UPDATE crypto_chains SET peak = \(Int64(trail.peak)), version = version + 1,
                looked_at = CASE WHEN \(isWhole) THEN now() ELSE looked_at END,
                read_at = coalesce(\(readAt)::timestamptz, read_at),
                stopped_at = NULL, stop_reason = NULL, restart_height = NULL, due_at = now() + make_interval(secs => \(seconds))
            WHERE chain = \(chain)
            """)
    }

    /// Gives a claimed look back that came to nothing.
    package static func release(
        _ chain: String, dueIn seconds: Int, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            "UPDATE crypto_chains SET due_at = now() + make_interval(secs => \(seconds)) WHERE chain = \(chain)")
    }

    /// Whether a chain was seen to its end in the last so many seconds of real time, and does not stand still.
    package static func isInSight(
        _ chain: String, seconds: Int, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.first(
            """
            SELECT looked_at >= now() - make_interval(secs => \(seconds)) FROM crypto_chains
            WHERE chain = \(chain) AND looked_at IS NOT NULL AND stopped_at IS NULL
            """
        ) { row in try row.next() } ?? false
    }
}
