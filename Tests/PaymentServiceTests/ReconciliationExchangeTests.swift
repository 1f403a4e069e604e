import BillingCore
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentExchange
import PaymentLedger
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("What providers convert when they settle") struct ReconciliationExchangeTests {
    static let position = ExchangeLedger.position

    /// A payment in pounds that went through; the sandbox settles it as it is until a line says otherwise.
    static func pounds(_ world: PaymentWorld, _ amount: Int64) async throws -> PaymentRecord {
        let customer: CustomerID = try await world.payer()
        let body = #"{"amount":\#(amount),"currency":"GBP","customer_id":"\#(customer)"}"#
        let made = try await world.work.create(world.call("/v1/payments", body: body), world.read(body))
        let created: PaymentRecord = try await world.payment(world.id(made))
        await world.decide(created)
        return try await world.settled(created.id)
    }

    /// A line in dollars about pounds.
    static func line(
        _ id: String, _ kind: SettlementLine.Kind, _ dollars: Int64, _ pounds: Int64, fee: Int64 = 0,
        own: String? = nil, source: String? = nil, taken: String? = nil, rate: String? = nil, after seconds: Int64 = 60
    ) throws -> SettlementLine {
        let usd: (Int64) -> Money = { Money(minor: $0, currency: .usd) }
        return try SettlementLine(
            provider: "sandbox", id: id, kind: kind, gross: usd(dollars), fee: usd(fee), net: usd(dollars - fee),
            references: SettlementLine.References(own: own, source: source, taken: taken),
            presentment: SettlementLine.Presentment(
                amount: Money(minor: pounds, currency: .gbp), rate: rate.flatMap { ExactDecimal($0) }),
            occurredAt: PaymentWorld.start + .seconds(seconds))
    }

    /// What stands on an account in a currency.
    static func held(_ world: PaymentWorld, _ account: String, _ currency: String) async throws -> Int {
        try await world.number(
            """
            SELECT coalesce(sum(amount), 0)::bigint FROM journal_lines
            WHERE account = \(account) AND currency = \(currency)
            """)
    }

    /// Broken rules of ledger, exchange, disputes and reconciliation; the sandbox's books know nothing of these lines.
    static func violations(_ world: PaymentWorld) async throws -> [String] {
        try await world.database.transaction { db in
            try LedgerChecks.violations(in: db) + ExchangeChecks.violations(in: db)
                + ReconciliationConsistency.violations(in: db)
        }
    }

    private static func expectNothingExchanged(_ world: PaymentWorld) async throws {
        for currency in ["GBP", "USD"] {
            #expect(try await held(world, position, currency) == 0, "\(currency)")
        }
        #expect(try await held(world, "assets:provider:sandbox", "GBP") == 0)
        #expect(try await violations(world) == [])
    }

    @Test(
        "a refund leaves the exchange account at what its capture came in at, whichever line is read first",
        arguments: [false, true])
    func refund(isRefundFirst: Bool) async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await Self.pounds(world, 10_000)
            _ = try await world.refund(paid.id, 10_000)
            let refunds: [String] = try await world.texts("SELECT id FROM refunds")
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            let capture = try Self.line(
                "t1", .charge, 12_500, 10_000, own: paid.attemptID.rawValue, rate: "1.25",
                after: isRefundFirst ? 86_460 : 60)
            let refund = try Self.line(
                "t2", .refund, -13_000, -10_000, own: refunds[0], rate: "1.3", after: isRefundFirst ? 60 : 86_460)
            provider.report([capture, refund])
            for _ in 0..<2 {
                world.advance(days: 1)
                world.clock.advance(by: .seconds(120))
                try await reconcile.pass()
            }
            #expect(try await world.lines().allSatisfy { $0.hasSuffix("matched own_reference") })
            #expect(try await world.cases().isEmpty)
            try await Self.expectNothingExchanged(world)
            #expect(try await Self.held(world, "expense:exchange_loss", "USD") == 500)
            #expect(try await Self.held(world, "assets:provider:sandbox", "USD") == -500)
            #expect(try await world.number("SELECT settlement_amount FROM payments") == 12_500)
            #expect(
                try await world.texts("SELECT kind FROM journal_entries WHERE kind = 'exchange'").isEmpty,
                "everything has its movement")
        }
    }

    @Test("parts of it leave at their parts, to the unit, and a refund that failed comes again as it left") func parts()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await Self.pounds(world, 1_000)
            for amount: Int64 in [333, 333, 334] { _ = try await world.refund(paid.id, amount) }
            let refunds: [String] = try await world.texts("SELECT id FROM refunds ORDER BY id")
            let references: [String] = try await world.texts("SELECT provider_reference FROM refunds ORDER BY id")
            try await world.execute(
                """
                UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(world.clock.now)
                WHERE reference = \(references[1])
                """)
            let told = ProviderRefund(
                reference: references[1], taken: "ch_\(paid.attemptID)", refundID: nil,
                amount: Money(minor: 333, currency: .gbp), state: .failed(code: "account_closed"))
            try await world.work.news.refund(told, at: "sandbox")
            let provider = ScriptedSettlements(pageSize: 10)
            provider.report([
                try Self.line("t1", .charge, 1_251, 1_000, own: paid.attemptID.rawValue),
                try Self.line("t2", .refund, -431, -333, own: refunds[0], after: 61),
                try Self.line("t3", .refund, -440, -333, own: refunds[1], after: 62),
                try Self.line("t4", .adjustment, 438, 333, own: refunds[1], after: 63),
                try Self.line("t5", .refund, -450, -334, own: refunds[2], after: 64),
            ])
            world.advance(days: 6)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.lines().allSatisfy { $0.hasSuffix("matched own_reference") })
            #expect(try await world.cases().isEmpty)
            #expect(try await Self.violations(world) == [])
            #expect(try await Self.held(world, Self.position, "GBP") == 333)
            #expect(try await Self.held(world, "assets:provider:sandbox", "USD") == 1_251 - 431 - 440 + 438 - 450)
            _ = try await world.refund(paid.id, 333)
            let last: [String] = try await world.texts("SELECT id FROM refunds ORDER BY id DESC LIMIT 1")
            provider.report([try Self.line("t6", .refund, -400, -333, own: last[0], after: 6 * 86_400)])
            world.advance(days: 1)
            try await world.reconciliation([provider]).pass()
            try await Self.expectNothingExchanged(world)
        }
    }

    @Test("what a dispute took leaves and comes again at what its capture came in at", arguments: [false, true])
    func dispute(isWon: Bool) async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await Self.pounds(world, 2_000)
            try await world.hear(world.told(paid, .needsResponse, fee: nil))
            if isWon { try await world.hear(world.told(paid, .won, fee: nil)) }
            let provider = ScriptedSettlements()
            let charge = "ch_\(paid.attemptID)"
            provider.report([
                try Self.line("t1", .charge, 2_500, 2_000, own: paid.attemptID.rawValue),
                try Self.line("t2", .dispute, -2_600, -2_000, source: "dp_1", taken: charge, after: 120),
            ])
            if isWon {
                provider.report([
                    try Self.line("t3", .disputeReversal, 2_550, 2_000, source: "dp_1", taken: charge, after: 180)
                ])
            }
            world.advance(days: 6)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            #expect(try await Self.held(world, Self.position, "GBP") == (isWon ? 2_000 : 0))
            #expect(try await Self.held(world, Self.position, "USD") == (isWon ? -2_500 : 0))
            #expect(try await Self.held(world, "expense:exchange_loss", "USD") == 100)
            #expect(try await Self.held(world, "income:exchange_gain", "USD") == (isWon ? -50 : 0))
            #expect(try await Self.violations(world) == [])
            #expect(try await world.number("SELECT settlement_amount FROM payments") == 2_500)
        }
    }

    @Test("what was taken and given back unheard of, at two rates, leaves nothing on the exchange account")
    func offset()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await Self.pounds(world, 2_000)
            let provider = ScriptedSettlements()
            provider.report([
                try Self.line("t1", .charge, 2_500, 2_000, own: paid.attemptID.rawValue),
                try Self.line("t2", .refund, -650, -500, source: "re_1", after: 120),
                try Self.line("t3", .adjustment, 620, 500, source: "re_1", after: 180),
            ])
            world.advance(days: 6)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.lines().suffix(2) == ["t2 matched offset", "t3 matched offset"])
            #expect(try await Self.held(world, Self.position, "GBP") == 2_000)
            #expect(try await Self.held(world, Self.position, "USD") == -2_500)
            #expect(try await Self.held(world, "expense:exchange_loss", "USD") == 30)
            #expect(try await Self.violations(world) == [])
        }
    }

    /// A payment of 10,000 pounds that is booked as 12,500 dollars: its provider settles in them.
    static func bookPounds(_ id: PaymentID, in world: PaymentWorld) async throws {
        let rate = try ExchangeRate(
            from: .gbp, to: .usd, numerator: ExactDecimal(parsing: "1.25"), date: CivilDate(dayNumber: 20_833),
            source: .manual)
        try await world.database.transaction { db in
            _ = try db.execute(
                """
                INSERT INTO payments (id, customer_id, amount, currency, status, off_session, attempt_id, provider,
                    created_at, amount_captured)
                VALUES (\(id), 'cus_a', 10000, 'GBP', 'succeeded', false, 'att_a', 'sandbox', \(PaymentWorld.start),
                    10000)
                """)
            _ = try RateStore.add(rate, actor: "key_ada", at: PaymentWorld.start, in: db)
            let postings: [[Posting]] = try BookExchange(policy: SettlementPolicy(["sandbox": .usd])).captures(
                [
                    ExchangeMovement(
                        reference: "att_a", paymentID: id, amount: Money(minor: 10_000, currency: .gbp),
                        provider: "sandbox")
                ], at: PaymentWorld.start, in: db)
            try LedgerStore.book(
                [
                    JournalEntry(
                        id: .new(at: PaymentWorld.start), kind: .payment, reference: "att_a", paymentID: id,
                        occurredAt: PaymentWorld.start, postings: postings[0])
                ], in: db)
        }
    }

    /// Such a payment, and the lines that tell of it.
    private static func withExchanged(
        _ lines: (PaymentID) throws -> [SettlementLine], _ body: (PaymentWorld) async throws -> Void
    ) async throws {
        try await withPayments { world in
            let id = PaymentID.new(at: PaymentWorld.start)
            try await bookPounds(id, in: world)
            let provider = ScriptedSettlements()
            provider.report(try lines(id))
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconcile.pass()
            world.advance(days: 10)
            try await reconcile.pass()
            #expect(try await violations(world) == [])
            try await body(world)
        }
    }

    @Test("a payment that was booked as it would be settled is matched, and what the provider made of it is set right")
    func converted() async throws {
        try await Self.withExchanged({ payment in
            [try Self.line("t1", .charge, 12_480, 10_000, fee: 300, own: payment.rawValue, rate: "1.248")]
        }) { (world: PaymentWorld) async throws in
            #expect(try await world.lines() == ["t1 matched own_reference"])
            #expect(try await world.cases().isEmpty, "nor is the correction missing at the provider")
            #expect(try await Self.held(world, "assets:provider:sandbox", "USD") == 12_180)
            #expect(try await Self.held(world, "expense:exchange_loss", "USD") == 20)
            #expect(try await world.number("SELECT settlement_amount FROM payments") == 12_480)
            let entries: [String] = try await world.texts(
                """
                SELECT e.kind || ' ' || e.occurred_at::date FROM settlement_entries x
                JOIN journal_entries e ON e.id = x.entry_id WHERE x.role = 'exchange'
                """)
            #expect(entries == ["settlement 2027-01-15"])
            #expect(try await world.settled(CivilDate(dayNumber: 20_833)) == ["USD 12180 12180 0 0 0 0"])
        }
    }

    @Test("a fee that was kept in another currency than was booked is told in its own")
    func feeCurrency() async throws {
        try await Self.withExchanged({ payment in
            let eur: (Int64) -> Money = { Money(minor: $0, currency: .eur) }
            let line = try SettlementLine(
                provider: "sandbox", id: "t1", kind: .charge, gross: eur(11_500), fee: eur(300), net: eur(11_200),
                references: SettlementLine.References(own: payment.rawValue),
                occurredAt: PaymentWorld.start + .seconds(60))
            return [line]
        }) { (world: PaymentWorld) async throws in
            #expect(try await world.lines() == ["t1 different own_reference"])
            let known: [PaymentID: PaymentSettlement] = try await world.database.transaction(readOnly: true) { db in
                let ids: [PaymentID] = try db.query("SELECT id FROM payments") { row in try row.next() }
                return try PaymentSettlementStore.find(ids, in: db)
            }
            let settlement = PaymentSettlement(
                amount: Money(minor: 12_500, currency: .usd), rate: "1.25", fee: Money(minor: 300, currency: .eur))
            #expect(Array(known.values) == [settlement])
        }
    }

    @Test("another amount than was exchanged is a case in the currency of settlement, and written off the books agree")
    func mismatch() async throws {
        try await Self.withExchanged({ payment in
            [try Self.line("t1", .charge, 12_400, 9_900, own: payment.rawValue)]
        }) { world in
            #expect(try await world.lines() == ["t1 different own_reference"])
            #expect(try await world.cases() == ["amount open -100"])
            #expect(try await world.number("SELECT count(*) FROM journal_entries WHERE kind = 'settlement'") == 0)
            try await world.take(.writeOff, .amount)
            #expect(try await Self.held(world, "assets:provider:sandbox", "USD") == 12_400)
        }
    }
}
