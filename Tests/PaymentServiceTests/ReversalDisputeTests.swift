import BillingCore
import HTTPKit
import Messaging
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Disputes that become known after their reversal was booked as a refund") struct ReversalDisputeTests {
    /// The sandbox does not know the disputes of these tests.
    private static let unknown = "1 disputes on which the sandbox provider's books and ours differ"

    /// A reversal that nothing explained in time, and that was booked as a refund.
    private static func reverse(
        _ hooks: WebhookWorld, _ payment: PaymentRecord, _ amount: Int64, _ reference: String = "re_back",
        byCharge: Bool = false
    ) async throws -> ProviderRefund {
        let world: PaymentWorld = hooks.world
        let taken: String = try await hooks.refundAtProvider(reference, of: payment, amount)
        if byCharge {
            try await world.execute("UPDATE sandbox_refunds SET reference = \(taken) WHERE reference = \(reference)")
        }
        let told = ProviderRefund(
            reference: byCharge ? taken : reference, taken: taken, refundID: nil,
            amount: Money(minor: amount, currency: .usd), state: .succeeded, reversedAt: world.clock.now)
        world.clock.advance(by: .seconds(3_601))
        try await world.work.news.refund(told, at: "sandbox")
        return told
    }

    @Test(
        "take the refund over, whatever stage they are at: it is undone, and the dispute's withdrawal is booked",
        arguments: [DisputeStatus.needsResponse, .underReview, .lost], [false, true])
    func takenOver(stage: DisputeStatus, byCharge: Bool) async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            let told = try await Self.reverse(hooks, payment, 1_000, byCharge: byCharge)
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            for _ in 0..<2 { try await world.hear(world.told(payment, stage, fee: nil)) }
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund_failure", "dispute"])
            let account: String = stage == .lost ? "expense:dispute_losses" : "assets:disputed_funds"
            #expect(try await world.balances().contains("\(account) 1000"))
            #expect(try await world.balances().contains("assets:provider:sandbox 0"), "it was taken once")
            let after: PaymentRecord = try await world.payment(payment.id)
            #expect(after.amountRefunded == 0 && after.amountDisputed == 1_000)
            #expect(
                try await world.texts("SELECT concat_ws(' ', status, failure_code) FROM refunds") == ["failed disputed"]
            )
            #expect(try await world.published("payment.refund_failed.v1") == 1)
            // The news of the reversal again, and a day later.
            try await world.work.news.refund(told, at: "sandbox")
            world.clock.advance(by: .seconds(86_400))
            try await world.work.news.refund(told, at: "sandbox")
            #expect(try await world.booked(payment.id).count == 4)
            #expect(try await world.violations() == [Self.unknown])
        }
    }

    @Test("end in the books that the usual order ends in, when they are won or lost later too") func anyOrder()
        async throws
    {
        for last in [DisputeStatus.underReview, .won, .lost] {
            var balances: [[String]] = []
            for reversalFirst in [true, false] {
                try await withWebhooks { hooks, world in
                    let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
                    if !reversalFirst { try await world.hear(world.told(payment, .needsResponse)) }
                    let told = try await Self.reverse(hooks, payment, 1_000)
                    if reversalFirst { try await world.hear(world.told(payment, .needsResponse)) }
                    for _ in 0..<2 { try await world.hear(world.told(payment, last)) }
                    try await world.work.news.refund(told, at: "sandbox")
                    let after: PaymentRecord = try await world.payment(payment.id)
                    #expect(after.amountRefunded == 0 && after.amountDisputed == (last == .won ? 0 : 1_000))
                    balances.append(try await world.balances().filter { !$0.hasSuffix(" 0") })
                }
            }
            #expect(balances[0] == balances[1])
        }
    }

    @Test("that were won before they became known give the money back once") func wonFirst() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            let told = try await Self.reverse(hooks, payment, 1_000)
            let won: ProviderDispute = world.told(payment, .won, fee: nil, changedAt: world.clock.now)
            for _ in 0..<2 { try await world.hear(won) }
            #expect(
                try await world.booked(payment.id) == ["payment", "refund", "refund_failure", "dispute", "dispute"])
            #expect(try await world.balances().contains("assets:provider:sandbox 1000"))
            #expect(try await world.balances().contains("assets:disputed_funds 0"))
            try await world.work.news.refund(told, at: "sandbox")
            let after: PaymentRecord = try await world.payment(payment.id)
            #expect(after.amountRefunded == 0 && after.amountDisputed == 0 && after.amountRefundable == 1_000)
            // The payer appeals and wins: the money is taken a second time, and that reversal is the dispute's as well.
            try await world.hear(world.told(payment, .lost, fee: nil, changedAt: world.clock.now + .seconds(60)))
            let again = ProviderRefund(
                reference: "re_again", taken: told.taken, refundID: nil, amount: told.amount, state: .succeeded,
                reversedAt: world.clock.now)
            world.clock.advance(by: .seconds(7_200))
            try await world.work.news.refund(again, at: "sandbox")
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            #expect(try await world.balances().contains("expense:dispute_losses 1000"))
        }
    }

    @Test("that were won before the money was taken back have nothing to do with it") func wonBefore() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            world.clock.advance(by: .seconds(60))
            _ = try await Self.reverse(hooks, payment, 1_000)
            try await world.hear(world.told(payment, .won, fee: nil, changedAt: PaymentWorld.start))
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await world.payment(payment.id).amountRefunded == 1_000)
        }
    }

    @Test("over a part take over as much as they are over; a refund that somebody made stays one") func parts()
        async throws
    {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            #expect(try await world.refund(payment.id, 200).status == 201)
            _ = try await hooks.refundAtProvider("re_page", of: payment, 100)
            try await world.work.news.refund(
                ProviderRefund(
                    reference: "re_page", taken: "ch_\(payment.attemptID)", refundID: nil,
                    amount: Money(minor: 100, currency: .usd), state: .succeeded), at: "sandbox")
            _ = try await Self.reverse(hooks, payment, 400, "re_a")
            _ = try await Self.reverse(hooks, payment, 100, "re_b")
            _ = try await Self.reverse(hooks, payment, 200, "re_c")
            try await world.hear(world.told(payment, .needsResponse, amount: 500, fee: nil))
            let after: PaymentRecord = try await world.payment(payment.id)
            #expect(after.amountDisputed == 500 && after.amountRefunded == 500)
            #expect(
                try await world.texts(
                    "SELECT provider_reference FROM refunds WHERE status = 'succeeded' AND amount <> 200 ORDER BY id")
                    == ["re_page"])
            #expect(
                try await world.texts(
                    "SELECT reference || ' ' || amount FROM reversals WHERE dispute_id IS NOT NULL ORDER BY 1")
                    == ["re_a 400", "re_b 100"])
            #expect(try await world.balances().contains("assets:provider:sandbox 0"))
            // Another dispute takes what is left of the reversals.
            try await world.hear(world.told(payment, .lost, reference: "dp_2", amount: 200, fee: nil))
            #expect(try await world.payment(payment.id).amountRefunded == 300)
            #expect(try await world.balances().contains("assets:provider:sandbox 0"))
        }
    }

    @Test("account for one reversal: a second one of the same amount is booked by itself") func onceOnly() async throws
    {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            try await world.hear(world.told(payment, .lost, amount: 1_000, fee: nil))
            _ = try await Self.reverse(hooks, payment, 1_000, "re_a")
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            _ = try await Self.reverse(hooks, payment, 1_000, "re_b")
            let after: PaymentRecord = try await world.payment(payment.id)
            #expect(after.amountRefunded == 1_000 && after.amountDisputed == 1_000)
            #expect(try await world.balances().contains("assets:provider:sandbox 0"))
        }
    }

    @Test(
        "leave reconciliation whole: the provider's line is the dispute's, whether it stood for the refund or for nothing",
        arguments: [true, false])
    func settled(matched: Bool) async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            _ = try await Self.reverse(hooks, payment, 1_000)
            let provider = ScriptedSettlements()
            provider.report([
                try world.line(
                    "txn_1", .charge, 1_000, own: payment.attemptID.rawValue, source: "ch_\(payment.attemptID)"),
                try world.line(
                    "txn_2", matched ? .refund : .dispute, -1_000, source: matched ? "re_back" : "txn_2",
                    taken: "ch_\(payment.attemptID)", after: 120),
            ])
            let reconciliation: ReconcileProviders = world.reconciliation([provider])
            world.advance(days: 7)
            for _ in 0..<3 { try await reconciliation.pass() }
            #expect(try await world.lines().last?.hasPrefix(matched ? "txn_2 matched" : "txn_2 unmatched") == true)
            #expect(
                try await world.cases().sorted()
                    == (matched ? [] : ["not_at_provider open 1000", "not_booked open -1000"]))
            try await world.hear(world.told(payment, .needsResponse, fee: nil))
            world.advance(days: 7)
            for _ in 0..<3 { try await reconciliation.pass() }
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(
                try await world.cases().sorted()
                    == (matched ? [] : ["not_at_provider resolved 1000", "not_booked resolved -1000"]))
            #expect(
                try await world.texts(
                    """
                    SELECT e.kind FROM settlement_entries s JOIN journal_entries e ON e.id = s.entry_id
                    WHERE s.line_id = 'txn_2' ORDER BY 1
                    """) == (matched ? ["dispute", "refund", "refund_failure"] : ["dispute"]))
            #expect(try await world.violations() == [Self.unknown])
        }
    }
}
