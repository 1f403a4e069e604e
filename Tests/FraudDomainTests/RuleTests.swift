import BillingCore
import Foundation
import FraudDomain
import Testing

@Suite("The amount rule") struct AmountRuleTests {
    private func score(_ minor: Int64, _ code: String) throws -> Int {
        let currency = try #require(Currency(code))
        return AmountRule.score(Money(minor: minor, currency: currency)).basisPoints
    }

    @Test("leaves subscription prices alone and reviews thousands of dollars") func dollars() throws {
        #expect(try score(999, "USD") == 200)
        #expect(try score(100_00, "USD") == 200)
        #expect(try score(1_000_00, "USD") == 2_000)
        #expect(try score(5_000_00, "USD") == 5_000)
        #expect(try score(4_999_99, "USD") == 4_999)
        #expect(try score(10_000_00, "USD") == 7_500)
        #expect(try score(50_000_00, "USD") == 9_000)
    }

    @Test("knows that minor units differ: the same worth scores about the same") func exponents() throws {
        #expect(try score(150_000, "JPY") == score(1_000_00, "USD"))
        #expect(try score(1_000_000, "JOD") == score(1_000_00, "USD"))
        #expect(try score(999_00, "JPY") < 2_000)
        #expect(try score(25_000_000, "VND") == 2_000)
    }

    @Test("a hundred dollars' worth is a usual price in any currency, and ten thousand's is looked at")
    func worth() throws {
        // What is about 110 US dollars, and what is about 11,000.
        let table: [(code: String, units: Int64)] = [
            ("XPF", 12_000), ("ALL", 9_200), ("BIF", 325_000), ("GNF", 950_000), ("JMD", 17_500), ("MWK", 190_000),
            ("VUV", 13_200), ("CNY", 790), ("ETB", 15_000), ("KWD", 34), ("XAF", 66_000), ("USD", 110), ("GBP", 85),
        ]
        for (code, units) in table {
            let currency = try #require(Currency(code))
            let minor: Int64 = (0..<currency.exponent).reduce(units) { product, _ in product * 10 }
            #expect(try score(minor, code) < 500, "\(units) \(code)")
            let decision = RiskLevel(of: AmountRule.score(Money(minor: minor * 100, currency: currency))).decision
            #expect(decision == .review, "\(units * 100) \(code)")
        }
    }

