import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("The fraud rate") struct FraudRateTests {
    private static func tally(_ volume: Int64, _ fraud: Int64, payments: Int64 = 1_000) throws -> FraudRate.Tally {
        var tally = FraudRate.Tally()
        try tally.add(
            volume: Money(minor: volume, currency: .eur), fraud: Money(minor: fraud, currency: .eur),
            payments: payments, worth: .one)
        return tally
    }

    @Test(
        "is fraud by value in basis points, rounded up, and nothing where there is too little to tell",
        arguments: [
            (1_000_000, 0, 1_000, "0"), (1_000_000, 100, 1_000, "1"), (1_000_000, 1_300, 1_000, "13"),
            (3_000_000, 100, 1_000, "0.3334"), (1_000_000_000_000, 1, 1_000, "0.0001"),
            (100, 100, 1_000, "10000"), (100, 300, 1_000, "30000"), (1_000_000, 100, 999, nil), (0, 0, 1_000, nil),
            (0, 100, 1_000, nil),
        ] as [(Int64, Int64, Int64, String?)])
    func basisPoints(_ volume: Int64, _ fraud: Int64, _ payments: Int64, _ expected: String?) throws {
        let rate = try FraudRate(try Self.tally(volume, fraud, payments: payments))
        #expect(rate?.basisPoints == expected.flatMap { ExactDecimal($0) })
    }

    @Test(
        "is never below the exact ratio, and less than a ten-thousandth of a basis point above it",
        .timeLimit(.minutes(1)))
    func exact() throws {
        var random = Seeded()
        for _ in 0..<2_000 {
            let volume = Int64.random(in: 1...1_000_000_000_000, using: &random)
            let fraud = Int64.random(in: 0...volume, using: &random)
            let rate = try #require(try FraudRate(try Self.tally(volume, fraud)))
            let given: ExactDecimal = try rate.basisPoints.multiplied(by: ExactDecimal(volume))
            let exact: ExactDecimal = try ExactDecimal(fraud).multiplied(by: ExactDecimal(10_000))
            let above: ExactDecimal = try given.subtracting(exact)
            let step: ExactDecimal = try ExactDecimal(coefficient: Int128(volume), scale: 4)
            #expect(!above.isNegative && above < step, "seed \(random.seed)")
        }
    }

    @Test("adds currencies by what they are worth") func currencies() throws {
        var tally: FraudRate.Tally = try Self.tally(1_000_000, 0)
        try tally.add(
            volume: Money(minor: 2_000_000, currency: .jpy), fraud: Money(minor: 160_000, currency: .jpy), payments: 5,
            worth: try ExactDecimal(coefficient: 625, scale: 5))
        // EUR 10,000 and JPY 2,000,000, which are EUR 12,500; of them JPY 160,000, EUR 1,000, were fraud.
        #expect(tally.payments == 1_005)
        #expect(try FraudRate(tally)?.basisPoints == ExactDecimal("444.4445"))
    }
}
