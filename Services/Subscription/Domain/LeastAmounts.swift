public import BillingCore

/// The least that a billing asks for, by currency. Providers refuse less, so a payment of less can never succeed; what is
/// due below it is carried to the next billing instead. A currency without an amount has none: all of it is asked for.
public struct LeastAmounts: Hashable, Sendable {
    private let minor: [Currency: Int64]

    /// Sets amounts in minor units.
    /// - Precondition: None is below zero.
    public init(_ minor: [Currency: Int64]) {
        precondition(minor.values.allSatisfy { $0 >= 0 }, "a least amount is not below zero")
        self.minor = minor
    }

    /// Minor units; zero where nothing is too little.
    public subscript(currency: Currency) -> Int64 { minor[currency, default: 0] }

    /// These amounts, with others in place of some.
    public func replacing(_ others: [Currency: Int64]) -> LeastAmounts {
        LeastAmounts(minor.merging(others) { _, other in other })
    }

    /// Nothing is too little.
    public static let none = LeastAmounts([:])

    /// Stripe's least charges, as `docs/data/provider-units.csv` has them. Source: docs.stripe.com/currencies, minimum and
    /// maximum charge amounts.
    public static let standard = LeastAmounts(
        Dictionary(
            uniqueKeysWithValues: published.compactMap { code, minor in Currency(code).map { ($0, minor) } }))

    private static let published: [(String, Int64)] = [
        ("AED", 200), ("ARS", 50), ("AUD", 50), ("BRL", 50), ("CAD", 50), ("CHF", 50), ("COP", 50), ("CZK", 1_500),
        ("DKK", 250), ("EUR", 50), ("GBP", 30), ("HKD", 400), ("HUF", 17_500), ("IDR", 50), ("ILS", 50), ("INR", 50),
        ("JPY", 50), ("KRW", 50), ("MXN", 1_000), ("MYR", 200), ("NOK", 300), ("NZD", 50), ("PHP", 50), ("PLN", 200),
        ("RON", 200), ("RUB", 50), ("SEK", 300), ("SGD", 50), ("THB", 1_000), ("USD", 50), ("ZAR", 50),
    ]
}
