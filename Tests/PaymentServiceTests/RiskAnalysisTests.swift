import BillingCore
import PaymentDomain
import PaymentRecords
import PaymentService
import Testing

@Suite("Risk analysis as an exemption") struct RiskAnalysisTests {
    private static let french = "4000002500000003"

    @Test(
        "a score is an analysis to rely on only where spending was looked at",
        arguments: [("amount_high", "exempt risk_analysis"), ("velocity_unavailable", "required regulation")])
    func analysis(_ reason: String, _ expected: String) async throws {
        try await withPayments(sca: SCAPolicy(fraudRate: ExactDecimal("5.9"))) { world in
            let payment: PaymentRecord = try await world.created(try await world.payer(Self.french), 8_000, "EUR")
            await world.deliver([world.verdict(payment, score: "0.0500", reasons: [reason])])
            #expect(word(try await world.settled(payment.id)).hasPrefix(expected))
        }
    }
}
