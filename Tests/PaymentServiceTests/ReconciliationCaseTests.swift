import BillingCore
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Differences between a provider and the books") struct ReconciliationCaseTests {
    private static let today = CivilDate(dayNumber: 20_833)

    /// A provider that reports what a test says, and a payment of 1,299 that is booked.
    private static func withDifference(
        _ lines: (PaymentWorld, PaymentRecord) throws -> [SettlementLine],
        _ body: (PaymentWorld, PaymentRecord, ScriptedSettlements, ReconcileProviders) async throws -> Void
    ) async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(try await world.payer())
            let provider = ScriptedSettlements()
            provider.report(try lines(world, paid))
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconcile.pass()
            try await body(world, paid, provider, reconcile)
        }
    }

    @Test("what the provider has and we do not is a case, which a late booking ends") func notBooked() async throws {
        try await Self.withDifference({ world, paid in
            [try world.line("t1", .charge, 1_299, own: paid.attemptID.rawValue), try world.line("t2", .charge, 700)]
        }) { world, _, _, reconcile in
            #expect(try await world.lines() == ["t1 matched own_reference", "t2 unmatched"])
            #expect(try await world.cases() == ["not_booked open 700"])
            #expect(try await world.settled(Self.today) == ["USD 1299 1999 700 700 0 0"])
            try await world.database.transaction { db in
                let late = JournalEntry(
                    id: .new(at: PaymentWorld.start), kind: .payment, reference: "att_late", paymentID: nil,
                    occurredAt: PaymentWorld.start + .seconds(3_600),
                    postings: try Ledger.capture(Money(minor: 700, currency: .usd), provider: "sandbox"))
                try LedgerStore.book([late], in: db)
            }
            try await reconcile.pass()
            #expect(try await world.lines().last == "t2 matched amount_and_time")
            #expect(try await world.cases() == ["not_booked resolved 700"])
            #expect(try await world.settled(Self.today) == ["USD 1999 1999 0 0 0 0"])
        }
    }

    @Test("what we have and the provider never reports is a case, once it has had time") func notAtProvider()
        async throws
    {
        try await Self.withDifference({ _, _ in [] }) { world, paid, provider, reconcile in
            #expect(try await world.cases().isEmpty)
            world.advance(days: 5)
            try await reconcile.pass()
            try await reconcile.pass()
            #expect(try await world.cases() == ["not_at_provider open -1299"])
            #expect(try await world.settled(Self.today) == ["USD 1299 0 -1299 0 1299 0"])
            // It comes after all, in a file.
            try await world.load(
                """
                id,kind,currency,gross,fee,net,occurred_at,own_reference
                t1,charge,USD,12.99,0.68,12.31,2027-01-15T08:01:00Z,\(paid.attemptID)
                """)
            try await reconcile.pass()
            #expect(try await world.cases() == ["not_at_provider resolved -1299"])
            #expect(try await world.settled(Self.today) == ["USD 1231 1231 0 0 0 0"])
        }
    }

    @Test(
        "an adjustment by a wrong amount is a case, though it is dated before what was looked for already",
        arguments: ["equity:opening_balance", "expense:provider_fees"])
    func adjustedAmiss(against account: String) async throws {
        try await Self.withDifference({ world, paid in
            [
                try world.line("t1", .charge, 1_299, own: paid.attemptID.rawValue),
                try world.line("t2", .adjustment, 1_000),
            ]
        }) { world, _, _, reconcile in
            world.advance(days: 10)
            try await reconcile.pass()
            #expect(try await world.cases() == ["not_booked open 1000"])
            try await world.adjust(by: 100, against: account, at: "2027-01-15T08:01:00Z")
            for _ in 0..<2 { try await reconcile.pass() }
            #expect(try await world.cases() == ["not_booked open 1000", "not_at_provider open -100"])
            #expect(try await world.settled(Self.today) == ["USD 1399 2299 900 1000 100 0"])
            // The right one settles the line; the wrong one stays a case.
            try await world.adjust(by: 1_000, against: account, at: "2027-01-15T08:01:00Z")
            try await reconcile.pass()
            #expect(try await world.lines().last == "t2 matched amount_and_time")
            #expect(try await world.cases() == ["not_booked resolved 1000", "not_at_provider open -100"])
        }
    }

    @Test("a booking is not called missing while a line waits that nobody has tried") func untried() async throws {
        try await Self.withDifference({ _, _ in [] }) { world, paid, _, reconcile in
            world.advance(days: 5)
            try await world.load(
                """
                id,kind,currency,gross,fee,net,occurred_at,own_reference
                t1,charge,USD,12.99,0.68,12.31,2027-01-15T08:01:00Z,\(paid.attemptID)
                """)
            let looks = MatchSettlements(
                pool: world.database, clock: world.clock, policy: PaymentWorld.policy, passBatches: 0)
            try await looks("sandbox")
            #expect(try await world.lines() == ["t1 open"])
            #expect(try await world.cases().isEmpty)
            try await reconcile.pass()
            #expect(try await world.lines() == ["t1 matched own_reference"])
            #expect(try await world.cases().isEmpty)
        }
    }

    @Test("another amount is a match with a case, and written off the books agree") func amount() async throws {
        try await Self.withDifference({ world, paid in
            [try world.line("t1", .charge, 1_250, fee: 66, own: paid.attemptID.rawValue)]
        }) { world, _, _, reconcile in
            #expect(try await world.lines() == ["t1 different own_reference"])
            #expect(try await world.cases() == ["amount open -49"])
            #expect(try await world.settled(Self.today) == ["USD 1233 1184 -49 0 0 -49"])
            try await world.take(.explain, .amount)
            #expect(try await world.cases() == ["amount explained -49"])
            try await world.take(.writeOff, .amount)
            #expect(try await world.cases() == ["amount written_off -49"])
            #expect(try await world.balance("expense:reconciliation_differences") == 49)
            #expect(try await world.settled(Self.today.adding(days: 2)) == ["USD 1184 1184 0 0 0 0"])
            for step in ReconciliationCaseState.Step.allCases {
                await #expect(throws: ResolveReconciliationCase.Failure.state(.writtenOff)) {
                    try await world.take(step, .amount)
                }
            }
            try await reconcile.pass()
            #expect(try await world.number("SELECT count(*) FROM reconciliation_cases") == 1)
        }
    }

    @Test("every kind of case can be written off, and the books then agree") func writeOffs() async throws {
        try await Self.withDifference({ world, paid in
            [
                try world.line("t1", .charge, 500),
                try SettlementLine(
                    provider: "sandbox", id: "t2", kind: .charge, gross: Money(minor: 1_000, currency: .eur),
                    fee: Money(minor: 10, currency: .eur), net: Money(minor: 990, currency: .eur),
                    references: SettlementLine.References(own: paid.attemptID.rawValue),
                    occurredAt: PaymentWorld.start + .seconds(60)),
            ]
        }) { world, _, _, reconcile in
            _ = try await world.paid(try await world.payer(), amount: 321)
            world.advance(days: 6)
            try await reconcile.pass()
            let opened: [String] = try await world.cases().sorted()
            #expect(
                opened == ["currency open 1000", "not_at_provider open -321", "not_booked open 500"], "\(opened)")
            for reason: ReconciliationReason in [.currency, .notAtProvider, .notBooked] {
                try await world.take(.writeOff, reason)
            }
            let end = CivilDate(dayNumber: Int(world.clock.now.seconds / 86_400))
            for line in try await world.settled(end) { #expect(line.split(separator: " ")[3] == "0", "\(line)") }
            #expect(try await world.number("SELECT coalesce(sum(amount), 0)::bigint FROM journal_lines") == 0)
        }
    }

    @Test("a case of nothing is written off without an entry") func writeOffOfNothing() async throws {
        try await Self.withDifference({ world, paid in
            [
                try world.line("t1", .charge, 1_299, own: paid.attemptID.rawValue),
                try world.line("t2", .charge, 50, fee: 50),
            ]
        }) { world, _, _, _ in
            #expect(try await world.cases() == ["not_booked open 0"])
            try await world.take(.writeOff, .notBooked)
            #expect(try await world.cases() == ["not_booked written_off 0"])
            #expect(try await world.lines().last == "t2 written_off")
            #expect(
                try await world.number(
                    "SELECT count(*) FROM reconciliation_cases WHERE write_off_entry_id IS NOT NULL") == 0)
            #expect(try await world.texts("SELECT role FROM settlement_entries WHERE line_id = 't2'").isEmpty)
        }
    }

    @Test("between two that may be it nothing is chosen") func ambiguous() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            _ = try await world.paid(customer, amount: 500)
            _ = try await world.paid(customer, amount: 500)
            let provider = ScriptedSettlements()
            provider.report([try world.line("t1", .charge, 500)])
            world.advance(days: 2)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.cases() == ["ambiguous open 500"])
            #expect(try await world.lines() == ["t1 unmatched"])
        }
    }

    @Test("money settled in another currency moves between them at the provider's rate") func exchange() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(try await world.payer(), amount: 1_000)
            let provider = ScriptedSettlements()
            let shown = SettlementLine.Presentment(
                amount: Money(minor: 1_000, currency: .usd), rate: ExactDecimal("0.92"))
            provider.report([
                try SettlementLine(
                    provider: "sandbox", id: "t1", kind: .charge, gross: Money(minor: 920, currency: .eur),
                    fee: Money(minor: 40, currency: .eur), net: Money(minor: 880, currency: .eur),
                    references: SettlementLine.References(own: paid.attemptID.rawValue), presentment: shown,
                    occurredAt: PaymentWorld.start + .seconds(60))
            ])
            world.advance(days: 2)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.cases().isEmpty)
            #expect(try await world.settled(Self.today) == ["EUR 880 880 0 0 0 0", "USD 0 0 0 0 0 0"])
        }
    }

    @Test("a payout that fails is back at the provider, before its arrival or after") func payoutFailure() async throws
    {
        for arrives in [true, false] {
            try await withPayments { world in
                let provider = ScriptedSettlements()
                let paid: PaymentRecord = try await world.paid(try await world.payer(), amount: 1_000)
                provider.report([
                    try world.line("t1", .charge, 1_000, own: paid.attemptID.rawValue),
                    try world.line(
                        "t2", .payout, -1_000, source: "po_1", after: 120,
                        available: PaymentWorld.start + .seconds(arrives ? 86_400 : 30 * 86_400)),
                ])
                let reconcile: ReconcileProviders = world.reconciliation([provider])
                world.advance(days: 2)
                try await reconcile.pass()
                #expect(try await world.balance("assets:bank") == (arrives ? 1_000 : 0))
                provider.report([
                    try world.line("t3", .payoutFailure, 1_000, source: "po_1", after: 3 * 86_400)
                ])
                world.advance(days: 60)
                try await reconcile.pass()
                #expect(try await world.balance("assets:bank") == 0)
                #expect(try await world.balance("assets:payouts_in_transit") == 0)
                #expect(try await world.balance("assets:provider:sandbox") == 1_000)
            }
        }
    }

    @Test("a payout that was told to have failed before it was told of is not in the bank") func earlyFailure()
        async throws
    {
        try await withPayments { world in
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            // The account is followed from here on.
            try await reconcile.pass()
            provider.report([try world.line("t1", .payoutFailure, 1_000, source: "po_1", after: 60)])
            world.advance(days: 1)
            try await reconcile.pass()
            provider.report([
                try world.line("t2", .payout, -1_000, source: "po_1", after: 2 * 86_400),
                try world.line("t3", .payout, -300, source: "po_2", after: 2 * 86_400),
            ])
            world.advance(days: 4)
            try await reconcile.pass()
            #expect(
                try await world.texts("SELECT arrival FROM settlement_lines WHERE kind = 'payout' ORDER BY line_id")
                    == ["failed", "booked"])
            #expect(try await world.balance("assets:bank") == 300)
            #expect(try await world.balance("assets:payouts_in_transit") == 0)
        }
    }

    @Test("a line without an id of ours does not take a booking that another line names") func named() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(try await world.payer(), amount: 500)
            world.advance(days: 2)
            try await world.load(
                """
                id,kind,currency,gross,fee,net,occurred_at,own_reference
                t1,charge,USD,5.00,0,5.00,2027-01-15T08:01:00Z,
                t2,charge,USD,5.00,0,5.00,2027-01-15T08:01:00Z,\(paid.attemptID)
                t3,fee,USD,-1.00,0,-1.00,2027-01-16T08:00:00Z,
                """)
            // It has not found its booking yet.
            try await world.execute(
                """
                INSERT INTO settlement_refusals (provider, line_id, entry_id, refused_at)
                SELECT 'sandbox', 't2', id, now() FROM journal_entries
                """)
            try await world.reconciliation([]).pass()
            #expect(try await world.lines().prefix(2) == ["t1 unmatched", "t2 unmatched"])
            try await world.execute("DELETE FROM settlement_refusals")
            try await world.reconciliation([]).pass()
            #expect(try await world.lines().prefix(2) == ["t1 unmatched", "t2 matched own_reference"])
        }
    }

    @Test("a booking is kept for its own line until the reports have come to its time") func unread() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let provider = ScriptedSettlements(lag: .seconds(7_200))
            world.clock.advance(by: .seconds(5_000))
            let paid: PaymentRecord = try await world.paid(customer, amount: 500)
            provider.report([
                try world.line("t1", .charge, 500),
                try world.line("t2", .charge, 500, own: paid.attemptID.rawValue, after: 5_060),
            ])
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.clock.advance(by: .seconds(4_000))
            try await reconcile.pass()
            #expect(try await world.lines() == ["t1 open"])
            world.clock.advance(by: .seconds(20_000))
            try await reconcile.pass()
            #expect(try await world.lines() == ["t1 open", "t2 matched own_reference"])
        }
    }

    @Test("a provider that does not answer is asked again, and what was read is kept") func away() async throws {
        try await withPayments { world in
            let provider = ScriptedSettlements(pageSize: 2)
            provider.report(try (0..<5).map { try world.line("t\($0)", .fee, -Int64($0 + 1)) })
            provider.fail(true)
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            try await reconcile.pass()
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(try await world.lines().isEmpty)
            provider.fail(false)
            try await reconcile.pass()
            #expect(try await world.lines().count == 5)
            #expect(try await world.balance("expense:provider_fees") == 15)
            #expect(try await world.number("SELECT count(*) FROM reconciliation_runs") == 1)
        }
    }

    @Test("a file with a fault stores nothing, and one that comes again changes nothing") func files() async throws {
        try await withPayments { world in
            let good = """
                id,kind,currency,gross,fee,net,occurred_at
                t1,fee,USD,-1.00,0,-1.00,2027-01-15T08:00:00Z
                """
            await #expect(throws: SettlementFile.Refused.self) {
                try await world.load(good + "\nt2,fee,USD,-1.00,0,1.00,2027-01-15T08:00:00Z")
            }
            #expect(try await world.number("SELECT count(*) FROM settlement_lines") == 0)
            let first = try await world.load(good)
            let second = try await world.load(good)
            #expect(first.new == 1 && second.read == 1 && second.new == 0)
            try await world.reconciliation([]).pass()
            #expect(try await world.balance("expense:provider_fees") == 100)
        }
    }

    private static let tampering: [(SQL, String)] = [
        ("DELETE FROM settlement_entries", "whose booking is missing"),
        ("DELETE FROM settlement_entries WHERE role = 'fee'", "booked beside their settlement line"),
        (
            "UPDATE journal_entries SET reference = 'sandbox:other' WHERE kind = 'payout'",
            "booked beside their settlement line"
        ),
        (
            "UPDATE journal_lines SET amount = amount * 2 WHERE entry_id IN (SELECT id FROM journal_entries WHERE kind = 'provider_fee')",
            "do not add up to them"
        ),
        ("DELETE FROM settlement_entries WHERE role = 'arrival'", "not booked in the bank"),
        ("DELETE FROM sandbox_payouts", "the sandbox provider's books and the ledger differ"),
    ]

    @Test("fees and payouts that are booked twice, or not, are reported") func tampered() async throws {
        try await withPayments { world in
            _ = try await world.paid(try await world.payer())
            world.advance(days: 5)
            try await world.reconciliation().pass()
            #expect(try await world.violations().isEmpty)
            for guarded: SQL in [
                "ALTER TABLE journal_lines DISABLE TRIGGER USER", "ALTER TABLE journal_entries DISABLE TRIGGER USER",
            ] { try await world.execute(guarded) }
            for (statement, sentence) in Self.tampering {
                let found: [String] = try await world.found(after: statement)
                #expect(found.contains { $0.contains(sentence) }, "\(sentence): \(found)")
            }
        }
    }
}
