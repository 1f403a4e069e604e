import BillingCore
import JSON
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Instalment plans under way at once") struct InstalmentRaceTests {
    @Test("several due loops share the work; every instalment is charged once") func loops() async throws {
        try await withInstalments(connections: 8) { world in
            var customers: [CustomerID] = []
            for _ in 0..<4 { customers.append(try await world.payments.payer()) }
            for index in 0..<40 { _ = try await world.agree(customers[index % 4], "pay_in_3", 9_000) }
            try await world.rest()
            world.payments.clock.advance(by: .seconds(31 * 86_400))
            var handled = 0
            while true {
                let round: Int = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<4 { group.addTask { try await world.runDue(limit: 7) } }
                    return try await group.reduce(0, +)
                }
                handled += round
                if round == 0 { break }
            }
            #expect(handled == 40)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 80)
            #expect(try await world.payments.number("SELECT count(*) FROM payment_attempts") == 80)
            try await world.rest()
            #expect(try await world.payments.number("SELECT count(*) FROM instalments WHERE status = 'paid'") == 80)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a settlement and the due loop at once: one of them has the plan, and nothing is charged twice")
    func settlingWhileDue() async throws {
        try await withInstalments(connections: 8) { world in
            let customer: CustomerID = try await world.payments.payer()
            var plans: [InstalmentPlanID] = []
            for _ in 0..<10 { plans.append(try await world.running(customer, "pay_in_4", 40_000)) }
            world.payments.clock.advance(by: .seconds(14 * 86_400 - 8 * 3_600))
            let settled: Int = try await withThrowingTaskGroup(of: Bool.self) { group in
                for plan in plans {
                    group.addTask { (try? await world.settle(plan)) != nil }
                    group.addTask {
                        try await world.runDue(limit: 1)
                        return false
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(settled == 0, "what is due comes first")
            try await world.rest()
            for plan in plans { _ = try await world.settle(plan) }
            try await world.rest()
            for plan in plans { #expect(try await world.status(plan) == "settled") }
            #expect(try await world.balance(Ledger.providerBalance("sandbox")) == 400_000)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("the test clock waits for instalments that are due") func inFlight() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            _ = try await world.running(customer, "pay_in_3", 9_000)
            let due: Instant = TimeZoneID.utc.startOfDay(CivilDate(dayNumber: InstalmentWorld.today).adding(months: 1))
            for (shift, count) in [(-315_360_000, 0), (-3_600, 0), (3_600, 1)] as [(Int64, Int)] {
                try await world.payments.database.transaction { db in
                    try setTestClock(to: due.adding(.seconds(shift)), in: db)
                }
                #expect(try await world.payments.number(InstalmentBooks.dueNow) == count)
            }
        }
    }
}

@Suite("Histories of plans on a whole service") struct InstalmentStoryTests {
    private static let cards = [
        InstalmentWorld.good, InstalmentWorld.good, InstalmentWorld.poor, InstalmentWorld.expired,
        InstalmentWorld.challenges,
    ]
    private static let terms: [(String, ClosedRange<Int64>)] = [
        ("pay_in_3", 3_000...150_000), ("pay_in_4", 3_000...200_000), ("pay_in_6", 12_000...300_000),
        ("pay_in_12", 30_000...1_000_000),
    ]

    /// Does something that may happen; what is refused changes nothing.
    private func step(
        _ world: InstalmentWorld, _ customers: [CustomerID], _ plans: inout [InstalmentPlanID],
        _ random: inout Seeded
    ) async throws {
        guard let customer: CustomerID = customers.randomElement(using: &random) else { return }
        let plan: InstalmentPlanID? = plans.randomElement(using: &random)
        switch Int.random(in: 0..<14, using: &random) {
        case 0, 1:
            guard let (terms, amounts) = Self.terms.randomElement(using: &random) else { return }
            let amount: Int64 = .random(in: amounts, using: &random)
            plans.append(try world.id(try await world.agree(customer, terms, amount)))
        case 2: try await world.payments.attach(Self.cards.randomElement(using: &random) ?? "", to: customer)
        case 3: if let plan { _ = try? await world.settle(plan) }
        case 4: if let plan, Bool.random(using: &random) { _ = try? await world.cancel(plan) }
        case 5: if let plan { _ = try? await world.reduce(plan, by: .random(in: 1...20_000, using: &random)) }
        case 6, 7:
            let failed: [String] = try await world.payments.texts(
                "SELECT id FROM payments WHERE status IN ('failed', 'requires_action') ORDER BY id")
            guard let id: String = failed.randomElement(using: &random) else { return }
            _ = try? await world.payments.confirm(
                PaymentID(unchecked: id), passed: Int.random(in: 0..<4, using: &random) > 0)
        case 8:
            let paid: [String] = try await world.payments.texts(
                "SELECT id FROM payments WHERE status = 'succeeded' ORDER BY id")
            guard let id: String = paid.randomElement(using: &random) else { return }
            _ = try? await world.payments.refund(PaymentID(unchecked: id), .random(in: 1...9_000, using: &random))
        case 9:
            try await loseAnswers(world.payments, Bool.random(using: &random) ? .booksAndVanishes : .away) {
                try await world.runDue()
                try await world.deliverNews()
            }
        default:
            // Who waits for a word of Fraud's for days is charged no more; mostly it comes in time.
            if !plans.count.isMultiple(of: 4), try await world.assess() > 0 { try await world.settlePayments() }
            world.payments.clock.advance(by: .seconds(Int64.random(in: 1...20, using: &random) * 86_400))
            guard Bool.random(using: &random) else { return }
            for _ in 0..<Int.random(in: 1...2, using: &random) { try await world.rest() }
        }
    }

    /// Has the provider answer nothing that begins meanwhile.
    private func loseAnswers(
        _ payments: PaymentWorld, _ mood: ScriptedProvider.Mood, while work: () async throws -> Void
    ) async throws {
        let moving: SQL = "SELECT count(*) FROM payments WHERE status = 'processing'"
        let (before, unread): (Int, Int) = (try await payments.number(moving), payments.provider.readInVain)
        payments.provider.turn(mood)
        try await work()
        // Of what is too late by then nobody is asked, and it ends.
        try await eventually(within: .seconds(10), "the answers are lost") {
            let begun: Int = try await payments.number(moving) - before
            return payments.provider.readInVain >= unread + begun
        }
        payments.provider.turn(.well)
    }

    /// A settlement whose answer was lost, and which the sweeper finds as the last thing that happens.
    private static let lostSettlement: UInt64 = 649_180_418

    @Test(
        "whatever happens, no rule is broken, every plan ends, and nothing is owed in the end",
        arguments: [nil, lostSettlement])
    func stories(seed: UInt64?) async throws {
        var random = Seeded(seed)
        for _ in 0..<4 {
            try await withInstalments { world in
                var customers: [CustomerID] = []
                for _ in 0..<3 {
                    customers.append(
                        try await world.payments.payer(Self.cards.randomElement(using: &random) ?? InstalmentWorld.good)
                    )
                }
                var plans: [InstalmentPlanID] = []
                for _ in 0..<60 { try await step(world, customers, &plans, &random) }
                try await world.rest()
                let broken: [String] = try await world.violations()
                #expect(broken == [], "seed \(random.seed)")
                // What is refused after the first leap has its grace, and its days until the default, from then on.
                for _ in 0..<2 {
                    world.payments.clock.advance(by: .seconds(600 * 86_400))
                    try await world.rest()
                }
                #expect(try await world.violations() == [], "seed \(random.seed)")
                let open: Int = try await world.payments.number(
                    "SELECT count(*) FROM instalment_plans WHERE status IN ('pending', 'active', 'late') OR next_step_at IS NOT NULL OR awaited_payment_id IS NOT NULL"
                )
                #expect(open == 0, "seed \(random.seed)")
                #expect(try await world.balance(InstalmentLedger.receivable) == 0, "seed \(random.seed)")
                #expect(try await world.balance(InstalmentLedger.unearned) == 0, "seed \(random.seed)")
            }
        }
    }
}
