import BillingCore
package import Postgres
import ServiceKit

/// What crypto says of itself to the test clock and in the consistency check.
package enum CryptoWork {
    /// Attempts whose time is over and that nobody has answered yet, and news the charge flow has not heard.
    package static func inFlight(_ db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            SELECT (SELECT count(*) FROM crypto_charges WHERE answer IS NULL AND pending = 0 AND decline_at <=
                        now() + (SELECT offset_microseconds FROM test_clock) * interval '1 microsecond')
                 + (SELECT count(*) FROM crypto_charges WHERE answer IS NOT NULL AND told_at IS NULL)
                 + (SELECT count(*) FROM crypto_refund_instructions
                    WHERE status IN ('confirmed', 'canceled') AND reason = 'merchant' AND told_at IS NULL)
            """
        ) { row in try row.next() } ?? 0
    }

    /// Has the followed chains of a kind (`bitcoin`, `evm`) looked at now instead of at their time.
    package static func lookNow(at kind: String, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute(
            "UPDATE crypto_chains SET due_at = now() WHERE split_part(chain, ':', 1) = \(kind) AND due_at > now()")
    }

    /// Own invariants that do not hold, one sentence each.
    package static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        try ConsistencyFacts.violations(checks, in: db)
    }

    private static let checks: [(SQL, String)] = [
        (
            """
            SELECT count(*) FROM crypto_charges c WHERE c.answer = 'captured' AND c.told_at IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM journal_entries e
                    WHERE e.kind = 'payment' AND e.reference = c.attempt_id)
            """, "crypto payments that were received but are not booked"
        ),
        (
            """
            SELECT count(*) FROM journal_entries e JOIN crypto_charges c ON c.attempt_id = e.reference
            WHERE e.kind = 'payment' AND c.answer IS DISTINCT FROM 'captured'
            """, "crypto payments that are booked but were not received"
        ),
        (
            "SELECT count(*) FROM crypto_charges WHERE answer = 'captured' AND received < captured_units",
            "crypto payments whose money left the chain after they were booked"
        ),
        (
            """
            SELECT count(*) FROM crypto_charges c WHERE received < accepted + (
                SELECT coalesce(sum(r.amount + r.fee), 0) FROM crypto_refund_instructions r
                WHERE r.attempt_id = c.attempt_id AND r.status NOT IN ('withdrawn', 'canceled'))
            """, "crypto payments of which more goes back than was received"
        ),
        (
            """
            SELECT count(*) FROM crypto_charges WHERE answer IS NOT NULL AND closed_at IS NULL
                AND booked_surplus <> held + refundable
            """, "crypto payments whose surplus is not booked"
        ),
        (
            """
            SELECT count(*) FROM (SELECT provider, currency,
                    sum(div(booked_surplus * amount, expected) - div(booked_out * amount, expected)) AS owed
                FROM crypto_charges GROUP BY provider, currency) AS c
            FULL JOIN (SELECT substr(account, 25) AS provider, currency, -sum(amount) AS owed FROM journal_lines
                WHERE account ~ '^liabilities:payer_funds:' GROUP BY account, currency) AS l
                USING (provider, currency)
            WHERE coalesce(c.owed, 0) <> coalesce(l.owed, 0)
            """, "currencies in which what is owed to payers of crypto and the ledger differ"
        ),
        (
            "SELECT count(*) FROM crypto_charges WHERE unreadable_since IS NOT NULL AND closed_at IS NULL",
            "crypto addresses with more transactions than are read"
        ),
        (
            """
            SELECT count(*) FROM crypto_charges c JOIN crypto_accounts a ON a.account = c.account
            WHERE c.address_index >= a.next_index
            """, "crypto addresses beyond their account's next number"
        ),
    ]
}
