import BillingCore
import JSON
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Reconciliation with the sandbox provider") struct ReconciliationTests {
    /// 15 January 2027, on which the world begins.
    private static let today = CivilDate(dayNumber: 20_833)

    @Test("a finished day is matched, its fees booked, its balance paid out and later in the bank") func day()
        async throws
    {
        try await withPayments { world in
            let reconcile: ReconcileProviders = world.reconciliation()
            let customer: CustomerID = try await world.payer()
            let paid: PaymentRecord = try await world.paid(customer, amount: 10_000)
            _ = try await world.refund(paid.id, 2_500)
            let held: PaymentRecord = try await world.authorized(customer, amount: 5_000)
            _ = try await world.capture(held.id, 1_000, final: false)
            _ = try await world.capture(held.id, 3_000)
            try await reconcile.pass()
            #expect(try await world.lines().isEmpty, "the day is not over")
            #expect(try await movements(world, held.id) == ["null", "null"])
            #expect(try await settlements(world, paid.id, held.id).isEmpty)
            world.advance(days: 1)
            try await reconcile.pass()
            // 2.9 % and 30 of 10,000, 1,000 and 3,000.
            let fees = 320 + 59 + 117
            let usd: (Int64) -> Money = { Money(minor: $0, currency: .usd) }
            #expect(
                try await settlements(world, paid.id, held.id) == [
                    paid.id: PaymentSettlement(amount: usd(10_000), rate: nil, fee: usd(320)),
                    held.id: PaymentSettlement(amount: usd(4_000), rate: nil, fee: usd(176)),
                ])
            #expect(try await movements(world, held.id) == ["1000 59", "3000 117"])
            #expect(try await movements(world, paid.id) == ["2500 0"])
            #expect(try await world.lines().filter { $0.hasSuffix("matched own_reference") }.count == 4)
            #expect(try await world.balance("expense:provider_fees") == fees)
            #expect(try await world.balance("assets:provider:sandbox") == 11_500 - fees)
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(try await world.balance("assets:provider:sandbox") == 0)
            #expect(try await world.balance("assets:payouts_in_transit") == 11_500 - fees)
            #expect(try await world.balance("assets:bank") == 0)
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(try await world.balance("assets:payouts_in_transit") == 0)
            #expect(try await world.balance("assets:bank") == 11_500 - fees)
            #expect(try await world.settled(Self.today) == ["USD 11004 11004 0 0 0 0"])
            #expect(try await world.settled(Self.today.adding(days: 1)) == ["USD 0 0 0 0 0 0"])
            #expect(try await world.cases().isEmpty)
            #expect(try await world.violations().isEmpty)
            let report: JSONValue = try #require(try await world.report(Self.today).first)
            #expect(report["matched"]?["count"]?.intValue == 4 && report["matched"]?["fee"]?.intValue == Int64(fees))
            #expect(try await world.report(Self.today.adding(days: 1)).first?["paid_out"]?.intValue == 11_004)
        }
    }

    private func settlements(
        _ world: PaymentWorld, _ payments: PaymentID...
    ) async throws -> [PaymentID: PaymentSettlement] {
        try await world.database.transaction(readOnly: true) { db in
            try PaymentSettlementStore.find(payments, in: db)
        }
    }

    /// `amount fee` of the settlements in the answers about a payment's captures and refunds.
    private func movements(_ world: PaymentWorld, _ payment: PaymentID) async throws -> [String] {
        let bodies: [[UInt8]] = try await world.database.transaction(readOnly: true) { db in
            let captures: [CaptureRecord] = try CaptureStore.list(payment: payment, after: nil, limit: 10, in: db)
            let refunds: [RefundRecord] = try RefundStore.list(payment: payment, after: nil, limit: 10, in: db)
            return try CaptureResource.settled(captures, in: db).map { encode($0) }
                + RefundResource.settled(refunds, in: db).map { encode($0) }
        }
        return try bodies.map { body in
            let settlement: JSONValue? = try parseJSON(body)["settlement"]
            guard let amount = settlement?["amount"]?.intValue, let fee = settlement?["fee"]?.intValue else {
                return "null"
            }
            return "\(amount) \(fee)"
        }.sorted()
    }

    @Test("a refund that came back is matched with both of its lines") func failedRefund() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(world.payer(), amount: 10_000)
            _ = try await world.refund(paid.id, 2_500)
            let references: [String] = try await world.texts("SELECT provider_reference FROM refunds")
            try await world.execute(
                "UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(world.clock.now)")
            let told = ProviderRefund(
                reference: references[0], taken: "ch_\(paid.attemptID)", refundID: nil,
                amount: Money(minor: 2_500, currency: .usd), state: .failed(code: "account_closed"))
            for _ in 0..<2 { try await world.work.news.refund(told, at: "sandbox") }
            world.advance(days: 1)
            try await world.reconciliation().pass()
            #expect(try await world.lines().filter { $0.hasSuffix("matched own_reference") }.count == 3)
            #expect(try await movements(world, paid.id) == ["null"])
            #expect(try await world.balance("assets:provider:sandbox") == 10_000 - 320)
            #expect(try await world.cases().isEmpty)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("reading everything again, at once or by two, changes nothing") func again() async throws {
        try await withPayments(connections: 8) { world in
            let customer: CustomerID = try await world.payer()
            for amount: Int64 in [100, 5_000, 129] { _ = try await world.paid(customer, amount: amount) }
            world.advance(days: 2)
            let reconcile: ReconcileProviders = world.reconciliation()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await reconcile.pass() } }
                try await group.waitForAll()
            }
            try await reconcile.pass()
            let before: [String] = try await world.balances()
            try await world.execute(
                "UPDATE settlement_cursors SET window_from = '2027-01-01', window_to = '2027-01-01', page = NULL")
            try await reconcile.pass()
            #expect(try await world.balances() == before)
            #expect(try await world.number("SELECT count(*) FROM settlement_lines") == 4)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a debt is carried until later days have paid it") func debt() async throws {
        try await withPayments { world in
            let reconcile: ReconcileProviders = world.reconciliation()
            let customer: CustomerID = try await world.payer()
            let paid: PaymentRecord = try await world.paid(customer, amount: 1_000)
            world.advance(days: 1)
            try await reconcile.pass()
            _ = try await world.refund(paid.id, 1_000)
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(try await world.balance("assets:provider:sandbox") == -1_000)
            _ = try await world.paid(customer, amount: 3_000)
            world.advance(days: 3)
            try await reconcile.pass()
            #expect(
                try await world.texts("SELECT day || ' ' || amount FROM sandbox_payouts ORDER BY day")
                    == ["2027-01-15 941", "2027-01-17 1883"])
            #expect(try await world.balance("assets:provider:sandbox") == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    /// Does something that may happen.
    private static func step(
        _ world: PaymentWorld, _ customer: CustomerID, _ reconcile: ReconcileProviders, _ payments: inout [PaymentID],
        _ random: inout Seeded
    ) async throws {
        switch Int.random(in: 0..<7, using: &random) {
        case 0...2: payments.append(try await world.paid(customer, amount: .random(in: 1...9_000, using: &random)).id)
        case 3:
            let held: PaymentRecord = try await world.authorized(
                customer, amount: .random(in: 10...9_000, using: &random))
            let isFinal: Bool = Bool.random(using: &random)
            _ = try await world.capture(held.id, .random(in: 1...10, using: &random), final: isFinal)
        case 4:
            guard let payment: PaymentID = payments.randomElement(using: &random) else { return }
            world.provider.turn([.well, .booksAndVanishes, .away].randomElement(using: &random) ?? .well)
            _ = try? await world.refund(payment, .random(in: 1...3_000, using: &random))
            world.provider.turn(.well)
        case 5: world.clock.advance(by: .seconds(.random(in: 1...200_000, using: &random)))
        default:
            if Bool.random(using: &random) { try await world.work.sweep.pass() }
            try await reconcile.pass()
        }
    }

    @Test("whatever happens over some days, our books equal the provider's on each", arguments: 0..<3)
    func history(run: Int) async throws {
        try await withPayments { world in
            var random = Seeded()
            let reconcile: ReconcileProviders = world.reconciliation()
            let customer: CustomerID = try await world.payer()
            var payments: [PaymentID] = []
            for _ in 0..<60 { try await Self.step(world, customer, reconcile, &payments, &random) }
            try await world.work.sweep.pass()
            world.advance(days: 4)
            try await reconcile.pass()
            #expect(try await world.violations().isEmpty, "seed \(random.seed)")
            #expect(try await world.cases().allSatisfy { $0.contains("resolved") }, "seed \(random.seed)")
            let end = CivilDate(dayNumber: Int(world.clock.now.seconds / 86_400) - 1)
            let last: [String] = try await world.settled(end)
            #expect(last.allSatisfy { $0.hasSuffix(" 0 0 0 0") }, "\(last) seed \(random.seed)")
            for day in stride(from: Self.today.dayNumber, to: end.dayNumber, by: 1) {
                for line in try await world.settled(CivilDate(dayNumber: day)) {
                    #expect(line.split(separator: " ")[4] == "0", "nothing is unbooked; \(line) seed \(random.seed)")
                }
            }
        }
    }

    @Test("a first charge just after midnight is found under the day before, where the provider's clock is behind")
    func midnight() async throws {
        try await withPayments { world in
            let provider = ScriptedSettlements()
            // The world begins at eight in the morning.
            world.clock.advance(by: .seconds(16 * 3_600 + 10))
            let paid: PaymentRecord = try await world.paid(world.payer())
            provider.report([
                try world.line(
                    "txn_1", .charge, paid.amount.minor, own: paid.attemptID.rawValue, after: 16 * 3_600 - 10)
            ])
            world.advance(days: 1)
            try await world.reconciliation([provider]).pass()
            #expect(try await world.lines() == ["txn_1 matched own_reference"])
        }
    }

    @Test("a charge that is under way at midnight is reported with the day on which it happened") func underWay()
        async throws
    {
        try await withPayments { world in
            let reconcile: ReconcileProviders = world.reconciliation()
            _ = try await world.paid(world.payer(), amount: 10_000)
            // Five seconds into the next day.
            world.clock.advance(by: .seconds(16 * 3_600 + 5))
            try await reconcile.pass()
            _ = try await world.paid(world.payer(), amount: 700)
            try await world.execute(
                "UPDATE sandbox_charges SET occurred_at = '2027-01-15T23:59:59Z' WHERE amount = 700")
            world.clock.advance(by: .seconds(60))
            try await reconcile.pass()
            #expect(
                try await world.texts(
                    "SELECT gross::text FROM settlement_lines WHERE kind = 'charge' ORDER BY occurred_at")
                    == ["10000", "700"])
            #expect(try await world.lines().allSatisfy { $0.hasSuffix("matched own_reference") || $0.contains("po_") })
        }
    }

    @Test("a dispute that was won is matched with both of its lines, its fee taken and given back") func wonDispute()
        async throws
    {
        try await withPayments { world in
            let reconcile: ReconcileProviders = world.reconciliation()
            let dispute: DisputeRecord = try await world.disputed(amount: 10_000).dispute
            world.advance(days: 1)
            try await reconcile.pass()
            // The charge is paid out, less 2.9 % and 30; the dispute takes it back with 15.00.
            #expect(try await world.balance("assets:provider:sandbox") == -11_500)
            try await world.contest(dispute.id)
            try await world.pass()
            try await world.pass(hours: 2)
            #expect(try await world.status(dispute.id) == .won)
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            #expect(try await world.balance("assets:provider:sandbox") == 0)
            #expect(try await world.balance("assets:bank") == 10_000 - 320)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an inquiry that escalates is reported on the day on which it takes the money") func escalated() async throws
    {
        try await withPayments { world in
            let reconcile: ReconcileProviders = world.reconciliation()
            let dispute: DisputeRecord = try await world.disputed(Disputing.inquiry, amount: 10_000).dispute
            try await reconcile.pass()
            world.advance(days: 2)
            try await reconcile.pass()
            try await world.contest(dispute.id, "escalate_inquiry_evidence")
            try await world.pass()
            try await world.pass(hours: 2)
            #expect(try await world.status(dispute.id) == .needsResponse)
            world.advance(days: 3)
            try await reconcile.pass()
            #expect(
                try await world.texts("SELECT occurred_at::date::text FROM settlement_lines WHERE kind = 'dispute'")
                    == ["2027-01-18"])
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            for day in 0...3 {
                for line in try await world.settled(Self.today.adding(days: day)) {
                    #expect(line.hasSuffix(" 0 0 0 0"), "\(day): \(line)")
                }
            }
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a finished day's report has a dispute that was due on it and that nobody has looked at") func unseen()
        async throws
    {
        try await withPayments { world in
            _ = try await world.paid(world.payer(Disputing.fraudulent), amount: 10_000)
            world.advance(days: 3)
            try await world.reconciliation().pass()
            #expect(
                try await world.texts("SELECT occurred_at::date::text FROM settlement_lines WHERE kind = 'dispute'")
                    == ["2027-01-16"])
            try await world.pass()
            try await world.reconciliation().pass()
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("0055: payouts are the first acquirer's; what the others have done is read from its beginning") func apart()
        async throws
    {
        try await withMigratedDatabase(service: "Payment", before: "0055") { lent in
            let world = PaymentWorld(lent.pool)
            try await world.execute(
                """
                INSERT INTO settlement_cursors (provider, window_from, window_to, checked_until)
                SELECT p, now(), now(), now() FROM unnest('{sandbox,sandbox_b,stripe}'::text[]) AS p
                """)
            try await world.execute(
                """
                INSERT INTO sandbox_payouts (reference, currency, day, amount, occurred_at, arrives_at)
                VALUES ('po_USD_2027-01-15', 'USD', '2027-01-15', 941, '2027-01-16T00:00:00Z', '2027-01-18T00:00:00Z')
                """)
            try await lent.applyRest(of: "Payment")
            #expect(
                try await world.texts("SELECT provider FROM settlement_cursors ORDER BY 1") == ["sandbox", "stripe"])
            #expect(
                try await world.texts("SELECT provider || ' ' || gross FROM sandbox_settlement") == ["sandbox -941"])
            #expect(try await world.texts("SELECT provider FROM sandbox_paid_days") == ["sandbox"])
        }
    }
}
