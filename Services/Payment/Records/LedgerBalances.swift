package import BillingCore
package import Postgres

/// What was booked on an account in one currency, up to some time.
package struct AccountBalance: Sendable, Equatable {
    package let account: String
    package let currency: String
    /// The sum of all debits, minor units: more than 64 bits may hold.
    package let debits: Int128
    /// The sum of all credits, minor units.
    package let credits: Int128

    package init(account: String, currency: String, debits: Int128, credits: Int128) {
        self.account = account
        self.currency = currency
        self.debits = debits
        self.credits = credits
    }

    /// Debits positive.
    package var balance: Int128 { debits - credits }
}

/// Reads balances: running totals of what is sealed, and the few lines that no seal covers yet.
///
/// A payment touches no total. The totals are moved on behind the snapshot horizon (see ``LedgerSeals``), in one
/// transaction with the place up to which they go, so that totals and tail always make up the whole in any snapshot.
package enum LedgerBalances {
    /// Balances by name and currency; accounts on which nothing was booked are left out.
    /// - Parameters:
    ///   - before: Counts what happened before this moment, whenever it was booked; everything when `nil`.
    ///   - account: Only this account.
    ///   - currency: Only this currency.
    package static func read(
        before: Instant? = nil, account: String? = nil, currency: String? = nil, in db: borrowing PostgresTransaction
    ) throws -> [AccountBalance] {
        try db.query(
            """
            WITH \(tail(account, currency)), parts AS (\(parts(before, account, currency)))
            SELECT account, currency, coalesce(sum(debits), 0), coalesce(sum(credits), 0)
            FROM parts GROUP BY account, currency HAVING count(debits) > 0 ORDER BY account, currency
            """
        ) { row in
            AccountBalance(
                account: try row.next(), currency: try row.next(), debits: try row.next(), credits: try row.next())
        }
    }

    /// The balance of one account in one currency, debits positive.
    package static func balance(
        of account: String, _ currency: String, before: Instant? = nil, in db: borrowing PostgresTransaction
    ) throws -> Int128 {
        try read(before: before, account: account, currency: currency, in: db).first?.balance ?? 0
    }

    /// What no seal covers.
    private static func tail(_ account: String?, _ currency: String?) -> SQL {
        """
        tail AS MATERIALIZED (
            SELECT account, currency, occurred_at, amount
            FROM ledger_lines(
                coalesce((SELECT last_xid FROM ledger_seals ORDER BY number DESC LIMIT 1), '0'),
                coalesce((SELECT last_id FROM ledger_seals ORDER BY number DESC LIMIT 1), ''), NULL, NULL)
            \(SQL.matching("account IS NOT NULL", account.map { "account = \($0)" }, currency.map { "currency = \($0)" })))
        """
    }

    private static func parts(_ before: Instant?, _ account: String?, _ currency: String?) -> SQL {
        let account: SQL? = account.map { "account = \($0)" }
        let currency: SQL? = currency.map { "currency = \($0)" }
        guard let before else {
            return """
                SELECT account, currency, debits, credits FROM ledger_rollups
                \(SQL.matching("grain = 'all'", account, currency))
                UNION ALL SELECT account, currency, \(sums) FROM tail GROUP BY account, currency
                """
        }
        let hour: Instant = before.start(of: 3_600)
        let day: Instant = before.start(of: 86_400)
        return """
            SELECT k.account, k.currency, s.debits, s.credits
            FROM (SELECT account, currency FROM ledger_rollups \(SQL.matching("grain = 'all'", account, currency))
                  UNION SELECT account, currency FROM tail) AS k
            CROSS JOIN LATERAL (
                SELECT debits, credits FROM ledger_rollups r
                WHERE grain = 'day' AND r.account = k.account AND r.currency = k.currency AND starts_at < \(day)
                UNION ALL SELECT debits, credits FROM ledger_rollups r
                WHERE grain = 'hour' AND r.account = k.account AND r.currency = k.currency AND starts_at >= \(day)
                    AND starts_at < \(hour)
                UNION ALL SELECT \(sums) FROM journal_lines l
                WHERE l.account = k.account AND l.currency = k.currency AND occurred_at >= \(hour)
                    AND occurred_at < \(before)
                HAVING count(*) > 0) AS s(debits, credits)
            UNION ALL SELECT account, currency, \(sums) FROM tail WHERE occurred_at < \(hour) GROUP BY account, currency
            """
    }

    /// Debits and credits of lines; sums of bigint are numeric and do not overflow.
    private static let sums: SQL = """
        coalesce(sum(amount) FILTER (WHERE amount > 0), 0), coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)
        """
}

extension Instant {
    /// The start of the whole hour or day of UTC that the moment lies in.
    /// - Parameter length: Seconds.
    fileprivate func start(of length: Int64) -> Instant {
        let past: Int64 = ((seconds % length) + length) % length
        return Instant(seconds: seconds - past)
    }
}
