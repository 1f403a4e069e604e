package import BillingCore
package import PaymentChains
package import Postgres

/// An address that is looked at.
package struct WatchedAddress: Sendable, Hashable {
    package let attemptID: AttemptID
    /// Names the asset.
    package let provider: String
    /// As it is shown.
    package let address: String
    /// Somebody may be paying right now, or it is looked at for the last time.
    package let isOpen: Bool
    /// When it was given out.
    package let since: Instant
    /// The transactions that were seen to wait for a block.
    package let waiting: [String]
    /// The blocks with transfers that are final.
    package let finalBlocks: [String]
    /// A transaction to it waits for a block, or the block that it was in has left the chain.
    package let isMoving: Bool
    /// Has transfers that are not final.
    package let isUnsettled: Bool
    /// Its quote has ended.
    package let isOver: Bool
    /// The hash of the block after which its balance was last asked for.
    package let balanceBlock: String?
    /// When the last look began that asked for its balance.
    package let balanceAskedAt: Instant?

    package init(
        attemptID: AttemptID, provider: String, address: String, isOpen: Bool, since: Instant,
        waiting: [String] = [], finalBlocks: [String] = [], isMoving: Bool = false,
        isUnsettled: Bool = false, isOver: Bool = false, balanceBlock: String? = nil, balanceAskedAt: Instant? = nil
    ) {
        self.attemptID = attemptID
        self.provider = provider
        self.address = address
        self.isOpen = isOpen
        self.since = since
        self.waiting = waiting
        self.finalBlocks = finalBlocks
        self.isMoving = isMoving
        self.isUnsettled = isUnsettled
        self.isOver = isOver
        self.balanceBlock = balanceBlock
        self.balanceAskedAt = balanceAskedAt
    }
}

/// A charge that a look may move, its row locked.
package struct WatchedCharge: Sendable {
    package let charge: CryptoCharge
    /// Its payment goes on without it: given up, or in another attempt.
    package let isAbandoned: Bool
}

