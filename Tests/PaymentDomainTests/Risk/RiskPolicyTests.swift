import BillingCore
import PaymentDomain
import Testing

@Suite("What is done with a risk") struct RiskPolicyTests {
    typealias Action = RiskPolicy.Action

    private static func decimal(_ text: String) throws -> ExactDecimal { try ExactDecimal(parsing: text) }

    private static func policy(
        _ highRisk: RiskPolicy.HighRisk = .stepUp, _ review: RiskPolicy.Review = .hold
    ) throws -> RiskPolicy {
        try RiskPolicy(
            reviewFrom: decimal("0.50"), stepUpFrom: decimal("0.75"), blockFrom: decimal("0.95"), highRisk: highRisk,
            review: review)
    }

    private static func verdict(_ score: String?, _ decision: RiskVerdict.Decision = .approve) -> RiskVerdict {
        RiskVerdict(score: score, decision: decision, reasons: [])
    }

    /// Score, Fraud's decision, on session, off session.
    private static let table: [(String?, RiskVerdict.Decision, Action, Action)] = [
        ("0.0000", .approve, .approve, .approve),
        ("0.4999", .approve, .approve, .approve),
        ("0.49999999999999999999999999999999999999", .approve, .approve, .approve),
        ("0.5000", .approve, .holdForReview, .holdForReview),
        ("0.5", .approve, .holdForReview, .holdForReview),
        ("0.7499", .review, .holdForReview, .holdForReview),
        ("0.7500", .review, .stepUp, .holdForReview),
        ("0.7500", .approve, .stepUp, .holdForReview),
        ("0.9499", .review, .stepUp, .holdForReview),
        ("0.9500", .review, .block, .block),
        ("0.9500", .approve, .block, .block),
        ("1.0000", .block, .block, .block),
        ("1", .approve, .block, .block),
        // The stricter word: a list or a rule of Fraud's without a high score.
        ("0.1000", .review, .holdForReview, .holdForReview),
        ("0.1000", .block, .block, .block),
        // No score: the fallback decided.
        (nil, .approve, .approve, .approve),
        (nil, .review, .holdForReview, .holdForReview),
        (nil, .block, .block, .block),
        // No number from 0 to 1: a person looks.
        ("", .approve, .holdForReview, .holdForReview),
        ("high", .approve, .holdForReview, .holdForReview),
        ("1.0001", .approve, .holdForReview, .holdForReview),
        ("-0.1", .approve, .holdForReview, .holdForReview),
        ("0,97", .approve, .holdForReview, .holdForReview),
        ("NaN", .review, .holdForReview, .holdForReview),
        ("9e-1", .approve, .holdForReview, .holdForReview),
        ("nonsense", .block, .block, .block),
    ]

    @Test("score and decision lead where the table says, with and without the customer", arguments: 0..<table.count)
    func bands(index: Int) throws {
        let (score, decision, present, absent) = Self.table[index]
        let policy: RiskPolicy = try Self.policy()
        let verdict: RiskVerdict = Self.verdict(score, decision)
        #expect(policy.action(for: verdict, offSession: false, authenticated: false) == present)
        #expect(policy.action(for: verdict, offSession: true, authenticated: false) == absent)
    }

