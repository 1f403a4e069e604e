package import Postgres

/// An account in use.
package struct LedgerAccount: Sendable, Equatable {
    package let name: String
    /// The chart's line that it belongs to: `assets:provider:{name}`.
    package let pattern: String
    /// `asset`, `liability`, `income`, `contra_income`, `expense` or `equity`.
    package let accountClass: String
}

/// SQL over the chart of accounts.
package enum ChartStore {
    /// Accounts by name: those with lines, and those of the chart that need no name filled in.
    package static func accounts(
        after name: String?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [LedgerAccount] {
        try db.query(
            """
            SELECT a.name, a.pattern, c.class FROM ledger_accounts a JOIN ledger_chart c ON c.pattern = a.pattern
            \(SQL.matching(name.map { "a.name > \($0)" })) ORDER BY a.name LIMIT \(limit)
            """
        ) { row in LedgerAccount(name: try row.next(), pattern: try row.next(), accountClass: try row.next()) }
    }

    /// Which of these names the chart has no account for.
    package static func unknown(_ names: [String], in db: borrowing PostgresTransaction) throws -> Set<String> {
        let found: [String] = try db.query(
            """
            SELECT n FROM unnest(\(names)::text[]) AS n
            WHERE NOT EXISTS (SELECT FROM ledger_chart c WHERE n ~ c.matcher)
            """
        ) { row in try row.next() }
        return Set(found)
    }
}
