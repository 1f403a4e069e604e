import BillingCore
import PaymentDomain
import Testing

@Suite("When Fraud stays silent") struct FraudFallbackTests {
    private static let price = Money(minor: 1_299, currency: .usd)

    @Test(
        "the policy's word is the decision, without a score",
        arguments: [
            (FraudFallback.approve, RiskVerdict.Decision.approve), (.review, .review), (.block, .block),
        ])
    func decisions(policy: FraudFallback, decision: RiskVerdict.Decision) {
        #expect(
            RiskVerdict.fallback(policy, of: Self.price, isUnattended: false)
                == RiskVerdict(score: nil, decision: decision, reasons: ["fraud_silent"]))
    }

    /// Amounts in cents of US dollars and what Fraud's rule makes of them.
    private static let amounts: [(Int64, String, RiskVerdict.Decision, [String])] = [
        (1_299, "0.0200", .approve, []), (99_999, "0.1999", .approve, []),
        (100_000, "0.2000", .approve, ["amount_high"]), (499_999, "0.4999", .approve, ["amount_high"]),
        (500_000, "0.5000", .review, ["amount_high"]), (1_000_000, "0.7500", .review, ["amount_high"]),
        (100_000_000, "0.9000", .review, ["amount_high"]),
    ]

    @Test("by the rules the amount alone is scored, as Fraud does where it cannot count", arguments: 0..<amounts.count)
    func rules(index: Int) {
        let (minor, score, decision, spoken) = Self.amounts[index]
        for isUnattended in [false, true] {
            let verdict: RiskVerdict = .fallback(
                .rules, of: Money(minor: minor, currency: .usd), isUnattended: isUnattended)
            #expect(verdict.score == score && verdict.decision == decision && !verdict.onlyMarks)
            #expect(verdict.reasons == ["fraud_silent"] + spoken + ["velocity_unavailable"])
        }
    }

    @Test("a review of what nobody is behind is a mark") func unattended() {
        for policy in FraudFallback.allCases {
            let verdict: RiskVerdict = .fallback(policy, of: Self.price, isUnattended: true)
            #expect(verdict.onlyMarks == (policy == .review), "\(policy)")
        }
    }

    @Test("every policy has a name to configure it by") func names() {
        #expect(FraudFallback.allCases.map(\.rawValue) == ["rules", "approve", "review", "block"])
        #expect(FraudFallback(rawValue: "Approve") == nil)
    }
}
