import BillingCore
import PaymentDomain
import TestKit
import Testing

private func date(_ text: String) throws -> CivilDate { try #require(CivilDate(text)) }
private func decimal(_ text: String) throws -> ExactDecimal { try ExactDecimal(parsing: text) }
private func currency(_ code: String) throws -> Currency { try #require(Currency(code)) }

@Suite("Rates and conversions") struct ConversionTests {
    /// Friday, 20 November 2026, with made-up rates.
    private func table() throws -> RateTable {
        var table = RateTable()
        table.insert([
            try RateDay(
                date: date("2026-11-20"),
                perEuro: [
                    .usd: decimal("1.1000"), .jpy: decimal("165.00"), .gbp: decimal("0.88"),
                    currency("KWD"): decimal("0.3375"),
                ]),
            try RateDay(date: date("2026-11-19"), perEuro: [.usd: decimal("1.2"), currency("ISK"): decimal("142.5")]),
        ])
        return table
    }

    @Test(
        "converts through the euro and rounds once",
        arguments: [
            ("EUR", "USD", 10_000, 0, Rounding.halfUp, 11_000), ("USD", "EUR", 10_000, 0, .halfUp, 9_091),
            ("USD", "EUR", 10_000, 0, .down, 9_090), ("USD", "JPY", 100, 0, .halfEven, 150),
            ("JPY", "KWD", 1_000, 0, .halfUp, 2_045), ("KWD", "JPY", 1_000, 0, .halfUp, 489),
            ("EUR", "USD", 10_000, 150, .halfUp, 11_165), ("EUR", "USD", 10_000, -150, .halfUp, 10_835),
            ("EUR", "USD", 1, 150, .up, 2), ("USD", "GBP", 333, 25, .halfUp, 267),
            ("EUR", "USD", -10_000, 0, .halfUp, -11_000), ("EUR", "JPY", 0, 0, .up, 0),
        ] as [(String, String, Int64, Int, Rounding, Int64)])
    func converted(
        from: String, to: String, minor: Int64, spread: Int, rounding: Rounding, expected: Int64
    ) throws {
        let rate = try table().rate(from: currency(from), to: currency(to), on: date("2026-11-20"))
        let given = Money(minor: minor, currency: try currency(from))
        let made = try rate.convert(given, spreadBasisPoints: spread, rounding: rounding)
        #expect(made.received == Money(minor: expected, currency: try currency(to)))
        #expect(made.given == given && made.rate == rate && made.spreadBasisPoints == spread)
        #expect(rate.source == .ecb)
    }

    @Test("a conversion is the exact fraction, rounded: compared in whole numbers") func exact() throws {
        var random = Seeded()
        let day = try date("2026-11-20")
        for _ in 0..<20_000 {
            let numerator = Int64.random(in: 1...99_999_999, using: &random)
            let denominator = Int64.random(in: 1...99_999_999, using: &random)
            let pair: [Currency] = Array(Currency.all.shuffled(using: &random).prefix(2))
            let rate = try ExchangeRate(
                from: pair[0], to: pair[1], numerator: ExactDecimal(coefficient: Int128(numerator), scale: 4),
                denominator: ExactDecimal(coefficient: Int128(denominator), scale: 4), date: day, source: .ecb)
            let minor = Int64.random(in: 1...1_000_000_000, using: &random)
            let spread = Int.random(in: -9_999...10_000, using: &random)
            // received = minor × n × (10000 + spread) × 10^to / (d × 10000 × 10^from)
            var above: Int128 = Int128(minor) * Int128(numerator) * Int128(10_000 + spread)
            var below: Int128 = Int128(denominator) * 10_000
            for _ in 0..<pair[1].exponent { above *= 10 }
            for _ in 0..<pair[0].exponent { below *= 10 }
            let (quotient, rest) = above.quotientAndRemainder(dividingBy: below)
            guard quotient < Int128(Int64.max) else { continue }
            let given = Money(minor: minor, currency: pair[0])
            let down = try rate.convert(given, spreadBasisPoints: spread, rounding: .down).received
            let up = try rate.convert(given, spreadBasisPoints: spread, rounding: .up).received
            #expect(Int128(down.minor) == quotient, "seed \(random.seed)")
            #expect(Int128(up.minor) == quotient + (rest > 0 ? 1 : 0), "seed \(random.seed)")
        }
    }

    @Test("there and back through rounded cross rates of one day loses at most the rounding") func inverse() throws {
        let table = try table()
        let day = try date("2026-11-20")
        let there = try table.rate(from: .usd, to: .gbp, on: day)
        let back = try table.rate(from: .gbp, to: .usd, on: day)
        #expect(there.numerator == back.denominator && there.denominator == back.numerator)
        #expect(try there.decimal(scale: 4).description == "0.8" && back.decimal(scale: 4).description == "1.25")
        for minor in 1...2_000 as ClosedRange<Int64> {
            let given = Money(minor: minor, currency: .gbp)
            let dollars = try back.convert(given, rounding: .halfUp).received
            #expect(try there.convert(dollars, rounding: .halfUp).received == given)
        }
    }

    @Test("the newest publication up to the day counts, over weekends, until too many were missed") func stale() throws
    {
        let table = try table()
        for (day, rate) in [
            ("2026-11-19", "1.2"), ("2026-11-20", "1.1"), ("2026-11-22", "1.1"), ("2026-11-23", "1.1"),
        ] {
            #expect(try table.rate(from: .eur, to: .usd, on: date(day)).numerator == decimal(rate))
        }
        #expect(throws: ExchangeError.stale(published: try date("2026-11-20"), missed: 2)) {
            try table.rate(from: .eur, to: .usd, on: date("2026-11-24"))
        }
        #expect(try table.rate(from: .eur, to: .usd, on: date("2026-11-24"), maxMissed: 2).date == date("2026-11-20"))
        #expect(throws: ExchangeError.stale(published: try date("2026-11-20"), missed: 1)) {
            try table.rate(from: .eur, to: .usd, on: date("2026-11-23"), maxMissed: 0)
        }
        #expect(try table.rate(from: currency("ISK"), to: .eur, on: date("2026-11-20")).date == date("2026-11-19"))
        #expect(throws: ExchangeError.noRate(from: .usd, to: .eur)) {
            try table.rate(from: .usd, to: .eur, on: date("2026-11-18"))
        }
        #expect(throws: ExchangeError.noRate(from: .gbp, to: try currency("ISK"))) {
            try table.rate(from: .gbp, to: currency("ISK"), on: date("2026-11-20"))
        }
        #expect(throws: ExchangeError.sameCurrency(.usd)) {
            try table.rate(from: .usd, to: .usd, on: date("2026-11-20"))
        }
        #expect(try table.newest == date("2026-11-20") && RateTable().newest == nil)
    }

    @Test("a day put in again replaces the old one") func replaced() throws {
        var table = try table()
        let day = try date("2026-11-20")
        table.insert([try RateDay(date: day, perEuro: [.usd: decimal("1.3")])])
        #expect(try table.rate(from: .eur, to: .usd, on: day).numerator == decimal("1.3"))
    }

    @Test("what is no rate and no conversion is refused") func refusals() throws {
        let day = try date("2026-11-20")
        for text in ["0", "-1.1"] {
            #expect(throws: ExchangeError.rateNotPositive) {
                try ExchangeRate(from: .eur, to: .usd, numerator: decimal(text), date: day, source: .ecb)
            }
            #expect(throws: ExchangeError.rateNotPositive) { try RateDay(date: day, perEuro: [.usd: decimal(text)]) }
        }
        #expect(throws: ExchangeError.sameCurrency(.eur)) { try RateDay(date: day, perEuro: [.eur: decimal("1")]) }
        let rate = try ExchangeRate(from: .eur, to: .usd, numerator: decimal("1.1"), date: day, source: .ecb)
        let euros = Money(minor: 100, currency: .eur)
        #expect(throws: ExchangeError.wrongCurrency(.gbp)) { try rate.convert(.zero(.gbp), rounding: .down) }
        for spread in [-10_000, 10_001, Int.min, Int.max] {
            #expect(throws: ExchangeError.spreadOutOfRange) {
                try rate.convert(euros, spreadBasisPoints: spread, rounding: .down)
            }
        }
        #expect(throws: ExchangeError.amount(.overflow)) {
            try rate.convert(Money(minor: .max, currency: .eur), rounding: .down)
        }
    }

    @Test("a settlement balances in both currencies, and the difference is a gain or a loss") func booked() throws {
        let given = Money(minor: 10_000, currency: .usd)
        let booked = Money(minor: 9_200, currency: .eur)
        for settledMinor in [9_150, 9_200, 9_260] as [Int64] {
            let settled = Money(minor: settledMinor, currency: .eur)
            let lines = try ExchangeLedger.settlement(of: given, booked: booked, settled: settled, provider: "stripe")
            for currency in [Currency.usd, .eur] {
                let amounts: [Int64] = lines.filter { $0.amount.currency == currency }.map(\.amount.minor)
                #expect(amounts.reduce(0, +) == 0 && !amounts.contains(0))
            }
            let loss: [Int64] = lines.filter { $0.account == ExchangeLedger.loss }.map(\.amount.minor)
            let gain: [Int64] = lines.filter { $0.account == ExchangeLedger.gain }.map(\.amount.minor)
            #expect(loss == (settledMinor < 9_200 ? [9_200 - settledMinor] : []))
            #expect(gain == (settledMinor > 9_200 ? [9_200 - settledMinor] : []))
            let provider: [Posting] = lines.filter { $0.account == Ledger.providerBalance("stripe") }
            #expect(provider.map(\.amount) == [try given.negated(), settled])
        }
        #expect(throws: ExchangeError.sameCurrency(.eur)) {
            try ExchangeLedger.settlement(of: booked, booked: booked, settled: booked, provider: "stripe")
        }
        #expect(throws: ExchangeError.amount(.currencyMismatch(.gbp, .eur))) {
            try ExchangeLedger.settlement(of: given, booked: .zero(.gbp), settled: booked, provider: "stripe")
        }
    }
}
