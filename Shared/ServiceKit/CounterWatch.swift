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

    /// Looks once. A database that is away is passed over: nothing is written to it meanwhile.
    /// - Throws: `TransactionCounter.Behind`, or `CancellationError`.
    package func look() async throws {
        let tables: [String] = tables
        do {
            try await pool.transaction(readOnly: true) { db in try TransactionCounter.check(tables, in: db) }
        } catch is PostgresError {}
    }

    /// Looks at once and then every so often.
    /// - Throws: `TransactionCounter.Behind`, or `CancellationError`.
    package func run() async throws {
        while true {
            try await look()
            try await Task.sleep(for: interval)
        }
    }
}

extension ServiceAssembly {
    /// All tables that are read in the order of their transactions' ids.
    static var tablesByTransaction: [String] { Outbox.orderedTables + orderedTables }
}
