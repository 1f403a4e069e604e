import BillingCore
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Money that was taken and given back before we heard of it") struct ReconciliationOffsetTests {
    /// 15 January 2027, on which the world begins.
    private static let today = CivilDate(dayNumber: 20_833)
    private static let day: Int64 = 86_400

    /// What `settled` says of some days, from the first on.
    private static func settled(_ world: PaymentWorld, days: Int) async throws -> [String] {
        var lines: [String] = []
        for day in 0..<days { lines += try await world.settled(today.adding(days: day)) }
        return lines
    }

    private static func reconciliationHolds(_ world: PaymentWorld) async throws -> [String] {
        try await world.database.transaction(readOnly: true) { db in try ReconciliationConsistency.violations(in: db) }
    }

    @Test("the two lines settle each other, booked on their days; the case of the first is closed by the second")
    func failedRefund() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(world.payer(), amount: 10_000)
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            provider.report([
                try world.line("t1", .charge, 10_000, own: paid.attemptID.rawValue),
                try world.line("t2", .refund, -2_500, source: "re_1", taken: "ch_x", after: Self.day),
                try world.line("t3", .adjustment, 2_500, source: "re_1", taken: "ch_x", after: 3 * Self.day),
            ])
            world.advance(days: 3)
            try await reconcile.pass()
            #expect(try await world.lines() == ["t1 matched own_reference", "t2 unmatched"])
            #expect(try await world.cases() == ["not_booked open -2500"])
            #expect(try await Self.settled(world, days: 2).last == "USD 10000 7500 -2500 -2500 0 0")
            world.clock.advance(by: .seconds(3_600))
            try await reconcile.pass()
            #expect(try await world.lines().last == "t3 open", "news of it may be on its way")
            world.advance(days: 1)
            try await reconcile.pass()
            try await reconcile.pass()
            #expect(
                try await world.lines() == ["t1 matched own_reference", "t2 matched offset", "t3 matched offset"])
            #expect(try await world.cases() == ["not_booked resolved -2500"])
            #expect(
                try await world.texts("SELECT actor || ': ' || note FROM reconciliation_cases")
                    == ["reconciliation: canceled out by line t3"])
            #expect(
                try await Self.settled(world, days: 4) == [
                    "USD 10000 10000 0 0 0 0", "USD 7500 7500 0 0 0 0", "USD 7500 7500 0 0 0 0",
                    "USD 10000 10000 0 0 0 0",
                ])
            #expect(try await world.balance("contra_income:customer_refunds") == 0)
            #expect(try await Self.reconciliationHolds(world).isEmpty)
        }
    }

    @Test("a direct debit is no case while the bank may pay it; one that it does not pay leaves nothing open")
    func failedDebit() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(world.payer(), amount: 500)
            let debit: PaymentRecord = try await world.created(world.payer(), amount: 10_000)
            let asked: Int = world.provider.charges
            world.provider.turn(.away)
            await world.decide(debit)
            try await eventually(within: .seconds(10), "it is asked for") { world.provider.charges == asked + 1 }
            #expect(try await world.payment(debit.id).status == .processing)
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            provider.report([
                try world.line("t1", .charge, 500, own: paid.attemptID.rawValue),
                try world.line(
                    "t2", .charge, 10_000, fee: 35, own: debit.attemptID.rawValue, source: "py_1", taken: "pi_1",
                    after: 120),
                try world.line(
                    "t3", .adjustment, -10_000, fee: -35, source: "pyr_1", taken: "pi_1", after: 4 * Self.day + 60),
            ])
            world.advance(days: 4)
            try await reconcile.pass()
            #expect(try await world.lines() == ["t1 matched own_reference", "t2 open"])
            let attempt = ApprovedAttempt(paymentID: debit.id, provider: "sandbox", request: world.asked(debit))
            try await world.work.outcomes(
                Outcome(attempt: attempt, answer: .declined(ProviderDecline(code: "generic_decline"))))
            #expect(try await world.payment(debit.id).status == .failed)
            world.clock.advance(by: .seconds(3_600))
            try await reconcile.pass()
            #expect(try await world.lines() == ["t1 matched own_reference", "t2 open", "t3 open"])
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(
                try await world.lines() == ["t1 matched own_reference", "t2 matched offset", "t3 matched offset"])
            #expect(try await world.cases().isEmpty)
            let days: [String] = try await Self.settled(world, days: 6)
            #expect(days.count == 6 && days.allSatisfy { $0.hasSuffix(" 0 0 0 0") }, "\(days)")
            #expect(try await world.balance("income:customer_payments") == -500)
            #expect(try await world.balance("expense:provider_fees") == 0)
            #expect(try await Self.reconciliationHolds(world).isEmpty)
        }
    }

    /// A dispute that is heard of when it is won; what it cost is told then, and dated then.
    private static func withWonDispute(
        fee: Int64, givenBack: Int64, _ body: (PaymentWorld) async throws -> Void
    ) async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            let provider = ScriptedSettlements()
            provider.report([
                try world.line("t1", .charge, 2_000, own: paid.attemptID.rawValue),
                try world.line(
                    "t2", .dispute, -2_000, fee: fee, source: "dp_1", taken: "ch_\(paid.attemptID)", after: day),
                try world.line(
                    "t3", .disputeReversal, 2_000, fee: -givenBack, source: "dp_1", taken: "ch_\(paid.attemptID)",
                    after: 2 * day),
            ])
            world.advance(days: 2)
            try await world.hear(world.told(paid, .won, fee: fee - givenBack))
            world.advance(days: 3)
            try await world.reconciliation([provider]).pass()
            #expect(
                try await world.lines() == ["t1 matched own_reference", "t2 matched offset", "t3 matched offset"])
            #expect(try await world.cases().allSatisfy { $0.contains("resolved") })
            #expect(try await world.balance("assets:disputed_funds") == 0)
            #expect(try await Self.settled(world, days: 6).last?.hasSuffix(" 0 0 0 0") ?? false)
            #expect(try await Self.reconciliationHolds(world).isEmpty)
            try await body(world)
        }
    }

    @Test("a dispute that was won is on its days what it was, its fee taken and given back") func wonDispute()
        async throws
    {
        try await Self.withWonDispute(fee: 1_500, givenBack: 1_500) { world in
            let days: [String] = try await Self.settled(world, days: 3)
            #expect(days == ["USD 2000 2000 0 0 0 0", "USD -1500 -1500 0 0 0 0", "USD 2000 2000 0 0 0 0"])
            let kept: Int = try await world.balance("expense:provider_fees")
            #expect(kept == 0)
        }
    }

    @Test("a fee that the provider kept of a dispute that was won is booked once") func keptFee() async throws {
        try await Self.withWonDispute(fee: 1_500, givenBack: 0) { world in
            let held: Int = try await world.balance("assets:provider:sandbox")
            let cost: Int = try await world.balance("expense:dispute_fees")
            let kept: Int = try await world.balance("expense:provider_fees")
            #expect(held == 500 && cost == 1_500 && kept == 0)
        }
    }

    @Test("a dispute's fee that was learnt later is that of its line, and booked once") func lateFee() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            for fee: Int64? in [nil, 1_500] { try await world.hear(world.told(paid, .needsResponse, fee: fee)) }
            let provider = ScriptedSettlements()
            provider.report([
                try world.line("t1", .charge, 2_000, own: paid.attemptID.rawValue),
                try world.line(
                    "t2", .dispute, -2_000, fee: 1_500, source: "dp_1", taken: "ch_\(paid.attemptID)", after: 120),
                // Of the fee's amount, and nobody knows what it is.
                try world.line("t3", .refund, -1_500, after: 180),
            ])
            world.advance(days: 6)
            try await world.reconciliation([provider]).pass()
            #expect(
                try await world.lines() == [
                    "t1 matched own_reference", "t2 matched provider_reference", "t3 unmatched",
                ])
            #expect(try await world.cases() == ["not_booked open -1500"])
            #expect(try await Self.settled(world, days: 1) == ["USD -1500 -3000 -1500 -1500 0 0"])
            #expect(try await world.balance("expense:provider_fees") == 0)
            #expect(try await Self.reconciliationHolds(world).isEmpty)
        }
    }

    @Test("a dispute's fee that a line told first becomes the dispute's when it is learnt, and goes back with it")
    func earlyFee() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            try await world.hear(world.told(paid, .needsResponse, fee: nil))
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            provider.report([
                try world.line("t1", .charge, 2_000, own: paid.attemptID.rawValue),
                try world.line(
                    "t2", .dispute, -2_000, fee: 1_500, source: "dp_1", taken: "ch_\(paid.attemptID)", after: 120),
            ])
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(try await world.balance("expense:provider_fees") == 1_500)
            for _ in 0..<2 { try await world.hear(world.told(paid, .needsResponse, fee: 1_500)) }
            #expect(try await world.balance("expense:provider_fees") == 0)
            #expect(try await world.balance("expense:dispute_fees") == 1_500)
            #expect(try await world.balance("assets:provider:sandbox") == -1_500)
            try await world.hear(world.told(paid, .won, fee: 0))
            provider.report([
                try world.line(
                    "t3", .disputeReversal, 2_000, fee: -1_500, source: "dp_1", taken: "ch_\(paid.attemptID)",
                    after: 86_400)
            ])
            world.advance(days: 6)
            try await reconcile.pass()
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            for account in ["expense:provider_fees", "expense:dispute_fees", "assets:disputed_funds"] {
                #expect(try await world.balance(account) == 0, "\(account)")
            }
            #expect(try await world.balance("assets:provider:sandbox") == 2_000)
            #expect(try await Self.reconciliationHolds(world).isEmpty)
        }
    }

    @Test("a dispute's fee in the settlement currency is booked once beside an amount in the payment's")
    func foreignFee()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let body = #"{"amount":2000,"currency":"EUR","customer_id":"\#(customer)"}"#
            let made = try await world.work.create(world.call("/v1/payments", body: body), world.read(body))
            let created: PaymentRecord = try await world.payment(world.id(made))
            await world.decide(created)
            let paid: PaymentRecord = try await world.settled(created.id)
            try await world.hear(world.told(paid, .needsResponse))
            let provider = ScriptedSettlements()
            let shown: (Int64) -> SettlementLine.Presentment = {
                SettlementLine.Presentment(amount: Money(minor: $0, currency: .eur), rate: ExactDecimal("1.1"))
            }
            let line:
                (String, SettlementLine.Kind, Int64, Int64, Int64, SettlementLine.References) throws ->
                    SettlementLine = { id, kind, gross, fee, asked, references in
                        try SettlementLine(
                            provider: "sandbox", id: id, kind: kind, gross: Money(minor: gross, currency: .usd),
                            fee: Money(minor: fee, currency: .usd), net: Money(minor: gross - fee, currency: .usd),
                            references: references, presentment: shown(asked),
                            occurredAt: PaymentWorld.start + .seconds(60))
                    }
            provider.report([
                try line("t1", .charge, 2_200, 0, 2_000, .init(own: paid.attemptID.rawValue)),
                try line(
                    "t2", .dispute, -2_200, 1_500, -2_000, .init(source: "dp_1", taken: "ch_\(paid.attemptID)")),
            ])
            world.advance(days: 6)
            try await world.reconciliation([provider]).pass()
            #expect(
                try await world.lines() == ["t1 matched own_reference", "t2 matched provider_reference"])
            #expect(try await world.cases().isEmpty)
            #expect(try await Self.settled(world, days: 1) == ["EUR 0 0 0 0 0 0", "USD -1500 -1500 0 0 0 0"])
            #expect(try await world.balance("expense:provider_fees") == 0)
            #expect(try await Self.reconciliationHolds(world).isEmpty)
        }
    }

    /// Draws what happens to a payment at the provider: things that are over before we hear of them, each within some days.
    private static func history(
        _ world: PaymentWorld, _ payment: PaymentRecord, _ random: inout Seeded
    ) throws -> [SettlementLine] {
        let charge = "ch_\(payment.attemptID)"
        var lines: [SettlementLine] = [
            try world.line("\(charge)_txn", .charge, payment.amount.minor, fee: 59, own: payment.attemptID.rawValue)
        ]
        for number in 0..<Int.random(in: 0...3, using: &random) {
            let isDispute: Bool = Bool.random(using: &random)
            let name = "\(isDispute ? "dp" : "re")_\(number)_\(payment.attemptID)"
            let amount: Int64 =
                Bool.random(using: &random) ? 500 : .random(in: 1...payment.amount.minor, using: &random)
            var seconds: Int64 = .random(in: 120...(3 * day), using: &random)
            for turn in 0..<Int.random(in: 1...2, using: &random) {
                let fee: Int64 = isDispute ? 1_500 : 0
                lines.append(
                    try world.line(
                        "\(name)_\(turn)_a", isDispute ? .dispute : .refund, -amount, fee: fee, source: name,
                        taken: charge, after: seconds))
                seconds += .random(in: 0...(2 * day), using: &random)
                lines.append(
                    try world.line(
                        "\(name)_\(turn)_b", isDispute ? .disputeReversal : .adjustment, amount, fee: -fee,
                        source: name, taken: charge, after: seconds))
                seconds += .random(in: 1...day, using: &random)
            }
        }
        return lines
    }

    @Test("whatever was over before we heard of it, our books equal the provider's on each day", arguments: 0..<3)
    func generated(run: Int) async throws {
        try await withPayments { world in
            var random = Seeded()
            let customer: CustomerID = try await world.payer()
            let provider = ScriptedSettlements(pageSize: 7)
            var lines: [SettlementLine] = []
            for _ in 0..<12 {
                let paid: PaymentRecord = try await world.paid(
                    customer, amount: .random(in: 500...9_000, using: &random))
                lines += try Self.history(world, paid, &random)
            }
            provider.report(lines.shuffled(using: &random))
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            for _ in 0..<10 {
                world.clock.advance(by: .seconds(Int64.random(in: 1...(2 * Self.day), using: &random)))
                try await reconcile.pass()
            }
            world.advance(days: 14)
            try await reconcile.pass()
            #expect(try await world.lines().count == lines.count)
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") }, "seed \(random.seed)")
            #expect(try await world.cases().allSatisfy { $0.contains("resolved") }, "seed \(random.seed)")
            for line in try await Self.settled(world, days: 14) {
                #expect(line.hasSuffix(" 0 0 0 0"), "\(line) seed \(random.seed)")
            }
            #expect(try await Self.reconciliationHolds(world).isEmpty, "seed \(random.seed)")
        }
    }

    @Test("at the sandbox, a refund that failed and a dispute that was won unheard leave nothing open") func sandbox()
        async throws
    {
        try await withPayments { world in
            let refunded: PaymentRecord = try await world.paid(world.payer(), amount: 10_000)
            world.provider.turn(.booksAndVanishes)
            _ = try? await world.refund(refunded.id, 2_500)
            world.provider.turn(.well)
            _ = try await world.paid(world.payer(Disputing.fraudulent), amount: 4_000)
            world.advance(days: 1)
            _ = try await world.provider.changedDisputes(since: nil)
            world.advance(days: 1)
            let now: Instant = world.clock.now
            try await world.execute(
                "UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(now)")
            try await world.execute(
                """
                UPDATE sandbox_disputes SET status = 'won', fee = 0, due_by = NULL, changed_at = \(now),
                    changed = changed + 1
                """)
            try await world.execute("UPDATE sandbox_dispute_changes SET last = last + 1")
            try await world.work.sweep.pass()
            try await world.pass()
            #expect(try await world.texts("SELECT status FROM refunds") == ["failed"])
            #expect(try await world.disputes().map(\.status) == [.won])
            #expect(try await world.texts("SELECT DISTINCT kind FROM journal_entries") == ["payment"])
            world.advance(days: 5)
            for _ in 0..<2 { try await world.reconciliation().pass() }
            #expect(try await world.number("SELECT count(*) FROM settlement_lines WHERE rule = 'offset'") == 4)
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            for line in try await Self.settled(world, days: 5) { #expect(line.hasSuffix(" 0 0 0 0"), "\(line)") }
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an offset that loses its other line, or is booked beside its lines, is reported") func tampered()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(world.payer())
            let provider = ScriptedSettlements()
            provider.report([
                try world.line("t0", .charge, paid.amount.minor, own: paid.attemptID.rawValue),
                try world.line("t1", .refund, -500, source: "re_1"),
                try world.line("t2", .adjustment, 500, source: "re_1"),
            ])
            world.advance(days: 2)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.lines().suffix(2) == ["t1 matched offset", "t2 matched offset"])
            #expect(try await Self.reconciliationHolds(world).isEmpty)
            try await world.execute("ALTER TABLE journal_entries DISABLE TRIGGER USER")
            let tampering: [(SQL, String)] = [
                ("UPDATE settlement_lines SET offset_line_id = NULL WHERE line_id = 't2'", "that nothing cancels out"),
                ("UPDATE settlement_lines SET state = 'open' WHERE line_id = 't1'", "that nothing cancels out"),
                (
                    "UPDATE journal_entries SET reference = 'sandbox:other' WHERE reference = 'sandbox:t1'",
                    "booked beside their settlement line"
                ),
            ]
            for (statement, sentence) in tampering {
                let found: [String] = try await world.found(after: statement)
                #expect(found.contains { $0.contains(sentence) }, "\(sentence): \(found)")
            }
        }
    }
}
