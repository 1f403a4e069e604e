import BillingCore
import TestKit
import Testing

private let largest = "170141183460469231731687303715884105727"

@Suite("Exact decimals") struct ExactDecimalTests {
    @Test(
        "reads plain decimals and writes the shortest form",
        arguments: [
            ("0", "0"), ("-0", "0"), ("0.00", "0"), ("1.50", "1.5"), ("-1.50", "-1.5"), ("100", "100"),
            ("0.001", "0.001"),
            ("-0.10", "-0.1"), ("00012.0", "12"), (largest, largest),
            ("-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"),
            ("1." + String(repeating: "0", count: 37), "1"),
            ("0." + String(repeating: "0", count: 37) + "1", "0." + String(repeating: "0", count: 37) + "1"),
        ])
    func text(text: String, written: String) throws {
        #expect(try ExactDecimal(parsing: text).description == written)
        #expect(ExactDecimal(text)?.description == written)
    }

    @Test(
        "refuses other text",
        arguments: ["", "-", ".", "1.", ".1", "+1", "1e3", " 1", "1 ", "1_0", "0x1", "NaN", "١", "--1", "-.1"])
    func notNumbers(text: String) {
        #expect(throws: MoneyError.notANumber) { try ExactDecimal(parsing: text) }
        #expect(ExactDecimal(text) == nil)
    }

