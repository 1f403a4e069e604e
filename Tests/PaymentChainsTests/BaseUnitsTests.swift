import BillingCore
import TestKit
import Testing

import PaymentChains

private let largest = "115792089237316195423570985008687907853269984665640564039457584007913129639935"

/// Amounts of all sizes, with the edges of 64, 128 and 256 bits among them.
private func randomUnits(_ random: inout Seeded) -> BaseUnits {
    let edges: [UInt128] = [0, 1, UInt128(UInt64.max), UInt128.max - 1, UInt128.max, 1 << 64]
    func half() -> UInt128 {
        if Bool.random(using: &random) { return edges.randomElement(using: &random) ?? 0 }
        return UInt128.random(in: 0...UInt128.max, using: &random) >> UInt128.random(in: 0...127, using: &random)
    }
    return BaseUnits(high: Bool.random(using: &random) ? half() : 0, low: half())
}

@Suite("Base units") struct BaseUnitsTests {
    @Test("the largest ERC-20 amount is exact") func largestAmount() throws {
        #expect(BaseUnits.max.description == largest)
        #expect(try BaseUnits(parsing: largest) == .max)
        #expect(try BaseUnits(hexDigits: String(repeating: "f", count: 64)) == .max)
        #expect(try BaseUnits(coins: BaseUnits.max.coins(decimals: 18), decimals: 18) == .max)
        #expect(throws: MoneyError.overflow) { try BaseUnits(parsing: String(largest.dropLast()) + "6") }
        #expect(throws: MoneyError.overflow) { try BaseUnits(parsing: largest + "0") }
        #expect(throws: MoneyError.overflow) { try BaseUnits(hexDigits: String(repeating: "0", count: 65)) }
    }

    @Test(
        "reads and writes coins by the asset's decimals",
        arguments: [
            ("20.3", 8, "2030000000", "20.3"), ("0.01500000", 8, "1500000", "0.015"), ("0", 8, "0", "0"),
            ("0.00000001", 8, "1", "0.00000001"), ("20999999.97690000", 8, "2099999997690000", "20999999.9769"),
            ("2.014", 18, "2014000000000000000", "2.014"), ("7", 0, "7", "7"), ("0.1", 1, "1", "0.1"),
            ("000.5", 2, "50", "0.5"), ("0.000000000000000001", 18, "1", "0.000000000000000001"),
            ("12.340000", 6, "12340000", "12.34"), ("100", 6, "100000000", "100"),
        ])
    func coins(text: String, decimals: Int, units: String, written: String) throws {
        let amount = try BaseUnits(coins: text, decimals: decimals)
        #expect(amount.description == units && amount.coins(decimals: decimals) == written)
    }

    @Test(
        "refuses what is no plain decimal",
        arguments: [
            ("", MoneyError.notANumber), (".", .notANumber), ("1.", .notANumber), (".5", .notANumber),
            ("-1", .notANumber), ("+1", .notANumber), ("1e-8", .notANumber), ("1e8", .notANumber),
            ("1,5", .notANumber), ("1.2.3", .notANumber), (" 1", .notANumber), ("0x1", .notANumber),
            ("٣", .notANumber), ("1.٣", .notANumber), ("NaN", .notANumber), ("1.-5", .notANumber),
            ("0.000000001", .wrongScale(allowed: 8)), ("1.000000000", .wrongScale(allowed: 8)),
            (largest, .overflow),
        ] as [(String, MoneyError)])
    func badCoins(text: String, error: MoneyError) {
        #expect(throws: error) { try BaseUnits(coins: text, decimals: 8) }
    }

    @Test("sums, differences and products are exact or refused") func refusals() throws {
        #expect(throws: MoneyError.overflow) { try BaseUnits.max.adding(.one) }
        #expect(throws: MoneyError.overflow) { try BaseUnits.zero.subtracting(.one) }
        #expect(throws: MoneyError.overflow) { try BaseUnits.max.multiplied(by: 2) }
        #expect(throws: MoneyError.divisionByZero) { try BaseUnits.one.divided(by: 0, roundingUp: true) }
        #expect(try BaseUnits(.max).adding(.one) == BaseUnits(high: 1, low: 0))
        #expect(try BaseUnits(high: 1, low: 0).subtracting(.one) == BaseUnits(.max))
        #expect(try BaseUnits(10).divided(by: 3, roundingUp: false) == BaseUnits(3))
        #expect(try BaseUnits(10).divided(by: 3, roundingUp: true) == BaseUnits(4))
        #expect(try BaseUnits(9).divided(by: 3, roundingUp: true) == BaseUnits(3))
        #expect(try BaseUnits(19_999).share(basisPoints: 50) == BaseUnits(99))
    }

    @Test("arithmetic keeps its laws and text keeps the amount") func laws() throws {
        var random = Seeded()
        for _ in 0..<5_000 {
            let (left, right): (BaseUnits, BaseUnits) = (randomUnits(&random), randomUnits(&random))
            let divisor: UInt128 = max(1, randomUnits(&random).low)
            #expect(try BaseUnits(parsing: left.description) == left, "seed \(random.seed)")
            let decimals: Int = .random(in: 0...38, using: &random)
            #expect(try BaseUnits(coins: left.coins(decimals: decimals), decimals: decimals) == left)
            let (quotient, rest) = try left.quotientAndRemainder(dividingBy: divisor)
            #expect(rest < divisor)
            #expect(try quotient.multiplied(by: divisor).adding(BaseUnits(rest)) == left, "seed \(random.seed)")
            let (larger, smaller): (BaseUnits, BaseUnits) = left > right ? (left, right) : (right, left)
            #expect(try smaller.adding(larger.subtracting(smaller)) == larger, "seed \(random.seed)")
            #expect((left < right) == (left.comparable < right.comparable), "seed \(random.seed)")
        }
    }
}

extension BaseUnits {
    /// The digits with their count in front, so that text compares like numbers.
    fileprivate var comparable: String {
        let digits: String = description
        return String(1_000 + digits.utf8.count) + digits
    }
}
