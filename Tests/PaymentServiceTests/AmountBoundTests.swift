import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import Telemetry
import TestKit
import Testing

@Suite("Amounts that nobody can have meant") struct AmountBoundTests {
    private static let most: Int64 = InputFields.largestAmount

    private func faults<Input: JSONInput>(_ type: Input.Type, _ text: String) throws -> [String] {
        let json: JSONValue = try parseJSON(text)
        do throws(InvalidInput) {
            _ = try decode(type, from: json)
            return []
        } catch {
            return error.faults.map(\.param)
        }
    }

    @Test(
        "a capture, a refund and what is taken off a plan are bounded like a payment where they are read",
        arguments: [(0, false), (1, true), (most, true), (most + 1, false), (.max, false), (.min, false)])
    func requests(amount: Int64, isTaken: Bool) throws {
        let expected: [String] = isTaken ? [] : ["amount"]
        #expect(try faults(CapturePaymentInput.self, #"{"amount":\#(amount)}"#) == expected)
        let refund = #"{"payment_id":"\#(PaymentID.sample)","amount":\#(amount)}"#
        #expect(try faults(CreateRefundInput.self, refund) == expected)
        #expect(try faults(ReducePlanInput.self, #"{"amount":\#(amount)}"#) == expected)
    }

    /// Lines that a provider should not have reported.
    private static let absurd: [(SettlementLine.Kind, Int64, fee: Int64, shown: Int64?)] = [
        (.charge, SettlementLine.largestAmount + 1, 0, nil), (.charge, .max, 0, nil), (.refund, .min, 0, nil),
        (.adjustment, -1, .max, nil), (.fee, 0, .max, nil), (.payout, -SettlementLine.largestAmount, 1, nil),
        (.adjustment, 10, 0, .min), (.charge, 10, 0, .max), (.payout, .min, 0, nil),
    ]

    @Test(
        "a provider's line with one is a case at once and booked by nobody, and all other lines are read",
        arguments: absurd.indices)
    func reported(index: Int) async throws {
        let (kind, gross, fee, shown) = Self.absurd[index]
        try await withPayments { world in
            let hostile = ScriptedSettlements(name: "hostile")
            let sound = ScriptedSettlements()
            let amount = Money(minor: gross, currency: .usd)
            let kept = Money(minor: fee, currency: .usd)
            let line = try SettlementLine(
                provider: "hostile", id: "absurd", kind: kind, gross: amount, fee: kept,
                net: amount.subtracting(kept),
                presentment: shown.map {
                    SettlementLine.Presentment(amount: Money(minor: $0, currency: .eur), rate: nil)
                }, occurredAt: PaymentWorld.start)
            let beside = try SettlementLine(
                provider: "hostile", id: "beside", kind: .fee, gross: Money(minor: -25, currency: .usd),
                fee: .zero(.usd), net: Money(minor: -25, currency: .usd), occurredAt: PaymentWorld.start)
            hostile.report([line, beside])
            sound.report([
                try world.line("sound", .payout, -SettlementLine.largestAmount), try world.line("fee", .fee, -25),
            ])
            let reconcile: ReconcileProviders = world.reconciliation([hostile, sound])
            // From the first look on nothing is left out.
            try await reconcile.pass()
            world.clock.advance(by: .seconds(3_600))
            for _ in 0..<2 { try await reconcile.pass() }
            #expect(
                try await world.lines() == [
                    "absurd unmatched", "beside matched booked_from_line", "fee matched booked_from_line",
                    "sound matched booked_from_line",
                ])
            #expect(try await world.cases() == ["not_booked open \(line.net.minor)"])
            #expect(try await world.report(CivilDate(dayNumber: 20_833)).count == 2)
            await #expect(throws: ResolveReconciliationCase.Failure.absurd) {
                try await world.take(.writeOff, .notBooked)
            }
            try await world.take(.resolve, .notBooked)
            let violations: [String] = try await world.database.transaction { db in
                try ReconciliationConsistency.violations(in: db)
            }
            #expect(violations.isEmpty)
            let labels: [String: String] = ["provider": "hostile", "call": "settlement"]
            #expect(Metrics.shared.counter("provider_alarms_total", labels: labels).value > 0)
        }
    }

    @Test("sums beyond 64 bits are told whole, of a day's report and of a balance") func sums() async throws {
        try await withPayments { world in
            let rows: [String] = (1...10_000).map {
                "t\($0),adjustment,USD,10000000000000.00,0,10000000000000.00,2027-01-15T08:00:00Z"
            }
            let head = "id,kind,currency,gross,fee,net,occurred_at"
            #expect(try await world.load(([head] + rows).joined(separator: "\n")).new == 10_000)
            let whole = "10000000000000000000"
            let day = CivilDate(dayNumber: 20_833)
            let report: JSONValue = try #require(try await world.report(day).first)
            #expect(report["open"]?["net"] == .number(whole) && report["open"]?["gross"] == .number(whole))
            let balances: [JSONValue] = try await world.database.transaction(snapshot: true) { db in
                try ReconciliationReportStore.balances(of: "sandbox", at: day, in: db).map { try parseJSON(encode($0)) }
            }
            #expect(balances.first?["reported"] == .number(whole))
            #expect(balances.first?["difference"] == .number(whole))
            #expect(balances.first?["not_booked"] == .number(whole))
        }
    }
}
