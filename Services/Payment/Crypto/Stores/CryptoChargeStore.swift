package import BillingCore
package import PaymentChains
package import Postgres

/// A charge about to be stored, with the address that was taken for it.
package struct NewCryptoCharge: Sendable {
    package let attemptID: AttemptID
    package let paymentID: PaymentID
    package let asset: AcceptedAsset
    package let account: String
    package let index: UInt32
    package let address: String
    package let quote: Quote
    package let declineAt: Instant
    package let watchUntil: Instant
}

/// SQL over charges.
package enum CryptoChargeStore {
    package static func find(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> CryptoCharge? {
        try db.first(
            "SELECT \(CryptoCharge.columns) FROM crypto_charges c WHERE c.attempt_id = \(attempt)",
            as: CryptoCharge.self)
    }

    /// The charge of an address, its row locked until the transaction ends.
    package static func lock(
        address: String, of provider: String, in db: borrowing PostgresTransaction
    ) throws -> CryptoCharge? {
        try db.first(
            """
            SELECT \(CryptoCharge.columns) FROM crypto_charges c
            WHERE c.address = \(address) AND c.provider = \(provider) FOR UPDATE
            """, as: CryptoCharge.self)
    }

    /// The newest charge of a payment.
    package static func newest(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> CryptoCharge? {
        try db.first(
            """
            SELECT \(CryptoCharge.columns) FROM crypto_charges c WHERE c.payment_id = \(payment)
            ORDER BY c.attempt_id DESC LIMIT 1
            """, as: CryptoCharge.self)
    }

    /// Whether money that has come for a payment, or is on its way, has neither paid it nor gone back: it was too little, or
    /// too late.
    package static func hasMoney(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first(
            """
            SELECT true FROM crypto_charges c
            WHERE c.payment_id = \(payment) AND c.answer IS DISTINCT FROM 'captured' AND c.received + c.pending > (
                SELECT coalesce(sum(r.amount + r.fee), 0) FROM crypto_refund_instructions r
                WHERE r.attempt_id = c.attempt_id AND r.status IN ('sent', 'confirmed'))
            LIMIT 1
            """
        ) { row in try row.next() } ?? false
    }

    /// The next number of an account, whose row stays locked until the transaction ends; `insert` takes it. A number that
    /// is not taken is the next one's: wallets look for money only so many unused addresses ahead (BIP-44, gap limit).
    package static func nextIndex(of account: String, in db: borrowing PostgresTransaction) throws -> UInt32 {
        let next: Int64? = try db.first(
            """
            INSERT INTO crypto_accounts AS a (account, next_index) VALUES (\(account), 0)
            ON CONFLICT (account) DO UPDATE SET next_index = a.next_index
            RETURNING next_index
            """
        ) { row in try row.next() }
        guard let next, let index = UInt32(exactly: next) else {
            throw UnreadableRecord("an account without a number")
        }
        return index
    }

    /// Stores a charge and takes its number.
    package static func insert(_ new: NewCryptoCharge, in db: borrowing PostgresTransaction) throws {
        let quote: Quote = new.quote
        let policy: WatchPolicy = new.asset.policy
        try db.enqueue(
            "UPDATE crypto_accounts SET next_index = \(Int64(new.index) + 1) WHERE account = \(new.account)")
        _ = try db.execute(
            """
            INSERT INTO crypto_charges (attempt_id, payment_id, provider, chain, account, address_index, address, amount,
                currency, rate, spread_basis_points, expected, quoted_at, expires_at, tolerance_basis_points, late_rule,
                least_refund, confirmations, decline_at, watch_until, missing)
            VALUES (\(new.attemptID), \(new.paymentID), \(new.asset.name), \(new.asset.asset.chain), \(new.account),
                \(Int64(new.index)), \(new.address), \(quote.price.minor), \(quote.price.currency.code),
                \(quote.rate)::numeric, \(quote.spreadBasisPoints), \(quote.amount), \(quote.quotedAt),
                \(quote.expiresAt), \(policy.toleranceBasisPoints), \(policy.late.rawValue), \(policy.leastRefund),
                \(ConfirmationTiers.text(policy.tiers)), \(new.declineAt), \(new.watchUntil), \(quote.amount))
            """)
    }

    /// Answers a charge whose row is locked and that has no answer yet.
    package static func answer(
        _ attempt: AttemptID, _ answer: CryptoCharge.Answer, units: BaseUnits?, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE crypto_charges SET answer = \(answer.text), answered_at = \(now), captured_units = \(units)
            WHERE attempt_id = \(attempt) AND answer IS NULL
            """)
    }

    /// Makes a declined charge, whose row is locked, one that was captured, however late its money came; that is told anew.
    /// What was captured is the price until ``captured(_:of:in:)`` says what is there.
    package static func complete(
        _ attempt: AttemptID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let (answer, rule): (CryptoCharge.Answer, WatchPolicy.LateRule) = (.captured, .accept)
        try db.enqueue(
            """
            UPDATE crypto_charges SET answer = \(answer.text), answered_at = \(now), late_rule = \(rule.rawValue),
                captured_units = expected, told_at = NULL
            WHERE attempt_id = \(attempt)
            """)
    }

    /// Stores what of it was captured.
    package static func captured(
        _ units: BaseUnits, of attempt: AttemptID, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("UPDATE crypto_charges SET captured_units = \(units) WHERE attempt_id = \(attempt)")
    }

    /// Stores what an address amounts to; the charge's row is locked.
    package static func save(
        _ standing: StoredStanding, of attempt: AttemptID, closedAt: Instant?, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE crypto_charges SET outcome = \(standing.outcome.rawValue), received = \(standing.received),
                pending = \(standing.pending), late = \(standing.late), applied = \(standing.applied),
                held = \(standing.held), refundable = \(standing.refundable), missing = \(standing.missing),
                closed_at = \(closedAt)
            WHERE attempt_id = \(attempt)
            """)
    }
}
