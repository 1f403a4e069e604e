package import BillingCore
import BillingEvents
import Messaging
import PaymentDomain
import PaymentExchange
package import PaymentRecords
package import Postgres

/// Undoes a refund that counts no more after it was booked: the customer's bank sent it back, the provider could not make it,
/// or it was a dispute's withdrawal.
///
/// The refund becomes `failed`, its entry is mirrored, the amount can be refunded again, and an event tells it, in one
/// transaction: a crash leaves all or nothing of it. Only a refund that counts is undone, so a repeat does nothing.
package enum BounceRefund {
    /// - Parameter code: Why, in the provider's words or ours.
    /// - Returns: The refund as it stands then.
    /// - Throws: `Refusal.park` where a person has reversed its entry: what is right is for them to say.
    @discardableResult
    package static func undo(
        _ id: RefundID, code: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> RefundRecord? {
        guard let before: RefundRecord = try RefundStore.lock(id, in: db) else { return nil }
        guard let next: FollowUpStatus = before.status.after(.bounce) else { return before }
        guard let payment: PaymentRecord = try PaymentStore.lock(before.paymentID, in: db) else { return before }
        let refund: RefundRecord? = try RefundStore.free(id, as: next, code: code, in: db)
        let exchanged: [Posting] = try BookExchange.undo(refund: id.rawValue, in: db)
        guard try LedgerStore.undo(refund: id.rawValue, of: payment.id, with: exchanged, at: now, in: db) else {
            throw Refusal.park(reason: "the refund \(id) failed, and its entry was reversed by hand")
        }
        let body = PaymentRefundFailedV1(
            refundID: id, paymentID: payment.id, customerID: payment.customerID, amount: before.amount,
            refundedTotal: try RefundStore.succeededTotal(of: payment.id, in: db), invoiceID: payment.invoiceID,
            failureCode: code, failedAt: now)
        try Outbox.append(body, key: payment.key, at: now, in: db)
        return refund
    }
}
