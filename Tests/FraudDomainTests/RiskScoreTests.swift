import BillingCore
import FraudDomain
import Testing

@Suite("Scores") struct RiskScoreTests {
    private static let certain = RiskScore(clamping: 10_000)

    @Test("are exact text with four places, and read back, for all 10,001 of them") func text() {
        for basisPoints in 0...10_000 {
            let score = RiskScore(clamping: basisPoints)
            #expect(score.description.utf8.count == 6)
            #expect(RiskScore(score.description) == score)
        }
        #expect(RiskScore(clamping: 1_200).description == "0.1200")
        #expect(RiskScore.none.description == "0.0000")
        #expect(Self.certain.description == "1.0000")
        #expect(RiskScore(clamping: -1) == .none)
        #expect(RiskScore(clamping: 10_001) == Self.certain)
    }

    @Test(
        "are not read in any other form",
        arguments: ["", "0", "0.12", "0.12000", ".12000", "1.0001", "2.0000", "0,1200", "-0.120", "0.12e0"])
    func strict(text: String) {
        #expect(RiskScore(text) == nil)
    }

    @Test("of two signs never sink, never leave 0…1 and do not depend on the order") func combined() {
        for left in stride(from: 0, through: 10_000, by: 119) {
            for right in stride(from: 0, through: 10_000, by: 97) {
                let (one, two) = (RiskScore(clamping: left), RiskScore(clamping: right))
                let both = one.combined(with: two)
                #expect(both == two.combined(with: one))
                #expect(both >= max(one, two) && both <= Self.certain)
                let exact = left * 10_000 + right * 10_000 - left * right
                #expect(both.basisPoints == (exact + 5_000) / 10_000)
            }
        }
        let score = RiskScore(clamping: 4_321)
        #expect(score.combined(with: .none) == score)
        #expect(score.combined(with: Self.certain) == Self.certain)
    }
}

@Suite("Bands and decisions") struct RiskLevelTests {
    @Test(
        "change exactly at 0.50, 0.75 and 0.95",
        arguments: [
            (0, RiskLevel.low, RiskDecision.approve), (4_999, .low, .approve), (5_000, .elevated, .review),
            (7_499, .elevated, .review), (7_500, .high, .review), (9_499, .high, .review), (9_500, .critical, .block),
            (10_000, .critical, .block),
        ])
    func thresholds(basisPoints: Int, level: RiskLevel, decision: RiskDecision) {
        let found = RiskLevel(of: RiskScore(clamping: basisPoints))
        #expect(found == level)
        #expect(found.decision == decision)
    }
}
