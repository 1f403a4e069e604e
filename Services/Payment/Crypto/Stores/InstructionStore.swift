package import BillingCore
package import HTTPKit
package import PaymentChains
package import Postgres

/// Something to send back, as stored.
package struct InstructionRecord: PostgresRecord, Sendable {
    package enum Status: String, Sendable, CaseIterable {
        /// Waits for an address, or for a person to send it.
        case open
        /// A person has sent it; the chain has not confirmed it yet.
        case sent
        case confirmed
        /// There is nothing to send back any more.
        case withdrawn
        /// A person has taken it back before it was sent.
        case canceled
    }

    package let id: RefundID
    package let attemptID: AttemptID
    package let paymentID: PaymentID
    package let provider: String
    package let reason: RefundInstruction.Reason
    package let amount: BaseUnits
    /// What it is worth at the quote; only where a refund asked for it.
    package let value: Money?
    package let status: Status
    package let address: String?
    package let signedOffBy: String?
    package let fingerprint: String?
    package let transactionID: String?
    package let createdAt: Instant
    package let sentAt: Instant?
    package let confirmedAt: Instant?
    /// What is kept back of held money for sending it.
    package let fee: BaseUnits
    /// Who decided on held money; another one signs off.
    package let askedBy: String?
    /// Who that is for as long as a key is only rotated.
    let askedByLineage: String?
    /// Who gave the address of held money last; another one than they, too, signs off.
    let directedBy: String?
    let directedByLineage: String?
    package let canceledAt: Instant?

    package static let columns: SQL = """
        r.id, r.attempt_id, r.payment_id, c.provider, r.reason, r.amount, r.value, c.currency, r.status, r.address, \
        r.signed_off_by, r.fingerprint, r.transaction_id, r.created_at, r.sent_at, r.confirmed_at, r.fee, r.asked_by, \
        r.asked_by_lineage, r.directed_by, r.directed_by_lineage, r.canceled_at
        """
    package static let tables: SQL = """
        crypto_refund_instructions r JOIN crypto_charges c ON c.attempt_id = r.attempt_id
        """

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        attemptID = try row.next()
        paymentID = try row.next()
        provider = try row.next()
        reason = try row.nextCase()
        amount = try row.next()
        let value: Int64? = try row.next()
        let currency: Currency = try row.next()
        self.value = value.map { Money(minor: $0, currency: currency) }
        status = try row.nextCase()
        address = try row.next()
        signedOffBy = try row.next()
        fingerprint = try row.next()
        transactionID = try row.next()
        createdAt = try row.next()
        sentAt = try row.next()
        confirmedAt = try row.next()
        fee = try row.next()
        askedBy = try row.next()
        askedByLineage = try row.next()
        directedBy = try row.next()
        directedByLineage = try row.next()
        canceledAt = try row.next()
    }

    /// One that is open.
    package init(
        id: RefundID, attemptID: AttemptID, paymentID: PaymentID, provider: String, reason: RefundInstruction.Reason,
        amount: BaseUnits, value: Money?, address: String?, createdAt: Instant, fee: BaseUnits = .zero,
        askedBy: Principal? = nil
    ) {
        self.id = id
        self.attemptID = attemptID
        self.paymentID = paymentID
        self.provider = provider
        self.reason = reason
        self.amount = amount
        self.value = value
        status = .open
        self.address = address
        signedOffBy = nil
        fingerprint = nil
        transactionID = nil
        self.createdAt = createdAt
        sentAt = nil
        confirmedAt = nil
        self.fee = fee
        self.askedBy = askedBy?.id
        askedByLineage = askedBy?.lineage
        directedBy = nil
        directedByLineage = nil
        canceledAt = nil
    }

    /// Whether somebody decided on it, or gave its address last, with whichever key of theirs.
    func isAsked(by principal: Principal) -> Bool {
        let theirs: [String?] = [principal.id, principal.lineage]
        return [askedBy, askedByLineage, directedBy, directedByLineage].contains { $0 != nil && theirs.contains($0) }
    }

    /// What the person reads and signs off; `nil` until there is an address to send it to.
    package func instruction(_ asset: CryptoAsset) throws(RefundInstruction.Failure) -> RefundInstruction? {
        guard let address else { return nil }
        return try RefundInstruction(refundID: id, asset: asset, to: address, amount: amount, reason: reason)
    }
}

