import BillingCore
import TestKit
import Testing

private func usd(_ minor: Int64) -> Money { Money(minor: minor, currency: .usd) }

@Suite("Money") struct MoneyTests {
    @Test("adds, subtracts, negates and multiplies") func arithmetic() throws {
        #expect(try usd(150).adding(usd(-200)) == usd(-50))
        #expect(try usd(150).subtracting(usd(-200)) == usd(350))
        #expect(try usd(150).negated() == usd(-150))
        #expect(try usd(-150).multiplied(by: -3) == usd(450))
        #expect(usd(0).isZero && !usd(0).isNegative && !usd(0).isPositive)
        #expect(usd(1).isPositive && usd(-1).isNegative && Money.zero(.jpy).isZero)
    }

    @Test("refuses to overflow or to mix currencies") func refusals() {
        #expect(throws: MoneyError.overflow) { try usd(.max).adding(usd(1)) }
        #expect(throws: MoneyError.overflow) { try usd(.min).subtracting(usd(1)) }
        #expect(throws: MoneyError.overflow) { try usd(.min).negated() }
        #expect(throws: MoneyError.overflow) { try usd(.max).multiplied(by: 2) }
        #expect(throws: MoneyError.overflow) { try usd(.min).multiplied(by: -1) }
        #expect(throws: MoneyError.currencyMismatch(.usd, .eur)) { try usd(1).adding(.zero(.eur)) }
        #expect(throws: MoneyError.currencyMismatch(.usd, .jpy)) { try usd(1).subtracting(.zero(.jpy)) }
    }

    @Test(
        "multiplies by a decimal and rounds once",
        arguments: [
            (1_000, "0.0725", Rounding.halfUp, 73), (1_000, "0.0725", .down, 72), (1_000, "0.0725", .halfEven, 72),
            (1_000, "0.0735", .halfEven, 74), (-1_000, "0.0725", .halfUp, -73), (-1_000, "0.0725", .floor, -73),
            (-1_000, "0.0725", .ceiling, -72), (-1_000, "0.0725", .down, -72), (-1_000, "0.0725", .up, -73),
            (1_000, "-0.0725", .halfUp, -73), (999, "0.00001", .halfUp, 0), (999, "0.00001", .up, 1),
            (999, "-0.00001", .floor, -1), (100, "3", .halfUp, 300), (0, "0.5", .up, 0),
            (Int64.max, "0.99999999999999999999999999999999999999", .down, Int64.max - 1),
            (Int64.max, "0.99999999999999999999999999999999999999", .halfUp, Int64.max),
            (Int64.min, "1", .halfUp, Int64.min),
        ] as [(Int64, String, Rounding, Int64)])
    func byDecimal(minor: Int64, factor: String, rounding: Rounding, expected: Int64) throws {
        let factor = try ExactDecimal(parsing: factor)
        #expect(try usd(minor).multiplied(by: factor, rounding: rounding) == usd(expected))
    }

    @Test("multiplies by a ratio without losing a unit on the way") func byRatio() throws {
        let half = try Ratio(numerator: 1, denominator: 2)
        #expect(try usd(5).multiplied(by: half, rounding: .halfUp) == usd(3))
        #expect(try usd(5).multiplied(by: half, rounding: .halfEven) == usd(2))
        #expect(try usd(-5).multiplied(by: half, rounding: .halfUp) == usd(-3))
        let huge = try Ratio(numerator: .max - 1, denominator: .max)
        #expect(try usd(.max).multiplied(by: huge, rounding: .down) == usd(.max - 1))
        #expect(try usd(.min).multiplied(by: Ratio.one, rounding: .down) == usd(.min))
        #expect(try usd(.max).multiplied(by: Ratio.zero, rounding: .up) == usd(0))
        let doubled = try Ratio(numerator: 2, denominator: 1)
        #expect(throws: MoneyError.overflow) { try usd(.max).multiplied(by: doubled, rounding: .down) }
        let big = try ExactDecimal(parsing: "99999999999999999999999999999999999999")
        #expect(throws: MoneyError.overflow) { try usd(.max).multiplied(by: big, rounding: .down) }
    }

    @Test("a ratio is in lowest terms and has a positive denominator") func ratios() throws {
        #expect(try Ratio(numerator: 6, denominator: 8) == Ratio(numerator: 3, denominator: 4))
        #expect(try Ratio(numerator: -6, denominator: 8).description == "-3/4")
        #expect(try Ratio(numerator: 0, denominator: 9) == .zero)
        #expect(try Ratio(numerator: .min, denominator: .max).numerator == .min)
        for denominator in [0, -1, Int64.min] {
            #expect(throws: MoneyError.divisionByZero) { try Ratio(numerator: 1, denominator: denominator) }
        }
    }

