public import BillingCore

/// Why an amount cannot be told to a provider, or a provider's amount cannot be taken over. Nothing is ever rounded.
public enum UnitRefusal: Error, Hashable, Sendable {
    /// The provider does not take the currency.
    case unsupportedCurrency(Currency)
    /// Only amounts above zero can be asked for.
    case notPositive
    /// Below the least amount the provider charges.
    case belowMinimum(Money)
    /// Above the largest amount the provider charges.
    case aboveMaximum(Money)
    /// Not a whole multiple of this many of the provider's units.
    case notMultiple(of: Int64)
    /// Finer than the provider, or this service, can count the currency.
    case notRepresentable
    /// The provider's text is no amount.
    case malformed
    /// More than 64 bits of units.
    case overflow
}

/// How Stripe counts a currency, in its own units.
struct StripeUnit: Sendable {
    /// Digits after the point that the integer includes.
    let decimals: Int
    /// Every amount asked for is a multiple of this.
    let multiple: Int64
    /// The least charge; 1 where none is published.
    let minimum: Int64
    /// The largest charge; eight digits unless another is known.
    let maximum: Int64

    init(decimals: Int, multiple: Int64 = 1, minimum: Int64 = 1, maximum: Int64 = 99_999_999) {
        self.decimals = decimals
        self.multiple = multiple
        self.minimum = minimum
        self.maximum = maximum
    }
}

extension ProviderUnitTable {
    /// One row of the table; a `nil` is a provider that does not take the currency.
    struct Entry: Sendable {
        let code: String
        let stripe: StripeUnit?
        let payPalDecimals: Int?
    }

    private static let byCurrency: [Currency: Entry] = {
        var found: [Currency: Entry] = [:]
        for entry in entries {
            if let currency = Currency(entry.code) { found[currency] = entry }
        }
        return found
    }()

    /// How the providers count a currency; `nil` when none takes it.
    static func entry(_ currency: Currency) -> Entry? { byCurrency[currency] }
}

/// Moves a whole number of units from one number of decimals to another.
enum UnitScale {
    /// The same amount counted with other decimals.
    /// - Throws: ``UnitRefusal/notRepresentable`` when digits would be lost, ``UnitRefusal/overflow``.
    static func move(_ units: Int64, from: Int, to: Int) throws(UnitRefusal) -> Int64 {
        var result = units
        for _ in 0..<max(0, to - from) {
            let (product, overflow) = result.multipliedReportingOverflow(by: 10)
            guard !overflow else { throw .overflow }
            result = product
        }
        for _ in 0..<max(0, from - to) {
            let (quotient, rest) = result.quotientAndRemainder(dividingBy: 10)
            guard rest == 0 else { throw .notRepresentable }
            result = quotient
        }
        return result
    }
}
