import BillingCore
import PaymentDomain
import Testing

@Suite("Thresholds of strong customer authentication") struct SCAThresholdTests {
    /// Whether a risk analysis exempts: amount in cents; fraud rates of 0, 1, 1.01, 6, 6.01, 13, 13.01 basis points.
    private static let analysis: [(Int64, [Bool])] = [
        (1, [true, true, true, true, true, true, false]),
        (9_999, [true, true, true, true, true, true, false]),
        (10_000, [true, true, true, true, true, true, false]),
        (10_001, [true, true, true, true, false, false, false]),
        (24_999, [true, true, true, true, false, false, false]),
        (25_000, [true, true, true, true, false, false, false]),
        (25_001, [true, true, false, false, false, false, false]),
        (49_999, [true, true, false, false, false, false, false]),
        (50_000, [true, true, false, false, false, false, false]),
        (50_001, [false, false, false, false, false, false, false]),
        (.max, [false, false, false, false, false, false, false]),
    ]
    private static let rates: [String] = ["0", "1", "1.01", "6", "6.01", "13", "13.01"]

    @Test("risk analysis: every amount at a threshold with every rate at a threshold", arguments: 0..<analysis.count)
    func riskAnalysis(index: Int) throws {
        let (minor, exempt) = Self.analysis[index]
        for (rate, isExempt) in zip(Self.rates, exempt) {
            let payment = try Law.payment(Law.eur(minor)) {
                $0.acquirerFraudRate = try ExactDecimal(parsing: rate)
                $0.riskScore = try ExactDecimal(parsing: "0.4999")
            }
            let expected: SCAOutcome = isExempt ? .exempt(.riskAnalysis) : .required(.regulation)
            #expect(try Law.outcome(payment) == expected, "\(minor) at \(rate)")
        }
    }

    @Test("in the UK the thresholds are 85, 220 and 440 pounds")
    func britain() throws {
        let table: [(Int64, String, Bool)] = [
            (8_500, "13", true), (8_501, "13", false), (22_000, "6", true), (22_001, "6", false),
            (44_000, "1", true), (44_001, "1", false),
        ]
        for (minor, rate, isExempt) in table {
            let payment = try Law.payment(Law.gbp(minor), from: "GB", to: "GB") {
                $0.acquirerFraudRate = try ExactDecimal(parsing: rate)
                $0.riskScore = .zero
            }
            #expect(try Law.outcome(payment) == (isExempt ? .exempt(.riskAnalysis) : .required(.regulation)))
        }
    }

    @Test("no risk analysis without a fraud rate, without a score, or with a rate below zero") func unknowns() throws {
        #expect(try Law.outcome(Law.payment(Law.eur(1)) { $0.riskScore = .zero }) == .required(.regulation))
        #expect(try Law.outcome(Law.payment(Law.eur(1)) { $0.acquirerFraudRate = .zero }) == .required(.regulation))
        let negative = Law.payment(Law.eur(1)) {
            $0.riskScore = .zero
            $0.acquirerFraudRate = ExactDecimal(-1)
        }
        #expect(try Law.outcome(negative) == .required(.regulation))
    }

    /// Amount, what came before, how many, and whether by total, by count, by both.
    private static let low: [(Int64, Int64, Int, Bool, Bool)] = [
        (3_000, 0, 0, true, true), (3_001, 0, 0, false, false), (2_999, 9_999, 4, true, true),
        (1, 10_000, 5, true, true), (1, 10_001, 5, false, true), (1, 10_000, 6, true, false),
        (1, 10_001, 6, false, false), (3_000, 10_000, 5, true, true), (3_001, 10_000, 5, false, false),
        (3_000, 10_001, 0, false, true), (3_000, 0, 6, true, false), (0, 0, 0, true, true),
    ]

    @Test("low value: every limit on both sides, by each count", arguments: 0..<low.count)
    func lowValue(index: Int) throws {
        let (minor, total, count, byTotal, byCount) = Self.low[index]
        let payment = Law.payment(Law.eur(minor)) { $0.counters = Law.counters(Law.eur(total), count) }
        let table: [(SCAEngine.LowValueCount, Bool)] = [
            (.total, byTotal), (.payments, byCount), (.both, byTotal && byCount),
        ]
        for (kept, isExempt) in table {
            let expected: SCAOutcome = isExempt ? .exempt(.lowValue) : .required(.regulation)
            #expect(try Law.outcome(payment, SCAEngine(lowValueCount: kept)) == expected, "\(kept)")
        }
    }

    @Test("low value in the UK is 25 pounds, 85 in all; unknown or foreign counters claim nothing")
    func lowValueElsewhere() throws {
        let table: [(Int64, Int64, Bool)] = [
            (2_500, 8_500, true), (2_501, 0, false), (2_500, 8_501, false),
        ]
        for (minor, total, isExempt) in table {
            let payment = Law.payment(Law.gbp(minor), from: "GB", to: "GI") {
                $0.counters = Law.counters(Law.gbp(total), 5)
            }
            #expect(try Law.outcome(payment) == (isExempt ? .exempt(.lowValue) : .required(.regulation)))
        }
        #expect(try Law.outcome(Law.payment(Law.eur(1))) == .required(.regulation))
        let foreign = Law.payment(Law.eur(1)) { $0.counters = Law.counters(Law.gbp(0), 0) }
        #expect(try Law.outcome(foreign) == .required(.regulation))
    }

    @Test("other currencies are converted exactly, never rounded into an exemption") func conversion() throws {
        let dollars = Money(minor: 3_300, currency: .usd)
        func payment(_ amount: Money, _ rate: String, to: Currency = .eur) throws -> SCAPayment {
            try Law.payment(amount) {
                $0.counters = Law.counters(Law.eur(0), 0)
                $0.rates = [.init(from: amount.currency, to: to, rate: try ExactDecimal(parsing: rate))]
            }
        }
        // 33 dollars: 30 euros at 10/11 exactly; the nearest rate above goes over by less than a millionth of a cent.
        #expect(try Law.outcome(payment(dollars, "0.90909090909")) == .exempt(.lowValue))
        #expect(try Law.outcome(payment(dollars, "0.90909090910")) == .required(.regulation))
        let yen = Money(minor: 3_000, currency: .jpy)
        #expect(try Law.outcome(payment(yen, "0.01")) == .exempt(.lowValue))
        #expect(try Law.outcome(payment(yen, "0.0100000001")) == .required(.regulation))
        #expect(try Law.outcome(payment(dollars, "0")) == .required(.regulation))
        #expect(try Law.outcome(payment(dollars, "-1")) == .required(.regulation))
        #expect(try Law.outcome(payment(dollars, "0.5", to: .gbp)) == .required(.regulation))
        #expect(
            try Law.outcome(Law.payment(dollars) { $0.counters = Law.counters(Law.eur(0), 0) })
                == .required(.regulation))
        let huge = try payment(Money(minor: .max, currency: .usd), "1.0000000000000000000000000000000000001")
        #expect(throws: MoneyError.overflow) { try Law.outcome(huge) }
    }

    @Test(
        "risk bands",
        arguments: [
            ("0", RiskBand.low), ("0.4999", .low), ("0.5", .review), ("0.50", .review), ("0.7499", .review),
            ("0.75", .stepUp), ("0.9499", .stepUp), ("0.95", .blocked), ("1", .blocked), ("-1", .low),
        ])
    func bands(score: String, band: RiskBand) throws {
        #expect(RiskBand(score: try ExactDecimal(parsing: score)) == band)
    }
}