    @Test("a customer who has authenticated is not asked again, and is blocked all the same from 0.95 on")
    func authenticated() throws {
        let policy: RiskPolicy = try Self.policy()
        let table: [(String, Action)] = [
            ("0.6000", .holdForReview), ("0.7500", .approve), ("0.9499", .approve), ("0.9500", .block),
        ]
        for (score, action) in table {
            #expect(
                policy.action(for: Self.verdict(score), offSession: false, authenticated: true) == action, "\(score)")
        }
    }

    @Test("high risk is blocked where the merchant says so") func blocking() throws {
        let policy: RiskPolicy = try Self.policy(.block)
        for (score, action) in [("0.7499", Action.holdForReview), ("0.7500", .block), ("0.9499", .block)] {
            #expect(
                policy.action(for: Self.verdict(score), offSession: false, authenticated: true) == action, "\(score)")
        }
    }

    @Test("reviews that only mark let the payment go on, but not what has to be authenticated") func marking() throws {
        let policy: RiskPolicy = try Self.policy(.stepUp, .mark)
        #expect(policy.action(for: Self.verdict("0.6000"), offSession: false, authenticated: false) == .approve)
        #expect(policy.action(for: Self.verdict("0.1", .review), offSession: true, authenticated: false) == .approve)
        #expect(policy.action(for: Self.verdict("0.8000"), offSession: false, authenticated: false) == .stepUp)
        #expect(policy.action(for: Self.verdict("0.8000"), offSession: true, authenticated: false) == .holdForReview)
        #expect(policy.action(for: Self.verdict(nil, .review), offSession: false, authenticated: false) == .approve)
    }

    @Test("a fallback's review that only marks lets the payment go on") func onlyMarks() throws {
        let mark = RiskVerdict(score: nil, decision: .review, reasons: ["fraud_silent"], onlyMarks: true)
        let policy: RiskPolicy = try Self.policy()
        for offSession in [false, true] {
            #expect(policy.action(for: mark, offSession: offSession, authenticated: false) == .approve)
        }
    }

    /// Score, Fraud's decision, and what is done under thresholds of 0.60, 0.85 and 0.99.
    private static let raised: [(String, RiskVerdict.Decision, Action)] = [
        ("0.5500", .review, .approve), ("0.6000", .review, .holdForReview), ("0.8000", .review, .holdForReview),
        ("0.8500", .review, .stepUp), ("0.9600", .block, .stepUp), ("0.9900", .block, .block),
        // What the score does not say: a rule of Fraud's.
        ("0.1000", .review, .holdForReview), ("0.4999", .review, .holdForReview), ("0.9499", .block, .block),
        ("0.5500", .block, .block), ("1.0000", .block, .block),
    ]

    @Test("thresholds that were raised hold, and Fraud's own word only where the score does not say it")
    func raisedThresholds() throws {
        let policy = try RiskPolicy(
            reviewFrom: Self.decimal("0.60"), stepUpFrom: Self.decimal("0.85"), blockFrom: Self.decimal("0.99"),
            highRisk: .stepUp, review: .hold)
        for (score, decision, action) in Self.raised {
            let verdict: RiskVerdict = Self.verdict(score, decision)
            #expect(
                policy.action(for: verdict, offSession: false, authenticated: false) == action, "\(score) \(decision)")
        }
        let all = try RiskPolicy(
            reviewFrom: .one, stepUpFrom: .one, blockFrom: .one, highRisk: .block, review: .hold)
        for (score, decision) in [("0.7000", RiskVerdict.Decision.review), ("0.9999", .block)] {
            let action = all.action(for: Self.verdict(score, decision), offSession: true, authenticated: false)
            #expect(action == .approve, "\(score)")
        }
    }

    @Test("a higher score is never treated more kindly") func monotonic() throws {
        let rank: [Action: Int] = [.approve: 0, .holdForReview: 1, .stepUp: 2, .block: 3]
        for decision in RiskVerdict.Decision.allCases {
            for offSession in [false, true] {
                var last = 0
                for basisPoints in 0...10_000 {
                    let score: String = try ExactDecimal(coefficient: Int128(basisPoints), scale: 4).description
                    let action: Action = try Self.policy()
                        .action(for: Self.verdict(score, decision), offSession: offSession, authenticated: false)
                    let now: Int = try #require(rank[action])
                    #expect(now >= last, "\(score) \(decision)")
                    last = now
                }
            }
        }
    }

    @Test(
        "thresholds out of order are refused",
        arguments: [
            ("0", "0.75", "0.95"), ("-0.1", "0.75", "0.95"), ("0.80", "0.75", "0.95"), ("0.50", "0.96", "0.95"),
            ("0.50", "0.75", "1.01"),
        ])
    func invalid(review: String, stepUp: String, block: String) throws {
        let (review, stepUp, block) = (try Self.decimal(review), try Self.decimal(stepUp), try Self.decimal(block))
        #expect(throws: RiskPolicy.Invalid.self) {
            try RiskPolicy(
                reviewFrom: review, stepUpFrom: stepUp, blockFrom: block, highRisk: .stepUp, review: .hold)
        }
    }

    @Test("the standard is the specification's") func standard() throws {
        let policy: RiskPolicy = try Self.policy()
        #expect(RiskPolicy.standard == policy)
    }
}
