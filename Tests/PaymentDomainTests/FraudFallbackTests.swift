import PaymentDomain
import Testing

@Suite("When Fraud stays silent") struct FraudFallbackTests {
    @Test(
        "the policy's word is the decision, without a score",
        arguments: [
            (FraudFallback.approve, RiskVerdict.Decision.approve), (.review, .review), (.block, .block),
        ])
    func decisions(policy: FraudFallback, decision: RiskVerdict.Decision) {
        #expect(
            RiskVerdict.fallback(policy) == RiskVerdict(score: nil, decision: decision, reasons: ["fraud_silent"]))
    }

    @Test("every policy has a name to configure it by") func names() {
        #expect(FraudFallback.allCases.map(\.rawValue) == ["approve", "review", "block"])
        #expect(FraudFallback(rawValue: "Approve") == nil)
    }
}
