import JSON
import PaymentCrypto
import PaymentInstalments
import PaymentLinks
import PaymentExchange
import PaymentLedger
import PaymentDisputes
import PaymentReconciliation
package import Postgres
package import ServiceKit

/// What Payment says of itself in the consistency check.
package enum PaymentConsistency {
    /// Figures other services must agree with, and own invariants that do not hold.
    package static func facts(in db: borrowing PostgresTransaction) throws -> ConsistencyFacts {
        let ledger: [(String, JSONValue)] = try db.query(
            """
            SELECT currency, coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::text,
                coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::text
            FROM journal_lines GROUP BY currency ORDER BY currency
            """
        ) { row in
            let currency: String = try row.next()
            let debits: String = try row.next()
            return (
                currency,
                .object([
                    .init(name: "debits", value: .number(debits)),
                    .init(name: "credits", value: .number(try row.next())),
                ])
            )
        }
        return ConsistencyFacts(
            facts: [
                ("ledger", .object(ledger.map { JSONMember(name: $0.0, value: $0.1) })),
                (
                    "succeeded_payments",
                    try amounts(
                        "SELECT currency, count(*), sum(amount_captured)::text FROM payments WHERE status = 'succeeded' GROUP BY currency ORDER BY currency",
                        in: db)
                ),
                (
                    "refunds",
                    try amounts(
                        "SELECT currency, count(*), sum(amount)::text FROM refunds WHERE status = 'succeeded' GROUP BY currency ORDER BY currency",
                        in: db)
                ),
                (
                    "captures",
                    try amounts(
                        "SELECT currency, count(*), sum(amount)::text FROM captures WHERE status = 'succeeded' GROUP BY currency ORDER BY currency",
                        in: db)
                ),
                (
                    "lost_disputes",
                    try amounts(
                        "SELECT currency, count(*), sum(amount)::text FROM disputes WHERE status = 'lost' GROUP BY currency ORDER BY currency",
                        in: db)
                ),
                (
                    "paid_invoices",
                    try Fingerprint.of(
                        "SELECT invoice_id FROM payments WHERE status = 'succeeded' AND invoice_id IS NOT NULL AND NOT invoice_voided",
                        in: db)
                ),
                (
                    "assessed_attempts",
                    try Fingerprint.of(
                        "SELECT coalesce(a.asked_for, a.payment_id) || '/' || coalesce(a.asked_number, a.number) FROM payment_attempts a WHERE a.payment_method_id IS NOT NULL AND a.cascade_of IS NULL",
                        in: db)
                ),
                (
                    "in_flight",
                    .number(
                        String(
                            try count("SELECT count(*) FROM payments WHERE status IN ('created', 'processing')", in: db)
                        ))
                ),
            ],
            violations: try violations(in: db) + LinkUseStore.violations(in: db))
    }

    private static func amounts(_ sql: SQL, in db: borrowing PostgresTransaction) throws -> JSONValue {
        let rows: [JSONMember] = try db.query(sql) { row in
            let currency: String = try row.next()
            let count: Int64 = try row.next()
            let amount: String = try row.next()
            return JSONMember(
                name: currency,
                value: .object([
                    .init(name: "count", value: .number(String(count))), .init(name: "amount", value: .number(amount)),
                ]))
        }
        return .object(rows)
    }

    private static func count(_ sql: SQL, in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(sql) { row in try row.next() } ?? 0
    }

    /// Own invariants that do not hold, one sentence each.
    private static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        try CryptoWork.violations(in: db) + LedgerChecks.violations(in: db) + ExchangeChecks.violations(in: db)
            + ReconciliationConsistency.violations(in: db)
            + ConsistencyFacts.violations(checks + InstalmentBooks.checks + DisputeConsistency.checks, in: db)
    }

    /// What counts rows that must not be there, and what they are.
    private static var checks: [(SQL, String)] {
        [
            (
                "SELECT count(*) FROM (SELECT invoice_id FROM payments WHERE status = 'succeeded' AND invoice_id IS NOT NULL GROUP BY invoice_id HAVING count(*) > 1) AS i",
                "invoices paid more than once"
            ),
            (
                "SELECT count(*) FROM payments p WHERE p.status = 'succeeded' AND p.capture_method = 'automatic' AND NOT EXISTS (SELECT 1 FROM journal_entries e WHERE e.kind = 'payment' AND e.reference = p.attempt_id)",
                "succeeded payments that are not booked"
            ),
            (
                "SELECT count(*) FROM sandbox_charges c WHERE c.outcome = 'succeeded' AND NOT EXISTS (SELECT 1 FROM journal_entries e WHERE e.kind = 'payment' AND e.reference = c.idempotency_key)",
                "charges at the sandbox provider that are not booked"
            ),
            (
                "SELECT count(*) FROM (SELECT a.payment_id FROM sandbox_charges c JOIN payment_attempts a ON a.id = c.idempotency_key WHERE c.captured > 0 OR c.held_until IS NOT NULL GROUP BY a.payment_id HAVING count(*) > 1) AS d",
                "payments charged more than once at the sandbox provider"
            ),
            (
                """
                SELECT count(*) FROM (refunds f JOIN payments p ON p.id = f.payment_id)
                    FULL JOIN (SELECT min(id) AS id, reference FROM journal_entries
                        WHERE kind IN ('refund', 'refund_failure') GROUP BY reference HAVING count(*) = 1) e
                        ON e.reference = f.id
                    LEFT JOIN sandbox_refunds r ON r.reference = f.provider_reference
                        AND r.failure_code IS NULL AND NOT r.is_pending
                WHERE (f.status = 'succeeded') IS DISTINCT FROM (e.id IS NOT NULL)
                    OR (p.provider ~ '^sandbox(_[a-z0-9_]+)?$' AND f.status = 'succeeded' AND r.reference IS NULL)
                """,
                "refunds whose booking and provider disagree"
            ),
            (
                """
                SELECT count(*) FROM (SELECT account, currency, sum(amount) AS amount FROM (
                    SELECT 'assets:provider:' || provider AS account, currency, captured AS amount FROM sandbox_charges
                    UNION ALL SELECT 'assets:provider:' || c.provider, c.currency, -r.amount
                    FROM sandbox_refunds r JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
                    WHERE r.failure_code IS NULL AND NOT r.is_pending
                    UNION ALL SELECT 'assets:provider:' || c.provider, c.currency, -d.fee - CASE
                        WHEN d.status IN ('needs_response', 'under_review', 'lost') THEN d.amount ELSE 0 END
                    FROM sandbox_disputes d JOIN sandbox_charges c ON c.idempotency_key = d.charge_key
                    UNION ALL \(ReconciliationConsistency.sandboxSettled)) AS b GROUP BY account, currency) AS b
                FULL JOIN (SELECT account, currency, sum(amount) AS amount FROM journal_lines
                    WHERE account ~ '^assets:provider:sandbox(_[a-z0-9_]+)?$' GROUP BY account, currency) AS l
                    ON l.account = b.account AND l.currency = b.currency
                WHERE coalesce(b.amount, 0) <> coalesce(l.amount, 0)
                """,
                "currencies in which the sandbox provider's books and the ledger differ"
            ),
            (
                "SELECT count(*) FROM payments p LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM refunds WHERE status <> 'failed' GROUP BY payment_id) r ON r.payment_id = p.id WHERE p.amount_refunded <> coalesce(r.amount, 0)",
                "payments whose refunds do not add up"
            ),
            (
                """
                SELECT count(*) FROM captures c JOIN payments p ON p.id = c.payment_id
                    LEFT JOIN journal_entries e ON e.kind = 'capture' AND e.reference = c.id
                    FULL JOIN sandbox_captures s ON s.idempotency_key = c.id
                WHERE (c.status = 'succeeded') IS DISTINCT FROM (e.id IS NOT NULL)
                    OR (c.status = 'succeeded') IS DISTINCT FROM (s.reference IS NOT NULL)
                        AND coalesce(p.provider, 'sandbox') ~ '^sandbox(_[a-z0-9_]+)?$'
                """,
                "captures whose booking and provider disagree"
            ),
            (
                "SELECT count(*) FROM payments p LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM captures WHERE status = 'succeeded' GROUP BY payment_id) c ON c.payment_id = p.id WHERE p.amount_captured <> CASE WHEN p.capture_method = 'manual' THEN coalesce(c.amount, 0) WHEN p.status = 'succeeded' THEN p.amount ELSE 0 END",
                "payments whose captures do not add up"
            ),
            (
                "SELECT count(*) FROM payment_attempts WHERE release_at IS NOT NULL",
                "attempts whose payment has ended and for which a provider holds money"
            ),
            (
                "SELECT count(*) FROM payments WHERE status = 'canceling' AND look_at IS NOT NULL",
                "holds whose time is over and that their provider does not release"
            ),
        ]
    }
}
