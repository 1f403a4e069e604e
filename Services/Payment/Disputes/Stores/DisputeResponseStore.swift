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
    package static let waiting: SQL =
        "SELECT id FROM dispute_responses WHERE status = 'processing' AND due_at <= now() ORDER BY due_at"

    /// Takes those; no other instance gets them for a while, which doubles with each time, up to an hour.
    package static func due(
        again seconds: Int, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [DisputeResponseID] {
        try db.query(
            """
            UPDATE dispute_responses SET looks = looks + 1, due_at = now() + make_interval(secs =>
                least(\(seconds)::double precision * 2 ^ least(looks, 20), 3600))
            WHERE id IN (\(waiting) LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            RETURNING id
            """
        ) { row in try row.next() }
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
