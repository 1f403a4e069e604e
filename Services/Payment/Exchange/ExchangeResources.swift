import BillingCore
import HTTPKit
package import JSON
import PaymentDomain

/// `POST /v1/exchange_rates`.
package struct ExchangeRateInput: JSONInput {
    /// Who says so.
    enum Source: String, CaseIterable, Sendable { case manual, provider }

    /// What a rate can be; nobody can have meant another.
    private static let range: ClosedRange<ExactDecimal> = {
        do { return try ExactDecimal(coefficient: 1, scale: 9)...ExactDecimal(1_000_000_000) } catch {
            preconditionFailure("a billionth is a decimal")
        }
    }()

    private let from: Currency
    private let to: Currency
    private let number: ExactDecimal
    private let date: CivilDate?
    private let source: RateSource

    package init(_ f: inout InputFields) {
        from = f.currency("from", doc: "The currency of one unit")
        to = f.currency("to", doc: "The currency of its worth")
        number = ExactDecimal(f.decimal("rate", doc: "What one unit of `from` is in `to`; kept as given")) ?? .zero
        date = f.optionalCivilDate("date", doc: "The day it is for; today when left out, never a day to come")
        let kind: Source = f.enumeration(
            "source", of: Source.self, default: .manual,
            doc:
                "manual: counts for payments and quotes before the ECB's; provider: what a provider used, for the record"
        )
        let name: String? = f.optionalString("provider", min: 1, max: 30, doc: "Which provider, for that source")
        source = kind == .manual ? .manual : .provider(name ?? "")
        if f.isDescribing { return }
        if (kind == .provider) != (name != nil) {
            f.refuse("provider", code: "mismatch", message: "goes with the source provider, and with no other")
        } else if let name, !name.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }) {
            f.refuse("provider", code: "invalid_name", message: "is the name of a provider, in small letters")
        }
        if from == to, !f.isFaulty("from"), !f.isFaulty("to") {
            f.refuse("to", code: "same_currency", message: "must be another currency than `from`")
        }
        if f.isFaulty("rate") { return }
        if number <= .zero {
            f.refuse("rate", code: "not_positive", message: "must be above zero")
        } else if !Self.range.contains(number) {
            f.refuse("rate", code: "out_of_range", message: "must be between 0.000000001 and 1000000000")
        }
    }

    /// The rate, for a day up to today.
    func rate(on today: CivilDate) throws -> ExchangeRate {
        let day: CivilDate = date ?? today
        guard day <= today else {
            throw Problem.invalid("date", code: "in_the_future", "must not be in the future")
        }
        return try ExchangeRate(from: from, to: to, numerator: number, date: day, source: source)
    }
}

/// A stored rate.
struct ExchangeRateResource: JSONOutput {
    let stored: StoredRate

    func write(to o: inout ObjectWriter) {
        o.field("object", "exchange_rate")
        o.field("id", stored.id)
        o.field("from", stored.rate.from.code)
        o.field("to", stored.rate.to.code)
        o.field("rate", stored.rate.text, doc: "What one unit of `from` is in `to`; a cross rate is rounded here only")
        o.field("date", stored.rate.date.description, doc: "The day it is for")
        o.field("source", stored.rate.source.description, doc: "ecb, manual or provider:<name>")
        o.field("actor", stored.actor, doc: "Who gave it")
        o.field("created_at", stored.createdAt)
    }

    static var sample: Self {
        Self(stored: StoredRate(id: .sample, rate: ExchangeQuoteResource.rate, actor: nil, createdAt: .sample))
    }
}

/// An amount in another currency.
struct ExchangeQuoteResource: JSONOutput {
    let conversion: Conversion

    func write(to o: inout ObjectWriter) {
        o.field("object", "exchange_quote")
        o.money("amount", conversion.given, doc: "Minor units")
        o.field("converted_amount", conversion.received.minor, doc: "Minor units, rounded half to even once")
        o.field("converted_currency", conversion.received.currency.code)
        o.field("rate", conversion.rate.text, doc: "Without the spread")
        o.field("spread_basis_points", conversion.spreadBasisPoints)
        o.field("date", conversion.rate.date.description, doc: "The day the rate is for")
        o.field("source", conversion.rate.source.description, doc: "ecb or manual")
    }

    static var sample: Self {
        do {
            return Self(conversion: try rate.convert(Money(minor: 1_000, currency: .eur), rounding: .halfEven))
        } catch { preconditionFailure("a small amount can be exchanged") }
    }

    /// An example for documents.
    static var rate: ExchangeRate {
        do {
            return try ExchangeRate(
                from: .eur, to: .usd, numerator: ExactDecimal(coefficient: 10_850, scale: 4), date: .sample,
                source: .ecb)
        } catch { preconditionFailure("1.085 is a rate") }
    }
}

extension ExchangeRate {
    /// For people: as published, or a cross rate to ten places.
    fileprivate var text: String {
        if denominator == .one { return numerator.description }
        do { return try decimal(scale: 10).description } catch { return "\(numerator)/\(denominator)" }
    }
}
