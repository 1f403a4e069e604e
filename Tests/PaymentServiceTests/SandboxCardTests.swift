import BillingCore
import HTTPKit
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("The sandbox's cards") struct SandboxCardTests {
    /// A card, what its charges are refused with, and what the network sends with it.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let number: String
        let code: String
        let declineClass: Decline.Class
        var network = ""

        var testDescription: String { code }
    }

    private static let refusals: [Refusal] = [
        Refusal(number: "4000000000009995", code: "insufficient_funds", declineClass: .soft),
        Refusal(number: "4000000000000002", code: "do_not_honor", declineClass: .soft),
        Refusal(number: "4000000000000069", code: "expired_card", declineClass: .hard),
        Refusal(number: "4000000000009987", code: "lost_card", declineClass: .hard, network: "41"),
        Refusal(number: "4000000000009979", code: "stolen_card", declineClass: .hard, network: "43"),
        Refusal(number: "4100000000000019", code: "fraudulent", declineClass: .fraud, network: "59"),
        Refusal(number: "4000009900000038", code: "incorrect_cvc", declineClass: .action),
        Refusal(number: "4000009900000046", code: "processing_error", declineClass: .soft),
        Refusal(
            number: "4000009900000053", code: "revocation_of_authorization", declineClass: .hard, network: "R1 21"),
    ]

    @Test("every meaning of a refusal has a card", arguments: Self.refusals) func refused(_ refusal: Refusal)
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(refusal.number))
            #expect(payment.status == .failed && payment.declineCode == refusal.code)
            #expect(payment.decline?.declineClass == refusal.declineClass)
            #expect(
                try await world.texts(
                    "SELECT concat_ws(' ', network_code, advice_code) FROM payment_attempts") == [refusal.network])
            #expect(try await world.violations().isEmpty)
        }
    }

    private func refunds(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts("SELECT concat_ws(' ', amount, status, failure_code) FROM refunds ORDER BY amount")
    }

    @Test("a refund that is pending first is made a day later, told of once, and counts only then") func pending()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer("4000000000007726"))
            #expect(try await world.refund(payment.id, 300).status == 202)
            world.clock.advance(by: .seconds(3_600))
            #expect(try await world.refund(payment.id, 400).status == 202)
            #expect(try await refunds(world) == ["300 processing", "400 processing"])
            #expect(try await world.violations().isEmpty, "what is pending is not in the books")
            try await world.sandboxWords.pass()
            #expect(try await refunds(world) == ["300 processing", "400 processing"])
            world.clock.advance(by: .seconds(82_800))
            try await world.sandboxWords.pass()
            #expect(try await refunds(world) == ["300 succeeded", "400 processing"])
            world.clock.advance(by: .seconds(3_600))
            for _ in 0..<2 { try await world.sandboxWords.pass() }
            #expect(try await refunds(world) == ["300 succeeded", "400 succeeded"])
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund"])
            #expect(try await world.published("payment.refunded.v1") == 2)
            #expect(try await world.violations().isEmpty)
            #expect(try await world.inFlight() == 0, "what was heard is told no more")
        }
    }

    @Test("a refund that fails later was made first; a day later it comes back, and can be made again") func bounced()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer("4000000000005126"))
            #expect(try await world.refund(payment.id, nil).status == 201)
            #expect(try await world.violations().isEmpty)
            world.clock.advance(by: .seconds(86_400))
            for _ in 0..<2 { try await world.sandboxWords.pass() }
            #expect(try await refunds(world) == ["1299 failed expired_or_canceled_card"])
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund_failure"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            #expect(try await world.published("payment.refund_failed.v1") == 1)
            #expect(try await world.violations().isEmpty)
            #expect(try await world.refund(payment.id, nil).status == 201)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what becomes of refunds while nobody looks is reported on the day on which it did") func reported()
        async throws
    {
        try await withPayments { world in
            let reconcile: ReconcileProviders = world.reconciliation()
            for (number, status) in [("4000000000007726", 202), ("4000000000005126", 201)] {
                let payment: PaymentRecord = try await world.paid(world.payer(number), amount: 10_000)
                #expect(try await world.refund(payment.id, 2_500).status == status)
            }
            // To one in the morning, two days later.
            world.clock.advance(by: .seconds(86_400 + 17 * 3_600))
            try await reconcile.pass()
            #expect(
                try await world.texts(
                    """
                    SELECT concat_ws(' ', kind, occurred_at::date) FROM settlement_lines
                    WHERE kind IN ('refund', 'adjustment') ORDER BY 1
                    """) == ["adjustment 2027-01-16", "refund 2027-01-15", "refund 2027-01-16"])
            #expect(try await refunds(world).sorted() == ["2500 processing", "2500 succeeded"])
            try await world.sandboxWords.pass()
            #expect(
                try await refunds(world).sorted() == ["2500 failed expired_or_canceled_card", "2500 succeeded"])
            try await reconcile.pass()
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            #expect(try await world.balance("assets:provider:sandbox") == 0)
            #expect(try await world.violations().isEmpty)
        }
    }
}
