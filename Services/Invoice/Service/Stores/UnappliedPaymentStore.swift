import BillingCore
import InvoiceDomain
import Postgres

/// Money that was taken for an invoice which could not accept it.
struct UnappliedPayment: Sendable {
    let paymentID: PaymentID
    let invoiceID: InvoiceID
    let customerID: CustomerID
    let amount: Money
    let reason: UnappliedReason
    let succeededAt: Instant
}

/// The `unapplied_payments` table.
enum UnappliedPaymentStore {
    /// Inserts payments; one that is known already stays as it is.
    static func insertion(_ payments: [UnappliedPayment]) -> SQL {
        let sorted: [UnappliedPayment] = payments.sorted { $0.paymentID < $1.paymentID }
        return """
            INSERT INTO unapplied_payments (payment_id, invoice_id, customer_id, currency, amount, reason, succeeded_at)
            SELECT * FROM unnest(
                \(sorted.map(\.paymentID))::text[], \(sorted.map(\.invoiceID))::text[],
                \(sorted.map(\.customerID))::text[], \(sorted.map(\.amount.currency.code))::text[],
                \(sorted.map(\.amount.minor))::bigint[], \(sorted.map(\.reason.rawValue))::text[],
                \(sorted.map(\.succeededAt))::timestamptz[])
            ON CONFLICT (payment_id) DO NOTHING
            """
    }

    /// Notes that some of the money went back.
    /// - Returns: Whether there is such a payment with that much left in that currency; nothing changes otherwise.
    static func giveBack(
        _ amount: Money, of payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let changed: Int = try db.execute(
            """
            UPDATE unapplied_payments SET amount_refunded = amount_refunded + \(amount.minor)
            WHERE payment_id = \(payment) AND currency = \(amount.currency.code)
                AND \(amount.minor) BETWEEN 1 AND amount - amount_refunded
            """)
        return changed == 1
    }

    /// Notes that money which went back came back: it is to be given back again.
    static func takeBack(
        _ amount: Money, of payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE unapplied_payments SET amount_refunded = amount_refunded - \(amount.minor)
            WHERE payment_id = \(payment) AND currency = \(amount.currency.code)
            """)
    }
}
