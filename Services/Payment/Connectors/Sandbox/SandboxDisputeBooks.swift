import BillingCore
import PaymentContract
import PaymentDomain
import Postgres

/// SQL over the sandbox provider's books of disputes.
enum SandboxDisputeBooks {
    /// What a dispute costs, minor units of its currency; given back when it is won, as in Stripe's test mode.
    static let fee: Int64 = 1_500
    /// How long evidence is waited for.
    static let answerSeconds: Int64 = 7 * 86_400
    /// How long the bank thinks.
    static let verdictSeconds: Int64 = 3_600
    /// How many disputes a page of news has, or more where the last ones changed together.
    static let pageLimit = 100

    /// Marks what a disputing card was charged for; the dispute is raised at the given time.
    static func foresee(
        _ charges: [SandboxCharge], at time: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let disputing: [(charge: SandboxCharge, kind: SandboxDisputeKind)] = charges.compactMap { charge in
            charge.card.dispute.map { (charge, $0) }
        }
        guard !disputing.isEmpty else { return }
        _ = try db.execute(
            """
            UPDATE sandbox_charges s
            SET dispute_kind = d.kind, dispute_payment = d.payment_id, dispute_at = \(time)::timestamptz
            FROM unnest(\(disputing.map(\.charge.request.idempotencyKey.rawValue))::text[],
                \(disputing.map(\.kind.rawValue))::text[], \(disputing.map(\.charge.request.paymentID.rawValue))::text[])
                AS d(key, kind, payment_id)
            WHERE s.idempotency_key = d.key AND s.dispute_kind IS NULL
            """)
    }

    /// Whether anything is due.
    private static func isDue(at now: Instant) -> SQL {
        """
        EXISTS (SELECT 1 FROM sandbox_charges WHERE dispute_at <= \(now) AND captured > 0)
            OR EXISTS (SELECT 1 FROM sandbox_disputes WHERE verdict_at <= \(now) OR due_by <= \(now))
        """
    }

    /// Whether anything is due, or has changed at an acquirer after what the cursor, a SELECT, says.
    static func isNew(after cursor: SQL, at acquirer: String, now: Instant) -> SQL {
        let number: SQL = "coalesce((\(cursor))::bigint, 0)"
        return "\(isDue(at: now)) OR \(SQL.exists(changes(after: number, at: acquirer)))"
    }

    /// Does all that is due: raises disputes, says verdicts, gives up on evidence that never came.
    static func turn(at now: Instant, in db: borrowing PostgresTransaction) throws {
        let isDue: Bool? = try db.first("SELECT \(Self.isDue(at: now))") { row in try row.next() }
        guard isDue == true else { return }
        let number: Int64 = try nextChange(in: db)
        try open(at: now, number, in: db)
        try narrowInquiries(at: now, in: db)
        try db.enqueue(
            """
            UPDATE sandbox_disputes SET status = verdict, changed = \(number), changed_at = verdict_at,
                fee = CASE verdict WHEN 'won' THEN 0 WHEN 'needs_response' THEN \(fee) ELSE fee END,
                escalated_at = CASE verdict WHEN 'needs_response' THEN verdict_at ELSE escalated_at END,
                due_by = CASE verdict
                    WHEN 'needs_response' THEN verdict_at + make_interval(secs => \(answerSeconds)::double precision) END,
                verdict = NULL, verdict_at = NULL
            WHERE verdict_at <= \(now)
            """)
        _ = try db.execute(
            """
            UPDATE sandbox_disputes SET status = CASE status WHEN 'inquiry' THEN 'closed' ELSE 'lost' END,
                changed = \(number), changed_at = due_by, due_by = NULL
            WHERE due_by <= \(now)
            """)
    }

    /// Changes are numbered one after the other: whoever numbers one holds up the next until it is committed, so that no
    /// reader passes over one.
    private static func nextChange(in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first("UPDATE sandbox_dispute_changes SET last = last + 1 RETURNING last") { row in try row.next() } ?? 0
    }