    @Test(
        "reads and writes major units with the currency's decimals",
        arguments: [
            ("12.34", "USD", 1_234, "12.34"), ("12", "USD", 1_200, "12.00"), ("0.5", "USD", 50, "0.50"),
            ("-0.05", "USD", -5, "-0.05"), ("007.10", "USD", 710, "7.10"), ("1200", "JPY", 1_200, "1200"),
            ("1.234", "KWD", 1_234, "1.234"), ("-0", "EUR", 0, "0.00"), ("0.0001", "UYW", 1, "0.0001"),
            ("92233720368547758.07", "USD", Int64.max, "92233720368547758.07"),
            ("-92233720368547758.08", "USD", Int64.min, "-92233720368547758.08"),
        ] as [(String, String, Int64, String)])
    func decimals(text: String, code: String, minor: Int64, written: String) throws {
        let currency = try #require(Currency(code))
        let money = try Money(decimal: text, currency: currency)
        #expect(money == Money(minor: minor, currency: currency))
        #expect(money.decimalString == written && money.description == "\(written) \(code)")
    }

    @Test(
        "refuses amounts that are none",
        arguments: [
            ("1.234", "USD", MoneyError.wrongScale(allowed: 2)), ("1.230", "USD", .wrongScale(allowed: 2)),
            ("1.0", "JPY", .wrongScale(allowed: 0)), ("", "USD", .notANumber), ("-", "USD", .notANumber),
            ("1.", "USD", .notANumber), (".5", "USD", .notANumber), ("1,5", "USD", .notANumber),
            ("+1", "USD", .notANumber),
            ("1e2", "USD", .notANumber), (" 1", "USD", .notANumber), ("--1", "USD", .notANumber),
            ("1.2.3", "USD", .notANumber),
            ("٣", "USD", .notANumber), ("92233720368547758.08", "USD", .overflow),
            ("999999999999999999999999999999999999999999", "USD", .overflow),
        ] as [(String, String, MoneyError)])
    func badDecimals(text: String, code: String, error: MoneyError) throws {
        let currency = try #require(Currency(code))
        #expect(throws: error) { try Money(decimal: text, currency: currency) }
    }
}

@Suite("Splitting money") struct AllocationTests {
    @Test(
        "gives the spare units to the largest remainders, the earlier first on ties",
        arguments: [
            (100, [1, 1, 1], [34, 33, 33]), (101, [1, 1, 1], [34, 34, 33]), (-100, [1, 1, 1], [-34, -33, -33]),
            (5, [3, 7], [2, 3]), (1, [1, 2], [0, 1]), (1, [1, 1], [1, 0]), (0, [1, 2], [0, 0]),
            (7, [0, 1, 0], [0, 7, 0]),
            (10, [0, 3, 3, 3], [0, 4, 3, 3]), (999, [5], [999]), (1_000, [333, 333, 334], [333, 333, 334]),
            (2, [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]), (Int64.max, [1, 1], [Int64.max / 2 + 1, Int64.max / 2]),
            (Int64.min, [1], [Int64.min]), (Int64.min, [Int64.max, Int64.max], [Int64.min / 2, Int64.min / 2]),
        ] as [(Int64, [Int64], [Int64])])
    func table(minor: Int64, weights: [Int64], expected: [Int64]) throws {
        #expect(try usd(minor).allocate(by: weights).map(\.minor) == expected)
    }

    @Test("refuses weights that say nothing", arguments: [[], [0], [0, 0], [1, -1], [-1]] as [[Int64]])
    func badWeights(weights: [Int64]) {
        #expect(throws: MoneyError.invalidWeights) { try usd(10).allocate(by: weights) }
    }

    @Test("parts add up to the whole and stay within one unit of their exact share") func properties() throws {
        var random = Seeded()
        for _ in 0..<20_000 {
            let wide = Bool.random(using: &random)
            let minor =
                wide ? Int64.random(in: .min ... .max, using: &random) : Int64.random(in: -999...999, using: &random)
            let top: Int64 = Bool.random(using: &random) ? .max : 9
            let count = Int.random(in: 1...8, using: &random)
            var weights = (0..<count).map { _ in Int64.random(in: 0...top, using: &random) }
            weights[0] = max(1, weights[0])
            let parts = try usd(minor).allocate(by: weights).map { Int128($0.minor) }
            let total = weights.reduce(0 as Int128) { $0 + Int128($1) }
            #expect(parts.reduce(0, +) == Int128(minor), "seed \(random.seed)")
            for (part, weight) in zip(parts, weights) {
                let (share, rest) = (Int128(minor) * Int128(weight)).quotientAndRemainder(dividingBy: total)
                #expect(abs(part - share) <= (rest == 0 ? 0 : 1), "seed \(random.seed)")
                #expect(part == share || (part > share) == (minor > 0), "seed \(random.seed)")
            }
            for (first, second) in zip(weights.indices, weights.indices.dropFirst())
            where weights[first] == weights[second] {
                #expect(abs(parts[first]) >= abs(parts[second]), "seed \(random.seed)")
            }
        }
    }
}
