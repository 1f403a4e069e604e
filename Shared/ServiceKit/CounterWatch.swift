import Messaging
package import Postgres

/// Ends a daemon on a database whose transaction ids stand before those that are kept in it, see `TransactionCounter`.
///
/// `migrate`, which runs before every start, refuses such a database; one may also be put back under running daemons.
package struct CounterWatch: Sendable {
    private let pool: PostgresPool
    private let tables: [String]
    private let interval: Duration

    /// Prepares the watch over the tables in a pool's schema.
    package init(pool: PostgresPool, tables: [String], interval: Duration = .seconds(10)) {
        self.pool = pool
        self.tables = tables
        self.interval = interval
    }

    /// Looks at once and then every so often. A database that is away is looked at later: nothing is written to it meanwhile.
    /// - Throws: `TransactionCounter.Behind`, or `CancellationError`.
    package func run() async throws {
        let tables: [String] = tables
        while true {
            do {
                try await pool.transaction(readOnly: true) { db in try TransactionCounter.check(tables, in: db) }
            } catch is PostgresError {}
            try await Task.sleep(for: interval)
        }
    }
}

extension ServiceAssembly {
    /// All tables that are read in the order of their transactions' ids.
    static var tablesByTransaction: [String] { Outbox.orderedTables + orderedTables }
}
