package import BillingCore
import HTTPKit
package import Postgres

/// How far a chain is followed, and whether it stands still.
package struct ChainStanding: PostgresRecord, Sendable {
    package let chain: String
    package let tipHeight: Int64?
    package let tipHash: String?
    package let peak: Int64
    package let lookedAt: Instant?
    /// Since when it cannot be followed; `nil` while it is.
    package let stoppedAt: Instant?
    package let stopReason: String?
    /// From where on it will be followed again, once a look has checked that.
    package let restartHeight: Int64?

    package init(row: inout PostgresRow) throws {
        chain = try row.next()
        tipHeight = try row.next()
        tipHash = try row.next()
        peak = try row.next()
        lookedAt = try row.next()
        stoppedAt = try row.next()
        stopReason = try row.next()
        restartHeight = try row.next()
    }

    init(chain: String, tipHeight: Int64, tipHash: String, lookedAt: Instant) {
        self.chain = chain
        self.tipHeight = tipHeight
        self.tipHash = tipHash
        peak = tipHeight
        self.lookedAt = lookedAt
        stoppedAt = nil
        stopReason = nil
        restartHeight = nil
    }
}

/// SQL over chains that stand still.
package enum ChainStops {
    private static let columns: SQL = """
        c.chain, b.height, b.hash, c.peak, c.looked_at, c.stopped_at, c.stop_reason, c.restart_height
        """
    private static let tables: SQL = """
        crypto_chains c LEFT JOIN LATERAL (SELECT height, hash FROM crypto_blocks
            WHERE chain = c.chain ORDER BY height DESC LIMIT 1) AS b ON true
        """

    package static func find(_ chain: String, in db: borrowing PostgresTransaction) throws -> ChainStanding? {
        try db.first("SELECT \(columns) FROM \(tables) WHERE c.chain = \(chain)", as: ChainStanding.self)
    }

    /// Refuses a decision on an attempt's money while its chain stands still: nobody knows what of it is there.
    /// - Throws: ``Problem`` with 409.
    static func refuse(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws {
        let isStopped: Bool? = try db.first(
            """
            SELECT h.stopped_at IS NOT NULL FROM crypto_charges c JOIN crypto_chains h ON h.chain = c.chain
            WHERE c.attempt_id = \(attempt)
            """
        ) { row in try row.next() }
        guard isStopped != true else {
            throw Problem.conflict("chain_stopped", "The chain stands still: what is on it is not known now.")
        }
    }

    /// Every chain that was ever looked at, by name.
    package static func list(in db: borrowing PostgresTransaction) throws -> [ChainStanding] {
        try db.query("SELECT \(columns) FROM \(tables) ORDER BY c.chain LIMIT 100", as: ChainStanding.self)
    }

    /// Notes that a chain cannot be followed; the first time stays.
    /// - Parameter refused: The height from which it was tried to follow it again; that wish is over.
    package static func stop(
        _ chain: String, _ reason: String, refused: UInt64?, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE crypto_chains SET stopped_at = coalesce(stopped_at, now()), stop_reason = \(reason),
                restart_height = nullif(restart_height, \(refused.map { Int64($0) })::bigint)
            WHERE chain = \(chain)
            """)
    }

    /// Has a chain followed again from a height on: the next look does it. An audit line stays.
    package static func restart(
        _ standing: ChainStanding, from height: Int64, reason: String, by actor: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO crypto_chain_restarts (chain, height, stop_reason, tip_height, tip_hash, reason, actor, asked_at)
            VALUES (\(standing.chain), \(height), \(standing.stopReason), \(standing.tipHeight), \(standing.tipHash),
                \(reason), \(actor), \(now))
            """)
        try db.enqueue(
            "UPDATE crypto_chains SET restart_height = \(height), due_at = now() WHERE chain = \(standing.chain)")
    }

    /// The blocks below a height that hold transfers to addresses which are still looked at.
    package static func placements(
        on chain: String, below height: UInt64, in db: borrowing PostgresTransaction
    ) throws -> [PlacedBlock] {
        try db.query(
            """
            SELECT DISTINCT t.block_height, t.block_hash FROM crypto_transfers t
            JOIN crypto_charges c ON c.attempt_id = t.attempt_id
            WHERE c.chain = \(chain) AND c.closed_at IS NULL AND t.block_height < \(Int64(height))
            """, as: PlacedBlock.self)
    }

    /// Begins a chain anew from a height: what was known from there on is forgotten and read again, and of what is below
    /// only that is final which the node has on its chain.
    package static func begin(
        _ chain: String, from height: UInt64, confirmed: [PlacedBlock], in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("DELETE FROM crypto_blocks WHERE chain = \(chain)")
        try db.enqueue(
            """
            UPDATE crypto_transfers t SET is_final = t.block_height < \(Int64(height)) AND EXISTS (
                SELECT FROM unnest(\(confirmed.map(\.height))::bigint[], \(confirmed.map(\.hash))::text[])
                    AS b (height, hash) WHERE b.height = t.block_height AND b.hash = t.block_hash)
            FROM crypto_charges c
            WHERE c.attempt_id = t.attempt_id AND c.chain = \(chain) AND c.closed_at IS NULL
                AND t.block_height IS NOT NULL
            """)
        try db.enqueue(
            """
            UPDATE crypto_chains SET stopped_at = NULL, stop_reason = NULL, restart_height = NULL WHERE chain = \(chain)
            """)
    }
}

/// A block that holds transfers of ours.
package struct PlacedBlock: PostgresRecord, Sendable, Hashable {
    package let height: Int64
    package let hash: String

    package init(row: inout PostgresRow) throws {
        height = try row.next()
        hash = try row.next()
    }
}
