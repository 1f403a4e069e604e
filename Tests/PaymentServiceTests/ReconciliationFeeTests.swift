import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("Fees, doubtful lines and payouts") struct ReconciliationFeeTests {
    private static let today = CivilDate(dayNumber: 20_833)
    /// 2.9 % and 30 for cards, which every method of these tests is.
    private static let fees = FeeSchedule([
        "sandbox": ["card": FeeSchedule.Rate(basisPoints: 290, fixed: [.usd: 30], tolerance: 1)]
    ])

    @Test("a fee that is not as agreed is a case beside a match; it is booked as it was kept, and not written off")
    func feeDiffers() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let right: PaymentRecord = try await world.paid(customer, amount: 1_299)
            let nearly: PaymentRecord = try await world.paid(customer, amount: 1_300)
            let dear: PaymentRecord = try await world.paid(customer, amount: 5_000)
            let provider = ScriptedSettlements()
            provider.report([
                try world.line("t1", .charge, 1_299, fee: 68, own: right.attemptID.rawValue),
                try world.line("t2", .charge, 1_300, fee: 67, own: nearly.attemptID.rawValue),
                try world.line("t3", .charge, 5_000, fee: 200, own: dear.attemptID.rawValue),
            ])
            let reconcile: ReconcileProviders = world.reconciliation([provider], fees: Self.fees)
            world.advance(days: 1)
            try await reconcile.pass()
            try await reconcile.pass()
            #expect(try await world.lines().allSatisfy { $0.hasSuffix("matched own_reference") })
            #expect(try await world.cases() == ["fee_differs open -25"])
            #expect(try await world.balance("expense:provider_fees") == 335)
            await #expect(throws: ResolveReconciliationCase.Failure.booked) {
                try await world.take(.writeOff, .feeDiffers)
            }
            let report: JSONValue = try #require(try await world.report(Self.today.adding(days: 1)).first)
            #expect(report["open_cases"]?.arrayValue?.first?["count"] == 1)
            try await world.take(.explain, .feeDiffers)
            try await world.take(.resolve, .feeDiffers)
            #expect(try await world.cases() == ["fee_differs resolved -25"])
        }
    }

    @Test("a line that may be either of two bookings is a case that names both, and takes neither")
    func candidates() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            for _ in 0..<2 { _ = try await world.paid(customer, amount: 700) }
            let provider = ScriptedSettlements()
            provider.report([try world.line("t1", .charge, 700)])
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconcile.pass()
            #expect(try await world.cases() == ["ambiguous open 700"])
            let named: [String] = try await world.texts(
                "SELECT unnest(candidates) AS c FROM reconciliation_cases ORDER BY c")
            let booked: [String] = try await world.texts(
                "SELECT id FROM journal_entries WHERE kind = 'payment' ORDER BY id")
            #expect(named == booked && named.count == 2)
        }
    }

    @Test("PayPal's payouts leave its account, show in the day's report, and come back from where they had got to")
    func payouts() async throws {
        try await withPayments { world in
            func line(_ id: String, _ kind: SettlementLine.Kind, _ minor: Int64, _ source: String, _ day: Int64) throws
                -> SettlementLine
            {
                let amount = Money(minor: minor, currency: .usd)
                return try SettlementLine(
                    provider: "paypal", id: id, kind: kind, gross: amount, fee: .zero(.usd), net: amount,
                    references: SettlementLine.References(source: source),
                    occurredAt: PaymentWorld.start + .seconds(day * 86_400 + 60))
            }
            let provider = ScriptedSettlements(name: "paypal")
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            // The account is followed from here on.
            try await reconcile.pass()
            provider.report([
                try line("W1", .payout, -2_500, "W1", 0), try line("W2", .payout, -900, "W2", 0),
                try line("R1", .payoutFailure, 2_500, "W1", 1),
            ])
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(try await world.balance("assets:bank") == 3_400)
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(try await world.balance("assets:bank") == 900)
            #expect(try await world.balance("assets:payouts_in_transit") == 0)
            #expect(try await world.balance("assets:provider:paypal") == -900)
            let report: JSONValue = try #require(try await world.report(Self.today).first)
            #expect(report["provider"] == "paypal" && report["paid_out"] == 3_400)
            let shown: [JSONValue] = report["payouts"]?.arrayValue ?? []
            #expect(shown.map { $0["reference"] } == ["W1", "W2"])
            #expect(shown.map { $0["arrival"] } == ["failed", "booked"])
            let next: JSONValue = try #require(try await world.report(Self.today.adding(days: 1)).first)
            #expect(next["payouts"]?.arrayValue?.map { $0["amount"] } == [-2_500])
        }
    }

    @Test("a schedule of fees is read whole, and every fault in it is named")
    func schedule() throws {
        let read = try FeeSchedule(tunables: [
            "payment.fees.stripe.card.basis_points": "150", "payment.fees.stripe.card.fixed.eur": "25",
            "payment.fees.stripe.any.tolerance": "5", "payment.grace": "1",
        ])
        #expect(
            read
                == FeeSchedule([
                    "stripe": [
                        "card": FeeSchedule.Rate(basisPoints: 150, fixed: [.eur: 25]),
                        "any": FeeSchedule.Rate(tolerance: 5),
                    ]
                ]))
        do {
            _ = try FeeSchedule(tunables: [
                "payment.fees.stripe.card.basis_points": "2900", "payment.fees.stripe.card.fixed.xyz": "1",
                "payment.fees.stripe.tolerance": "1", "payment.fees.stripe.card.rate": "1",
                "payment.fees.stripe.card.tolerance": "-1",
            ])
            Issue.record("it was read")
        } catch {
            #expect(error.faults.count == 5)
        }
    }

    @Test("an answer to a write says what the provider makes of the payment, as a read does") func answered()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(try await world.payer())
            let before: JSONValue = try parseJSON(encode(try await world.work.sync(paid.id)))
            #expect(before["settlement"] == .null, "not known yet")
            world.advance(days: 3)
            try await world.reconciliation().pass()
            let after: JSONValue = try parseJSON(encode(try await world.work.sync(paid.id)))
            #expect(after["settlement"]?.int("amount") == 1_299)
            #expect(after["settlement"]?.int("fee") == 68)
        }
    }
}
