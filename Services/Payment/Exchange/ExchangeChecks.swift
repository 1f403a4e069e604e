package import Postgres
import ServiceKit

/// What must hold of exchanged movements, whatever happened.
package enum ExchangeChecks {
    /// What does not hold, a sentence each.
    package static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        try ConsistencyFacts.violations(checks, in: db)
    }

    private static let checks: [(SQL, String)] = [
        (
            """
            SELECT count(*) FROM (
                SELECT currency, sum(amount) AS amount FROM (
                    SELECT currency, amount FROM exchange_movements
                    UNION ALL SELECT settlement_currency, -position_amount FROM exchange_movements
                    -- Of no payment, by hand, or from before movements were kept of what reports convert.
                    UNION ALL SELECT l.currency, l.amount FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id
                        AND l.account = 'assets:exchange_position'
                        -- A settlement that was reversed has lost its movement where its refund failed afterwards.
                        WHERE e.kind IN ('exchange', 'adjustment') OR e.kind = 'reversal' AND NOT EXISTS (
                            SELECT FROM journal_entries o WHERE o.id = e.reference AND o.kind = 'settlement'
                                AND NOT EXISTS (
                                    SELECT FROM exchange_movements n WHERE n.reference = o.reference))) AS m
                GROUP BY currency) AS m
            FULL JOIN (
                SELECT currency, sum(amount) AS amount FROM journal_lines WHERE account = 'assets:exchange_position'
                GROUP BY currency) AS l USING (currency)
            WHERE coalesce(m.amount, 0) <> coalesce(l.amount, 0)
            """, "currencies in which the exchange account and what was exchanged differ"
        )
    ]
}
