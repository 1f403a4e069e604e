import BillingCore
import PaymentDomain
import PaymentReconciliation
import PaymentService
import Postgres
import Telemetry
import TestKit
import Testing

@Suite("Payouts that come back") struct ReconciliationPayoutTests {
    /// Whether a person was told of something that a provider settles.
    private static func isAlarmed(_ provider: String) -> Bool {
        let labels: [String: String] = ["provider": provider, "call": "settlement"]
        return Metrics.shared.counter("provider_alarms_total", labels: labels).value > 0
    }

    private static func line(_ id: String, _ kind: SettlementLine.Kind, _ minor: Int64) throws -> SettlementLine {
        let amount = Money(minor: minor, currency: .usd)
        return try SettlementLine(
            provider: "giro", id: id, kind: kind, gross: amount, fee: .zero(.usd), net: amount,
            references: SettlementLine.References(source: "po_1"), occurredAt: PaymentWorld.start + .seconds(60))
    }

    @Test("a person is told of them, and of no payout that goes well") func told() async throws {
        try await withPayments { world in
            let provider = ScriptedSettlements(name: "giro")
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            // The account is followed from here on.
            try await reconcile.pass()
            provider.report([try Self.line("t1", .payout, -1_000)])
            world.advance(days: 1)
            try await reconcile.pass()
            #expect(!Self.isAlarmed("giro"))
            try await world.load(
                """
                id,kind,currency,gross,fee,net,occurred_at,source
                t2,payout_failure,USD,10.00,0,10.00,2027-01-15T09:00:00Z,po_1
                """, provider: "giro")
            try await reconcile.pass()
            #expect(try await world.lines() == ["t1 matched booked_from_line", "t2 matched booked_from_line"])
            #expect(Self.isAlarmed("giro"))
            #expect(try await world.balance("assets:provider:giro") == 0)
        }
    }
}
