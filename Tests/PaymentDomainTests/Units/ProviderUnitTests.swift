import BillingCore
import PaymentDomain
import TestKit
import Testing

private func money(_ minor: Int64, _ code: String) throws -> Money {
    Money(minor: minor, currency: try #require(Currency(code)))
}

/// Amounts around every power of ten and every multiple that matters, and some drawn ones.
private func amounts(_ random: inout Seeded) -> [Int64] {
    var found: Set<Int64> = [1, .max, .max - 1]
    for power in [1, 10, 100, 1_000, 10_000, 17_500, 1_000_000, 100_000_000] as [Int64] {
        for offset in -3...3 as ClosedRange<Int64> { found.insert(power + offset) }
    }
    for _ in 0..<200 { found.insert(Int64.random(in: 1...10_000_000_000, using: &random)) }
    return found.filter { $0 > 0 }.sorted()
}

@Suite("Amounts at Stripe") struct StripeAmountTests {
    @Test(
        "the traps are known",
        arguments: [
            ("USD", 1_234, 1_234), ("JPY", 500, 500), ("ISK", 5, 500), ("UGX", 1_000, 100_000), ("MGA", 500, 5),
            ("KWD", 1_230, 1_230), ("BHD", 10, 10), ("JOD", 990, 990), ("OMR", 5_000, 5_000), ("TND", 20, 20),
            ("HUF", 17_550, 17_550), ("TWD", 150, 150), ("EUR", 50, 50),
        ] as [(String, Int64, Int64)])
    func traps(code: String, minor: Int64, units: Int64) throws {
        let amount = try money(minor, code)
        #expect(try StripeAmount.units(of: amount) == units)
        #expect(try StripeAmount.money(units: units, currency: amount.currency) == amount)
    }

    @Test("what Stripe would not take is refused with its reason") func refusals() throws {
        #expect(throws: UnitRefusal.notRepresentable) { try StripeAmount.units(of: money(501, "MGA")) }
        #expect(throws: UnitRefusal.notMultiple(of: 10)) { try StripeAmount.units(of: money(1_234, "KWD")) }
        #expect(throws: UnitRefusal.belowMinimum(try money(50, "USD"))) { try StripeAmount.units(of: money(49, "USD")) }
        #expect(throws: UnitRefusal.belowMinimum(try money(17_500, "HUF"))) {
            try StripeAmount.units(of: money(17_499, "HUF"))
        }
        #expect(throws: UnitRefusal.notPositive) { try StripeAmount.units(of: money(0, "USD")) }
        #expect(throws: UnitRefusal.notPositive) { try StripeAmount.units(of: money(-100, "USD"), for: .part) }
        #expect(throws: UnitRefusal.overflow) { try StripeAmount.units(of: money(.max, "ISK")) }
        #expect(throws: UnitRefusal.notRepresentable) {
            try StripeAmount.money(units: 505, currency: money(1, "ISK").currency)
        }
        let dinar = try money(1_000, "IQD")
        #expect(throws: UnitRefusal.unsupportedCurrency(dinar.currency)) { try StripeAmount.units(of: dinar) }
        #expect(throws: UnitRefusal.unsupportedCurrency(dinar.currency)) {
            try StripeAmount.money(units: 1, currency: dinar.currency)
        }
    }

    @Test("a part of a charge has no minimum") func purposes() throws {
        #expect(try StripeAmount.units(of: money(1, "USD"), for: .part) == 1)
        #expect(throws: UnitRefusal.notMultiple(of: 10)) { try StripeAmount.units(of: money(1, "KWD"), for: .part) }
    }

    @Test("negative amounts of reports are taken over") func negative() throws {
        #expect(try StripeAmount.money(units: -59, currency: .usd) == Money(minor: -59, currency: .usd))
        let krona = try money(-5, "ISK")
        #expect(try StripeAmount.money(units: -500, currency: krona.currency) == krona)
    }

    @Test("every amount of every currency comes back as it was, or is refused") func exhaustive() throws {
        var random = Seeded()
        let samples: [Int64] = amounts(&random)
        #expect(StripeAmount.currencies.count == 154)
        for currency in Currency.all {
            let isTaken: Bool = StripeAmount.currencies.contains(currency)
            for minor in samples {
                let amount = Money(minor: minor, currency: currency)
                for purpose in StripeAmount.Purpose.allCases {
                    do throws(UnitRefusal) {
                        let units: Int64 = try StripeAmount.units(of: amount, for: purpose)
                        let back: Money = try StripeAmount.money(units: units, currency: currency)
                        #expect(isTaken && back == amount, "\(amount), seed \(random.seed)")
                    } catch {
                        #expect(isTaken != (error == .unsupportedCurrency(currency)), "\(amount): \(error)")
                        #expect(error != .malformed && error != .notPositive)
                    }
                }
                guard isTaken else { continue }
                do throws(UnitRefusal) {
                    let read: Money = try StripeAmount.money(units: minor, currency: currency)
                    #expect(value(read) == value(minor, currency), "\(minor) units of \(currency)")
                } catch {
                    #expect(error == .notRepresentable || error == .overflow)
                }
            }
        }
    }

    @Test("the least charge is charged, one step less is not") func minimums() throws {
        for currency in StripeAmount.currencies {
            let least: Money = try StripeAmount.minimumCharge(currency)
            let units: Int64 = try StripeAmount.units(of: least)
            #expect(units > 0)
            let less = Money(minor: least.minor - 1, currency: currency)
            #expect(throws: UnitRefusal.self) { try StripeAmount.units(of: less) }
        }
    }

    @Test("the largest charge is charged, one step more is not; of a part it is not asked") func maximums() throws {
        for currency in StripeAmount.currencies {
            let most: Money = try StripeAmount.maximumCharge(currency)
            #expect(try StripeAmount.units(of: most) > 0, "\(currency)")
            let step: Int64 = try StripeAmount.money(units: 100, currency: currency).minor
            let more = Money(minor: most.minor + step, currency: currency)
            #expect(throws: UnitRefusal.aboveMaximum(most)) { try StripeAmount.units(of: more) }
            #expect(try StripeAmount.units(of: more, for: .part) > 0)
        }
    }

    @Test(
        "amounts have eight digits, and more where the unit is small",
        arguments: [
            ("USD", 99_999_999), ("EUR", 99_999_999), ("KWD", 99_999_990), ("ISK", 999_999), ("MGA", 9_999_999_900),
            ("JPY", 999_999_999_999), ("IDR", 999_999_999_999), ("HUF", 999_999_999_999),
        ] as [(String, Int64)])
    func digits(code: String, most: Int64) throws {
        let amount: Money = try money(most, code)
        #expect(try StripeAmount.maximumCharge(amount.currency) == amount)
    }

    /// An amount in ten-thousandths of a major unit.
    private func value(_ money: Money) -> Int128 { scaled(Int128(money.minor), decimals: money.currency.exponent) }

    /// Stripe's units in ten-thousandths of a major unit, by its own published decimals.
    private func value(_ units: Int64, _ currency: Currency) -> Int128 {
        let decimals: Int =
            switch currency.code {
            case "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF",
                "XPF":
                0
            case "BHD", "JOD", "KWD", "OMR", "TND": 3
            default: 2
            }
        return scaled(Int128(units), decimals: decimals)
    }

    private func scaled(_ units: Int128, decimals: Int) -> Int128 {
        (decimals..<4).reduce(units) { value, _ in value * 10 }
    }
}

