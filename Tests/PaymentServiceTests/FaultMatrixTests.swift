import BillingCore
import Glibc
import HTTPKit
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Synchronization
import TestKit
import Testing

/// Thousands of payments at the sandbox provider, through lost answers, an absent provider, broken transactions and
/// daemons that die with calls under way. `REFRAIN_MATRIX_PAYMENTS` sets how many.
@Suite("The fault matrix of the sandbox", .serialized) struct FaultMatrixTests {
    private static let payments: Int = getenv("REFRAIN_MATRIX_PAYMENTS").flatMap { Int(String(cString: $0)) } ?? 1_500
    private static let actors = 16
    private static let cards: [String] = [
        "4242424242424242", "4242424242424242", "5555555555554444", "4000000000009995", "4000000000000002",
        "4000002500003155", "4000009900000020", "4000000000000341", Disputing.fraudulent, Disputing.notReceived,
        Disputing.inquiry,
    ]

    /// What is drawn for one payment.
    private struct Story: Sendable {
        let index: Int
        let card: Int
        let amount: Int64
        let isManual: Bool
        let captures: [Int64]
        let isCanceled: Bool
        let refunds: [Int64]
        let passes: Bool

        init(_ index: Int, _ random: inout Seeded) {
            self.index = index
            card = Int.random(in: 0..<cards.count, using: &random)
            amount = Int64.random(in: 100...9_999, using: &random)
            isManual = Bool.random(using: &random)
            captures = (0..<Int.random(in: 0...3, using: &random)).map { _ in Int64.random(in: 1...33, using: &random) }
            isCanceled = Int.random(in: 0..<4, using: &random) == 0
            refunds = (0..<Int.random(in: 0...2, using: &random)).map { _ in Int64.random(in: 1...40, using: &random) }
            passes = Int.random(in: 0..<3, using: &random) > 0
        }
    }

    /// Daemons on one database, each with a provider of its own moods; one may be replaced while it has calls under way.
    private final class Daemons: Sendable {
        let database: PostgresPool
        let crashes = Atomic<Int>(0)
        private let living: Mutex<[PaymentWorld]>

        init(_ database: PostgresPool, _ count: Int) {
            self.database = database
            living = Mutex((0..<count).map { _ in PaymentWorld(database, fallback: .approve) })
        }

        subscript(index: Int) -> PaymentWorld { living.withLock { $0[index % $0.count] } }

        /// The old one hears nothing from its provider any more.
        func crash(_ index: Int) {
            let new = PaymentWorld(database, fallback: .approve)
            let old: PaymentWorld = living.withLock { living in
                let old: PaymentWorld = living[index % living.count]
                living[index % living.count] = new
                return old
            }
            old.provider.turn(.away)
            crashes.add(1, ordering: .relaxed)
        }
    }

    @Test("each payment is taken once, every outcome is known, and the sandbox's books are the ledger's") func sandbox()
        async throws
    {
        var random = Seeded()
        let stories: [Story] = (0..<Self.payments).map { Story($0, &random) }
        let begin: ContinuousClock.Instant = .now
        try await withPayments(connections: 10, fallback: .approve) { world in
            try await DatabaseStorm.install(
                on: [
                    "payments", "payment_attempts", "captures", "refunds", "journal_entries", "outbox", "disputes",
                    "dispute_readings", "dispute_responses", "settlement_lines", "settlement_cursors",
                ], in: world.database)
            var cast: [CustomerID] = []
            for card in Self.cards { cast.append(try await world.payer(card)) }
            try await DatabaseStorm.blow(0.01, in: world.database)
            let daemons = Daemons(world.database, 3)
            let weather: Task<Void, any Error> = Self.weather(daemons)
            let actors: [CustomerID] = cast
            try await withThrowingTaskGroup(of: Void.self) { group in
                for actor in 0..<Self.actors {
                    group.addTask {
                        for story in stories where story.index % Self.actors == actor {
                            try await Self.play(story, actors[story.card], daemons)
                        }
                    }
                }
                try await group.waitForAll()
            }
            weather.cancel()
            _ = await weather.result
            try await DatabaseStorm.blow(0, in: world.database)
            try await Self.settle(world)
            try await Self.compare(world, stories.count)
            try await MatrixDays(world.database).pass(&random)
            try await Self.compare(world, stories.count)
            let standing: [String] = try await world.texts(
                "SELECT status || ' ' || count(*) FROM payments GROUP BY status ORDER BY 1")
            print(
                "sandbox: \(stories.count) payments in \(ContinuousClock.now - begin),",
                "\(daemons.crashes.load(ordering: .relaxed)) crashes; \(standing.joined(separator: ", "))")
        }
    }

    /// Moods of the providers, crashes and sweepers, until cancelled.
    private static func weather(_ daemons: Daemons) -> Task<Void, any Error> {
        Task {
            var turn = 0
            while !Task.isCancelled {
                let moods: [ScriptedProvider.Mood] = [.well, .booksAndVanishes, .well, .away, .well]
                daemons[turn].provider.turn(moods[turn % moods.count])
                if turn % 7 == 0 { daemons.crash(turn / 7) }
                try? await daemons[turn + 1].work.sweep.pass()
                try await Task.sleep(for: .milliseconds(10))
                turn += 1
            }
        }
    }

