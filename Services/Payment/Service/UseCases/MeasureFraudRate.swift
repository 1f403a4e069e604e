package import BillingCore
import PaymentDomain
package import PaymentExchange
import PaymentRecords
package import Postgres
package import ServiceKit

/// Measures once a business day how much of what was paid by card over 90 days was fraud, for claims of a low risk
/// (Delegated Regulation (EU) 2018/389, articles 18 and 19). Whichever instance comes first stores it.
///
/// Other currencies are compared by the rates in force. Payments in one without a rate are left out, which makes the rate
/// higher; with fraud in one the day's rate is the highest there is, so that nothing is claimed.
package struct MeasureFraudRate: Sendable {
    let rates: RatesInForce
    let pool: PostgresPool
    let clock: any WallClock

    package init(rates: RatesInForce, pool: PostgresPool, clock: any WallClock) {
        self.rates = rates
        self.pool = pool
        self.clock = clock
    }

    package var loop: BackgroundLoop { BackgroundLoop(name: "fraud rate", every: .seconds(60)) { try await pass() } }

    /// Measures, unless that was done today.
    package func pass() async throws {
        let now: Instant = clock.now
        let day = CivilDate(dayNumber: Int(now.seconds / 86_400))
        let span = FraudRateStore.Span(FraudRate.span, through: now)
        let first: CivilDate? = try await pool.transaction(readOnly: true) { db in
            try FraudRateStore.has(day, in: db) ? nil : try FraudRateStore.firstToTotal(of: span, in: db)
        }
        guard let first else { return }
        try await total(first, before: span.days.upperBound)
        let rates: RatesInForce = rates
        try await pool.transaction { db in
            guard try !FraudRateStore.has(day, in: db) else { return }
            let sums: [FraudRateStore.Sums] = try FraudRateStore.sums(of: span, in: db)
            var tally = FraudRate.Tally()
            var isKnown = true
            for sum in sums {
                guard let worth: ExactDecimal = try Self.worth(of: sum.volume.currency, rates, on: day, in: db) else {
                    isKnown = isKnown && !sum.fraud.isPositive
                    continue
                }
                try tally.add(volume: sum.volume, fraud: sum.fraud, payments: sum.payments, worth: worth)
            }
            let rate: FraudRate? = isKnown ? try FraudRate(tally) : .highest
            try FraudRateStore.store(rate, of: tally, on: day, in: db)
        }
    }

    /// Adds up what was paid on days, each in a transaction of its own: the first time it is a quarter of a year, and what is
    /// done stays done.
    private func total(_ first: CivilDate, before end: CivilDate) async throws {
        var day: CivilDate = first
        while day < end {
            let next: CivilDate = day
            try await pool.transaction { db in try FraudRateStore.total(next, in: db) }
            day = day.adding(days: 1)
        }
    }

    /// What one unit of a currency is in euros; `nil` without a rate.
    private static func worth(
        of currency: Currency, _ rates: RatesInForce, on day: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> ExactDecimal? {
        guard currency != .eur else { return .one }
        do {
            return try rates.rate(from: currency, to: .eur, on: day, in: db).decimal(scale: 10)
        } catch is ExchangeError {
            return nil
        }
    }
}