/// SQL over what is looked at and what was seen.
package enum WatchStore {
    /// The addresses of a chain that are looked at.
    package static func addresses(
        of chain: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [WatchedAddress] {
        try db.query(
            """
            SELECT c.attempt_id, c.provider, c.address, c.answer IS NULL OR c.watch_until <= \(now), c.quoted_at,
                ARRAY(SELECT t.transaction_id FROM crypto_transfers t
                    WHERE t.attempt_id = c.attempt_id AND t.block_height IS NULL),
                ARRAY(SELECT t.block_hash FROM crypto_transfers t WHERE t.attempt_id = c.attempt_id AND t.is_final),
                EXISTS (SELECT FROM crypto_transfers t WHERE t.attempt_id = c.attempt_id AND NOT t.is_final
                    AND NOT EXISTS (SELECT FROM crypto_transfers o
                        LEFT JOIN crypto_blocks b ON b.chain = c.chain AND b.height = o.block_height
                        WHERE o.attempt_id = t.attempt_id AND o.transaction_id = t.transaction_id
                            AND (o.is_final OR b.hash = o.block_hash))),
                EXISTS (SELECT FROM crypto_transfers t WHERE t.attempt_id = c.attempt_id AND NOT t.is_final),
                c.expires_at <= \(now), c.balance_block, c.balance_asked_at
            FROM crypto_charges c
            WHERE c.chain = \(chain) AND c.closed_at IS NULL
            """
        ) { row in
            WatchedAddress(
                attemptID: try row.next(), provider: try row.next(), address: try row.next(), isOpen: try row.next(),
                since: try row.next(), waiting: try row.next(), finalBlocks: try row.next(),
                isMoving: try row.next(), isUnsettled: try row.next(), isOver: try row.next(),
                balanceBlock: try row.next(), balanceAskedAt: try row.next())
        }
    }

    /// The charges of a chain that may move now, their rows locked in order: what was seen, what has anything on its
    /// address, and what time moves on.
    package static func lock(
        of chain: String, seen: [AttemptID], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [WatchedCharge] {
        try db.query(
            """
            SELECT \(CryptoCharge.columns), \(abandoned) FROM crypto_charges c
            WHERE c.chain = \(chain) AND c.closed_at IS NULL AND (
                c.attempt_id = ANY(\(seen.map(\.rawValue))::text[])
                OR EXISTS (SELECT 1 FROM crypto_transfers t WHERE t.attempt_id = c.attempt_id)
                OR c.outcome = 'waiting' AND c.expires_at <= \(now)
                OR c.answer IS NULL AND (c.decline_at <= \(now) OR NOT c.is_all_read OR \(abandoned))
                OR c.watch_until <= \(now))
            ORDER BY c.attempt_id FOR UPDATE OF c
            """
        ) { row in WatchedCharge(charge: try CryptoCharge(row: &row), isAbandoned: try row.next()) }
    }

    /// One that is being given up is not: whether it is let go is the connector's to say.
    private static let abandoned: SQL = """
        EXISTS (SELECT 1 FROM payments p WHERE p.id = c.payment_id AND (p.attempt_id <> c.attempt_id
            OR p.status IN ('failed', 'canceled', 'succeeded')))
        """

    /// What was seen of charges.
    package static func watches(
        of charges: [CryptoCharge], in db: borrowing PostgresTransaction
    ) throws -> [AttemptID: AddressWatch] {
        let ids: [String] = charges.map(\.attemptID.rawValue)
        var placements: [AttemptID: [TransferID: [AddressWatch.Placement]]] = [:]
        var unconfirmed: [AttemptID: [TransferID: BaseUnits]] = [:]
        var arrivals: [AttemptID: [String: AddressWatch.Arrival]] = [:]
        for seen in try transfers(of: ids, in: db) {
            if let placement = seen.placement {
                placements[seen.attemptID, default: [:]][seen.id, default: []].append(placement)
            } else {
                unconfirmed[seen.attemptID, default: [:]][seen.id] = seen.amount
            }
        }
        let known: [(AttemptID, String, AddressWatch.Arrival)] = try db.query(
            """
            SELECT attempt_id, transaction_id, reported_at, arrived_at FROM crypto_arrivals
            WHERE attempt_id = ANY(\(ids)::text[])
            """
        ) { row in
            (
                try row.next(), try row.next(),
                AddressWatch.Arrival(reportedAt: try row.next(), arrivedAt: try row.next())
            )
        }
        for (attempt, transaction, arrival) in known { arrivals[attempt, default: [:]][transaction] = arrival }
        var watches: [AttemptID: AddressWatch] = [:]
        for charge in charges {
            let id: AttemptID = charge.attemptID
            watches[id] = AddressWatch(
                terms: try charge.terms, placements: placements[id] ?? [:], unconfirmed: unconfirmed[id] ?? [:],
                arrivals: arrivals[id] ?? [:])
        }
        return watches
    }

    /// Stores what was seen of charges whose rows are locked, in place of what was.
    package static func save(
        _ watches: [AttemptID: AddressWatch], in db: borrowing PostgresTransaction
    ) throws {
        guard !watches.isEmpty else { return }
        let seen: [SeenTransfer] = watches.flatMap { SeenTransfer.all(of: $1, attempt: $0) }
        let ids: [String] = watches.keys.map(\.rawValue)
        try db.enqueue("DELETE FROM crypto_transfers WHERE attempt_id = ANY(\(ids)::text[])")
        try db.enqueue(
            """
            INSERT INTO crypto_transfers (attempt_id, transaction_id, position, block_hash, block_height, amount,
                succeeded, is_final)
            SELECT * FROM unnest(\(seen.map(\.attemptID.rawValue))::text[], \(seen.map(\.id.transaction))::text[],
                \(seen.map { Int64($0.id.position) })::bigint[],
                \(seen.map { $0.placement?.block.hash ?? "" })::text[],
                \(seen.map { $0.placement.map { Int64($0.block.height) } })::bigint[],
                \(seen.map(\.amount))::numeric[], \(seen.map { $0.placement?.succeeded ?? true })::boolean[],
                \(seen.map { $0.placement?.isFinal ?? false })::boolean[])
            """)
        let arrivals: [(String, String, AddressWatch.Arrival)] = watches.flatMap { attempt, watch in
            watch.arrivals.map { (attempt.rawValue, $0, $1) }
        }
        // The first report of a transaction is never forgotten: it says whether it came in time.
        try db.enqueue(
            """
            INSERT INTO crypto_arrivals (attempt_id, transaction_id, reported_at, arrived_at)
            SELECT * FROM unnest(\(arrivals.map(\.0))::text[], \(arrivals.map(\.1))::text[],
                \(arrivals.map(\.2.reportedAt))::timestamptz[], \(arrivals.map(\.2.arrivedAt))::timestamptz[])
            ON CONFLICT (attempt_id, transaction_id) DO UPDATE
            SET reported_at = excluded.reported_at, arrived_at = excluded.arrived_at
            """)
    }

    /// Marks charges on whose addresses there is more than is read.
    /// - Returns: Those that were not marked yet.
    package static func markUnreadable(
        _ attempts: [AttemptID], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [AttemptID] {
        guard !attempts.isEmpty else { return [] }
        return try db.query(
            """
            UPDATE crypto_charges SET unreadable_since = \(now)
            WHERE attempt_id = ANY(\(attempts.map(\.rawValue))::text[]) AND unreadable_since IS NULL
            RETURNING attempt_id
            """
        ) { row in try row.next() }
    }

    /// Takes the mark off charges whose addresses were read.
    package static func markReadable(_ attempts: [AttemptID], in db: borrowing PostgresTransaction) throws {
        guard !attempts.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE crypto_charges SET unreadable_since = NULL
            WHERE attempt_id = ANY(\(attempts.map(\.rawValue))::text[]) AND unreadable_since IS NOT NULL
            """)
    }

    /// Stores of charges, whose rows are locked, whether the last look read all there was.
    package static func markRead(
        _ attempts: [AttemptID], _ isAllRead: Bool, in db: borrowing PostgresTransaction
    ) throws {
        guard !attempts.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE crypto_charges SET is_all_read = \(isAllRead)
            WHERE attempt_id = ANY(\(attempts.map(\.rawValue))::text[])
            """)
    }

    /// Stores of charges, whose rows are locked, when and after which block their balances were asked for.
    /// - Parameters:
    ///   - told: Those of them whose balances the node told.
    ///   - began: When the look began.
    package static func markBalances(
        _ asked: [AttemptID], told: [AttemptID], after block: BlockRef, at began: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard !asked.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE crypto_charges SET balance_block = \(block.hash), balance_asked_at = \(began),
                balance_at = CASE WHEN attempt_id = ANY(\(told.map(\.rawValue))::text[])
                    THEN \(began)::timestamptz ELSE balance_at END
            WHERE attempt_id = ANY(\(asked.map(\.rawValue))::text[])
            """)
    }

    /// Stores of charges, whose rows are locked, from which height on the node has told nothing of what waits; `nil` once it
    /// has, or nothing waits.
    package static func markUntold(
        _ attempts: [AttemptID], since height: UInt64?, in db: borrowing PostgresTransaction
    ) throws {
        guard !attempts.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE crypto_charges SET untold_since = \(height.map { Int64($0) })::bigint
            WHERE attempt_id = ANY(\(attempts.map(\.rawValue))::text[])
            """)
    }

    private static func transfers(
        of attempts: [String], in db: borrowing PostgresTransaction
    ) throws -> [SeenTransfer] {
        try db.query(
            """
            SELECT attempt_id, transaction_id, position, block_hash, block_height, amount, succeeded, is_final
            FROM crypto_transfers WHERE attempt_id = ANY(\(attempts)::text[])
            """, as: SeenTransfer.self)
    }
}

/// A transfer as stored: in a block, or waiting for one.
struct SeenTransfer: PostgresRecord {
    let attemptID: AttemptID
    let id: TransferID
    let amount: BaseUnits
    let placement: AddressWatch.Placement?

    init(attemptID: AttemptID, id: TransferID, amount: BaseUnits, placement: AddressWatch.Placement?) {
        self.attemptID = attemptID
        self.id = id
        self.amount = amount
        self.placement = placement
    }

    init(row: inout PostgresRow) throws {
        attemptID = try row.next()
        id = TransferID(transaction: try row.next(), position: UInt64(try row.next() as Int64))
        let hash: String = try row.next()
        let height: Int64? = try row.next()
        let amount: BaseUnits = try row.next()
        let (succeeded, isFinal): (Bool, Bool) = (try row.next(), try row.next())
        self.amount = amount
        placement = height.map { height in
            AddressWatch.Placement(
                block: BlockRef(height: UInt64(height), hash: hash), amount: amount, succeeded: succeeded,
                isFinal: isFinal)
        }
    }

    static func all(of watch: AddressWatch, attempt: AttemptID) -> [SeenTransfer] {
        let placed: [SeenTransfer] = watch.placements.flatMap { id, placements in
            placements.map { SeenTransfer(attemptID: attempt, id: id, amount: $0.amount, placement: $0) }
        }
        return placed
            + watch.unconfirmed.map { SeenTransfer(attemptID: attempt, id: $0, amount: $1, placement: nil) }
    }
}
