package import BillingCore
package import PaymentDomain
package import Postgres

/// SQL over disputes.
package enum DisputeStore {
    package static func find(_ id: DisputeID, in db: borrowing PostgresTransaction) throws -> DisputeRecord? {
        try db.first("SELECT \(DisputeRecord.columns) FROM disputes WHERE id = \(id)", as: DisputeRecord.self)
    }

    /// One dispute, its row locked until the transaction ends; `nil` when there is none.
    package static func lock(_ id: DisputeID, in db: borrowing PostgresTransaction) throws -> DisputeRecord? {
        try db.first(
            "SELECT \(DisputeRecord.columns) FROM disputes WHERE id = \(id) FOR UPDATE", as: DisputeRecord.self)
    }

    /// The dispute that a provider knows by a name, its row locked; `nil` when it is new here.
    package static func lock(
        _ reference: String, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> DisputeRecord? {
        try db.first(
            """
            SELECT \(DisputeRecord.columns) FROM disputes
            WHERE provider = \(provider) AND reference = \(reference) FOR UPDATE
            """, as: DisputeRecord.self)
    }

    /// Stores how a dispute stands; its evidence stays as it is.
    package static func save(_ dispute: DisputeRecord, in db: borrowing PostgresTransaction) throws {
        let standing: DisputeStanding = dispute.standing
        _ = try db.execute(
            """
            INSERT INTO disputes (id, provider, reference, payment_id, customer_id, amount, currency, fee, fee_currency,
                reason, status, evidence_due_by, opened_at, changed_at, changes, closed_at, created_at)
            VALUES (\(dispute.id), \(dispute.provider), \(dispute.reference), \(dispute.paymentID),
                \(dispute.customerID), \(standing.amount.minor), \(standing.amount.currency), \(standing.fee?.minor),
                \(standing.fee?.currency), \(dispute.reason), \(standing.status.rawValue), \(dispute.evidenceDueBy),
                \(dispute.openedAt), \(standing.changedAt), \(dispute.changes), \(dispute.closedAt),
                \(dispute.createdAt))
            ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, fee = excluded.fee,
                fee_currency = excluded.fee_currency, reason = excluded.reason, status = excluded.status,
                evidence_due_by = excluded.evidence_due_by, changed_at = excluded.changed_at,
                changes = excluded.changes, closed_at = excluded.closed_at
            """)
    }

    /// Notes which capture a dispute, whose payment's row is locked, is over: the only one that the provider knows by what is
    /// disputed. What else was captured can be refunded all the same.
    static func noteCapture(
        named taken: String, for dispute: DisputeRecord, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE disputes SET capture_id = (
                SELECT min(c.id) FROM captures c WHERE c.payment_id = disputes.payment_id AND c.status = 'succeeded'
                    AND c.provider_reference = \(taken) HAVING count(*) = 1)
            WHERE id = \(dispute.id)
            """)
    }

    /// Keeps evidence that is not handed in yet.
    package static func keep(
        _ evidence: DisputeEvidence, for id: DisputeID, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute("UPDATE disputes SET evidence = \(evidence.stored)::jsonb WHERE id = \(id)")
    }

    /// Newest first, after a cursor.
    /// - Parameter dueBefore: Only those whose evidence has to be in before then.
    package static func list(
        payment: PaymentID?, customer: CustomerID?, status: DisputeStatus?, dueBefore: Instant? = nil,
        after: DisputeID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [DisputeRecord] {
        let matching: SQL = .matching(
            payment.map { "payment_id = \($0)" }, customer.map { "customer_id = \($0)" },
            status.map { "status = \($0.rawValue)" }, dueBefore.map { "evidence_due_by < \($0)" },
            after.map { "id < \($0)" })
        return try db.query(
            "SELECT \(DisputeRecord.columns) FROM disputes \(matching) ORDER BY id DESC LIMIT \(limit)",
            as: DisputeRecord.self)
    }

    /// Those whose evidence has to be in by some time, the soonest due first, after a place.
    /// - Parameter dueBefore: Only those whose evidence has to be in before then.
    static func listDue(
        payment: PaymentID?, customer: CustomerID?, status: DisputeStatus?, dueBefore: Instant?,
        after: (due: Instant, id: DisputeID)?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [DisputeRecord] {
        let matching: SQL = .matching(
            "evidence_due_by IS NOT NULL", payment.map { "payment_id = \($0)" },
            customer.map { "customer_id = \($0)" }, status.map { "status = \($0.rawValue)" },
            dueBefore.map { "evidence_due_by < \($0)" },
            after.map { "(evidence_due_by, id) > (\($0.due)::timestamptz, \($0.id))" })
        return try db.query(
            "SELECT \(DisputeRecord.columns) FROM disputes \(matching) ORDER BY evidence_due_by, id LIMIT \(limit)",
            as: DisputeRecord.self)
    }

    /// Whether an attempt at the payment, or a capture of it, is known to the provider by a name.
    package static func isTaken(
        _ reference: String, at provider: String, of payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.first(
            """
            SELECT EXISTS (SELECT 1 FROM payment_attempts
                    WHERE payment_id = \(payment) AND provider = \(provider) AND provider_reference = \(reference))
                OR EXISTS (SELECT 1 FROM captures WHERE payment_id = \(payment) AND provider_reference = \(reference))
            """
        ) { row in try row.next() } ?? false
    }

    /// Keeps a provider's settlement lines from being matched until the transaction ends.
    package static func holdLines(of provider: String, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute("SELECT FROM settlement_cursors WHERE provider = \(provider) FOR UPDATE")
    }

    /// The fees that a dispute's settlement lines have booked before the dispute told of them, by currency; without what it
    /// has taken over since. The provider's lines are held.
    package static func feesOfLines(
        _ dispute: DisputeRecord, in db: borrowing PostgresTransaction
    ) throws -> [Money] {
        let entries: SQL = """
            SELECT id FROM journal_entries WHERE payment_id = \(dispute.paymentID) AND kind = 'dispute'
                AND split_part(reference, '/', 1) = \(dispute.id)
            """
        return try db.query(
            """
            WITH entries AS (\(entries)), lines AS (
                SELECT b.provider, b.line_id FROM settlement_entries b JOIN entries e ON e.id = b.entry_id
                WHERE b.role IN ('booking', 'dispute')
                UNION SELECT provider, line_id FROM settlement_lines
                WHERE provider = \(dispute.provider) AND source = \(dispute.reference)
                    AND kind IN ('dispute', 'dispute_reversal')),
            fees AS (
                SELECT j.id FROM lines n
                JOIN settlement_entries f ON f.provider = n.provider AND f.line_id = n.line_id AND f.role = 'fee'
                JOIN journal_entries j ON j.id = f.entry_id AND j.kind = 'provider_fee'
                UNION SELECT id FROM entries)
            SELECT sum(l.amount)::bigint, l.currency FROM fees JOIN journal_lines l ON l.entry_id = fees.id
            WHERE l.account = \(Ledger.providerFees) GROUP BY l.currency HAVING sum(l.amount) <> 0 ORDER BY l.currency
            """
        ) { row in Money(minor: try row.next(), currency: try row.next()) }
    }

    /// Adds to what was ever withdrawn for a dispute, whose row is locked.
    package static func noteWithdrawn(
        _ minor: Int64, for id: DisputeID, in db: borrowing PostgresTransaction
    ) throws {
        guard minor != 0 else { return }
        try db.enqueue("UPDATE disputes SET withdrawn = withdrawn + \(minor) WHERE id = \(id)")
    }

    /// Records what disputes have taken of a payment whose row is locked.
    package static func take(_ minor: Int64, from payment: PaymentID, in db: borrowing PostgresTransaction) throws {
        guard minor != 0 else { return }
        try db.enqueue("UPDATE payments SET amount_disputed = amount_disputed + \(minor) WHERE id = \(payment)")
    }
}