    private static func open(at now: Instant, _ number: Int64, in db: borrowing PostgresTransaction) throws {
        // Locked first: what is read after it is read with every earlier refund in sight.
        let keys: [String] = try db.query(
            """
            SELECT idempotency_key FROM sandbox_charges WHERE dispute_at <= \(now) AND captured > 0
            ORDER BY idempotency_key FOR UPDATE
            """
        ) { row in try row.next() }
        try db.enqueue(
            """
            WITH due AS (
                UPDATE sandbox_charges s SET dispute_at = NULL
                FROM (SELECT idempotency_key, dispute_at FROM sandbox_charges
                      WHERE idempotency_key = ANY(\(keys)::text[])) AS d
                WHERE s.idempotency_key = d.idempotency_key
                RETURNING s.idempotency_key, s.captured, s.dispute_kind, s.dispute_payment, d.dispute_at AS raised_at)
            INSERT INTO sandbox_disputes (reference, charge_key, payment_id, amount, fee, reason, status, opened_at,
                changed_at, due_by, changed)
            SELECT 'dp_' || due.idempotency_key, due.idempotency_key, due.dispute_payment, due.captured - r.amount,
                CASE due.dispute_kind WHEN 'inquiry' THEN 0 ELSE \(fee) END,
                CASE due.dispute_kind WHEN 'inquiry' THEN 'general' ELSE due.dispute_kind END,
                CASE due.dispute_kind WHEN 'inquiry' THEN 'inquiry' ELSE 'needs_response' END,
                due.raised_at, due.raised_at,
                due.raised_at + make_interval(secs => \(answerSeconds)::double precision), \(number)
            FROM due CROSS JOIN LATERAL (
                SELECT coalesce(sum(amount), 0)::bigint AS amount FROM sandbox_refunds
                WHERE charge_key = due.idempotency_key AND failure_code IS NULL) AS r
            WHERE due.captured > r.amount
            """)
    }