    /// Asks until there is an answer, each time another daemon; `nil` where the service refuses.
    private static func ask<Answer: Sendable>(
        _ daemons: Daemons, _ story: Story, _ body: (PaymentWorld) async throws -> Answer
    ) async throws -> Answer? {
        for turn in 0..<200 {
            do { return try await body(daemons[story.index + turn]) } catch let refusal as any ProblemConvertible {
                guard refusal.problem.status >= 500 || refusal.problem.code.contains("idempotency") else { return nil }
            } catch {}
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("no answer in 200 tries")
        return nil
    }

    private static func wait(
        _ id: PaymentID, _ daemons: Daemons, _ isThere: (PaymentRecord) -> Bool
    ) async throws -> PaymentRecord? {
        for turn in 0..<150 {
            if let payment = try? await daemons[turn].payment(id), isThere(payment) { return payment }
            try await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }

    private static func play(_ story: Story, _ customer: CustomerID, _ daemons: Daemons) async throws {
        let how: String = story.isManual ? "manual" : "automatic"
        let body =
            #"{"amount":\#(story.amount),"currency":"USD","customer_id":"\#(customer)","capture_method":"\#(how)"}"#
        let made: Reply<PaymentResource>? = try await ask(daemons, story) { world in
            try await world.work.create(
                world.call("/v1/payments", key: "order-\(story.index)", body: body), world.read(body))
        }
        guard let made else { return }
        let id: PaymentID = try daemons[0].id(made)
        // Fraud's word comes twice, to whoever hears it, unless the sweeper was earlier.
        if let payment = try? await daemons[0].payment(id), payment.status == .created {
            await daemons[story.index].decide(payment)
            await daemons[story.index + 1].decide(payment)
        }
        guard var payment = try await wait(id, daemons, { $0.status.isSettled }) else { return }
        if payment.status == .requiresAction {
            _ = try await ask(daemons, story) { world in try await world.confirm(id, passed: story.passes) }
            guard let next = try await wait(id, daemons, { $0.status.isSettled && $0.status != .requiresAction }) else {
                return
            }
            payment = next
        }
        if payment.status == .authorized { payment = try await take(story, payment, daemons) }
        guard payment.status == .succeeded else { return }
        for (number, part) in story.refunds.enumerated() {
            let amount: Int64 = max(1, payment.amountCaptured * part / 100)
            _ = try await ask(daemons, story) { world in
                try await world.refund(id, amount, key: "refund-\(story.index)-\(number)")
            }
        }
    }

    private static func take(
        _ story: Story, _ payment: PaymentRecord, _ daemons: Daemons
    ) async throws -> PaymentRecord {
        for (number, part) in story.captures.enumerated() {
            let isFinal: Bool = !story.isCanceled && number == story.captures.count - 1
            let amount: Int64 = max(1, payment.amount.minor * part / 100)
            _ = try await ask(daemons, story) { world in
                try await world.capture(
                    payment.id, amount, final: isFinal, key: "capture-\(story.index)-\(number)")
            }
        }
        if story.isCanceled {
            _ = try await ask(daemons, story) { world in
                try await world.cancel(payment.id, key: "cancel-\(story.index)")
            }
        }
        return try await wait(payment.id, daemons) { $0.status != .authorized } ?? payment
    }

    /// A provider that answers, looked at by new daemons until nothing is open.
    private static func settle(_ world: PaymentWorld) async throws {
        let last = PaymentWorld(world.database, fallback: .approve)
        try await eventually(within: .seconds(60), "nothing is open") {
            try await last.execute("UPDATE payments SET look_at = now() WHERE look_at IS NOT NULL")
            try await last.work.sweep.pass()
            return try await open(world).isEmpty
        }
    }

    private static func open(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts(
            """
            SELECT id || ' ' || status FROM payments WHERE status IN ('created', 'processing', 'canceling')
            UNION ALL SELECT id FROM captures WHERE status = 'processing'
            UNION ALL SELECT id FROM refunds WHERE status = 'processing'
            """)
    }

    private static func compare(_ world: PaymentWorld, _ stories: Int) async throws {
        #expect(try await world.number("SELECT count(*) FROM payments") <= stories)
        let wrong: [String] = try await world.texts(
            """
            SELECT p.id || ' ' || p.status || ' here ' || p.amount_captured || ', there ' || coalesce(s.taken, 0)
            FROM payments p LEFT JOIN (
                SELECT a.payment_id, sum(c.captured)::bigint AS taken FROM sandbox_charges c
                JOIN payment_attempts a ON a.id = c.idempotency_key GROUP BY a.payment_id) s ON s.payment_id = p.id
            WHERE p.amount_captured <> coalesce(s.taken, 0)
            """)
        #expect(wrong.isEmpty, "\(wrong.prefix(5)) of \(wrong.count)")
        let twice: [String] = try await world.texts(
            """
            SELECT a.payment_id FROM sandbox_charges c JOIN payment_attempts a ON a.id = c.idempotency_key
            WHERE c.outcome = 'succeeded' GROUP BY a.payment_id HAVING count(*) > 1
            """)
        #expect(twice.isEmpty, "charged twice: \(twice)")
        #expect(
            try await world.number("SELECT coalesce(sum(amount), 0)::bigint FROM sandbox_refunds")
                == world.number("SELECT coalesce(sum(amount), 0)::bigint FROM refunds WHERE status = 'succeeded'"))
        let booked: [String] = try await world.texts(
            "SELECT kind || ' ' || reference FROM journal_entries GROUP BY kind, reference HAVING count(*) > 1")
        #expect(booked.isEmpty, "booked twice: \(booked)")
        let told: [String] = try await world.texts(
            """
            SELECT body::jsonb ->> 'payment_id' FROM outbox
            WHERE type IN ('payment.succeeded.v1', 'payment.canceled.v1') GROUP BY 1 HAVING count(*) > 1
            """)
        #expect(told.isEmpty, "told twice: \(told)")
        #expect(try await world.violations().isEmpty)
    }
}
