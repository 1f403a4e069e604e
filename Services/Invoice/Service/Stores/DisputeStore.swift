import BillingCore
import Postgres

/// How a dispute of an invoice's payment ended.
struct InvoiceDispute: Sendable {
    /// What can be said of it; only a lost one takes money.
    enum Outcome: String, Sendable { case won, lost, closed }

    let id: DisputeID
    let invoiceID: InvoiceID
    let paymentID: PaymentID
    let amount: Money
    let outcome: Outcome
    let closedAt: Instant
}

/// The `invoice_disputes` table.
enum DisputeStore {
    /// Keeps the last word on a dispute; an older one that is told again changes nothing. Travels with the next statement.
    static func note(_ dispute: InvoiceDispute, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            INSERT INTO invoice_disputes AS d
                (dispute_id, invoice_id, payment_id, currency, amount, outcome, closed_at)
            VALUES (\(dispute.id), \(dispute.invoiceID), \(dispute.paymentID), \(dispute.amount.currency.code),
                \(dispute.amount.minor), \(dispute.outcome.rawValue), \(dispute.closedAt))
            ON CONFLICT (dispute_id) DO UPDATE SET currency = excluded.currency, amount = excluded.amount,
                outcome = excluded.outcome, closed_at = excluded.closed_at
            WHERE d.closed_at <= excluded.closed_at
            """)
    }

    /// What disputes have taken of the payments that paid invoices, minor units; invoices without any are left out.
    static func lost(of invoices: [InvoiceID], in db: borrowing PostgresTransaction) throws -> [InvoiceID: Int64] {
        let sums: [(InvoiceID, Int64)] = try db.query(
            """
            SELECT i.id, sum(d.amount)::bigint FROM invoices i
            JOIN invoice_disputes d ON d.payment_id = i.payment_id AND d.currency = i.currency AND d.outcome = 'lost'
            WHERE i.id = ANY(\(invoices)) GROUP BY i.id
            """
        ) { row in (try row.next(), try row.next()) }
        return Dictionary(sums, uniquingKeysWith: { first, _ in first })
    }
}
