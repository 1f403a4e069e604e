package import BillingCore
package import Postgres

/// What the provider makes of a payment, a capture or a refund in the currency in which it settles with us.
package struct PaymentSettlement: Sendable, Equatable {
    /// Before fees, above zero for a refund too: what is booked, and set right by the provider's report.
    package let amount: Money
    /// Settlement currency for one unit of the payment's, an exact decimal; `nil` where nothing was exchanged.
    package let rate: String?
    /// What the provider keeps of it, in the currency in which it does; `nil` until it has reported.
    package let fee: Money?

    package init(amount: Money, rate: String?, fee: Money?) {
        self.amount = amount
        self.rate = rate
        self.fee = fee
    }
}

/// SQL over what is known of payments' settlements.
package enum PaymentSettlementStore {
    /// What is known of some payments; those of which nothing is are left out, and those whose captures are settled in two
    /// currencies: their captures tell theirs.
    package static func find(
        _ payments: [PaymentID], in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: PaymentSettlement] {
        guard !payments.isEmpty else { return [:] }
        let rows: [(PaymentID, PaymentSettlement)] = try db.query(
            """
            SELECT p.id, coalesce(p.settlement_amount, s.gross), coalesce(p.settlement_currency, s.currency),
                \(rate(of: "p")), s.fee, s.currency
            FROM payments p
            LEFT JOIN exchange_rates r ON r.id = p.exchange_rate_id
            LEFT JOIN LATERAL (
                SELECT sum(l.gross)::bigint AS gross, sum(l.fee)::bigint AS fee, max(l.currency) AS currency,
                    min(l.currency) AS other
                FROM journal_entries e
                JOIN settlement_entries x ON x.entry_id = e.id AND x.role = 'booking'
                JOIN settlement_lines l ON l.provider = x.provider AND l.line_id = x.line_id
                WHERE e.payment_id = p.id AND e.kind IN ('payment', 'capture')) AS s ON true
            WHERE p.id = ANY(\(payments.map(\.rawValue))::text[])
                AND (p.settlement_amount IS NOT NULL OR p.settlement_currency IS NULL AND s.gross IS NOT NULL)
                AND s.other IS NOT DISTINCT FROM s.currency
            """
        ) { row in (try row.next(), try read(&row)) }
        return Dictionary(rows) { first, _ in first }
    }

    /// What is known of some captures and refunds, by id; those of which nothing is are left out.
    package static func find(
        movements ids: [String], in db: borrowing PostgresTransaction
    ) throws -> [String: PaymentSettlement] {
        guard !ids.isEmpty else { return [:] }
        let rows: [(String, PaymentSettlement)] = try db.query(
            """
            SELECT i.id, abs(coalesce(m.settled_amount, m.settlement_amount, s.gross)),
                coalesce(m.settlement_currency, s.currency),
                \(rate(of: "m")), s.fee, s.currency
            FROM unnest(\(ids)::text[]) AS i(id)
            LEFT JOIN exchange_movements m ON m.reference = i.id
            LEFT JOIN exchange_rates r ON r.id = coalesce(m.settled_rate_id, m.exchange_rate_id)
            LEFT JOIN LATERAL (
                SELECT l.gross, l.fee, l.currency
                FROM journal_entries e
                JOIN settlement_entries x ON x.entry_id = e.id AND x.role = 'booking'
                JOIN settlement_lines l ON l.provider = x.provider AND l.line_id = x.line_id
                WHERE e.reference = i.id AND e.kind IN ('capture', 'refund')) AS s ON true
            WHERE m.reference IS NOT NULL OR s.gross IS NOT NULL
            """
        ) { row in (try row.next(), try read(&row)) }
        return Dictionary(rows) { first, _ in first }
    }

    private static func read(_ row: inout PostgresRow) throws -> PaymentSettlement {
        let amount = Money(minor: try row.next(), currency: try row.next())
        let rate: String? = try row.next()
        let fee: Int64? = try row.next()
        let feeCurrency: Currency? = try row.next()
        return PaymentSettlement(
            amount: amount, rate: rate,
            fee: fee.flatMap { minor in feeCurrency.map { Money(minor: minor, currency: $0) } })
    }

    /// The rate `r` as text, seen from what was paid: it may have been given in the other direction.
    /// - Parameter paid: The table or alias whose `currency` was exchanged.
    private static func rate(of paid: StaticString) -> SQL {
        let currency: SQL = "\(raw: paid).currency"
        return """
            trim_scale(round(CASE WHEN r.from_currency = \(currency) THEN r.numerator / r.denominator
                ELSE r.denominator / r.numerator END, 10))::text
            """
    }
}
