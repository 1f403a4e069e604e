import BillingCore
import Postgres

/// A refund of a payment that settled an invoice.
struct InvoiceRefund: Sendable {
    let id: RefundID
    let invoiceID: InvoiceID
    let paymentID: PaymentID
    let amount: Money
    let refundedAt: Instant
    /// Of money that was set aside, which the invoice never had.
    var isUnapplied = false
    /// When it failed after all; it does not count then.
    var failedAt: Instant?
}

/// The `invoice_refunds` table.
enum RefundStore {
    /// The refunds among these that are booked already.
    static func booked(_ ids: [RefundID], in db: borrowing PostgresTransaction) throws -> Set<RefundID> {
        let known: [RefundID] = try db.query(
            "SELECT refund_id FROM invoice_refunds WHERE refund_id = ANY(\(ids))"
        ) { row in try row.next() }
        return Set(known)
    }

    /// A refund that is known, its row locked until the transaction ends.
    static func lock(
        _ id: RefundID, currency: Currency, in db: borrowing PostgresTransaction
    ) throws -> InvoiceRefund? {
        try db.first(
            """
            SELECT invoice_id, payment_id, amount, refunded_at, unapplied, failed_at FROM invoice_refunds
            WHERE refund_id = \(id) FOR UPDATE
            """
        ) { row in
            InvoiceRefund(
                id: id, invoiceID: try row.next(), paymentID: try row.next(),
                amount: Money(minor: try row.next(), currency: currency), refundedAt: try row.next(),
                isUnapplied: try row.next(), failedAt: try row.next())
        }
    }

    /// Notes that a refund failed.
    static func fail(_ id: RefundID, at instant: Instant, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("UPDATE invoice_refunds SET failed_at = \(instant) WHERE refund_id = \(id)")
    }

    /// Inserts refunds that are not booked yet.
    static func insertion(_ refunds: [InvoiceRefund]) -> SQL {
        """
        INSERT INTO invoice_refunds (refund_id, invoice_id, payment_id, amount, refunded_at, unapplied, failed_at)
        SELECT * FROM unnest(
            \(refunds.map(\.id))::text[], \(refunds.map(\.invoiceID))::text[], \(refunds.map(\.paymentID))::text[],
            \(refunds.map(\.amount.minor))::bigint[], \(refunds.map(\.refundedAt))::timestamptz[],
            \(refunds.map(\.isUnapplied))::boolean[], \(refunds.map(\.failedAt))::timestamptz[])
        """
    }
}
