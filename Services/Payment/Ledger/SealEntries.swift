import PaymentRecords
package import Postgres
package import ServiceKit
import Telemetry

/// Moves the ledger's running totals on and seals what they cover.
///
/// Entries are summed up behind the snapshot horizon; totals, seal and place move in one transaction. A crash at any line
/// leaves either all of it or nothing, and the next pass goes on from the last seal. One instance at a time works, the
/// others find the lock taken. While nobody works, balances stay right: they add the unsealed lines, of which there are
/// only more.
package struct SealEntries: Sendable {
    /// How long entries wait to be sealed, so that a seal covers more than one.
    static let interval: Duration = .seconds(2)
    /// Entries under one seal at most.
    package static let batchLimit = 5_000

    let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    package var loop: BackgroundLoop {
        let sealed: Counter = Metrics.shared.counter("ledger_sealed_total", help: "Journal entries sealed")
        return BackgroundLoop(name: "ledger") {
            let count: Int64 = try await pass()
            sealed.increment(by: Int(count))
            return count == Self.batchLimit ? .atOnce : .after(Self.interval)
        }
    }

    /// Seals one batch.
    /// - Returns: How many entries were sealed: 0 when none is ready, or another instance is at work.
    package func pass(limit: Int = batchLimit) async throws -> Int64 {
        try await pool.transaction { db in
            guard try LedgerSeals.claim(in: db) else { return 0 }
            return try LedgerSeals.seal(limit: limit, in: db)
        }
    }
}
