package import BillingCore
package import PaymentDomain
package import Postgres

/// What is said to a dispute, and what became of it.
package struct DisputeResponseRecord: PostgresRecord, Sendable {
    /// What is said.
    package enum Kind: String, Sendable, CaseIterable {
        /// It is contested.
        case evidence
        /// It is accepted: the payer keeps the money.
        case acceptance
    }

    package let id: DisputeResponseID
    package let disputeID: DisputeID
    package let kind: Kind
    package let evidence: DisputeEvidence
    package let status: FollowUpStatus
    /// Why the provider refused.
    package let failureCode: String?

    package static let columns: SQL = "id, dispute_id, kind, evidence::text, status, failure_code"

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        disputeID = try row.next()
        kind = try row.nextCase()
        evidence = DisputeEvidence(stored: try row.next())
        status = try row.nextCase()
        failureCode = try row.next()
    }

    package init(id: DisputeResponseID, disputeID: DisputeID, kind: Kind, evidence: DisputeEvidence) {
        self.id = id
        self.disputeID = disputeID
        self.kind = kind
        self.evidence = evidence
        status = .processing
        failureCode = nil
    }
}

/// SQL over responses to disputes.
package enum DisputeResponseStore {
    package static func find(
        _ id: DisputeResponseID, in db: borrowing PostgresTransaction
    ) throws -> DisputeResponseRecord? {
        try db.first(
            "SELECT \(DisputeResponseRecord.columns) FROM dispute_responses WHERE id = \(id)",
            as: DisputeResponseRecord.self)
    }

    /// The last response to each of some disputes.
    package static func last(
        of disputes: [DisputeID], in db: borrowing PostgresTransaction
    ) throws -> [DisputeID: DisputeResponseRecord] {
        let rows: [DisputeResponseRecord] = try db.query(
            """
            SELECT DISTINCT ON (dispute_id) \(DisputeResponseRecord.columns) FROM dispute_responses
            WHERE dispute_id = ANY(\(disputes.map(\.rawValue))::text[]) ORDER BY dispute_id, id DESC
            """, as: DisputeResponseRecord.self)
        return Dictionary(rows.map { ($0.disputeID, $0) }) { first, _ in first }
    }

    /// Stores what is to be said.
    package static func insert(
        _ response: DisputeResponseRecord, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO dispute_responses (id, dispute_id, kind, evidence, status, created_at)
            VALUES (\(response.id), \(response.disputeID), \(response.kind.rawValue),
                \(response.evidence.stored)::jsonb, \(response.status.rawValue), \(now))
            """)
    }

    /// Responses that are to be handed in, or whose outcome nobody has recorded.
    /// - Parameter whose: Which providers' are meant, a condition on `provider`.
    static func waiting(_ whose: SQL) -> SQL {
        """
        SELECT id FROM dispute_responses r WHERE status = 'processing' AND due_at <= now()
            AND EXISTS (SELECT FROM disputes d WHERE d.id = r.dispute_id AND \(whose)) ORDER BY due_at
        """
    }

    /// Names some of those, the longest due first; none is taken by that.
    /// - Parameter whose: As for ``waiting(_:)``.
    static func due(
        _ whose: SQL, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [DisputeResponseID] {
        try db.query("\(waiting(whose)) LIMIT \(limit)") { row in try row.next() }
    }

    /// Takes one that is due; no other instance gets it for a while.
    /// - Parameters:
    ///   - lease: How long, unless its deadline is near.
    ///   - seconds: A provider call without an outcome is repeated after this.
    ///   - now: The time that deadlines are told by.
    /// - Returns: Whether it was due, and is not another instance's.
    package static func take(
        _ id: DisputeResponseID, for lease: Int, again seconds: Int, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            """
            UPDATE dispute_responses r SET looks = r.looks + 1, due_at = now() + make_interval(secs =>
                least(\(lease)::double precision, \(longestWait(again: seconds, at: now))))
            FROM disputes d
            WHERE r.id = \(id) AND r.status = 'processing' AND r.due_at <= now() AND d.id = r.dispute_id
            """) == 1
    }

    /// Its outcome is not known, or not booked: it is handed in again after a wait that doubles with each time, up to an hour.
    /// - Parameters: As for ``take(_:for:again:at:in:)``.
    package static func failed(
        _ id: DisputeResponseID, again seconds: Int, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE dispute_responses r SET due_at = now() + make_interval(secs =>
                least(\(seconds)::double precision * 2 ^ least(greatest(r.looks - 1, 0), 20), 3600,
                    \(longestWait(again: seconds, at: now))))
            FROM disputes d WHERE r.id = \(id) AND r.status = 'processing' AND d.id = r.dispute_id
            """)
    }

    /// The seconds that evidence `r` in a dispute `d` can wait at most: an eighth of the time that it has left, so that some
    /// tries are left too, however long the provider has been away. NULL once its time is over, and where it has none.
    private static func longestWait(again seconds: Int, at now: Instant) -> SQL {
        """
        CASE WHEN r.kind = 'evidence' AND d.evidence_due_by > \(now)::timestamptz THEN
            greatest(\(seconds)::double precision,
                extract(epoch FROM d.evidence_due_by - \(now)::timestamptz)::double precision / 8) END
        """
    }

    /// Records the provider's word; a response that has one keeps it.
    package static func settle(
        _ id: DisputeResponseID, failureCode: String?, in db: borrowing PostgresTransaction
    ) throws {
        let status: FollowUpStatus = failureCode == nil ? .succeeded : .failed
        _ = try db.execute(
            """
            UPDATE dispute_responses SET status = \(status.rawValue), failure_code = \(failureCode)
            WHERE id = \(id) AND status = 'processing'
            """)
    }
}
