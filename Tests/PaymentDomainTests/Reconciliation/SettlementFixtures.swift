import BillingCore
import PaymentDomain

/// Lines and bookings that tests are made of.
enum Settle {
    static let day = Instant(seconds: 1_800_000_000)

    static func usd(_ minor: Int64) -> Money { Money(minor: minor, currency: .usd) }

    static func line(
        _ id: String, _ kind: SettlementLine.Kind, _ gross: Int64, fee: Int64 = 0, own: String? = nil,
        source: String? = nil, taken: String? = nil, presentment: SettlementLine.Presentment? = nil,
        after seconds: Int64 = 0
    ) throws -> SettlementLine {
        try SettlementLine(
            provider: "stripe", id: id, kind: kind, gross: usd(gross), fee: usd(fee), net: usd(gross - fee),
            references: SettlementLine.References(own: own, source: source, taken: taken), presentment: presentment,
            occurredAt: day + .seconds(seconds))
    }

    static func booking(
        _ id: String, _ kind: SettlementLine.Kind, _ gross: Int64, own: String = "", related: Set<String> = [],
        sources: Set<String> = [], taken: Set<String> = [], fee: Int64 = 0, currency: Currency = .usd,
        after seconds: Int64 = 0
    ) -> SettlementBooking {
        SettlementBooking(
            id: id, kind: kind, own: own.isEmpty ? "own_\(id)" : own, related: related, sources: sources, taken: taken,
            gross: Money(minor: gross, currency: currency), fee: Money(minor: fee, currency: currency),
            occurredAt: day + .seconds(seconds))
    }

    /// A charge's line.
    static func line(
        _ id: String, _ gross: Int64, fee: Int64 = 0, own: String? = nil, source: String? = nil, taken: String? = nil,
        presentment: SettlementLine.Presentment? = nil, after seconds: Int64 = 0
    ) throws -> SettlementLine {
        try line(
            id, .charge, gross, fee: fee, own: own, source: source, taken: taken, presentment: presentment,
            after: seconds)
    }

    /// A charge's booking.
    static func booking(
        _ id: String, _ gross: Int64, own: String = "", related: Set<String> = [], sources: Set<String> = [],
        taken: Set<String> = [], currency: Currency = .usd, after seconds: Int64 = 0
    ) -> SettlementBooking {
        booking(
            id, .charge, gross, own: own, related: related, sources: sources, taken: taken, currency: currency,
            after: seconds)
    }
}
