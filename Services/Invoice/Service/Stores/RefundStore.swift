import BillingCore
import Postgres

/// A refund of a payment that settled an invoice.
struct InvoiceRefund: Sendable {
    let id: RefundID
    let invoiceID: InvoiceID
    let paymentID: PaymentID
    let amount: Money
    let refundedAt: Instant
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

    /// Inserts refunds that are not booked yet.
    static func insertion(_ refunds: [InvoiceRefund]) -> SQL {
        """
        INSERT INTO invoice_refunds (refund_id, invoice_id, payment_id, amount, refunded_at)
        SELECT * FROM unnest(
            \(refunds.map(\.id))::text[], \(refunds.map(\.invoiceID))::text[], \(refunds.map(\.paymentID))::text[],
            \(refunds.map(\.amount.minor))::bigint[], \(refunds.map(\.refundedAt))::timestamptz[])
        """
    }
}
