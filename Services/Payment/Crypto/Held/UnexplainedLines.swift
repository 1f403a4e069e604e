import BillingCore
import PaymentChains
import Postgres

/// What is unexplained on one address, a line for each time it grew, the oldest first. So what came in time stays in
/// time when more arrives later.
struct UnexplainedLines {
    /// What it grew by once.
    struct Line: PostgresRecord, Equatable {
        var amount: BaseUnits
        /// Where it was seen first, while that is on the chain.
        var block: BlockRef
        let foundAt: Instant

        init(amount: BaseUnits, block: BlockRef, foundAt: Instant) {
            self.amount = amount
            self.block = block
            self.foundAt = foundAt
        }

        init(row: inout PostgresRow) throws {
            amount = try row.next()
            block = BlockRef(height: UInt64(try row.next() as Int64), hash: try row.next())
            foundAt = try row.next()
        }
    }

    private(set) var lines: [Line]

    /// Those of a charge whose row is locked.
    init(of attempt: AttemptID, in db: borrowing PostgresTransaction) throws {
        lines = try db.query(
            """
            SELECT amount, block_height, block_hash, found_at FROM crypto_unexplained
            WHERE attempt_id = \(attempt) ORDER BY position
            """, as: Line.self)
    }

    /// The oldest line that covers an amount; when none does, the one with which all before it do.
    func covering(_ amount: BaseUnits) throws(MoneyError) -> Line? {
        if let line = lines.first(where: { $0.amount >= amount }) { return line }
        var total: BaseUnits = .zero
        for line in lines {
            total = try total.adding(line.amount)
            if total >= amount { return line }
        }
        return nil
    }

    /// Takes an amount that is explained now: from the oldest line that covers it, or else from the oldest on.
    mutating func take(_ amount: BaseUnits) throws(MoneyError) {
        if let index = lines.firstIndex(where: { $0.amount >= amount }) {
            lines[index].amount = try lines[index].amount.subtracting(amount)
        } else {
            try takeInOrder(amount, Array(lines.indices))
        }
        lines.removeAll { $0.amount.isZero }
    }

    /// Follows a balance: what it has more is a new line, and what it has less was the newest.
    /// - Parameter standing: The blocks of the lines that are on the chain; a line of another one moves to this block.
    mutating func follow(
        _ amount: BaseUnits, in block: BlockRef, at now: Instant, standing: Set<BlockRef>
    ) throws(MoneyError) {
        for index in lines.indices where !standing.contains(lines[index].block) { lines[index].block = block }
        let known: BaseUnits = try BaseUnits.sum(lines.map(\.amount))
        if amount > known {
            lines.append(Line(amount: try amount.subtracting(known), block: block, foundAt: now))
        } else {
            try takeInOrder(try known.subtracting(amount), lines.indices.reversed())
            lines.removeAll { $0.amount.isZero }
        }
    }

    private mutating func takeInOrder(_ amount: BaseUnits, _ order: [Int]) throws(MoneyError) {
        var left: BaseUnits = amount
        for index in order {
            let part: BaseUnits = min(left, lines[index].amount)
            lines[index].amount = try lines[index].amount.subtracting(part)
            left = try left.subtracting(part)
        }
    }

    /// The lines' blocks that are among those kept of the chain.
    func standing(of attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> Set<BlockRef> {
        let blocks: [BlockRef] = try db.query(
            """
            SELECT b.height, b.hash FROM crypto_unexplained u JOIN crypto_charges c ON c.attempt_id = u.attempt_id
            JOIN crypto_blocks b ON b.chain = c.chain AND b.height = u.block_height AND b.hash = u.block_hash
            WHERE u.attempt_id = \(attempt)
            """
        ) { row in BlockRef(height: UInt64(try row.next() as Int64), hash: try row.next()) }
        return Set(blocks)
    }

    /// Stores them in place of what was, and the charge's sum; its row is locked.
    func save(of attempt: AttemptID, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("DELETE FROM crypto_unexplained WHERE attempt_id = \(attempt)")
        for (position, line) in lines.enumerated() {
            try db.enqueue(
                """
                INSERT INTO crypto_unexplained (attempt_id, position, amount, block_height, block_hash, found_at)
                VALUES (\(attempt), \(position), \(line.amount), \(Int64(line.block.height)), \(line.block.hash),
                    \(line.foundAt))
                """)
        }
        let (sum, first): (BaseUnits, Line?) = (try BaseUnits.sum(lines.map(\.amount)), lines.first)
        try db.enqueue(
            """
            UPDATE crypto_charges SET unexplained = \(sum),
                unexplained_height = \(first.map { Int64($0.block.height) }),
                unexplained_hash = \(first?.block.hash), unexplained_at = \(first?.foundAt)
            WHERE attempt_id = \(attempt)
            """)
    }
}
