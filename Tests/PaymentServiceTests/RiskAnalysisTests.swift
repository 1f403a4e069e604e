import BillingCore
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
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

    /// The review threshold, a score, and whether it is an analysis to rely on.
    private static let thresholds: [(String, String, Bool)] = [
        ("0.60", "0.4999", true), ("0.60", "0.5000", false), ("0.60", "0.5999", false), ("0.75", "0.7000", false),
        ("0.30", "0.2999", true), ("0.30", "0.3000", false),
    ]

    @Test(
        "thresholds that were raised exempt no score that is too high by the law's measure, lowered ones fewer",
        arguments: thresholds)
    func raised(_ reviewFrom: String, _ score: String, _ isExempt: Bool) async throws {
        let risk = try RiskPolicy(
            reviewFrom: ExactDecimal(parsing: reviewFrom), stepUpFrom: ExactDecimal(parsing: "0.85"),
            blockFrom: ExactDecimal(parsing: "0.99"), highRisk: .stepUp, review: .hold)
        try await withPayments { base in
            let world = PaymentWorld(base.database, sca: SCAPolicy(fraudRate: ExactDecimal("5.9")), risk: risk)
            let payment: PaymentRecord = try await world.pay(
                try await world.payer(Self.french), 8_000, "EUR", score: score)
            #expect(word(payment) == (isExempt ? "exempt risk_analysis merchant" : "required regulation -"))
            #expect(try await world.charged() == (isExempt ? 1 : 0))
        }
    }

    /// Amounts in the bands of EUR 100, 250 and 500 and beyond, a fraud rate in basis points, and whether it is low enough.
    private static let rates: [(Int64, String, Bool)] = [
        (10_000, "13", true), (10_000, "13.01", false), (25_000, "6", true), (25_000, "6.01", false),
        (50_000, "1", true), (50_000, "1.01", false), (50_001, "0", false),
    ]

    @Test("a fraud rate that is set above the reference rate of the amount's band exempts nothing", arguments: rates)
    func aboveTheReference(_ amount: Int64, _ rate: String, _ isExempt: Bool) async throws {
        try await withPayments(sca: SCAPolicy(fraudRate: ExactDecimal(rate))) { world in
            let payment: PaymentRecord = try await world.pay(try await world.payer(Self.french), amount, "EUR")
            #expect(word(payment) == (isExempt ? "exempt risk_analysis merchant" : "required regulation -"))
            #expect(try await world.charged() == (isExempt ? 1 : 0))
        }
    }
}

extension PaymentWorld {
    /// How many charges have taken money.
    fileprivate func charged() async throws -> Int {
        try await number("SELECT count(*) FROM sandbox_charges WHERE outcome = 'succeeded'")
    }
}
