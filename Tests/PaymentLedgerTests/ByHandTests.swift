import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Entries booked by hand") struct ByHandTests {
    private static let adjustment = """
        {"reason":"a wire came without a name","lines":[
            {"account":"assets:provider:stripe","amount":500,"currency":"USD"},
            {"account":"equity:opening_balance","amount":-500,"currency":"USD"}]}
        """

    private static func adjust(_ world: LedgerWorld, _ text: String) async throws -> BookedEntry {
        let input: AdjustmentInput = try world.read(text)
        return try await world.database.transaction { db in
            try BookByHand.adjust(input, actor: "key_ada", at: LedgerWorld.start, in: db)
        }
    }

    private static func reverse(_ world: LedgerWorld, _ id: JournalEntryID) async throws -> BookedEntry {
        try await world.database.transaction { db in
            try BookByHand.reverse(id, reason: "booked twice", actor: "key_bob", at: LedgerWorld.start, in: db)
        }
    }

    @Test("an adjustment says who booked it and why; its reversal undoes it to the unit and names it") func reversed()
        async throws
    {
        try await withLedger { world in
            let entry: BookedEntry = try await Self.adjust(world, Self.adjustment)
            #expect(entry.actor == "key_ada" && entry.reason == "a wire came without a name")
            #expect(entry.lines.map(\.amount) == [500, -500])
            let reversal: BookedEntry = try await Self.reverse(world, entry.id)
            #expect(reversal.reverses == entry.id.rawValue && reversal.actor == "key_bob")
            #expect(reversal.lines.map(\.account) == entry.lines.map(\.account))
            #expect(reversal.lines.map(\.amount) == [-500, 500])
            let found: BookedEntry? = try await world.database.transaction { db in try EntryStore.find(entry.id, in: db)
            }
            #expect(found?.reversedBy == reversal.id)
            #expect(try await world.balances().allSatisfy { $0.balance == 0 })
            await #expect(throws: BookByHand.Failure.reversed(by: reversal.id)) {
                try await Self.reverse(world, entry.id)
            }
            await #expect(throws: BookByHand.Failure.isReversal) { try await Self.reverse(world, reversal.id) }
            let unknown = JournalEntryID.new(at: LedgerWorld.start)
            await #expect(throws: BookByHand.Failure.notFound(unknown)) { try await Self.reverse(world, unknown) }
            try await world.sealAll()
            #expect(try await VerifyLedger(pool: world.database)().faults.isEmpty)
        }
    }

    @Test("of many who reverse one entry at the same time, one does") func race() async throws {
        try await withLedger { world in
            let entry: BookedEntry = try await Self.adjust(world, Self.adjustment)
            let done: Int = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<6 {
                    group.addTask { (try? await Self.reverse(world, entry.id)) != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(done == 1)
            #expect(try await world.number("SELECT count(*) FROM journal_entries WHERE kind = 'reversal'") == 1)
        }
    }

    @Test(
        "the database itself refuses a reversal that is no exact mirror",
        arguments: [
            "1, 'assets:provider:stripe', 'USD', -499, 'epoch'), ('je_x', 2, 'equity:opening_balance', 'USD', 499, 'epoch'",
            "1, 'assets:provider:paypal', 'USD', -500, 'epoch'), ('je_x', 2, 'equity:opening_balance', 'USD', 500, 'epoch'",
            "1, 'assets:provider:stripe', 'EUR', -500, 'epoch'), ('je_x', 2, 'equity:opening_balance', 'EUR', 500, 'epoch'",
            "1, 'equity:opening_balance', 'USD', 500, 'epoch'), ('je_x', 2, 'assets:provider:stripe', 'USD', -500, 'epoch'",
        ])
    func mirror(lines: String) async throws {
        try await withLedger { world in
            let entry: BookedEntry = try await Self.adjust(world, Self.adjustment)
            let session = PostgresSession(world.configuration, logger: LedgerWorld.silent)
            try session.connect()
            defer { session.close() }
            #expect(throws: PostgresError.self) {
                try session.script(
                    """
                    WITH e AS (INSERT INTO journal_entries VALUES ('je_x', 'reversal', '\(entry.id)', NULL, 'epoch'))
                    INSERT INTO journal_lines VALUES ('je_x', \(lines))
                    """)
            }
        }
    }

    /// Faulty adjustments, and the faults named.
    private static let faulty: [(String, [String])] = [
        (#"{}"#, ["reason required", "lines required"]),
        (
            #"{"reason":"","occurred_at":"soon","lines":[{"account":"","amount":0,"currency":"usd"}],"x":1}"#,
            ["reason too_short", "occurred_at invalid_time", "lines too_few", "x unknown_field"]
        ),
        (
            #"{"reason":"r","lines":[{"account":"a","amount":0,"currency":"USD"},{"account":"b","amount":1.5,"currency":"US"}]}"#,
            ["lines[0].amount zero", "lines[1].amount invalid_type", "lines[1].currency unknown_currency"]
        ),
        (
            #"{"reason":"r","lines":[{"account":"a","amount":5,"currency":"USD"},{"account":"b","amount":-5,"currency":"EUR"}]}"#,
            ["lines unbalanced", "lines unbalanced"]
        ),
        (
            #"{"reason":"r","lines":[{"account":"a","amount":9223372036854775807,"currency":"USD"},{"account":"b","amount":-1000000000001,"currency":"USD"}]}"#,
            ["lines[0].amount out_of_range", "lines[1].amount out_of_range"]
        ),
        (
            #"{"reason":"r","lines":[{"account":"a","amount":1000000000000,"currency":"USD"},{"account":"b","amount":1000000000000,"currency":"USD"}]}"#,
            ["lines unbalanced"]
        ),
        (
            #"{"reason":"r","occurred_at":"0202-01-15T08:00:00Z","lines":[{"account":"a","amount":5,"currency":"USD"},{"account":"b","amount":-5,"currency":"USD"}]}"#,
            ["occurred_at too_early"]
        ),
        (
            #"{"reason":"r","occurred_at":"1999-12-31T23:59:59Z","lines":[{"account":"a","amount":5,"currency":"USD"}]}"#,
            ["occurred_at too_early", "lines too_few"]
        ),
        // Two balances at one provider, and one at each of two.
        (
            #"{"reason":"r","lines":[{"account":"assets:provider:a","amount":-5,"currency":"EUR"},{"account":"assets:exchange_position","amount":5,"currency":"EUR"},{"account":"assets:provider:a","amount":6,"currency":"USD"},{"account":"assets:exchange_position","amount":-6,"currency":"USD"}]}"#,
            ["lines conflicting_fields"]
        ),
        (
            #"{"reason":"r","lines":[{"account":"assets:provider:a","amount":-5,"currency":"USD"},{"account":"assets:provider:b","amount":5,"currency":"USD"}]}"#,
            ["lines conflicting_fields"]
        ),
    ]

    @Test("one balance at a provider may be on several lines") func severalLines() throws {
        let text =
            #"{"reason":"r","lines":[{"account":"assets:provider:a","amount":-5,"currency":"USD"},{"account":"assets:provider:a","amount":-6,"currency":"USD"},{"account":"assets:exchange_position","amount":11,"currency":"USD"}]}"#
        let json: JSONValue = try parseJSON(text)
        #expect(throws: Never.self) { try decode(AdjustmentInput.self, from: json) }
    }

    @Test("every fault of an adjustment is named, and nothing is booked", arguments: faulty.indices)
    func faults(index: Int) throws {
        let (text, wanted) = Self.faulty[index]
        let json: JSONValue = try parseJSON(text)
        let error: InvalidInput? = #expect(throws: InvalidInput.self) { try decode(AdjustmentInput.self, from: json) }
        #expect(Set(error?.faults.map { "\($0.param) \($0.code)" } ?? []) == Set(wanted))
    }

    @Test("an account the chart does not have, no payment's id and a time to come are refused by name") func refused()
        async throws
    {
        try await withLedger { world in
            let unknown: String = Self.adjustment.replacing("equity:opening_balance", with: "equity:mine")
            await #expect(throws: BookByHand.Failure.unknownAccounts([1])) { try await Self.adjust(world, unknown) }
            #expect(BookByHand.Failure.unknownAccounts([1]).problem.errors.map(\.param) == ["lines[1].account"])
            let later: String = Self.adjustment.replacing(
                "{\"reason\"", with: "{\"occurred_at\":\"\(LedgerWorld.start.adding(.seconds(1)).rfc3339)\",\"reason\"")
            await #expect(throws: BookByHand.Failure.inTheFuture) { try await Self.adjust(world, later) }
            let astray: String = Self.adjustment.replacing(
                "{\"reason\"", with: "{\"payment_id\":\"\(PaymentID.sample)\",\"reason\"")
            await #expect(throws: BookByHand.Failure.unknownPayment) { try await Self.adjust(world, astray) }
            #expect(BookByHand.Failure.unknownPayment.problem.errors.map(\.param) == ["payment_id"])
            let booked: Int64 = try await world.number("SELECT count(*) FROM journal_entries")
            #expect(booked == 0)
        }
    }
}
