import BillingCore
import Postgres
import SubscriptionDomain

/// The `refunds` table: what was given back of invoices in all.
enum RefundStore {
    /// Adds what was given back, and takes off what came back. The subscriptions should be locked.
    /// - Parameter changes: One for each invoice: each change counts.
    /// - Note: Enqueues one statement.
    static func add(_ changes: [(invoice: InvoiceID, amount: Int64)], in db: borrowing PostgresTransaction) throws {
        guard !changes.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO refunds AS r (invoice_id, amount)
            SELECT e.invoice_id, e.amount
            FROM unnest(\(changes.map(\.invoice))::text[], \(changes.map(\.amount))::bigint[]) AS e(invoice_id, amount)
            ORDER BY e.invoice_id
            ON CONFLICT (invoice_id) DO UPDATE SET amount = r.amount + excluded.amount
            """)
    }

    /// What has gone of the payment of an invoice in billing `b`'s currency, refunded or lost in disputes, minor units.
    /// - Parameter invoice: The column that names it.
    static func gone(of invoice: SQL) -> SQL {
        """
        (coalesce((SELECT r.amount FROM refunds r WHERE r.invoice_id = \(invoice)), 0)
            + coalesce((SELECT sum(d.amount)::bigint FROM disputes d
                WHERE d.invoice_id = \(invoice) AND d.currency = b.currency AND d.is_lost), 0))
        """
    }

    /// What paid for the time that is running: the latest paid billing, of a period or of an immediate change.
    /// - Returns: `nil` when nothing is known to have.
    static func paidTime(of subscription: SubscriptionID, in db: borrowing PostgresTransaction) throws -> PaidTime? {
        let paid: SQL = "b.subscription_id = \(subscription) AND b.status = 'paid' AND NOT b.is_paid_late"
        let columns: SQL = "b.invoice_id, b.lines, b.currency, b.reason, b.billed_at"
        return try db.first(
            """
            SELECT b.invoice_id, b.lines, \(gone(of: "b.invoice_id")) FROM (
                (SELECT \(columns) FROM billings b WHERE \(paid) AND b.reason <> 'upgrade'
                    ORDER BY b.period_start DESC LIMIT 1)
                UNION ALL
                (SELECT \(columns) FROM billings b WHERE \(paid) AND b.reason = 'upgrade'
                    ORDER BY b.billed_at DESC LIMIT 1)
            ) AS b
            WHERE b.invoice_id IS NOT NULL
            ORDER BY b.billed_at DESC, b.reason = 'upgrade' DESC LIMIT 1
            """
        ) { row in
            let invoiceID: InvoiceID = try row.next()
            let lines: [BillingLine] = try LinesColumn.decode(row.next())
            let gone: Int64 = try row.next()
            // Credit for unused time comes first and is below zero; the charge is next.
            return PaidTime(invoiceID: invoiceID, charge: lines.first { $0.amount > 0 }?.amount ?? 0, gone: gone)
        }
    }
}
