package import BillingCore
package import PaymentChains
package import Postgres

/// Money on the address of an answered attempt that neither pays nor goes back by itself, and that nobody has decided on.
package struct HeldMoney: PostgresRecord, Sendable {
    package let attemptID: AttemptID
    package let paymentID: PaymentID
    package let provider: String
    package let price: Money
    package let answer: String
    /// What is left to decide on.
    package let free: BaseUnits
    /// What is in open instructions over held money.
    package let underWay: BaseUnits
    /// What was kept.
    package let accepted: BaseUnits
    package let answeredAt: Instant

    package init(row: inout PostgresRow) throws {
        attemptID = try row.next()
        paymentID = try row.next()
        provider = try row.next()
        price = Money(minor: try row.next(), currency: try row.next())
        answer = try row.next()
        free = try row.next()
        underWay = try row.next()
        accepted = try row.next()
        answeredAt = try row.next()
    }

    init(
        attemptID: AttemptID, paymentID: PaymentID, provider: String, price: Money, answer: String, free: BaseUnits,
        underWay: BaseUnits, accepted: BaseUnits, answeredAt: Instant
    ) {
        self.attemptID = attemptID
        self.paymentID = paymentID
        self.provider = provider
        self.price = price
        self.answer = answer
        self.free = free
        self.underWay = underWay
        self.accepted = accepted
        self.answeredAt = answeredAt
    }

    /// Whether the payment was made: only then can more than its price be kept.
    package var isPaid: Bool { answer == CryptoCharge.Answer.captured.text }
}

/// SQL over held money.
package enum HeldStore {
    /// Each charge with what of its held money is decided. What has left as a surplus while more was refundable than is
    /// now counts against what is held.
    private static let selection: SQL = """
        SELECT * FROM (
            SELECT c.attempt_id, c.payment_id, c.provider, c.amount, c.currency, c.answer,
                greatest(0, c.held - c.accepted - s.held_sent - s.held_open - greatest(0, s.other_sent - c.refundable))
                    AS free,
                s.held_open, c.accepted, c.answered_at
            FROM crypto_charges c CROSS JOIN LATERAL (
                SELECT coalesce(sum(r.amount + r.fee) FILTER (WHERE r.reason = 'held' AND r.status <> 'open'), 0)
                        AS held_sent,
                    coalesce(sum(r.amount + r.fee) FILTER (WHERE r.reason = 'held' AND r.status = 'open'), 0)
                        AS held_open,
                    coalesce(sum(r.amount + r.fee) FILTER (WHERE r.reason <> 'held' AND r.status <> 'open'), 0)
                        AS other_sent
                FROM crypto_refund_instructions r
                WHERE r.attempt_id = c.attempt_id AND r.reason <> 'merchant'
                    AND r.status IN ('open', 'sent', 'confirmed')) AS s
            WHERE c.answer IS NOT NULL AND c.held > 0) AS h
        """

    /// What is held of an attempt, its charge's row locked until the transaction ends; `nil` when nothing is.
    package static func lock(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> HeldMoney? {
        try lockCharge(attempt, in: db)
        return try db.first("\(selection) WHERE attempt_id = \(attempt)", as: HeldMoney.self)
    }

    /// Locks a charge's row until the transaction ends. Charges are locked before their instructions, always.
    package static func lockCharge(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("SELECT 1 FROM crypto_charges WHERE attempt_id = \(attempt) FOR UPDATE")
    }

    /// What waits for a decision, the newest attempt first, after a cursor.
    package static func list(
        payment: PaymentID?, after: AttemptID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [HeldMoney] {
        let matching: SQL = .matching(
            "free > 0", payment.map { "payment_id = \($0)" }, after.map { "attempt_id < \($0)" })
        return try db.query(
            "\(selection) \(matching) ORDER BY attempt_id DESC LIMIT \(limit)", as: HeldMoney.self)
    }

    /// Stores that some of it is kept; the charge's row is locked.
    package static func accept(
        _ held: HeldMoney, _ amount: BaseUnits, reason: String, by actor: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let id: Int64? = try db.first(
            """
            INSERT INTO crypto_acceptances (attempt_id, amount, reason, actor, accepted_at)
            VALUES (\(held.attemptID), \(amount), \(reason), \(actor), \(now)) RETURNING id
            """
        ) { row in try row.next() }
        try db.enqueue(
            "UPDATE crypto_charges SET accepted = accepted + \(amount) WHERE attempt_id = \(held.attemptID)")
        try PayerFunds.leave(
            amount, of: held.attemptID, .kept, reference: "\(held.attemptID):\(id ?? 0)", at: now, in: db)
    }

    /// Withdraws what waits to go back of held money when what is there does not cover it any more: money has left the chain.
    /// What has become refundable since it was decided on covers it as well, but for what somebody may be sending to an address
    /// that the payer gave. The charge's row is locked and its standing stored.
    package static func withdrawUncovered(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            UPDATE crypto_refund_instructions r SET status = 'withdrawn'
            FROM crypto_charges c
            WHERE c.attempt_id = r.attempt_id AND r.attempt_id = \(attempt) AND r.reason = 'held' AND r.status = 'open'
                AND c.held + c.refundable < c.accepted + (
                    SELECT sum(o.amount + o.fee) FROM crypto_refund_instructions o
                    WHERE o.attempt_id = c.attempt_id AND o.reason <> 'merchant'
                        AND (o.status IN ('sent', 'confirmed')
                            OR o.status = 'open' AND (o.reason = 'held' OR o.address IS NOT NULL)))
            """)
    }
}
