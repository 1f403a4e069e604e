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

    /// What was paid by card in a span and what of it was fraud, by currency. Fraud counts when it is told of; a payment
    /// may be older.
    package static func sums(
        after start: Instant, through end: Instant, in db: borrowing PostgresTransaction
    ) throws -> [Sums] {
        try db.query(
            """
            SELECT s.currency, sum(s.volume)::bigint, sum(s.fraud)::bigint, sum(s.payments)::bigint FROM (
                SELECT p.currency, p.amount_captured AS volume, 0 AS fraud, 1 AS payments
                FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
                WHERE p.id >= \(PaymentID.first(at: start)) AND p.created_at > \(start) AND p.created_at <= \(end)
                    AND m.type = 'card' AND p.amount_captured > 0
                UNION ALL
                SELECT d.currency, 0, d.amount, 0
                FROM disputes d JOIN payments p ON p.id = d.payment_id
                JOIN payment_methods m ON m.id = p.payment_method_id
                WHERE d.opened_at > \(start) AND d.opened_at <= \(end) AND m.type = 'card'
                    AND d.reason = 'fraudulent' AND d.status NOT IN ('inquiry', 'won')) AS s
            GROUP BY s.currency ORDER BY s.currency
            """, as: Sums.self)
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
