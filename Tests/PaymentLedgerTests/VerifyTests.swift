import BillingCore
import PaymentDomain
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Verifying the ledger") struct VerifyTests {
    /// What somebody with every right might do, and a word of the fault that must be found.
    private static let tampering: [(SQL, String)] = [
        (
            "UPDATE journal_lines SET amount = amount * 2 WHERE entry_id = (SELECT max(id) FROM journal_entries)",
            "is broken: an entry"
        ),
        ("UPDATE journal_lines SET amount = amount * 2", "running totals"),
        (
            "UPDATE journal_lines SET account = 'assets:provider:mine' WHERE account = 'assets:provider:stripe'",
            "is broken: an entry"
        ),
        (
            "UPDATE journal_lines SET account = 'mine:own' WHERE account = 'assets:provider:stripe'",
            "accounts that the chart"
        ),
        (
            "UPDATE journal_entries SET reference = 'other' WHERE id = (SELECT min(id) FROM journal_entries)",
            "is broken: an entry"
        ),
        ("UPDATE journal_entries SET occurred_at = occurred_at - interval '1 year'", "do not go with an entry"),
        (
            "WITH e AS (UPDATE journal_entries SET occurred_at = occurred_at - interval '1 year') UPDATE journal_lines SET occurred_at = occurred_at - interval '1 year'",
            "is broken: an entry"
        ),
        ("DELETE FROM journal_lines WHERE entry_id = (SELECT min(id) FROM journal_entries)", "without lines"),
        (
            "WITH e AS (DELETE FROM journal_entries WHERE id = (SELECT min(id) FROM journal_entries) RETURNING id) DELETE FROM journal_lines WHERE entry_id IN (SELECT id FROM e)",
            "entries are missing"
        ),
        ("UPDATE journal_entries SET xid = '1' WHERE id = (SELECT max(id) FROM journal_entries)", "entries were added"),
        (
            "UPDATE journal_entries SET xid = (SELECT last_xid FROM ledger_seals WHERE number = 1) WHERE id = (SELECT min(id) FROM journal_entries)",
            "is broken: an entry or their order"
        ),
        ("UPDATE journal_notes SET actor = 'somebody else'", "is broken: an entry"),
        ("DELETE FROM journal_notes", "do not say who"),
        (
            "UPDATE journal_lines SET amount = -amount WHERE entry_id = (SELECT id FROM journal_entries WHERE kind = 'reversal')",
            "no mirror"
        ),
        ("UPDATE ledger_rollups SET debits = debits + 1, credits = credits + 1 WHERE grain = 'day'", "running totals"),
        ("DELETE FROM ledger_rollups WHERE grain = 'hour'", "running totals"),
        ("DELETE FROM ledger_seals WHERE number = 2", "seals that are missing"),
        ("UPDATE ledger_seals SET digest = sha256('x') WHERE number = 2", "seal 3"),
        (
            "UPDATE journal_entries SET xid = '9000000000000000000' WHERE id = (SELECT max(id) FROM journal_entries)",
            "restored copy"
        ),
    ]

    /// A ledger under several seals, with a reversal in it.
    private static func fill(_ world: LedgerWorld) async throws {
        var random = Seeded(7)
        for _ in 0..<4 {
            for _ in 0..<3 {
                let id = JournalEntryID.new(at: LedgerWorld.start)
                let amount = Money(minor: Int64.random(in: 1...900, using: &random), currency: .usd)
                try await world.book([
                    JournalEntry(
                        id: id, kind: .payment, reference: id.rawValue, paymentID: nil, occurredAt: LedgerWorld.start,
                        postings: try Ledger.capture(amount, provider: "stripe"))
                ])
            }
            try await world.sealAll()
        }
        try await world.database.transaction { db in
            let first: JournalEntryID? = try db.first("SELECT min(id) FROM journal_entries") { row in try row.next() }
            guard let first else { return }
            _ = try BookByHand.reverse(first, reason: "a try", actor: "key_ada", at: LedgerWorld.start, in: db)
        }
        try await world.sealAll()
    }

    @Test("every change, removal, addition and reordering under a seal is found", arguments: tampering.indices)
    func found(index: Int) async throws {
        let (statement, words) = Self.tampering[index]
        try await withLedger { world in
            try await Self.fill(world)
            let before: VerifyLedger.Report = try await VerifyLedger(pool: world.database)()
            #expect(before.faults.isEmpty && before.unsealed == 0 && before.entries == 13)
            for table in ["journal_entries", "journal_lines", "journal_notes", "ledger_seals"] {
                try await world.execute("ALTER TABLE \(identifier: table) DISABLE TRIGGER USER")
            }
            try await world.execute(statement)
            let faults: [String] = try await VerifyLedger(pool: world.database)().faults
            #expect(faults.contains { $0.contains(words) }, "\(faults)")
        }
    }

    @Test("a chain rewritten from end to end is found by a seal that was noted down") func anchored() async throws {
        try await withLedger { world in
            try await Self.fill(world)
            let verify = VerifyLedger(pool: world.database)
            guard let last: LedgerSeal = try await verify().last,
                let anchor = VerifyLedger.Anchor("\(last.number):\(last.digest)")
            else { return }
            #expect(try await verify(anchors: [anchor]).faults.isEmpty)
            for table in ["journal_entries", "journal_lines", "ledger_seals"] {
                try await world.execute("ALTER TABLE \(identifier: table) DISABLE TRIGGER USER")
            }
            try await world.execute("UPDATE journal_lines SET amount = amount * 2")
            try await world.execute("TRUNCATE ledger_seals, ledger_rollups")
            #expect(try await verify(anchors: [anchor]).faults.contains { $0.contains("is gone") })
            try await world.sealAll(limit: 3)
            #expect(try await verify().faults.isEmpty, "by itself the new chain holds")
            #expect(try await verify(anchors: [anchor]).faults.contains { $0.contains("noted down") })
        }
    }

    @Test(
        "an anchor is a number and 64 hexadecimal digits",
        arguments: ["", "1", "1:", "0:\(digits)", "x:\(digits)", "1:\(digits)0", "1:\(digits):"])
    func anchorText(text: String) {
        #expect(VerifyLedger.Anchor(text) == nil)
    }

    private static let digits = String(repeating: "a", count: 64)
}