/// SQL over what goes back.
package enum InstructionStore {
    package static func find(_ id: RefundID, in db: borrowing PostgresTransaction) throws -> InstructionRecord? {
        try db.first(
            "SELECT \(InstructionRecord.columns) FROM \(InstructionRecord.tables) WHERE r.id = \(id)",
            as: InstructionRecord.self)
    }

    /// One instruction, its charge's row and then its own locked until the transaction ends.
    package static func lock(_ id: RefundID, in db: borrowing PostgresTransaction) throws -> InstructionRecord? {
        guard let attempt = try find(id, in: db)?.attemptID else { return nil }
        try HeldStore.lockCharge(attempt, in: db)
        return try db.first(
            """
            SELECT \(InstructionRecord.columns) FROM \(InstructionRecord.tables) WHERE r.id = \(id) FOR UPDATE OF r
            """, as: InstructionRecord.self)
    }

    /// Newest first, after a cursor.
    package static func list(
        status: InstructionRecord.Status?, payment: PaymentID?, after: RefundID?, limit: Int,
        in db: borrowing PostgresTransaction
    ) throws -> [InstructionRecord] {
        let matching: SQL = .matching(
            status.map { "r.status = \($0.rawValue)" }, payment.map { "r.payment_id = \($0)" },
            after.map { "r.id < \($0)" })
        return try db.query(
            """
            SELECT \(InstructionRecord.columns) FROM \(InstructionRecord.tables) \(matching)
            ORDER BY r.id DESC LIMIT \(limit)
            """, as: InstructionRecord.self)
    }

    /// Stores what a refund asks for, or a decision on held money.
    package static func insert(_ new: InstructionRecord, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            INSERT INTO crypto_refund_instructions (id, attempt_id, payment_id, reason, amount, value, created_at, fee,
                asked_by, asked_by_lineage)
            VALUES (\(new.id), \(new.attemptID), \(new.paymentID), \(new.reason.rawValue), \(new.amount),
                \(new.value?.minor), \(new.createdAt), \(new.fee), \(new.askedBy),
                \(new.askedByLineage))
            """)
    }

    /// What refunds that stand have asked for of a charge whose row is locked: minor units, and what is sent for them.
    package static func askedFor(
        of attempt: AttemptID, in db: borrowing PostgresTransaction
    ) throws -> (value: Int64, units: BaseUnits) {
        try db.first(
            """
            SELECT coalesce(sum(value), 0)::bigint, coalesce(sum(amount), 0) FROM crypto_refund_instructions
            WHERE attempt_id = \(attempt) AND reason = 'merchant' AND status NOT IN ('withdrawn', 'canceled')
            """
        ) { row in (value: try row.next(), units: try row.next()) } ?? (value: 0, units: .zero)
    }

    /// Whether a refund was ever asked for of a charge whose row is locked, also one that was taken back.
    static func isRefundAsked(of attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first(
            "SELECT true FROM crypto_refund_instructions WHERE attempt_id = \(attempt) AND reason = 'merchant' LIMIT 1"
        ) { row in try row.next() } ?? false
    }

    /// Offers back what the payer sent too much of a charge, whose row is locked, as far as it has not been sent, and no
    /// decision on held money that became refundable since covers it: somebody may be sending that. An
    /// open instruction with an address keeps its amount, since somebody may be sending it: what is more is one without
    /// an address, which grows and shrinks. What is not there any more withdraws them.
    package static func offerBack(
        _ refundable: BaseUnits, of charge: CryptoCharge, reason: RefundInstruction.Reason, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let attempt: AttemptID = charge.attemptID
        let sent: BaseUnits =
            try db.first(
                """
                SELECT coalesce(sum(r.amount) FILTER (WHERE r.reason <> 'held'), 0) + greatest(0,
                    c.accepted + coalesce(sum(r.amount + r.fee) FILTER (WHERE r.reason = 'held'), 0) - c.held)
                FROM crypto_charges c LEFT JOIN crypto_refund_instructions r
                    ON r.attempt_id = c.attempt_id AND r.reason <> 'merchant'
                    AND (r.status IN ('sent', 'confirmed') OR r.status = 'open' AND r.reason = 'held')
                WHERE c.attempt_id = \(attempt) GROUP BY c.attempt_id
                """
            ) { row in try row.next() } ?? .zero
        let open: BaseUnits = refundable > sent ? try refundable.subtracting(sent) : .zero
        let addressed: BaseUnits = try keepAddressed(open, of: attempt, in: db)
        guard open > addressed else {
            try db.enqueue(
                """
                UPDATE crypto_refund_instructions SET status = 'withdrawn'
                WHERE attempt_id = \(attempt) AND reason NOT IN ('merchant', 'held') AND status = 'open'
                    AND address IS NULL
                """)
            return
        }
        let rest: BaseUnits = try open.subtracting(addressed)
        try db.enqueue(
            """
            INSERT INTO crypto_refund_instructions AS r (id, attempt_id, payment_id, reason, amount, created_at)
            VALUES (\(RefundID.new(at: now)), \(attempt), \(charge.paymentID), \(reason.rawValue), \(rest), \(now))
            ON CONFLICT (attempt_id) WHERE status = 'open' AND reason NOT IN ('merchant', 'held') AND address IS NULL
            DO UPDATE SET amount = excluded.amount WHERE r.amount <> excluded.amount
            """)
    }

    /// Withdraws of the open instructions with an address those that are not covered any more, the newest first.
    /// - Returns: What the others amount to.
    private static func keepAddressed(
        _ open: BaseUnits, of attempt: AttemptID, in db: borrowing PostgresTransaction
    ) throws -> BaseUnits {
        try db.enqueue(
            """
            UPDATE crypto_refund_instructions r SET status = 'withdrawn'
            FROM (SELECT id, sum(amount) OVER (ORDER BY id) AS total FROM crypto_refund_instructions
                WHERE attempt_id = \(attempt) AND reason NOT IN ('merchant', 'held') AND status = 'open'
                    AND address IS NOT NULL) AS o
            WHERE r.id = o.id AND o.total > \(open)
            """)
        return try db.first(
            """
            SELECT coalesce(sum(amount), 0) FROM crypto_refund_instructions
            WHERE attempt_id = \(attempt) AND reason NOT IN ('merchant', 'held') AND status = 'open'
                AND address IS NOT NULL
            """
        ) { row in try row.next() } ?? .zero
    }

    /// What was sent on a chain and is not confirmed yet.
    package static func sent(
        on chain: String, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [InstructionRecord] {
        try db.query(
            """
            SELECT \(InstructionRecord.columns) FROM \(InstructionRecord.tables)
            WHERE r.status = 'sent' AND c.chain = \(chain) ORDER BY r.sent_at DESC LIMIT \(limit)
            """, as: InstructionRecord.self)
    }

    /// Marks an instruction as confirmed, if it still names this transaction, and books what has gone back to a payer who
    /// sent too much. A refund of ours is booked when the charge flow has heard of it.
    package static func confirm(
        _ instruction: InstructionRecord, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try HeldStore.lockCharge(instruction.attemptID, in: db)
        let confirmed: Bool? = try db.first(
            """
            UPDATE crypto_refund_instructions SET status = 'confirmed', confirmed_at = \(now)
            WHERE id = \(instruction.id) AND status = 'sent' AND transaction_id = \(instruction.transactionID)
            RETURNING true
            """
        ) { row in try row.next() }
        guard confirmed == true, instruction.reason != .merchant else { return }
        try PayerFunds.leave(
            try instruction.amount.adding(instruction.fee), of: instruction.attemptID, .back,
            reference: instruction.id.rawValue, at: now, in: db)
    }

    /// Says where the payer wants it; the row is locked and open. Of held money the one who says so does not sign off.
    package static func direct(
        _ id: RefundID, to address: String, by principal: Principal, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE crypto_refund_instructions SET address = \(address),
                directed_by = CASE WHEN reason = 'held' THEN \(principal.id)::text END,
                directed_by_lineage = CASE WHEN reason = 'held' THEN \(principal.lineage)::text END
            WHERE id = \(id)
            """)
    }

    /// Takes an instruction back; the row is locked and open.
    package static func cancel(
        _ id: RefundID, by actor: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE crypto_refund_instructions SET status = 'canceled', canceled_by = \(actor), canceled_at = \(now)
            WHERE id = \(id)
            """)
    }

    /// Whether an address is one that payments are made to: what is sent there comes back as a payment.
    package static func isOurs(_ address: String, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first("SELECT true FROM crypto_charges WHERE address = \(address)") { row in try row.next() } ?? false
    }

    /// Records what a person sent; the row is locked, and open or sent.
    package static func send(
        _ id: RefundID, transaction: String, fingerprint: String, by signer: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE crypto_refund_instructions SET status = 'sent', transaction_id = \(transaction),
                fingerprint = \(fingerprint), signed_off_by = \(signer), sent_at = \(now)
            WHERE id = \(id)
            """)
    }

    /// Whether another instruction to the same address names the transaction: one output cannot pay both.
    package static func isTaken(
        _ transaction: String, to address: String, except id: RefundID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.first(
            """
            SELECT true FROM crypto_refund_instructions
            WHERE transaction_id = \(transaction) AND address = \(address) AND id <> \(id)
            """
        ) { row in try row.next() } ?? false
    }
}
