public import BillingCore

/// What can be collected at once, by currency: providers refuse less than some amount, and some last digits. A payment of
/// either can never succeed; what is due beyond it is carried to the next billing instead. Of a currency without a rule all
/// is asked for.
public struct CollectableAmounts: Hashable, Sendable {
    /// The rule of one currency, in minor units.
    public struct Rule: Hashable, Sendable {
        /// The least that is asked for, a multiple of ``multiple``.
        public let least: Int64
        /// All that is asked for is a multiple of this.
        public let multiple: Int64

        /// - Parameter least: Rounded up to the multiple.
        public init(least: Int64 = 0, multiple: Int64 = 1) {
            precondition(least >= 0 && multiple >= 1, "a least amount is not below zero, a multiple is one or more")
            self.least = (least + multiple - 1) / multiple * multiple
            self.multiple = multiple
        }

        /// The part of what is owed that can be asked for: nothing, or the least amount and more.
        func collectable(of owed: Int64) -> Int64 {
            owed > 0 && owed >= least ? owed - owed % multiple : 0
        }
    }

    private let least: [Currency: Int64]
    private let multiples: [Currency: Int64]

    /// Sets rules in minor units.
    /// - Precondition: No least amount is below zero, and no multiple below one.
    public init(least: [Currency: Int64], multiples: [Currency: Int64] = [:]) {
        precondition(least.values.allSatisfy { $0 >= 0 }, "a least amount is not below zero")
        precondition(multiples.values.allSatisfy { $0 >= 1 }, "a multiple is one or more")
        self.least = least
        self.multiples = multiples
    }

    /// The rule of a currency.
    public subscript(currency: Currency) -> Rule {
        Rule(least: least[currency, default: 0], multiple: multiples[currency, default: 1])
    }

    /// These rules, with others in place of some.
    public func replacing(least others: [Currency: Int64], multiples: [Currency: Int64]) -> CollectableAmounts {
        CollectableAmounts(
            least: least.merging(others) { _, other in other },
            multiples: self.multiples.merging(multiples) { _, other in other })
    }

    /// Stripe's least charges, and the last digits that Stripe or PayPal do not take, as `docs/data/provider-units.csv` has
    /// them. Source: docs.stripe.com/currencies, minimum and maximum charge amounts, zero- and three-decimal currencies;
    /// developer.paypal.com, supported currencies without decimals.
    public static let standard = CollectableAmounts(least: table(leastCharges), multiples: table(lastDigits))

    private static func table(_ entries: [(String, Int64)]) -> [Currency: Int64] {
        Dictionary(uniqueKeysWithValues: entries.compactMap { code, minor in Currency(code).map { ($0, minor) } })
    }

    private static let leastCharges: [(String, Int64)] = [
        ("AED", 200), ("ARS", 50), ("AUD", 50), ("BRL", 50), ("CAD", 50), ("CHF", 50), ("COP", 50), ("CZK", 1_500),
        ("DKK", 250), ("EUR", 50), ("GBP", 30), ("HKD", 400), ("HUF", 17_500), ("IDR", 50), ("ILS", 50), ("INR", 50),
        ("JPY", 50), ("KRW", 50), ("MXN", 1_000), ("MYR", 200), ("NOK", 300), ("NZD", 50), ("PHP", 50), ("PLN", 200),
        ("RON", 200), ("RUB", 50), ("SEK", 300), ("SGD", 50), ("THB", 1_000), ("USD", 50), ("ZAR", 50),
    ]

    private static let lastDigits: [(String, Int64)] = [
        ("BHD", 10), ("HUF", 100), ("JOD", 10), ("KWD", 10), ("MGA", 100), ("OMR", 10), ("TND", 10), ("TWD", 100),
    ]
}