    @Test("what a unit is worth is known of every currency there is") func everyCurrency() throws {
        let tables: [Set<String>] = [
            Set(AmountRule.weaker.keys), Set(AmountRule.stronger.keys), AmountRule.dollarLike,
        ]
        for currency in Currency.all {
            #expect(tables.filter { $0.contains(currency.code) }.count == 1, "\(currency.code)")
        }
        let file = "/Tests/FraudDomainTests/RuleTests.swift"
        let charged = try String(
            contentsOfFile: #filePath.dropLast(file.count) + "/docs/data/provider-units.csv", encoding: .utf8)
        let codes: [String] = charged.split(separator: "\n").dropFirst(2).map { String($0.prefix(3)) }
        #expect(codes.count > 100)
        for code in codes { #expect(tables.contains { $0.contains(code) }, "\(code)") }
        #expect(AmountRule.weaker.values.allSatisfy { $0 >= 2 } && AmountRule.stronger.values.allSatisfy { $0 >= 2 })
    }

    @Test("never blocks by itself and never sinks with the amount, in any currency") func bounds() {
        for currency in Currency.all {
            var last = RiskScore.none
            for minor: Int64 in [.min, -1, 0, 1, 999, 100_00, 100_000, 500_000, 1_000_000, 1_000_000_000, .max] {
                let score = AmountRule.score(Money(minor: minor, currency: currency))
                #expect(score >= last)
                #expect(RiskLevel(of: score).decision != .block)
                last = score
            }
            #expect(last.basisPoints == 9_000)
        }
    }
}

@Suite("The velocity rule") struct VelocityRuleTests {
    private let rule: VelocityRule

    init() throws { rule = VelocityRule(limits: try VelocityLimits(reviewPerHour: 60, blockPerHour: 200)) }

    @Test("reviews above the review limit and blocks above the block limit") func limits() {
        let table: [(count: Int, decision: RiskDecision)] = [
            (1, .approve), (2, .approve), (60, .approve), (61, .review), (200, .review), (201, .block),
            (1_000_000, .block),
        ]
        for (count, decision) in table {
            let hour = rule.score(hour: count, day: count, isUnattended: false)
            #expect(RiskLevel(of: hour).decision == decision, "\(count) in an hour")
            let day = rule.score(hour: 1, day: count * VelocityLimits.dayFactor, isUnattended: false)
            #expect(RiskLevel(of: day).decision == decision, "\(count * VelocityLimits.dayFactor) in a day")
        }
    }

    @Test("the first attempt scores nothing and no further one scores less") func monotonic() {
        #expect(rule.score(hour: 1, day: 1, isUnattended: false) == .none)
        var last = RiskScore.none
        for count in 1...300 {
            let score = rule.score(hour: count, day: count, isUnattended: false)
            #expect(score >= last)
            last = score
        }
    }

    @Test("a run of renewals is reviewed at most") func unattended() {
        let score = rule.score(hour: 20_000, day: 20_000, isUnattended: true)
        #expect(RiskLevel(of: score).decision == .review)
    }

    @Test(
        "limits that contradict each other are refused",
        arguments: [(0, 10), (10, 10), (11, 10), (1, 1_000_001), (-5, 5)])
    func invalid(review: Int, block: Int) {
        #expect(throws: VelocityLimits.Invalid.self) { try VelocityLimits(reviewPerHour: review, blockPerHour: block) }
    }
}

@Suite("The model") struct RiskModelTests {
    private let model: RiskModel
    private let price = Money(minor: 1_299, currency: .usd)

    init() throws { model = RiskModel(limits: try VelocityLimits(reviewPerHour: 60, blockPerHour: 200)) }

    private func assess(
        _ amount: Money, card: Int = 1, customer: Int = 1, isUnattended: Bool = false
    ) -> RiskVerdict {
        let counts = VelocityCounts(cardHour: card, cardDay: card, customerHour: customer, customerDay: customer)
        return model.assess(AttemptFeatures(amount: amount, isUnattended: isUnattended, velocity: counts))
    }

    @Test("a usual payment is approved without a word") func usual() {
        let verdict = assess(price)
        #expect(verdict.decision == .approve)
        #expect(verdict.score.description == "0.0200")
        #expect(verdict.reasons.isEmpty)
    }

    @Test("two dozen payments of one customer in an hour are still usual") func busy() {
        #expect(assess(price, card: 25, customer: 25).decision == .approve)
    }

    @Test("a burst goes from approve over review to block and names who burst") func burst() {
        #expect(assess(price, card: 60).decision == .approve)
        let review = assess(price, card: 61)
        #expect(review.decision == .review)
        #expect(review.reasons == [.cardVelocity])
        let block = assess(price, card: 201, customer: 201)
        #expect(block.decision == .block)
        #expect(block.reasons == [.cardVelocity, .customerVelocity])
        #expect(assess(price, customer: 201).reasons == [.customerVelocity])
    }

    @Test("a rate does not block a renewal") func renewal() {
        #expect(assess(price, card: 5_000, customer: 5_000, isUnattended: true).decision == .review)
    }

    @Test("a high amount and a high rate together weigh more than each") func together() {
        let amount = Money(minor: 6_000_00, currency: .usd)
        let both = assess(amount, card: 100)
        #expect(both.score > assess(amount).score)
        #expect(both.score > assess(price, card: 100).score)
        #expect(both.reasons == [.amountHigh, .cardVelocity])
    }

    @Test("without velocity the amount decides, and the verdict says so") func unavailable() {
        let small = model.assess(AttemptFeatures(amount: price, isUnattended: false, velocity: nil))
        #expect(small.decision == .approve)
        #expect(small.reasons == [.velocityUnavailable])
        let high = Money(minor: 9_000_00, currency: .usd)
        let large = model.assess(AttemptFeatures(amount: high, isUnattended: false, velocity: nil))
        #expect(large.decision == .review)
        #expect(large.reasons == [.amountHigh, .velocityUnavailable])
    }

    @Test("the same features give the same verdict") func repeatable() {
        for count in stride(from: 1, to: 400, by: 7) {
            #expect(assess(price, card: count, customer: count / 2) == assess(price, card: count, customer: count / 2))
        }
    }
}
