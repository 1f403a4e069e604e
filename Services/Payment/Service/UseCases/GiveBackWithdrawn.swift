import BillingCore
import Logging
import PaymentDomain
import PaymentRecords
import Postgres

/// Gives back what was taken for invoices that were withdrawn: the charge was with its provider when the word came, or had
/// just been taken. Invoice voids only what it has not heard to be paid, so that nobody owes any of that money. What paid
/// an invoice of a subscription that had ended goes the same way (``RefundEndedSubscriptions``); its invoice stays paid.
///
/// What is left of a payment is reserved in the transaction that finds it; refunds that a crash then leaves alone are made
/// as any other that stopped on its way. After a refund that the provider refuses, ``RepeatRefunds`` asks again; Invoice shows
/// the money until it has gone back. Money that a dispute holds is given back once it is won.
struct GiveBackWithdrawn: Sendable {
    let pool: PostgresPool
    let clock: any WallClock
    let logger: Logger

    /// Payments with something to give back.
    static let taken: SQL = """
        SELECT \(PaymentRecord.columns) FROM payments p
        WHERE (p.invoice_voided OR p.give_back)
            AND p.amount_captured > p.amount_refunded + p.amount_disputed
            AND p.status = \(PaymentStatus.succeeded.rawValue)
            AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.payment_id = p.id
                AND r.reason = \(OwnRefund.ofWithdrawnInvoice) AND r.status = \(FollowUpStatus.failed.rawValue))
        ORDER BY p.id
        """

    /// Stores the refunds of some payments.
    /// - Returns: The refunds; they are to be made.
    func callAsFunction(limit: Int) async throws -> [RefundID] {
        let now: Instant = clock.now
        let stored: [(payment: PaymentID, refunds: [RefundID])] = try await pool.transaction { db in
            let payments: [PaymentRecord] = try db.query(
                "\(Self.taken) LIMIT \(limit) FOR UPDATE OF p SKIP LOCKED", as: PaymentRecord.self)
            return try payments.map { payment in
                let reason: String = OwnRefund.ofWithdrawnInvoice
                return (payment.id, try RefundStore.reserveRest(of: payment, reason: reason, at: now, in: db))
            }
        }
        for (payment, refunds) in stored where !refunds.isEmpty {
            logger.warning(
                "money was taken that nobody owes and is given back", metadata: ["payment_id": "\(payment)"])
        }
        return stored.flatMap { $0.refunds }
    }
}
