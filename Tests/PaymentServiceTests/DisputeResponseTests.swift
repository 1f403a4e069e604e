import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Answering a dispute") struct DisputeResponseTests {
    @Test("evidence is kept until it is handed in, and can be changed until then") func kept() async throws {
        try await withPayments { world in
            let (_, dispute) = try await world.disputed()
            let first: JSONValue = try await world.contest(dispute.id, "a draft", submit: false)
            #expect(first["evidence"]?["uncategorized_text"]?.stringValue == "a draft")
            #expect(first["response"]?.isNull == true)
            try await world.pass()
            #expect(try await world.status(dispute.id) == .needsResponse)
            let input: SubmitEvidenceInput = try world.read(
                #"{"uncategorized_text":"winning_evidence","customer_name":"Ada","submit":true}"#)
            let now: Instant = world.clock.now
            try await world.database.transaction { db in
                _ = try RespondToDispute.contest(dispute.id, input, at: now, in: db)
            }
            #expect(
                try await world.disputes().first?.evidence.texts == [
                    .uncategorizedText: "winning_evidence", .customerName: "Ada",
                ])
        }
    }

    @Test("what the state or the time does not allow is refused and nothing is stored") func refused() async throws {
        try await withPayments { world in
            let (_, dispute) = try await world.disputed()
            let empty: SubmitEvidenceInput = try world.read(#"{"submit":true}"#)
            await #expect(throws: RespondToDispute.Failure.noEvidence) {
                try await world.database.transaction { db in
                    _ = try RespondToDispute.contest(dispute.id, empty, at: PaymentWorld.start, in: db)
                }
            }
            let unknown = DisputeID.new(at: PaymentWorld.start)
            await #expect(throws: RespondToDispute.Failure.notFound(unknown)) { try await world.contest(unknown) }
            try await world.contest(dispute.id)
            await #expect(throws: RespondToDispute.Failure.underWay) { try await world.contest(dispute.id) }
            await #expect(throws: RespondToDispute.Failure.underWay) { try await world.accept(dispute.id) }
            try await world.pass()
            await #expect(throws: RespondToDispute.Failure.state(.underReview)) { try await world.contest(dispute.id) }
            try await world.pass(hours: 1)
            await #expect(throws: RespondToDispute.Failure.state(.won)) { try await world.accept(dispute.id) }
            let (_, late) = try await world.disputed()
            let due: Instant = try #require(late.evidenceDueBy)
            world.clock.advance(by: due - world.clock.now)
            await #expect(throws: RespondToDispute.Failure.overdue(due)) { try await world.contest(late.id) }
            #expect(RespondToDispute.Failure.overdue(due).problem.status == 409)
            #expect(try await world.number("SELECT count(*) FROM dispute_responses") == 1)
        }
    }

    @Test("bad fields are named, every one") func faults() throws {
        let long = String(repeating: "x", count: 20_001)
        let text = #"{"uncategorized_text":"\#(long)","customer_name":7,"submit":"yes","receipt":"file_1"}"#
        #expect(throws: InvalidInput.self) { try decode(SubmitEvidenceInput.self, from: parseJSON(text)) }
        do { _ = try decode(SubmitEvidenceInput.self, from: parseJSON(text)) } catch let invalid as InvalidInput {
            #expect(
                Set(invalid.faults.map(\.param)) == ["uncategorized_text", "customer_name", "submit", "receipt"])
        }
    }

    @Test("more texts than all evidence may have are a fault of the whole, and what was kept before stays")
    func tooMuch() async throws {
        try await withPayments { world in
            let (_, dispute) = try await world.disputed()
            try await world.contest(dispute.id, "a draft", submit: false)
            let long: [String] = EvidenceField.allCases.filter { $0.maxLength == 20_000 }.map { field in
                #""\#(field.rawValue)":"\#(String(repeating: "x", count: field.maxLength))""#
            }
            let input: SubmitEvidenceInput = try world.read("{\(long.joined(separator: ","))}")
            await #expect(throws: RespondToDispute.Failure.tooMuchEvidence) {
                try await world.database.transaction { db in
                    _ = try RespondToDispute.contest(dispute.id, input, at: PaymentWorld.start, in: db)
                }
            }
            let faults: [Fault] = RespondToDispute.Failure.tooMuchEvidence.problem.errors
            #expect(faults.map(\.param) == [""] && faults.map(\.code) == ["too_long"])
            #expect(try await world.disputes().first?.evidence.texts == [.uncategorizedText: "a draft"])
        }
    }

    @Test("what nobody has answered is handed in again after waits that double, up to an hour") func waits()
        async throws
    {
        try await withPayments { world in
            let (_, dispute) = try await world.disputed()
            try await world.contest(dispute.id, "losing_evidence")
            let id = DisputeResponseID(unchecked: try await world.texts("SELECT id FROM dispute_responses")[0])
            let now: Instant = world.clock.now
            let waits: [Int64] = try await world.database.transaction { db in
                var waits: [Int64] = []
                for _ in 0..<11 {
                    guard try DisputeResponseStore.take(id, for: 300, again: 5, at: now, in: db) else { break }
                    try DisputeResponseStore.failed(id, again: 5, at: now, in: db)
                    waits.append(try Self.wait(in: db))
                    _ = try db.execute("UPDATE dispute_responses SET due_at = now()")
                }
                return waits
            }
            #expect(waits == [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600])
        }
    }

    /// After how many seconds the one response is handed in again.
    private static func wait(in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first("SELECT extract(epoch FROM due_at - now())::bigint FROM dispute_responses") { row in
            try row.next()
        } ?? -1
    }

    /// Seconds that are left, and the wait, of evidence and of giving in.
    private static let deadlines: [(left: Int64, evidence: Int64, acceptance: Int64)] = [
        (604_800, 3_600, 3_600), (8_000, 1_000, 3_600), (600, 75, 3_600), (16, 5, 3_600), (0, 3_600, 3_600),
    ]

    @Test("evidence that was tried for long waits no longer than leaves it some tries before its time is over")
    func deadline() async throws {
        for isEvidence: Bool in [true, false] {
            try await withPayments { world in
                let (_, dispute) = try await world.disputed()
                if isEvidence { try await world.contest(dispute.id) } else { try await world.accept(dispute.id) }
                let id = DisputeResponseID(unchecked: try await world.texts("SELECT id FROM dispute_responses")[0])
                let now: Instant = world.clock.now
                for row in Self.deadlines {
                    let due: Instant = now + .seconds(row.left)
                    let wait: Int64 = try await world.database.transaction { db in
                        _ = try db.execute("UPDATE disputes SET evidence_due_by = \(due)")
                        _ = try db.execute("UPDATE dispute_responses SET looks = 11")
                        try DisputeResponseStore.failed(id, again: 5, at: now, in: db)
                        return try Self.wait(in: db)
                    }
                    #expect(wait == (isEvidence ? row.evidence : row.acceptance), "\(row.left) seconds are left")
                }
                // What a process that ended has taken is free again in time, too.
                let due: Instant = now + .seconds(600)
                let lease: Int64 = try await world.database.transaction { db in
                    _ = try db.execute("UPDATE disputes SET evidence_due_by = \(due)")
                    _ = try db.execute("UPDATE dispute_responses SET due_at = now()")
                    _ = try DisputeResponseStore.take(id, for: 300, again: 5, at: now, in: db)
                    return try Self.wait(in: db)
                }
                #expect(lease == (isEvidence ? 75 : 300))
            }
        }
    }

    @Test(
        "the answer to evidence or to giving in is lost: it is handed in once and booked once",
        arguments: [ScriptedProvider.Mood.booksAndVanishes, .away], [true, false])
    func lost(_ mood: ScriptedProvider.Mood, isEvidence: Bool) async throws {
        try await withPayments { world in
            let (payment, dispute) = try await world.disputed()
            if isEvidence {
                try await world.contest(dispute.id, "losing_evidence")
            } else {
                try await world.accept(dispute.id)
            }
            world.provider.turn(mood)
            try await world.pass()
            #expect(try await world.texts("SELECT status FROM dispute_responses") == ["processing"])
            #expect(try await world.status(dispute.id) == .needsResponse, "nothing is guessed")
            world.provider.turn(.well)
            // Other processes, which know nothing of the first.
            let now: Instant = world.clock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        let other = PaymentWorld(world.database)
                        other.clock.advance(by: now - other.clock.now)
                        try await other.disputes.follow.pass()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await world.texts("SELECT status FROM dispute_responses") == ["succeeded"])
            #expect(try await world.number("SELECT count(*) FROM sandbox_dispute_responses") == 1)
            try await world.pass(hours: 1)
            #expect(try await world.status(dispute.id) == .lost)
            #expect(try await world.booked(payment.id) == ["payment", "dispute", "dispute"])
            #expect(try await world.published("payment.dispute_closed.v1") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a response that the provider refuses is failed, says why, and the dispute is read again")
    func refusedByProvider() async throws {
        try await withPayments { world in
            let (_, dispute) = try await world.disputed()
            try await world.contest(dispute.id)
            // It is accepted at the provider's own pages meanwhile.
            let elsewhere = DisputeAcceptance(
                idempotencyKey: .new(at: PaymentWorld.start), reference: dispute.reference)
            _ = try await world.provider.sandbox.acceptDispute(elsewhere)
            try await world.pass()
            #expect(
                try await world.texts("SELECT status || ' ' || failure_code FROM dispute_responses") == [
                    "failed dispute_closed"
                ])
            #expect(try await world.status(dispute.id) == .lost)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("any history of charges, refunds, disputes, answers and faults ends in books equal to the provider's")
    func history() async throws {
        try await withPayments(connections: 8) { world in
            var random = Seeded()
            var customers: [CustomerID] = []
            for card in [Disputing.fraudulent, Disputing.notReceived, Disputing.inquiry] {
                customers.append(try await world.payer(card))
            }
            for _ in 0..<120 { try await Self.step(world, customers, &random) }
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            for _ in 0..<3 { try await world.pass(days: 9) }
            try await world.work.sweep.pass()
            #expect(try await world.violations().isEmpty, "seed \(random.seed)")
            #expect(try await world.inFlight() == 0, "seed \(random.seed)")
            #expect(
                try await world.number(
                    "SELECT count(*) FROM payments WHERE amount_refunded + amount_disputed > amount_captured")
                    == 0, "seed \(random.seed)")
            let counts: [String] = try await world.texts(
                "SELECT status || ' ' || count(*) FROM disputes GROUP BY status ORDER BY status")
            print("disputes after the history: \(counts)")
        }
    }

    private static func step(
        _ world: PaymentWorld, _ customers: [CustomerID], _ random: inout Seeded
    ) async throws {
        let disputes: [DisputeRecord] = try await world.disputes()
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1:
            guard let customer: CustomerID = customers.randomElement(using: &random) else { return }
            world.provider.turn(.well)
            _ = try await world.paid(customer, amount: .random(in: 1...3_000, using: &random))
        case 2:
            let paid: [String] = try await world.texts("SELECT id FROM payments ORDER BY id")
            guard let id: String = paid.randomElement(using: &random) else { return }
            _ = try? await world.refund(PaymentID(unchecked: id), .random(in: 1...2_000, using: &random))
        case 3, 4:
            guard let dispute: DisputeRecord = disputes.randomElement(using: &random) else { return }
            let texts: [String] = ["winning_evidence", "losing_evidence", "escalate_inquiry_evidence", "a letter"]
            _ = try? await world.contest(dispute.id, texts.randomElement(using: &random) ?? "")
        case 5:
            guard let dispute: DisputeRecord = disputes.randomElement(using: &random) else { return }
            _ = try? await world.accept(dispute.id)
        case 6:
            world.provider.turn([.well, .well, .booksAndVanishes, .away].randomElement(using: &random) ?? .well)
        default: try await world.pass(hours: .random(in: 0...60, using: &random))
        }
    }
}
