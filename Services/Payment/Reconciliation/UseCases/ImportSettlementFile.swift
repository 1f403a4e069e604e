package import BillingCore
import PaymentDomain
package import Postgres

/// Stores the lines of a file: all of them, or none when one is bad. A file that comes again changes nothing.
package enum ImportSettlementFile {
    /// - Returns: The run, and how many lines were new.
    /// - Throws: ``SettlementFile/Refused``.
    package static func store(
        _ text: String, provider: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> (run: ReconciliationRunID, read: Int, new: Int) {
        let lines: [SettlementLine] = try SettlementFile.read(text, provider: provider, at: now)
        let run = ReconciliationRunID.new(at: now)
        try SettlementCursorStore.begin(provider, at: now, in: db)
        // As whoever reads or matches does: a provider's lines, and the totals of them, are written by one at a time.
        _ = try SettlementCursorStore.lock(provider, skipping: false, in: db)
        // A line that is dated ahead says nothing of what happened before the import.
        if let last: Instant = lines.map(\.occurredAt).filter({ $0 <= now }).max() {
            try SettlementCursorStore.cover(provider, until: last, at: now, in: db)
        }
        try SettlementCursorStore.begin(run: run, provider: provider, source: .file, at: now, in: db)
        return (run, lines.count, try SettlementLineStore.insert(lines, run: run, in: db))
    }
}