@Suite("Amounts at PayPal") struct PayPalAmountTests {
    @Test(
        "text has the decimals PayPal wants",
        arguments: [
            ("USD", 1_230, "12.30"), ("USD", 5, "0.05"), ("JPY", 1_200, "1200"), ("HUF", 120_000, "1200"),
            ("TWD", 100, "1"), ("EUR", 100, "1.00"),
        ] as [(String, Int64, String)])
    func written(code: String, minor: Int64, text: String) throws {
        let amount = try money(minor, code)
        #expect(try PayPalAmount.text(of: amount) == text)
        #expect(try PayPalAmount.money(from: text, currency: amount.currency) == amount)
    }

    @Test("what PayPal cannot mean is refused with its reason") func refusals() throws {
        #expect(throws: UnitRefusal.notRepresentable) { try PayPalAmount.text(of: money(10_050, "HUF")) }
        #expect(throws: UnitRefusal.notRepresentable) { try PayPalAmount.text(of: money(99, "TWD")) }
        #expect(throws: UnitRefusal.notPositive) { try PayPalAmount.text(of: money(0, "EUR")) }
        let dinar = try money(1_000, "KWD")
        #expect(throws: UnitRefusal.unsupportedCurrency(dinar.currency)) { try PayPalAmount.text(of: dinar) }
    }

    @Test(
        "text of PayPal's is read or refused",
        arguments: [
            ("-3.00", "USD", -300), (".5", "USD", 50), ("-.25", "USD", -25), ("100.00", "JPY", 100),
            ("007", "USD", 700), ("100.50", "HUF", nil), ("100.50", "JPY", nil), ("1.234", "USD", nil),
            ("1.230", "USD", 123), ("", "USD", nil), (".", "USD", nil), ("-", "USD", nil), ("1,00", "USD", nil),
            ("1e3", "USD", nil), (" 1", "USD", nil), ("NaN", "USD", nil), ("--1", "USD", nil), ("-.-5", "USD", nil),
            ("99999999999999999999", "USD", nil), ("0.00000000000000000000000000000000", "USD", nil),
        ] as [(String, String, Int64?)])
    func read(text: String, code: String, minor: Int64?) throws {
        let currency = try #require(Currency(code))
        guard let minor else {
            #expect(throws: UnitRefusal.self) { try PayPalAmount.money(from: text, currency: currency) }
            return
        }
        #expect(try PayPalAmount.money(from: text, currency: currency) == Money(minor: minor, currency: currency))
    }

    @Test("every amount of every currency comes back as it was, or is refused") func exhaustive() throws {
        var random = Seeded()
        let samples: [Int64] = amounts(&random)
        #expect(PayPalAmount.currencies.count == 24)
        for currency in Currency.all {
            let isTaken: Bool = PayPalAmount.currencies.contains(currency)
            let isWhole: Bool = ["HUF", "JPY", "TWD"].contains(currency.code)
            for minor in samples {
                let amount = Money(minor: minor, currency: currency)
                do throws(UnitRefusal) {
                    let text: String = try PayPalAmount.text(of: amount)
                    #expect(isTaken && text.contains(".") != isWhole, "\(amount): \(text)")
                    #expect(try PayPalAmount.money(from: text, currency: currency) == amount)
                    #expect(ExactDecimal(text) == ExactDecimal(amount.decimalString))
                } catch {
                    let expected: UnitRefusal = isTaken ? .notRepresentable : .unsupportedCurrency(currency)
                    #expect(error == expected && !(isTaken && !isWhole), "\(amount): \(error)")
                }
            }
        }
    }
}
