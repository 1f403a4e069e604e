package import BillingCore
import PaymentChains
package import Postgres

/// What one whole coin costs, and since when that is known.
package struct DatedRate: Sendable, Equatable {
    package let rate: ExactDecimal
    /// `nil`: it holds until it is changed.
    package let asOf: Instant?

    package init(rate: ExactDecimal, asOf: Instant?) {
        self.rate = rate
        self.asOf = asOf
    }

    /// Whether it can be used: neither too old nor from a time that is still to come.
    package func isUsable(at now: Instant, age: Duration) -> Bool {
        guard let asOf else { return true }
        return now - asOf <= age && asOf - now <= age
    }
}

/// What coins cost: out of the configuration, and for what has no rate there as it was told (`POST /v1/crypto/rates`).
package enum ToldRates {
    /// The newest rate, however old; `nil` when there is none. Asked for in the transaction that stores the quote.
    static func rate(
        of asset: AcceptedAsset, in currency: Currency, _ db: borrowing PostgresTransaction
    ) throws -> DatedRate? {
        if let fixed = asset.fixedRates[currency] { return DatedRate(rate: fixed, asOf: nil) }
        return try db.first(
            "SELECT rate, as_of FROM crypto_rates WHERE provider = \(asset.name) AND currency = \(currency.code)"
        ) { row in DatedRate(rate: try row.next(), asOf: try row.next() as Instant) }
    }

    /// Takes a rate over; one that is older than what is known changes nothing.
    /// - Returns: Whether it is what is known now.
    @discardableResult
    package static func tell(
        _ rate: ExactDecimal, of provider: String, in currency: Currency, asOf: Instant,
        _ db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            """
            INSERT INTO crypto_rates AS r (provider, currency, rate, as_of)
            VALUES (\(provider), \(currency.code), \(rate)::numeric, \(asOf))
            ON CONFLICT (provider, currency) DO UPDATE SET rate = excluded.rate, as_of = excluded.as_of
            WHERE r.as_of <= excluded.as_of
            """) == 1
    }
}