    @Test("refuses what does not fit") func tooLong() throws {
        #expect(throws: MoneyError.overflow) { try ExactDecimal(parsing: "170141183460469231731687303715884105728") }
        #expect(throws: MoneyError.overflow) {
            try ExactDecimal(parsing: "0." + String(repeating: "0", count: 38) + "1")
        }
        #expect(throws: MoneyError.overflow) { try ExactDecimal(coefficient: 1, scale: -1) }
        let most = try ExactDecimal(parsing: largest)
        let least = try ExactDecimal(coefficient: .min, scale: 0)
        let small = try ExactDecimal(coefficient: 1, scale: 38)
        #expect(throws: MoneyError.overflow) { try most + .one }
        #expect(throws: MoneyError.overflow) { try least - .one }
        #expect(throws: MoneyError.overflow) { try least.negated() }
        #expect(throws: MoneyError.overflow) { try most + small }
        #expect(throws: MoneyError.overflow) { try most * ExactDecimal(2) }
        #expect(throws: MoneyError.overflow) { try small * small }
        #expect(throws: MoneyError.overflow) { try most.divided(by: small, scale: 0, rounding: .down) }
        #expect(throws: MoneyError.overflow) {
            try most.rounded(scale: 1, rounding: .down).divided(by: .one, scale: 39, rounding: .down)
        }
    }

    @Test(
        "adds, subtracts and multiplies exactly",
        arguments: [
            ("0.1", "0.2", "0.3", "-0.1", "0.02"), ("1.5", "-1.5", "0", "3", "-2.25"),
            ("100", "0.01", "100.01", "99.99", "1"),
            ("-2.50", "4", "1.5", "-6.5", "-10"), ("0", "7.7", "7.7", "-7.7", "0"),
        ])
    func arithmetic(left: String, right: String, sum: String, difference: String, product: String) throws {
        let (left, right) = (try ExactDecimal(parsing: left), try ExactDecimal(parsing: right))
        #expect(try (left + right).description == sum)
        #expect(try (left - right).description == difference)
        #expect(try (left * right).description == product)
    }

    @Test(
        "rounds as it is told",
        arguments: [
            ("2.5", [Rounding.halfUp: "3", .halfEven: "2", .down: "2", .up: "3", .floor: "2", .ceiling: "3"]),
            ("3.5", [.halfUp: "4", .halfEven: "4", .down: "3", .up: "4", .floor: "3", .ceiling: "4"]),
            ("-2.5", [.halfUp: "-3", .halfEven: "-2", .down: "-2", .up: "-3", .floor: "-3", .ceiling: "-2"]),
            ("2.49", [.halfUp: "2", .halfEven: "2", .down: "2", .up: "3", .floor: "2", .ceiling: "3"]),
            ("-2.51", [.halfUp: "-3", .halfEven: "-3", .down: "-2", .up: "-3", .floor: "-3", .ceiling: "-2"]),
            ("0.5", [.halfUp: "1", .halfEven: "0", .down: "0", .up: "1", .floor: "0", .ceiling: "1"]),
            ("-0.1", [.halfUp: "0", .halfEven: "0", .down: "0", .up: "-1", .floor: "-1", .ceiling: "0"]),
            ("7", [.halfUp: "7", .halfEven: "7", .down: "7", .up: "7", .floor: "7", .ceiling: "7"]),
        ] as [(String, [Rounding: String])])
    func rounding(text: String, expected: [Rounding: String]) throws {
        let number = try ExactDecimal(parsing: text)
        for mode in Rounding.allCases {
            #expect(try number.rounded(scale: 0, rounding: mode).description == expected[mode])
        }
    }

    @Test(
        "divides to a scale",
        arguments: [
            ("1", "3", 4, Rounding.halfUp, "0.3333"), ("2", "3", 4, .halfUp, "0.6667"),
            ("-2", "3", 4, .halfUp, "-0.6667"),
            ("1", "8", 3, .halfUp, "0.125"), ("1", "8", 2, .halfEven, "0.12"), ("10", "4", 0, .halfEven, "2"),
            ("1", "0.0001", 0, .down, "10000"), ("0.0001", "3", 2, .up, "0.01"), ("0", "3", 10, .up, "0"),
            ("1", "3", 38, .down, "0." + String(repeating: "3", count: 38)), ("1", largest, 0, .down, "0"),
            ("0.00000000000000000000000000000000000001", largest, 0, .up, "1"),
            ("-0.00000000000000000000000000000000000001", largest, 0, .floor, "-1"),
            ("0.00000000000000000000000000000000000001", largest, 0, .halfUp, "0"), (largest, largest, 38, .down, "1"),
        ] as [(String, String, Int, Rounding, String)])
    func division(number: String, divisor: String, scale: Int, rounding: Rounding, expected: String) throws {
        let quotient = try ExactDecimal(parsing: number).divided(
            by: ExactDecimal(parsing: divisor), scale: scale, rounding: rounding)
        #expect(quotient.description == expected)
    }

    @Test("does not divide by zero") func byZero() {
        #expect(throws: MoneyError.divisionByZero) {
            try ExactDecimal.one.divided(by: .zero, scale: 2, rounding: .down)
        }
    }

    @Test("equal numbers are equal values, and order is that of the numbers") func order() throws {
        #expect(try ExactDecimal(parsing: "1.50") == ExactDecimal(parsing: "1.5"))
        #expect(try Set([ExactDecimal(parsing: "2.0"), ExactDecimal(2)]).count == 1)
        let rising = [
            "-\(largest)", "-1.01", "-1", "-0.99", "-0.00000000000000000000000000000000000001", "0", "0.001", "0.01",
            "0.1",
            "0.11", "1", "1.00000000000000000001", "1.1", "2", largest,
        ]
        let numbers = try rising.map { try ExactDecimal(parsing: $0) }
        for (left, first) in numbers.enumerated() {
            for (right, second) in numbers.enumerated() { #expect((first < second) == (left < right)) }
        }
    }

    @Test("writes a fixed number of digits, and refuses to drop any") func fixedDigits() throws {
        let number = try ExactDecimal(parsing: "12.5")
        #expect(try number.description(scale: 2) == "12.50")
        #expect(try ExactDecimal(parsing: "-0.5").description(scale: 1) == "-0.5")
        #expect(throws: MoneyError.overflow) { try number.description(scale: 0) }
    }

    @Test("what is written is read back, and sums, products and quotients agree") func properties() throws {
        var random = Seeded()
        for _ in 0..<20_000 {
            let coefficients = (0..<2).map { _ in Int128(Int64.random(in: .min ... .max, using: &random)) }
            let left = try ExactDecimal(coefficient: coefficients[0], scale: Int.random(in: 0...9, using: &random))
            let right = try ExactDecimal(coefficient: coefficients[1], scale: Int.random(in: 0...9, using: &random))
            #expect(ExactDecimal(left.description) == left, "seed \(random.seed)")
            #expect(try (left + right) - right == left, "seed \(random.seed)")
            #expect(try left * right == right * left, "seed \(random.seed)")
            #expect(try (left < right) == (left - right).isNegative, "seed \(random.seed)")
            guard !right.isZero else { continue }
            let product = try left * right
            #expect(try product.divided(by: right, scale: 18, rounding: .down) == left, "seed \(random.seed)")
            let low = try left.divided(by: right, scale: 6, rounding: .floor)
            let high = try left.divided(by: right, scale: 6, rounding: .ceiling)
            let unit = try ExactDecimal(coefficient: 1, scale: 6)
            #expect(try high == low || high - low == unit, "seed \(random.seed)")
            let near = try left.divided(by: right, scale: 6, rounding: .halfEven)
            #expect(near == low || near == high, "seed \(random.seed)")
        }
    }
}
