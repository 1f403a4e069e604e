public import BillingCore

/// Who said what a currency is worth.
public enum RateSource: Hashable, Sendable {
    /// The European Central Bank's euro foreign exchange reference rates.
    case ecb
    /// A person, through the API.
    case manual
    /// A payment provider, by name: the rate it used is kept as it gave it.
    case provider(String)
}

extension RateSource: LosslessStringConvertible {
    /// Reads `ecb`, `manual` or `provider:stripe`; `nil` for anything else.
    public init?(_ description: String) {
        let parts: [Substring] = description.split(separator: ":", omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("ecb", 1): self = .ecb
        case ("manual", 1): self = .manual
        case ("provider", 2) where !parts[1].isEmpty: self = .provider(String(parts[1]))
        default: return nil
        }
    }

    /// As stored.
    public var description: String {
        switch self {
        case .ecb: "ecb"
        case .manual: "manual"
        case .provider(let name): "provider:\(name)"
        }
    }
}

/// Why amounts cannot be exchanged.
public enum ExchangeError: Error, Equatable, Sendable {
    /// A rate is above zero.
    case rateNotPositive
    /// A currency has no rate in itself.
    case sameCurrency(Currency)
    /// Nothing has been published for the pair up to the day.
    case noRate(from: Currency, to: Currency)
    /// The newest rate is too old: at least so many publications have been missed since, one more than may be.
    case stale(published: CivilDate, missed: Int)
    /// A spread takes less than all and at most doubles.
    case spreadOutOfRange
    /// The amount's currency is not the rate's.
    case wrongCurrency(Currency)
    /// The arithmetic does not fit.
    case amount(MoneyError)
}

/// What one unit of a currency was worth in another on a day.
///
/// The rate is numerator / denominator, kept apart so that a cross rate or an inverse is exact; it is rounded only
/// where money comes out. A rate as published or given has the denominator 1.
public struct ExchangeRate: Hashable, Sendable {
    /// The currency of one unit.
    public let from: Currency
    /// The currency of the worth.
    public let to: Currency
    /// Above the line; above zero.
    public let numerator: ExactDecimal
    /// Below the line; above zero.
    public let denominator: ExactDecimal
    /// The day it is for.
    public let date: CivilDate
    /// Who said so.
    public let source: RateSource

    /// A rate, or a fraction of two.
    /// - Throws: ``ExchangeError/rateNotPositive``, ``ExchangeError/sameCurrency(_:)``.
    public init(
        from: Currency, to: Currency, numerator: ExactDecimal, denominator: ExactDecimal = .one, date: CivilDate,
        source: RateSource
    ) throws(ExchangeError) {
        guard from != to else { throw .sameCurrency(from) }
        guard numerator > .zero, denominator > .zero else { throw .rateNotPositive }
        self.from = from
        self.to = to
        self.numerator = numerator
        self.denominator = denominator
        self.date = date
        self.source = source
    }

    /// The rate as one number, rounded half to even: for records and people, not for computing.
    /// - Throws: ``ExchangeError/amount(_:)`` when it does not fit.
    public func decimal(scale: Int) throws(ExchangeError) -> ExactDecimal {
        do throws(MoneyError) {
            return try numerator.divided(by: denominator, scale: scale, rounding: .halfEven)
        } catch {
            throw .amount(error)
        }
    }
}
