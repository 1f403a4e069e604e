import BillingCore
import BillingEvents
import Postgres

/// The `disputes` table: how disputes of invoices' payments ended.
enum DisputeStore {
    /// Keeps the last word on a dispute; an older one that is told again changes nothing. Disputes of payments that are not for
    /// an invoice are nobody's concern here. Travels with the next statement.
    static func note(_ closed: PaymentDisputeClosedV1, in db: borrowing PostgresTransaction) throws {
        guard let invoice: InvoiceID = closed.invoiceID else { return }
        try db.enqueue(
            """
            INSERT INTO disputes AS d (dispute_id, invoice_id, currency, amount, is_lost, closed_at)
            VALUES (\(closed.disputeID), \(invoice), \(closed.amount.currency.code), \(closed.amount.minor),
                \(closed.outcome == "lost"), \(closed.closedAt))
            ON CONFLICT (dispute_id) DO UPDATE SET currency = excluded.currency, amount = excluded.amount,
                is_lost = excluded.is_lost, closed_at = excluded.closed_at
            WHERE d.closed_at <= excluded.closed_at
            """)
    }

    /// What lost disputes have taken of the payment of billing `b`, minor units.
    static let lost: SQL =
        """
        (SELECT coalesce(sum(d.amount), 0)::bigint FROM disputes d
            WHERE d.invoice_id = b.invoice_id AND d.currency = b.currency AND d.is_lost)
        """
}
