package import PaymentRecords
package import Postgres

/// Proves the ledger: every rule of it, and every seal over the entries as they are now.
package struct VerifyLedger: Sendable {
    /// Seals recomputed by one statement.
    static let batchLimit = 100

    /// A seal's digest that was noted down before.
    package struct Anchor: Sendable {
        package let number: Int64
        /// SHA-256, hexadecimal.
        package let digest: String

        /// Reads `17:9f86…`; `nil` for anything else.
        package init?(_ text: String) {
            let parts: [Substring] = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let number = Int64(parts[0]), number > 0, parts[1].utf8.count == 64 else {
                return nil
            }
            self.number = number
            digest = parts[1].lowercased()
        }
    }

    /// What was found.
    package struct Report: Sendable {
        /// The newest seal; `nil` while there is none.
        package let last: LedgerSeal?
        package let entries: Int64
        /// Entries that no seal covers yet.
        package let unsealed: Int64
        /// What does not hold, a sentence each; empty when all is well.
        package let faults: [String]
    }

    let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// - Parameter anchors: Digests that seals must have. Who can rewrite every table can also rewrite the whole chain of
    ///   digests; one that was noted elsewhere shows it.
    package func callAsFunction(anchors: [Anchor] = []) async throws -> Report {
        var faults: [String] = try await pool.transaction(readOnly: true) { db in
            try LedgerChecks.violations(in: db)
        }
        let (last, sealed, seals) = try await walk(anchors)
        faults += seals
        let total: Int64 = try await pool.transaction(readOnly: true) { db in
            try db.first("SELECT count(*) FROM journal_entries") { row in try row.next() } ?? 0
        }
        return Report(last: last, entries: total, unsealed: total - sealed, faults: faults)
    }

    /// Follows the seals from the first; what is sealed does not change, so each batch is looked at on its own.
    private func walk(_ anchors: [Anchor]) async throws -> (last: LedgerSeal?, entries: Int64, faults: [String]) {
        var (last, entries, faults): (LedgerSeal?, Int64, [String]) = (nil, 0, [])
        var missing: [Int64: Anchor] = Dictionary(anchors.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        while true {
            let after: Int64 = last?.number ?? 0
            let seals: [(seal: LedgerSeal, digest: String, entries: Int64)] = try await pool.transaction(readOnly: true)
            {
                db in try LedgerSeals.recomputed(after: after, limit: Self.batchLimit, in: db)
            }
            for (seal, digest, count) in seals {
                if digest != seal.digest { faults.append(Self.broken(seal, count)) }
                if let anchor: Anchor = missing.removeValue(forKey: seal.number), anchor.digest != seal.digest {
                    faults.append("seal \(seal.number) is not the one that was noted down")
                }
                entries += count
                last = seal
            }
            if seals.count < Self.batchLimit { break }
        }
        faults += missing.keys.sorted().map { "seal \($0) was noted down and is gone" }
        return (last, entries, faults)
    }

    private static func broken(_ seal: LedgerSeal, _ count: Int64) -> String {
        let what: String =
            switch count - seal.entries {
            case 0: "an entry or their order was changed"
            case let less where less < 0: "\(-less) entries are missing"
            case let more: "\(more) entries were added"
            }
        return "seal \(seal.number), over \(seal.entries) entries up to \(seal.lastID), is broken: \(what)"
    }
}
