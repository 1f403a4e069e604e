package import BillingCore
import PaymentDomain
package import Postgres

/// Money that a provider has taken back of its own accord.
package struct Reversal: Sendable {
    package let provider: String
    /// The provider's name of it: a refund's, or the charge's.
    package let reference: String
    package let payment: PaymentID
    package let amount: Money
    /// When it happened, by the provider's clock.
    package let toldAt: Instant
    /// It goes by the charge's name, and so over all of it, however little went back.
    package let isOfCharge: Bool

    package init(
        provider: String, reference: String, payment: PaymentID, amount: Money, toldAt: Instant, isOfCharge: Bool
    ) {
        self.provider = provider
        self.reference = reference
        self.payment = payment
        self.amount = amount
        self.toldAt = toldAt
        self.isOfCharge = isOfCharge
    }
}

/// A reversal that was booked as a refund, which still counts.
struct RefundedReversal: Sendable, Equatable {
    let reference: String
    let amount: Int64
    let toldAt: Instant
    let refund: RefundID
    /// The refund's journal entry.
    let entry: String
}

/// A dispute, and how much of what was withdrawn for it no reversal stands for yet, minor units.
struct DisputeCover: PostgresRecord, Sendable {
    let dispute: DisputeRecord
    let left: Int64

    static let columns: SQL = """
        \(DisputeRecord.columns), withdrawn, \
        coalesce((SELECT sum(r.amount) FROM reversals r WHERE r.dispute_id = disputes.id), 0)::bigint
        """

    init(row: inout PostgresRow) throws {
        dispute = try DisputeRecord(row: &row)
        let withdrawn: Int64 = try row.next()
        let explained: Int64 = try row.next()
        // Of one that was won before anybody here heard of it nothing is booked, and its amount was withdrawn all the same.
        let amount: Int64 = dispute.status.funds == .untouched ? 0 : dispute.standing.amount.minor
        left = max(withdrawn, amount) - explained
    }
}

/// SQL over reversals; the payment's row is locked.
package enum ReversalStore {
    /// The dispute that a reversal, by the provider's name of it, belongs to; `nil` where none is known.
    package static func dispute(
        of reference: String, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> DisputeID? {
        try db.first(
            """
            SELECT dispute_id FROM reversals
            WHERE provider = \(provider) AND reference = \(reference) AND dispute_id IS NOT NULL
            """
        ) { row in try row.next() }
    }

    /// The disputes of a payment.
    static func covers(
        of payment: PaymentID, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> [DisputeCover] {
        try db.query(
            """
            SELECT \(DisputeCover.columns) FROM disputes
            WHERE payment_id = \(payment) AND provider = \(provider) ORDER BY id
            """, as: DisputeCover.self)
    }

    /// Notes that a reversal is a dispute's withdrawal.
    /// - Parameter amount: What of the dispute it accounts for.
    static func insert(
        _ reversal: Reversal, amount: Int64, of dispute: DisputeID, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO reversals (provider, reference, payment_id, amount, told_at, dispute_id)
            VALUES (\(reversal.provider), \(reversal.reference), \(reversal.payment), \(amount), \(reversal.toldAt),
                \(dispute))
            """)
    }

    /// Notes that a reversal is booked as a refund.
    package static func insert(
        _ reversal: Reversal, as refund: RefundID, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO reversals (provider, reference, payment_id, amount, told_at, refund_id)
            VALUES (\(reversal.provider), \(reversal.reference), \(reversal.payment), \(reversal.amount.minor),
                \(reversal.toldAt), \(refund))
            """)
    }

    /// The reversals of a payment that are booked as refunds; not those whose entry a person has reversed.
    static func refunded(
        of payment: PaymentID, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> [RefundedReversal] {
        try db.query(
            """
            SELECT v.reference, v.amount, v.told_at, v.refund_id, e.id FROM reversals v
            JOIN refunds r ON r.id = v.refund_id AND r.status = 'succeeded'
            JOIN journal_entries e ON e.kind = 'refund' AND e.reference = v.refund_id
            WHERE v.payment_id = \(payment) AND v.provider = \(provider) AND v.dispute_id IS NULL
                AND NOT EXISTS (SELECT 1 FROM journal_entries u WHERE u.kind = 'reversal' AND u.reference = e.id)
            ORDER BY v.told_at, v.reference
            """
        ) { row in
            RefundedReversal(
                reference: try row.next(), amount: try row.next(), toldAt: try row.next(), refund: try row.next(),
                entry: try row.next())
        }
    }

    /// Makes a reversal that was booked as a refund a dispute's. The settlement line that stands for the refund's entry stands
    /// for what undid it and for the dispute's too, where it is over as much, and nobody has to look for the refund at the
    /// provider any more. The provider's lines are held.
    /// - Parameters:
    ///   - amount: What of the dispute it accounts for.
    ///   - entry: What books that.
    static func move(
        _ reversal: RefundedReversal, at provider: String, to dispute: DisputeID, _ amount: Money,
        bookedAs entry: JournalEntryID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE reversals SET dispute_id = \(dispute), amount = \(amount.minor)
            WHERE provider = \(provider) AND reference = \(reversal.reference)
            """)
        _ = try db.execute(
            """
            INSERT INTO settlement_entries (provider, line_id, entry_id, role)
            SELECT x.provider, x.line_id, e.id, e.role
            FROM settlement_entries x JOIN settlement_lines s ON s.provider = x.provider AND s.line_id = x.line_id
            CROSS JOIN (
                SELECT \(entry)::text AS id, 'dispute' AS role
                UNION ALL SELECT id, 'undone' FROM journal_entries
                WHERE kind = 'refund_failure' AND reference = \(reversal.refund)) AS e
            WHERE x.entry_id = \(reversal.entry) AND x.role = 'booking' AND s.gross = \(-amount.minor)
                AND s.currency = \(amount.currency) AND s.presentment_amount IS NULL
            """)
        _ = try db.execute(
            """
            UPDATE reconciliation_cases SET state = 'resolved', closed_at = \(now), actor = 'reconciliation'
            WHERE entry_id = \(reversal.entry) AND reason = 'not_at_provider' AND state IN ('open', 'explained')
            """)
    }
}
