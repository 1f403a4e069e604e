package import BillingCore
package import PaymentDomain
package import Postgres

/// Finds the rate that counts on a day: one that a person gave for the pair, else the ECB's, crossed through the euro.
/// A provider's rates say what it did, and are never used for anything else.
package struct RatesInForce: Sendable {
    /// How many publications of the ECB (TARGET days) may have passed since a rate's day (`payment.exchange_staleness_limit`).
    package let stalenessLimit: Int

    package init(stalenessLimit: Int = RateTable.usualStaleness) { self.stalenessLimit = stalenessLimit }

    /// The rate, for showing and computing.
    /// - Throws: ``ExchangeError/noRate(from:to:)``, ``ExchangeError/stale(published:missed:)``,
    ///   ``ExchangeError/sameCurrency(_:)``.
    package func rate(
        from: Currency, to: Currency, on date: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> ExchangeRate {
        try find(from: from, to: to, on: date, in: db).rate
    }

    /// The rate with the id under which it is stored, for payments to refer to.
    /// - Throws: As ``rate(from:to:on:in:)``.
    package func stored(
        from: Currency, to: Currency, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> (id: ExchangeRateID, rate: ExchangeRate) {
        let (rate, id): (ExchangeRate, ExchangeRateID?) = try find(from: from, to: to, on: now.utcDay, in: db)
        return (try id ?? RateStore.stored(rate, at: now, in: db), rate)
    }

    private func find(
        from: Currency, to: Currency, on date: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> (rate: ExchangeRate, id: ExchangeRateID?) {
        guard from != to else { throw ExchangeError.sameCurrency(from) }
        var tooOld: ExchangeError?
        if let given: StoredRate = try RateStore.manual(from: from, to: to, on: date, in: db) {
            let missed: Int = TargetCalendar.openDays(
                after: given.rate.date, through: date, stoppingPast: stalenessLimit)
            if missed <= stalenessLimit { return (try given.rate.turned(from: from), given.id) }
            tooOld = .stale(published: given.rate.date, missed: missed)
        }
        var table = RateTable()
        if let day: RateDay = try RateStore.referenceDay(from, to, on: date, in: db) { table.insert([day]) }
        do throws(ExchangeError) {
            return (try table.rate(from: from, to: to, on: date, maxMissed: stalenessLimit), nil)
        } catch {
            if case .noRate = error, let tooOld { throw tooOld }
            throw error
        }
    }
}

extension ExchangeRate {
    /// The same rate, seen from one of its two currencies.
    func turned(from currency: Currency) throws(ExchangeError) -> ExchangeRate {
        if currency == from { return self }
        return try ExchangeRate(
            from: to, to: from, numerator: denominator, denominator: numerator, date: date, source: source)
    }
}

extension Instant {
    /// The day in UTC.
    var utcDay: CivilDate {
        let past: Int64 = ((seconds % 86_400) + 86_400) % 86_400
        return CivilDate(dayNumber: Int((seconds - past) / 86_400))
    }
}
