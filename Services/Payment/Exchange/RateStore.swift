package import BillingCore
package import PaymentDomain
package import Postgres

/// Identifies a stored exchange rate (`fx_…`).
package struct ExchangeRateID: TypedID, PostgresCodable {
    package static let prefix = "fx"
    package let rawValue: String
    package init(unchecked rawValue: String) { self.rawValue = rawValue }
}

extension RateSource: PostgresCodable {}

/// A rate as it is kept: never changed, never removed.
package struct StoredRate: Sendable, Equatable, PostgresRecord {
    package let id: ExchangeRateID
    package let rate: ExchangeRate
    /// Who gave it; `nil` for what was imported.
    package let actor: String?
    package let createdAt: Instant

    /// The columns in the order ``init(row:)`` reads them, of a table or alias named `r`.
    static let columns: SQL = """
        r.id, r.from_currency, r.to_currency, r.numerator, r.denominator, r.date, r.source, r.actor, r.created_at
        """

    package init(id: ExchangeRateID, rate: ExchangeRate, actor: String?, createdAt: Instant) {
        self.id = id
        self.rate = rate
        self.actor = actor
        self.createdAt = createdAt
    }

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        let (from, to): (Currency, Currency) = (try row.next(), try row.next())
        let (numerator, denominator): (ExactDecimal, ExactDecimal) = (try row.next(), try row.next())
        let date: CivilDate = try row.next()
        rate = try ExchangeRate(
            from: from, to: to, numerator: numerator, denominator: denominator, date: date, source: try row.next())
        actor = try row.next()
        createdAt = try row.next()
    }
}

/// SQL over exchange rates.
package enum RateStore {
    /// Adds days of reference rates; what is there already stays as it is.
    /// - Returns: How many rates are new.
    package static func add(
        _ days: [RateDay], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Int {
        let rates: [(to: Currency, worth: ExactDecimal, date: CivilDate)] = days.flatMap { day in
            day.perEuro.sorted { $0.key.code < $1.key.code }.map { ($0.key, $0.value, day.date) }
        }
        return try db.execute(
            """
            INSERT INTO exchange_rates
                (id, source, from_currency, to_currency, numerator, denominator, date, created_at)
            SELECT n.id, \(RateSource.ecb), 'EUR', n.currency, n.worth, 1, n.date, \(now)
            FROM unnest(\(rates.map { _ in ExchangeRateID.new(at: now).rawValue })::text[],
                \(rates.map(\.to.code))::text[], \(rates.map(\.worth.description))::numeric[],
                \(rates.map(\.date.description))::date[]) AS n(id, currency, worth, date)
            ON CONFLICT (from_currency, to_currency, date) WHERE source = 'ecb' DO NOTHING
            """)
    }

    /// Adds one rate as it was given.
    package static func add(
        _ rate: ExchangeRate, actor: String?, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> StoredRate {
        let stored = StoredRate(id: .new(at: now), rate: rate, actor: actor, createdAt: now)
        try db.enqueue(insertion(stored))
        return stored
    }

    private static func insertion(_ stored: StoredRate) -> SQL {
        let rate: ExchangeRate = stored.rate
        return """
            INSERT INTO exchange_rates
                (id, source, from_currency, to_currency, numerator, denominator, date, actor, created_at)
            VALUES (\(stored.id), \(rate.source), \(rate.from), \(rate.to), \(rate.numerator)::numeric,
                \(rate.denominator)::numeric, \(rate.date), \(stored.actor), \(stored.createdAt))
            """
    }

    /// One rate; `nil` when there is none.
    package static func find(_ id: ExchangeRateID, in db: borrowing PostgresTransaction) throws -> StoredRate? {
        try db.first("SELECT \(StoredRate.columns) FROM exchange_rates r WHERE r.id = \(id)", as: StoredRate.self)
    }

    /// Newest first, after a cursor.
    package static func list(
        source: String?, from: Currency?, to: Currency?, date: CivilDate?, after: ExchangeRateID?, limit: Int,
        in db: borrowing PostgresTransaction
    ) throws -> [StoredRate] {
        let matching: SQL = .matching(
            source.map { "r.source = \($0)" }, from.map { "r.from_currency = \($0)" },
            to.map { "r.to_currency = \($0)" }, date.map { "r.date = \($0)" }, after.map { "r.id < \($0)" })
        return try db.query(
            "SELECT \(StoredRate.columns) FROM exchange_rates r \(matching) ORDER BY r.id DESC LIMIT \(limit)",
            as: StoredRate.self)
    }

    /// The newest day up to another one of which reference rates are there; `nil` while there are none.
    package static func newestDay(
        upTo today: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> CivilDate? {
        try db.first(
            """
            SELECT date FROM exchange_rates WHERE source = 'ecb' AND from_currency = 'EUR' AND date <= \(today)
            ORDER BY date DESC LIMIT 1
            """
        ) { row in try row.next() }
    }

    /// The newest rate that a person gave for a pair, in either direction, up to a day.
    static func manual(
        from: Currency, to: Currency, on date: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> StoredRate? {
        try db.first(
            """
            SELECT \(StoredRate.columns) FROM exchange_rates r
            WHERE r.source = 'manual' AND r.date <= \(date) AND ((r.from_currency = \(from) AND r.to_currency = \(to))
                OR (r.from_currency = \(to) AND r.to_currency = \(from)))
            ORDER BY r.date DESC, r.id DESC LIMIT 1
            """, as: StoredRate.self)
    }

    /// The newest day up to another one for which reference rates of both currencies were published.
    static func referenceDay(
        _ from: Currency, _ to: Currency, on date: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> RateDay? {
        let wanted: [Currency] = [from, to].filter { $0 != .eur }
        let found: [(Currency, ExactDecimal, CivilDate)] = try db.query(
            """
            SELECT to_currency, numerator, date FROM exchange_rates
            WHERE source = 'ecb' AND from_currency = 'EUR' AND to_currency = ANY(\(wanted.map(\.code))::text[])
                AND date = (
                    SELECT a.date FROM exchange_rates a
                    WHERE a.source = 'ecb' AND a.from_currency = 'EUR' AND a.to_currency = \(wanted.first?.code)
                        AND a.date <= \(date) AND EXISTS (
                            SELECT FROM exchange_rates b WHERE b.source = 'ecb' AND b.from_currency = 'EUR'
                                AND b.to_currency = \(wanted.last?.code) AND b.date = a.date)
                    ORDER BY a.date DESC LIMIT 1)
            """
        ) { row in (try row.next(), try row.next(), try row.next()) }
        guard let day: CivilDate = found.first?.2 else { return nil }
        return try RateDay(date: day, perEuro: Dictionary(found.map { ($0.0, $0.1) }, uniquingKeysWith: { $1 }))
    }

    /// The stored form of a reference rate, a cross rate among them: the first who needs it adds it.
    static func stored(
        _ rate: ExchangeRate, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> ExchangeRateID {
        let fresh = StoredRate(id: .new(at: now), rate: rate, actor: nil, createdAt: now)
        try db.enqueue(
            "\(insertion(fresh)) ON CONFLICT (from_currency, to_currency, date) WHERE source = 'ecb' DO NOTHING")
        return try db.first(
            """
            SELECT id FROM exchange_rates WHERE source = 'ecb' AND from_currency = \(rate.from)
                AND to_currency = \(rate.to) AND date = \(rate.date)
            """
        ) { row in try row.next() } ?? fresh.id
    }
}
