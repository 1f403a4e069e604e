package import Postgres

/// What must hold of disputes at rest.
package enum DisputeConsistency {
    /// Statements that count what does not hold, each with its sentence.
    package static let checks: [(SQL, String)] = [
        (
            """
            SELECT count(*) FROM (SELECT * FROM disputes WHERE provider ~ '^sandbox(_[a-z0-9_]+)?$') d
            FULL JOIN sandbox_disputes s ON s.reference = d.reference
            WHERE d.status IS DISTINCT FROM s.status OR d.amount <> s.amount OR d.fee IS DISTINCT FROM s.fee
                OR d.payment_id <> s.payment_id
            """,
            "disputes on which the sandbox provider's books and ours differ"
        ),
        (
            """
            SELECT count(*) FROM disputes d LEFT JOIN (
                SELECT split_part(e.reference, '/', 1) AS dispute_id,
                    sum(l.amount) FILTER (WHERE l.account = 'assets:disputed_funds') AS withheld,
                    sum(l.amount) FILTER (WHERE l.account = 'expense:dispute_losses') AS lost,
                    sum(l.amount) FILTER (WHERE l.account = 'expense:dispute_fees') AS fee
                FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id WHERE e.kind = 'dispute' GROUP BY 1
            ) AS b ON b.dispute_id = d.id
            WHERE coalesce(b.withheld, 0) <> CASE WHEN d.status IN ('needs_response', 'under_review') THEN d.amount ELSE 0 END
                OR coalesce(b.lost, 0) <> CASE d.status WHEN 'lost' THEN d.amount ELSE 0 END
                OR coalesce(b.fee, 0) <> coalesce(d.fee, 0)
            """,
            "disputes that are not booked as they stand"
        ),
        (
            """
            SELECT count(*) FROM journal_entries e WHERE e.kind = 'dispute'
                AND NOT EXISTS (SELECT 1 FROM disputes d WHERE d.id = split_part(e.reference, '/', 1))
            """,
            "dispute bookings without a dispute"
        ),
        (
            """
            SELECT count(*) FROM payments p LEFT JOIN (
                SELECT payment_id, sum(amount) AS amount FROM disputes
                WHERE status IN ('needs_response', 'under_review', 'lost') GROUP BY payment_id
            ) AS d ON d.payment_id = p.id WHERE p.amount_disputed <> coalesce(d.amount, 0)
            """,
            "payments whose disputes do not add up"
        ),
        (
            """
            SELECT count(*) FROM reversals v JOIN refunds r ON r.id = v.refund_id
            WHERE v.dispute_id IS NOT NULL AND r.status = 'succeeded'
            """,
            "refunds that count beside the disputes whose withdrawals they were"
        ),
    ]
}
