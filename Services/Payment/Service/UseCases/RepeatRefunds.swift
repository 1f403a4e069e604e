import BillingCore
import Logging
import PaymentRecords
import Postgres

/// Asks again for money that nobody owes and whose refund the provider has refused: of payments that had ended and of withdrawn
/// invoices. The provider's balance may be full by now, or the dispute over.
///
/// Why a crash at any line is safe: the refusal is noted in the transaction that ends the refused refund, and the rest reserved again in
/// the one that takes the payment's turn, so that nothing is given back twice; refunds that are then left alone are made as any
/// other that stopped on its way.
struct RepeatRefunds: Sendable {
    let pool: PostgresPool
    let clock: any WallClock
    let logger: Logger

    /// Stores the refunds of some payments.
    /// - Returns: The refunds; they are to be made.
    func callAsFunction(limit: Int) async throws -> [RefundID] {
        let now: Instant = clock.now
        let refunds: [RefundID] = try await pool.transaction { db in
            try RefundRepeats.begin(limit: limit, at: now, in: db)
        }
        for refund in refunds {
            logger.warning("money that nobody owes is asked back again", metadata: ["refund_id": "\(refund)"])
        }
        return refunds
    }
}
