package import BillingCore
import HTTPKit
package import PaymentChains
package import Postgres

/// Money on an address that no transfer explains: a contract sent it, or a transfer was missed. It is not counted until a
/// person has found the transaction.
package struct Unexplained: PostgresRecord, Sendable {
    package let attemptID: AttemptID
    package let paymentID: PaymentID
    package let provider: String
    package let address: String
    /// The last word on the attempt; one that is open is not declined meanwhile.
    package let answer: String?
    package private(set) var amount: BaseUnits
    /// The block in which it was seen first.
    package let block: BlockRef
    package let foundAt: Instant

    package init(row: inout PostgresRow) throws {
        attemptID = try row.next()
        paymentID = try row.next()
        provider = try row.next()
        address = try row.next()
        answer = try row.next()
        amount = try row.next()
        block = BlockRef(height: UInt64(try row.next() as Int64), hash: try row.next())
        foundAt = try row.next()
    }

    init(charge: CryptoCharge, amount: BaseUnits, block: BlockRef, foundAt: Instant) {
        attemptID = charge.attemptID
        paymentID = charge.paymentID
        provider = charge.provider
        address = charge.address
        answer = nil
        self.amount = amount
        self.block = block
        self.foundAt = foundAt
    }

    /// The same once nothing is left of it.
    private var explained: Unexplained {
        var explained: Unexplained = self
        explained.amount = .zero
        return explained
    }

    private static let columns: SQL = """
        attempt_id, payment_id, provider, address, answer, unexplained, unexplained_height, unexplained_hash,
        unexplained_at
        """

    /// What waits for a person, the newest attempt first, after a cursor.
    package static func list(
        after: AttemptID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [Unexplained] {
        let matching: SQL = .matching("unexplained > 0", after.map { "attempt_id < \($0)" })
        return try db.query(
            "SELECT \(columns) FROM crypto_charges \(matching) ORDER BY attempt_id DESC LIMIT \(limit)",
            as: Unexplained.self)
    }

    /// What is unexplained of an attempt, its charge's row locked until the transaction ends.
    static func lock(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> Unexplained? {
        try db.first(
            """
            SELECT \(columns) FROM crypto_charges WHERE attempt_id = \(attempt) AND unexplained > 0 FOR UPDATE
            """, as: Unexplained.self)
    }

    /// Stores what a balance has beyond the transfers that were seen; the charge's row is locked. When an amount was
    /// seen first stays, whatever comes later, and in which block, while that is known.
    static func note(
        _ amount: BaseUnits, of attempt: AttemptID, in block: BlockRef, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        var lines = try UnexplainedLines(of: attempt, in: db)
        let (before, standing): ([UnexplainedLines.Line], Set<BlockRef>) = (
            lines.lines, try lines.standing(of: attempt, in: db)
        )
        try lines.follow(amount, in: block, at: now, standing: standing)
        if lines.lines != before { try lines.save(of: attempt, in: db) }
    }

    /// Counts some of it as a transfer, where and when the oldest of it was seen that covers the amount: it gets
    /// confirmations there, and is judged like any other by the next look.
    /// - Returns: What is left unexplained; where nothing is, an amount of zero with where and when it had been seen first.
    /// - Throws: ``Problem``: 404 when nothing is unexplained, 409 when the block is on the chain no more or the
    ///   transaction is counted already, 422 for no transaction's hash and an amount that is more than there is.
    package static func count(
        _ attempt: AttemptID, _ input: UnexplainedInput, by actor: String, at now: Instant, _ accepted: AcceptedAssets,
        in db: borrowing PostgresTransaction
    ) throws -> Unexplained {
        guard let found = try lock(attempt, in: db) else {
            throw Problem.notFound("unexplained money", attempt.rawValue)
        }
        let asset: CryptoAsset = try accepted.named(found.provider).asset
        guard let transaction = asset.transactionID(input.transactionID) else {
            throw Problem.invalid("transaction_id", code: "invalid_hash", "is not a transaction's hash on this chain")
        }
        let amount: BaseUnits = input.amount ?? found.amount
        guard !amount.isZero, amount <= found.amount else {
            throw Problem.invalid("amount", code: "out_of_range", "must be from 1 to \(found.amount)")
        }
        var lines = try UnexplainedLines(of: attempt, in: db)
        guard let line = try lines.covering(amount) else {
            throw UnreadableRecord("unexplained money without its lines")
        }
        let trail: ChainTrail = try ChainStore.trail(of: asset.chain, depth: ChainStore.depth, in: db)
        let isBelow: Bool = trail.floor.map { line.block.height < $0.height } ?? false
        guard isBelow || trail.contains(line.block) else {
            throw Problem.conflict("block_left", "The block it was seen in is on the chain no more: look again later.")
        }
        guard try insert(line, of: attempt, on: asset.chain, transaction, amount, isFinal: isBelow, in: db) else {
            throw Problem.conflict("transaction_counted", "The transaction is counted for this attempt already.")
        }
        try db.enqueue(
            """
            INSERT INTO crypto_counted (attempt_id, transaction_id, amount, reason, actor, counted_at)
            VALUES (\(attempt), \(transaction), \(amount), \(input.reason), \(actor), \(now))
            """)
        try lines.take(amount)
        try lines.save(of: attempt, in: db)
        return try lock(attempt, in: db) ?? found.explained
    }

    /// - Returns: `false` when the transaction has a transfer to the address already. One in a block that has left the chain
    ///   is none: the transaction is in another block now.
    private static func insert(
        _ line: UnexplainedLines.Line, of attempt: AttemptID, on chain: String, _ transaction: String,
        _ amount: BaseUnits, isFinal: Bool, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let isNew: Bool? = try db.first(
            """
            INSERT INTO crypto_transfers (attempt_id, transaction_id, position, block_hash, block_height, amount,
                succeeded, is_final)
            SELECT \(attempt), \(transaction), 0, \(line.block.hash), \(Int64(line.block.height)),
                \(amount)::numeric, true, \(isFinal)
            WHERE NOT EXISTS (SELECT FROM crypto_transfers t
                WHERE t.attempt_id = \(attempt) AND t.transaction_id = \(transaction)
                    AND (t.is_final OR t.block_height IS NULL OR t.block_hash = \(line.block.hash)
                        OR EXISTS (SELECT FROM crypto_blocks b WHERE b.chain = \(chain)
                            AND b.height = t.block_height AND b.hash = t.block_hash)))
            RETURNING true
            """
        ) { row in try row.next() }
        guard isNew == true else { return false }
        try db.enqueue(
            """
            INSERT INTO crypto_arrivals (attempt_id, transaction_id, reported_at, arrived_at)
            VALUES (\(attempt), \(transaction), \(line.foundAt), \(line.foundAt))
            ON CONFLICT DO NOTHING
            """)
        return true
    }
}
