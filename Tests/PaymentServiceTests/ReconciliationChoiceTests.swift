import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Choosing what an ambiguous settlement line is") struct ReconciliationChoiceTests {
    private typealias Exchange = ReconciliationExchangeTests

    /// Two payments of 500, and lines about them that carry no id of ours: each line may be either.
    private struct Riddle: Sendable {
        let world: PaymentWorld
        let provider: ScriptedSettlements
        let reconcile: ReconcileProviders
        let entries: [String]

        /// The open case of a line.
        func open(_ line: String) async throws -> String {
            let found: [String] = try await world.texts("SELECT id FROM reconciliation_cases WHERE line_id = \(line)")
            return try #require(found.first)
        }

        /// `POST /v1/reconciliations/cases/{id}/choose`.
        @discardableResult
        func choose(_ choice: ChooseCandidate.Choice, for line: String) async throws -> JSONValue {
            let id = ReconciliationCaseID(unchecked: try await open(line))
            let now: Instant = world.clock.now
            let body: [UInt8] = try await world.database.transaction { db in
                encode(
                    try ChooseCandidate(policy: PaymentWorld.policy)(
                        choice, for: id, note: "by the customer's name", actor: "key_test", at: now, in: db))
            }
            return try parseJSON(body)
        }

        /// Broken rules of reconciliation's own; the sandbox's books know nothing of these lines.
        func violations() async throws -> [String] {
            try await world.database.transaction { db in try ReconciliationConsistency.violations(in: db) }
        }
    }

    private static func withRiddle(
        lines: [String], connections: Int = 4, _ body: (Riddle) async throws -> Void
    ) async throws {
        try await withPayments(connections: connections) { world in
            let customer: CustomerID = try await world.payer()
            _ = try await world.paid(customer, amount: 500)
            _ = try await world.paid(customer, amount: 500)
            let provider = ScriptedSettlements()
            provider.report(
                try lines.enumerated().map { place, id in
                    try world.line(id, .charge, 500, fee: 45, after: Int64(60 + place))
                })
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconcile.pass()
            let entries: [String] = try await world.texts(
                "SELECT id FROM journal_entries WHERE kind = 'payment' ORDER BY id")
            try await body(Riddle(world: world, provider: provider, reconcile: reconcile, entries: entries))
        }
    }

    @Test("the chosen booking is matched and booked as a found one, and what is left then has one partner")
    func chosen() async throws {
        try await Self.withRiddle(lines: ["t1"]) { riddle in
            let world: PaymentWorld = riddle.world
            let resolved: JSONValue = try await riddle.choose(.entry(riddle.entries[1]), for: "t1")
            #expect(resolved["state"]?.stringValue == "resolved" && resolved["reason"]?.stringValue == "ambiguous")
            #expect(resolved["entry_id"]?.stringValue == riddle.entries[1])
            #expect(resolved["candidates"]?.arrayValue?.count == 2)
            #expect(resolved["actor"]?.stringValue == "key_test")
            #expect(resolved["note"]?.stringValue == "by the customer's name")
            #expect(resolved["closed_at"]?.stringValue == world.clock.now.rfc3339)
            #expect(try await world.lines() == ["t1 matched chosen"])
            #expect(try await world.balance("expense:provider_fees") == 45)
            riddle.provider.report([try world.line("t2", .charge, 500, fee: 45, after: 2 * 86_400)])
            world.advance(days: 2)
            try await riddle.reconcile.pass()
            #expect(try await world.lines() == ["t1 matched chosen", "t2 matched amount_and_time"])
            #expect(try await world.balance("expense:provider_fees") == 90)
            #expect(try await world.cases() == ["ambiguous resolved 455"])
            #expect(try await riddle.violations().isEmpty)
        }
    }

    @Test("a case is chosen once, and only among its candidates that are still to be had") func refused() async throws {
        try await Self.withRiddle(lines: ["t1", "t2"]) { riddle in
            let world: PaymentWorld = riddle.world
            await #expect(throws: ChooseCandidate.Failure.notCandidate) {
                try await riddle.choose(.entry("je_other"), for: "t1")
            }
            try await riddle.choose(.entry(riddle.entries[0]), for: "t1")
            await #expect(throws: ChooseCandidate.Failure.notAmbiguous(.ambiguous, .resolved)) {
                try await riddle.choose(.entry(riddle.entries[0]), for: "t1")
            }
            await #expect(throws: ChooseCandidate.Failure.notAmbiguous(.ambiguous, .resolved)) {
                try await riddle.choose(.none, for: "t1")
            }
            await #expect(throws: ChooseCandidate.Failure.taken) {
                try await riddle.choose(.entry(riddle.entries[0]), for: "t2")
            }
            #expect(try await world.cases() == ["ambiguous resolved 455", "ambiguous open 455"])
            try await riddle.choose(.entry(riddle.entries[1]), for: "t2")
            #expect(try await world.lines() == ["t1 matched chosen", "t2 matched chosen"])
            #expect(try await world.balance("expense:provider_fees") == 90)
            let codes: [String] = [
                ChooseCandidate.Failure.taken, .notCandidate, .notAmbiguous(.ambiguous, .resolved), .inParts,
                .notFound(ReconciliationCaseID(unchecked: "rcase_x")),
            ].map { "\($0.problem.status) \($0.problem.code)" }
            #expect(
                codes == [
                    "409 candidate_taken", "422 invalid_request", "409 case_state", "409 candidate_in_parts",
                    "404 not_found",
                ])
        }
    }

    @Test("of eight who choose the same booking for two lines at once, one does") func race() async throws {
        try await Self.withRiddle(lines: ["t1", "t2"], connections: 10) { riddle in
            let chosen: Int = await withTaskGroup(of: Bool.self) { group in
                for place in 0..<8 {
                    group.addTask {
                        let line: String = place.isMultiple(of: 2) ? "t1" : "t2"
                        return (try? await riddle.choose(.entry(riddle.entries[0]), for: line)) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            let fees: Int = try await riddle.world.balance("expense:provider_fees")
            let bookings: Int = try await riddle.world.number(
                "SELECT count(*) FROM settlement_entries WHERE role = 'booking'")
            #expect((chosen, fees, bookings) == (1, 45, 1))
        }
    }

    @Test("a line that is none of its candidates is not booked, and no pass pairs it with the one that is left")
    func none() async throws {
        try await Self.withRiddle(lines: ["t1"]) { riddle in
            let world: PaymentWorld = riddle.world
            let kept: JSONValue = try await riddle.choose(.none, for: "t1")
            #expect(kept["state"]?.stringValue == "explained" && kept["reason"]?.stringValue == "not_booked")
            #expect(kept["candidates"] == .array([]) && kept["entry_id"] == .null && kept["closed_at"] == .null)
            #expect(kept["note"]?.stringValue == "by the customer's name" && kept["actor"]?.stringValue == "key_test")
            let own: [String] = try await world.texts(
                "SELECT reference FROM journal_entries WHERE id = \(riddle.entries[0])")
            riddle.provider.report([try world.line("t2", .charge, 500, own: own[0], after: 2 * 86_400)])
            world.advance(days: 1)
            try await riddle.reconcile.pass()
            try await riddle.reconcile.pass()
            #expect(try await world.lines() == ["t1 unmatched", "t2 matched own_reference"])
            riddle.provider.report([try world.line("t3", .charge, 500, after: 3 * 86_400)])
            world.advance(days: 1)
            try await riddle.reconcile.pass()
            #expect(try await world.lines().last == "t3 matched amount_and_time", "t1 is no rival of it")
            try await world.take(.writeOff, .notBooked)
            #expect(try await world.cases() == ["not_booked written_off 455"])
            #expect(try await riddle.violations().isEmpty)
        }
    }

    @Test(
        "a line that is not booked may have two bookings later: its case names them, and one is chosen",
        arguments: [false, true])
    func bookedLater(explained: Bool) async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            // Reports are read from the first booking on.
            _ = try await world.paid(customer, amount: 700)
            let provider = ScriptedSettlements()
            provider.report([try world.line("t1", .charge, 500, fee: 45)])
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconcile.pass()
            #expect(try await world.cases() == ["not_booked open 455"])
            if explained { try await world.take(.explain, .notBooked) }
            for _ in 0..<2 { _ = try await world.paid(customer, amount: 500) }
            for _ in 0..<2 { try await reconcile.pass() }
            #expect(try await world.cases() == ["ambiguous \(explained ? "explained" : "open") 455"])
            let entries: [String] = try await world.texts(
                """
                SELECT e.id FROM journal_entries e JOIN payments p ON p.id = e.payment_id
                WHERE e.kind = 'payment' AND p.amount = 500 ORDER BY e.id
                """)
            let riddle = Riddle(world: world, provider: provider, reconcile: reconcile, entries: entries)
            let resolved: JSONValue = try await riddle.choose(.entry(entries[0]), for: "t1")
            #expect(resolved["state"]?.stringValue == "resolved")
            #expect(resolved["candidates"]?.arrayValue?.compactMap(\.stringValue) == entries)
            #expect(try await world.lines() == ["t1 matched chosen"])
            #expect(try await riddle.violations().isEmpty)
        }
    }

    @Test(
        "a dispute's fee that was booked in another currency is not booked again, whether its line is found or chosen",
        arguments: [1, 2])
    func fee(disputes: Int) async throws {
        try await withPayments { world in
            for number in 1...disputes {
                let paid: PaymentRecord = try await Exchange.pounds(world, 2_000)
                try await world.hear(world.told(paid, .needsResponse, reference: "dp_\(number)"))
            }
            let provider = ScriptedSettlements()
            // It names nothing, as in a file.
            provider.report([try Exchange.line("t1", .dispute, -2_600, -2_000, fee: 1_500)])
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconcile.pass()
            if disputes > 1 {
                let entries: [String] = try await world.texts(
                    "SELECT id FROM journal_entries WHERE kind = 'dispute' ORDER BY id")
                let riddle = Riddle(world: world, provider: provider, reconcile: reconcile, entries: entries)
                try await riddle.choose(.entry(entries[1]), for: "t1")
            }
            #expect(try await world.lines() == ["t1 matched \(disputes > 1 ? "chosen" : "amount_and_time")"])
            #expect(try await world.balance("expense:provider_fees") == 0)
            #expect(try await world.balance("expense:dispute_fees") == disputes * 1_500)
            #expect(
                try await Exchange.held(world, "assets:provider:sandbox", "USD") == -2_600 - disputes * 1_500)
            #expect(try await Exchange.violations(world) == [])
        }
    }

    @Test("an entry on two balances of the provider is not chosen for one line") func inParts() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await Exchange.pounds(world, 10_000)
            let pounds: (Int64) -> Money = { Money(minor: $0, currency: .gbp) }
            let part = Money(minor: 4_400, currency: .usd)
            let id = JournalEntryID.new(at: PaymentWorld.start)
            // As such refunds were booked once: what was exchanged on the way in, and the rest.
            let postings: [Posting] =
                try ExchangeLedger.refund(pounds(4_000), part: part, expected: part, provider: "sandbox")
                + Ledger.refund(pounds(2_000), provider: "sandbox")
            try await world.database.transaction { db in
                let entry = JournalEntry(
                    id: id, kind: .refund, reference: "re_1", paymentID: paid.id, occurredAt: PaymentWorld.start,
                    postings: postings)
                try LedgerStore.book([entry], in: db)
            }
            let provider = ScriptedSettlements()
            provider.report([
                try Exchange.line("t1", .refund, -6_600, -6_000, source: "re_1", taken: "ch_\(paid.attemptID)")
            ])
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconcile.pass()
            #expect(try await world.cases() == ["ambiguous open -6600"])
            let riddle = Riddle(world: world, provider: provider, reconcile: reconcile, entries: [id.rawValue])
            await #expect(throws: ChooseCandidate.Failure.inParts) {
                try await riddle.choose(.entry(id.rawValue), for: "t1")
            }
            try await riddle.choose(.none, for: "t1")
            #expect(try await world.cases() == ["not_booked explained -6600"])
            #expect(try await world.lines() == ["t1 unmatched"])
        }
    }

    @Test("a choice names an entry or none, and says why") func faults() throws {
        func faults(_ body: String) -> [String] {
            do {
                let _: ChooseCandidateInput = try decode(ChooseCandidateInput.self, from: parseJSON(body))
                return []
            } catch let invalid as InvalidInput {
                return invalid.faults.map { "\($0.param) \($0.code)" }
            } catch { return ["\(error)"] }
        }
        #expect(faults("{}") == ["note required", "entry_id required"])
        #expect(faults(#"{"none":false,"note":"x"}"#) == ["entry_id required"])
        #expect(faults(#"{"entry_id":"je_1","none":true,"note":"x"}"#) == ["none conflicting_fields"])
        #expect(faults(#"{"entry_id":"je_1","note":"x"}"#) == [])
        #expect(faults(#"{"none":true,"note":"x"}"#) == [])
    }
}
