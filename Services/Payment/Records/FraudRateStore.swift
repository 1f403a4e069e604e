package import BillingCore
package import PaymentDomain
package import Postgres

/// SQL over the fraud rate of card payments, and what it is taken from.
package enum FraudRateStore {
    /// Card payments of one currency in a span.
    package struct Sums: PostgresRecord, Sendable {
        /// What was captured.
        package let volume: Money
        /// What payers said they had not made, except where they were found to have.
        package let fraud: Money
        package let payments: Int64

        package init(row: inout PostgresRow) throws {
            let currency: Currency = try row.next()
            volume = Money(minor: try row.next(), currency: currency)
            fraud = Money(minor: try row.next(), currency: currency)
            payments = try row.next()
        }
    }

    /// What the rate is taken from: a span that ends now. Its whole days that are old enough are added up once
    /// (``total(_:in:)``), so that a payment is read for some days after it was made, and not for ninety.
    package struct Span: Sendable {
        /// How old a day is when it is added up: most of what is captured late is captured by then. What comes later still is
        /// left out, which makes the rate higher and never lower.
        static let age: Duration = .seconds(8 * 86_400)

        /// The moment before its first one.
        package let start: Instant
        /// Its last moment.
        package let end: Instant
        /// The days that are added up; the last one is not among them.
        package let days: Range<CivilDate>

        /// The span of a length up to a moment.
        package init(_ length: Duration, through end: Instant) {
            self.end = end
            start = end - length
            let first: CivilDate = start.day.adding(days: 1)
            days = first..<max(first, (end - Self.age).day)
        }
    }

    /// What was paid by card in a span and what of it was fraud, by currency. Fraud counts when it is told of; a payment
    /// may be older. The span's days are to be added up before.
    package static func sums(of span: Span, in db: borrowing PostgresTransaction) throws -> [Sums] {
        try db.query(
            """
            SELECT s.currency, sum(s.volume)::bigint, sum(s.fraud)::bigint, sum(s.payments)::bigint FROM (
                SELECT currency, volume, 0 AS fraud, payments FROM card_volumes
                WHERE day >= \(span.days.lowerBound) AND day < \(span.days.upperBound)
                UNION ALL
                SELECT currency, volume, 0, payments
                FROM (\(paid(after: span.start, before: span.days.lowerBound.midnight))) AS f
                UNION ALL
                SELECT currency, volume, 0, payments
                FROM (\(paid(after: span.days.upperBound.midnight - tick, before: span.end + tick, isLast: true))) AS l
                UNION ALL
                SELECT d.currency, 0, d.amount, 0
                FROM disputes d JOIN payments p ON p.id = d.payment_id
                JOIN payment_methods m ON m.id = p.payment_method_id
                WHERE d.opened_at > \(span.start) AND d.opened_at <= \(span.end)
                    AND m.type = ANY(\(CardMethod.types)::text[])
                    AND d.reason = 'fraudulent' AND d.status NOT IN ('inquiry', 'closed', 'won')) AS s
            GROUP BY s.currency ORDER BY s.currency
            """, as: Sums.self)
    }

    /// The first day of a span that may not have been added up; days on which nobody paid leave no trace.
    package static func firstToTotal(of span: Span, in db: borrowing PostgresTransaction) throws -> CivilDate {
        let last: CivilDate? =
            try db.first("SELECT max(day) FROM card_volumes") { row in try row.next() as CivilDate? } ?? nil
        return max(span.days.lowerBound, last?.adding(days: 1) ?? span.days.lowerBound)
    }

    /// Adds up a day; what is there stays.
    package static func total(_ day: CivilDate, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute(
            """
            INSERT INTO card_volumes (day, currency, volume, payments)
            SELECT \(day)::date, currency, sum(volume), sum(payments)
            FROM (\(paid(after: day.midnight - tick, before: day.adding(days: 1).midnight))) AS d GROUP BY currency
            ON CONFLICT (day, currency) DO NOTHING
            """)
    }

    /// The least there is between two moments.
    private static let tick: Duration = .microseconds(1)

    /// Card payments of which something was captured, by when they were made: both ends are left out.
    /// - Parameter isLast: No later ones are there. Otherwise ids end it as they begin it; one that is ahead of its payment by
    ///   more than a day was made under a clock that was turned back.
    private static func paid(after start: Instant, before end: Instant, isLast: Bool = false) -> SQL {
        let isBefore: SQL = isLast ? "true" : "p.id < \(PaymentID.first(at: end + .seconds(86_400)))"
        return """
            SELECT p.currency, p.amount_captured AS volume, 1 AS payments
            FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
            WHERE p.id >= \(PaymentID.first(at: start)) AND \(isBefore)
                AND p.created_at > \(start) AND p.created_at < \(end) AND m.type = ANY(\(CardMethod.types)::text[])
                AND p.amount_captured > 0
            """
    }

    /// Whether the rate was measured on a day.
    package static func has(_ day: CivilDate, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first("SELECT true FROM fraud_rates WHERE day = \(day)") { row in try row.next() } ?? false
    }

    /// Stores a day's rate, `nil` where there was too little to tell; the first one of a day stays.
    package static func store(
        _ rate: FraudRate?, of tally: FraudRate.Tally, on day: CivilDate, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO fraud_rates (day, basis_points, payments)
            VALUES (\(day), \(rate?.basisPoints), \(tally.payments))
            ON CONFLICT (day) DO NOTHING
            """)
    }

    /// The newest rate in basis points; `nil` where there was too little to tell.
    package static func latest(in db: borrowing PostgresTransaction) throws -> ExactDecimal? {
        try db.first("SELECT basis_points FROM fraud_rates ORDER BY day DESC LIMIT 1") { row in
            try row.next() as ExactDecimal?
        } ?? nil
    }
}

extension CivilDate {
    /// When the day begins, UTC.
    fileprivate var midnight: Instant { Instant(seconds: Int64(dayNumber) * 86_400) }
}

extension Instant {
    /// The day it is on, UTC; moments here are after 1970.
    fileprivate var day: CivilDate { CivilDate(dayNumber: Int(seconds / 86_400)) }
}