    /// An inquiry that is about to escalate takes what was not refunded meanwhile; nothing of it left, it is closed.
    private static func narrowInquiries(at now: Instant, in db: borrowing PostgresTransaction) throws {
        // Locked first, as in `open`.
        let keys: [String] = try db.query(
            """
            SELECT idempotency_key FROM sandbox_charges WHERE idempotency_key IN (
                SELECT charge_key FROM sandbox_disputes WHERE verdict_at <= \(now) AND verdict = 'needs_response')
            ORDER BY idempotency_key FOR UPDATE
            """
        ) { row in try row.next() }
        guard !keys.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE sandbox_disputes d
            SET amount = CASE WHEN c.remaining > 0 THEN least(d.amount, c.remaining) ELSE d.amount END,
                verdict = CASE WHEN c.remaining > 0 THEN d.verdict ELSE 'closed' END
            FROM (SELECT s.idempotency_key, s.captured - coalesce(sum(r.amount), 0)::bigint AS remaining
                  FROM sandbox_charges s
                  LEFT JOIN sandbox_refunds r ON r.charge_key = s.idempotency_key AND r.failure_code IS NULL
                  WHERE s.idempotency_key = ANY(\(keys)::text[]) GROUP BY s.idempotency_key) AS c
            WHERE d.charge_key = c.idempotency_key AND d.verdict_at <= \(now) AND d.verdict = 'needs_response'
            """)
    }

    /// No join: it is asked several times a second, and must begin at the disputes, of which there are few, whatever a plan that
    /// was made for empty tables thinks of the charges.
    private static func changes(after number: SQL, at acquirer: String) -> SQL {
        """
        SELECT d.reference, d.changed FROM sandbox_disputes d
        WHERE d.changed > \(number)
            AND (SELECT c.provider FROM sandbox_charges c WHERE c.idempotency_key = d.charge_key) = \(acquirer)
        ORDER BY d.changed
        """
    }

    /// What changed at an acquirer after a number, in the order of the numbers.
    static func changed(
        after number: Int64, at acquirer: String, in db: borrowing PostgresTransaction
    ) throws -> [(String, Int64)] {
        try db.query(
            "\(changes(after: "\(number)", at: acquirer)) FETCH FIRST \(pageLimit) ROWS WITH TIES"
        ) { row in (try row.next(), try row.next()) }
    }

    static func find(
        _ reference: String, at acquirer: String, in db: borrowing PostgresTransaction
    ) throws -> SandboxDispute? {
        try db.first(
            """
            SELECT \(SandboxDispute.columns) FROM sandbox_disputes d
            JOIN sandbox_charges c ON c.idempotency_key = d.charge_key AND c.provider = \(acquirer)
            WHERE d.reference = \(reference)
            """, as: SandboxDispute.self)
    }

    /// What is withheld or lost of a charge.
    static func taken(from charge: AttemptID, in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            SELECT coalesce(sum(amount), 0)::bigint FROM sandbox_disputes
            WHERE charge_key = \(charge) AND status IN ('needs_response', 'under_review', 'lost')
            """
        ) { row in try row.next() } ?? 0
    }

    /// Takes evidence, once under its key; the bank thinks about it for a while.
    static func submit(
        _ request: EvidenceRequest, to acquirer: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> DisputeAnswer {
        try respond(request.idempotencyKey, to: request.reference, at: acquirer, in: db) { dispute, number in
            guard dispute.status.takesEvidence, let due: Instant = dispute.dueBy else { return "dispute_closed" }
            guard due > now else { return "evidence_overdue" }
            let text: String? = request.evidence.texts[.uncategorizedText]
            let verdict: DisputeStatus? = text.flatMap { SandboxVerdict(rawValue: $0) }?.status(after: dispute.status)
            let verdictAt: Instant? = verdict.map { _ in Instant(seconds: now.seconds + verdictSeconds) }
            _ = try db.execute(
                """
                UPDATE sandbox_disputes SET status = CASE status WHEN 'inquiry' THEN status ELSE 'under_review' END,
                    due_by = NULL, verdict = \(verdict?.rawValue), verdict_at = \(verdictAt), changed = \(number),
                    changed_at = \(now)
                WHERE reference = \(request.reference)
                """)
            return nil
        }
    }

    /// Gives a dispute up, once under its key.
    static func accept(
        _ request: DisputeAcceptance, of acquirer: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> DisputeAnswer {
        try respond(request.idempotencyKey, to: request.reference, at: acquirer, in: db) { dispute, number in
            guard dispute.status.phase == .dispute else { return "dispute_closed" }
            _ = try db.execute(
                """
                UPDATE sandbox_disputes SET status = 'lost', due_by = NULL, verdict = NULL, verdict_at = NULL,
                    changed = \(number), changed_at = \(now)
                WHERE reference = \(request.reference)
                """)
            return nil
        }
    }

    /// - Parameter change: Makes it, under the given number, or says why not.
    private static func respond(
        _ key: DisputeResponseID, to reference: String, at acquirer: String, in db: borrowing PostgresTransaction,
        _ change: (SandboxDispute, Int64) throws -> String?
    ) throws -> DisputeAnswer {
        let number: Int64 = try nextChange(in: db)
        guard let dispute: SandboxDispute = try find(reference, at: acquirer, in: db) else {
            return .refused(code: "dispute_not_found")
        }
        let isNew: Int = try db.execute(
            """
            INSERT INTO sandbox_dispute_responses (idempotency_key, reference) VALUES (\(key), \(reference))
            ON CONFLICT (idempotency_key) DO NOTHING
            """)
        if isNew == 1, let code: String = try change(dispute, number) {
            try db.enqueue("DELETE FROM sandbox_dispute_responses WHERE idempotency_key = \(key)")
            return .refused(code: code)
        }
        return .standing(try find(reference, at: acquirer, in: db)?.told ?? dispute.told)
    }
}
