import BillingCore
import Logging
import PaymentContract
import Postgres

/// Tells the charge flow what was settled, until it has heard it: an answer is marked as told after the flow took it,
/// so a crash in between tells it again.
struct NewsOfCharges: Sendable {
    /// What is told in one pass; the rest follows in the next.
    private static let passLimit = 200

    let chain: String
    let pool: PostgresPool
    let clock: any WallClock
    let logger: Logger

    func tell(_ tell: @Sendable (ProviderNews) async throws -> Void) async throws {
        let (chain, now): (String, Instant) = (chain, clock.now)
        let charges: [AttemptID] = try await pool.transaction(readOnly: true) { db in
            try db.query(
                """
                SELECT attempt_id FROM crypto_charges
                WHERE chain = \(chain) AND answer IS NOT NULL AND told_at IS NULL
                ORDER BY answered_at LIMIT \(Self.passLimit)
                """
            ) { row in try row.next() }
        }
        for attempt in charges {
            await holdingUpNobody(attempt.rawValue) {
                try await tell(.charge(attempt))
                try await pool.transactionRetrying { db in
                    _ = try db.execute("UPDATE crypto_charges SET told_at = \(now) WHERE attempt_id = \(attempt)")
                }
            }
        }
        for (id, refund) in try await refunds() {
            await holdingUpNobody(id.rawValue) {
                try await tell(.refund(refund))
                try await pool.transactionRetrying { db in
                    _ = try db.execute(
                        "UPDATE crypto_refund_instructions SET told_at = \(now) WHERE id = \(id)")
                }
            }
        }
    }

    private func holdingUpNobody(_ what: String, _ work: () async throws -> Void) async {
        do { try await work() } catch {
            logger.warning("news is told again later", metadata: ["of": "\(what)", "error": "\(error)"])
        }
    }

    /// The refunds that were asked for and have been carried out or taken back. What goes back to a payer who sent too much concerns
    /// no refund of ours.
    private func refunds() async throws -> [(RefundID, ProviderRefund)] {
        let chain: String = chain
        return try await pool.transaction(readOnly: true) { db in
            try db.query(
                """
                SELECT r.id, r.status, concat_ws('/', r.transaction_id, r.id), c.address, r.value, c.currency
                FROM crypto_refund_instructions r JOIN crypto_charges c ON c.attempt_id = r.attempt_id
                WHERE c.chain = \(chain) AND r.status IN ('confirmed', 'canceled') AND r.reason = 'merchant'
                    AND r.told_at IS NULL
                ORDER BY r.id LIMIT \(Self.passLimit)
                """
            ) { row in
                let id: RefundID = try row.next()
                let status: InstructionRecord.Status = try row.nextCase()
                let refund = ProviderRefund(
                    reference: try row.next(), taken: try row.next(), refundID: id,
                    amount: Money(minor: try row.next(), currency: try row.next()),
                    state: status == .confirmed ? .succeeded : .failed(code: CryptoDecline.canceled))
                return (id, refund)
            }
        }
    }
}
