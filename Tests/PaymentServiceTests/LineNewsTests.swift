import BillingCore
import Logging
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Settlement lines of what was done at the provider") struct LineNewsTests {
    private func following(_ provider: ScriptedSettlements, _ world: PaymentWorld) -> FollowLines {
        FollowLines(
            providers: [provider], news: world.work.news, pool: world.database,
            logger: Logger(label: "test.lines") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("a refund that nobody knows here is read back and booked once, its line matched, its case closed")
    func refund() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            let taken: String = try await hooks.refundAtProvider("re_page", of: payment, 300)
            let provider = ScriptedSettlements()
            provider.report([
                try world.line("txn_1", .charge, 1_299, own: payment.attemptID.rawValue, source: taken),
                try world.line("txn_2", .refund, -300, source: "re_page", taken: taken),
                // Of a charge of somebody else's, and one that the provider does not know when asked.
                try world.line("txn_3", .refund, -300, source: "re_other", taken: "ch_other"),
                try world.line("txn_4", .refund, -200, source: "re_forged", taken: taken),
            ])
            let reconciliation: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 2)
            try await reconciliation.pass()
            #expect(try await world.cases().contains("not_booked open -300"))
            let lines: FollowLines = following(provider, world)
            world.provider.turn(.away)
            try await lines.pass()
            #expect(try await world.booked(payment.id) == ["payment"], "nothing is believed that is not read")
            world.provider.turn(.well)
            for _ in 0..<2 { try await lines.pass() }
            try await reconciliation.pass()
            #expect(
                try await world.texts("SELECT reason || ' ' || status || ' ' || provider_reference FROM refunds")
                    == ["made at the provider succeeded re_page"])
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await world.published("payment.refunded.v1") == 1)
            #expect(
                try await world.texts("SELECT line_id FROM settlement_lines WHERE state = 'matched' ORDER BY line_id")
                    == ["txn_1", "txn_2"])
            #expect(
                try await world.texts(
                    "SELECT state FROM reconciliation_cases WHERE line_id = 'txn_2' AND reason = 'not_booked'")
                    == ["resolved"])
            #expect(
                try await world.texts("SELECT line_id FROM settlement_lines WHERE followed_at IS NULL ORDER BY line_id")
                    == ["txn_1", "txn_3"])
        }
    }

    @Test(
        "a capture that nobody knows here is booked, whether its line carries the attempt, an id of ours or none",
        arguments: ["attempt", "capture", "nothing"])
    func capture(carried: String) async throws {
        try await withPayments { world in
            // Reports are read from the first booking on.
            _ = try await world.paid(world.payer(), amount: 500)
            let payment: PaymentRecord = try await world.authorized(world.payer())
            let id: CaptureID = try await world.captureElsewhere(payment, 1_299)
            let own: [String: String] = ["attempt": payment.attemptID.rawValue, "capture": id.rawValue]
            let provider = ScriptedSettlements()
            provider.report([
                try world.line(
                    "txn_1", .charge, 1_299, own: own[carried], source: "cp_\(id)", taken: "ch_\(payment.attemptID)")
            ])
            let reconciliation: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 1)
            try await reconciliation.pass()
            let lines: FollowLines = following(provider, world)
            for _ in 0..<2 { try await lines.pass() }
            try await reconciliation.pass()
            #expect(try await world.payment(payment.id).status == .succeeded)
            #expect(try await world.booked(payment.id) == ["capture"])
            let rule: String = carried == "nothing" ? "provider_reference" : "own_reference"
            #expect(try await world.lines() == ["txn_1 matched \(rule)"])
        }
    }

    @Test("a refund that came back, and whose news was lost, is undone once the provider confirms what its line tells")
    func returned() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            _ = try await world.refund(payment.id, 300)
            let refund: String = try #require(try await world.texts("SELECT id FROM refunds").first)
            let provider = ScriptedSettlements()
            provider.report([
                try world.line("t1", .charge, 1_299, own: payment.attemptID.rawValue),
                try world.line("t2", .refund, -300, own: refund, after: 61),
                try world.line("t3", .adjustment, 300, own: refund, after: 86_400),
            ])
            let reconciliation: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 3)
            try await reconciliation.pass()
            #expect(try await world.cases() == ["not_booked open 300"])
            let lines: FollowLines = following(provider, world)
            try await lines.pass()
            #expect(try await world.booked(payment.id) == ["payment", "refund"], "the provider does not say so")
            try await world.execute(
                "UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(world.clock.now)")
            for _ in 0..<2 { try await lines.pass() }
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund_failure"])
            #expect(
                try await world.texts("SELECT status || ' ' || failure_code FROM refunds") == ["failed account_closed"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            #expect(try await world.published("payment.refund_failed.v1") == 1)
            try await reconciliation.pass()
            #expect(try await world.lines().last == "t3 matched own_reference")
            #expect(try await world.cases() == ["not_booked resolved 300"])
        }
    }

    @Test("such a line is not taken for what a person has booked of the same charge, which keeps its own")
    func returnedBesideAdjustment() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            _ = try await world.refund(payment.id, 300)
            let refund: String = try #require(try await world.texts("SELECT id FROM refunds").first)
            let name: String = try #require(try await world.texts("SELECT provider_reference FROM refunds").first)
            try await world.adjust(by: -5, of: payment.id)
            let charge = "ch_\(payment.attemptID)"
            let provider = ScriptedSettlements(pageSize: 10)
            provider.report([
                try world.line("t1", .charge, 1_299, own: payment.attemptID.rawValue),
                try world.line("t2", .refund, -300, own: refund, after: 61),
                try world.line("t3", .adjustment, 300, own: refund, source: name, taken: charge, after: 86_400),
                try world.line("t4", .adjustment, -5, taken: charge, after: 4 * 86_400),
            ])
            let reconciliation: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 3)
            try await reconciliation.pass()
            #expect(try await world.lines().last == "t3 unmatched")
            try await world.execute(
                "UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(world.clock.now)")
            try await following(provider, world).pass()
            #expect(try await world.texts("SELECT status FROM refunds") == ["failed"])
            #expect(try await world.published("payment.refund_failed.v1") == 1)
            world.advance(days: 2)
            try await reconciliation.pass()
            #expect(
                try await world.lines().suffix(2) == ["t3 matched own_reference", "t4 matched provider_reference"])
            #expect(try await world.cases() == ["not_booked resolved 300"])
        }
    }
}
