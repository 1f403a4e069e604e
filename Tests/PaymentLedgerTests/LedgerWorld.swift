import BillingCore
import JSON
import Logging
import PaymentDomain
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit

/// A ledger on a database of its own.
struct LedgerWorld: Sendable {
    static let start = Instant(seconds: 1_800_000_000)
    static let silent = Logger(label: "test.ledger") { _ in SwiftLogNoOpLogHandler() }

    let database: PostgresPool
    /// For sessions that stay in their transaction while others work.
    let configuration: PostgresConfiguration

    var seal: SealEntries { SealEntries(pool: database) }

    /// Seals everything there is. Transactions of other databases on the server count for the horizon: they are waited for.
    func sealAll(limit: Int = SealEntries.batchLimit) async throws {
        try await eventually(within: .seconds(60), "every entry is behind the horizon") {
            try await number(
                "SELECT count(*) FROM journal_entries WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())") == 0
        }
        while try await seal.pass(limit: limit) > 0 {}
    }

    func execute(_ sql: SQL) async throws { try await database.transaction { db in _ = try db.execute(sql) } }

    func number(_ sql: SQL) async throws -> Int64 {
        try await database.transaction { db in try db.first(sql) { row in try row.next() } ?? -1 }
    }

    func book(_ entries: [JournalEntry]) async throws {
        try await database.transaction { db in try LedgerStore.book(entries, in: db) }
    }

    func balances(before: Instant? = nil) async throws -> [AccountBalance] {
        try await database.transaction(readOnly: true) { db in try LedgerBalances.read(before: before, in: db) }
    }

    /// What the lines themselves say.
    func summed(before: Instant? = nil) async throws -> [AccountBalance] {
        try await database.transaction(readOnly: true) { db in try Self.sum(before, in: db) }
    }

    static func sum(_ before: Instant?, in db: borrowing PostgresTransaction) throws -> [AccountBalance] {
        try db.query(
            """
            SELECT account, currency, coalesce(sum(amount) FILTER (WHERE amount > 0), 0),
                coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)
            FROM journal_lines \(SQL.matching(before.map { "occurred_at < \($0)" }))
            GROUP BY account, currency ORDER BY account, currency
            """
        ) { row in
            AccountBalance(
                account: try row.next(), currency: try row.next(), debits: try row.next(), credits: try row.next())
        }
    }

    func read<Input: JSONInput>(_ text: String) throws -> Input { try decode(Input.self, from: parseJSON(text)) }

    func violations() async throws -> [String] {
        try await database.transaction { db in try LedgerChecks.violations(in: db) }
    }
}

extension JournalEntry {
    static let providers: [String] = ["sandbox", "stripe", "paypal"]
    static let currencies: [Currency] = [.usd, .eur]

    /// An entry of any kind, of two to six lines, each currency summing to zero.
    static func random(at time: Instant, _ random: inout Seeded) throws -> JournalEntry {
        let id = JournalEntryID.new(at: LedgerWorld.start)
        var postings: [Posting] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let amount = Money(
                minor: Int64.random(in: 1...1_000_000, using: &random),
                currency: currencies.randomElement(using: &random) ?? .usd)
            let provider: String = providers.randomElement(using: &random) ?? "sandbox"
            postings +=
                try Bool.random(using: &random)
                ? Ledger.capture(amount, provider: provider) : Ledger.refund(amount, provider: provider)
        }
        return JournalEntry(
            id: id, kind: .payment, reference: id.rawValue, paymentID: nil, occurredAt: time, postings: postings)
    }
}

/// Lends a migrated schema.
func withLedger(connections: Int = 6, _ body: (LedgerWorld) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Payment", connections: connections) { lent in
        try await body(LedgerWorld(database: lent.pool, configuration: lent.configuration))
    }
}
