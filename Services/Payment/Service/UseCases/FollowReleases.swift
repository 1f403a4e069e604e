import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Follows what providers do with money they hold: an authorization that was released at the provider, or whose time
/// was over there, is over here too; one that nobody wants any more, and that the provider would not let go of, is
/// released again. The provider is read, and the end, or the release's beginning, is one transaction: a repeat finds
/// nothing to do.
struct FollowReleases: Sendable {
    /// A capture of the payment is under way: its outcome comes first.
    struct CaptureUnderWay: Error {}

    let providers: PaymentProviders
    let pool: PostgresPool
    let clock: any WallClock

    /// - Throws: ``ProviderFault`` or ``CaptureUnderWay`` while it may be settled later.
    func callAsFunction(_ attempt: AttemptID) async throws {
        let found: Hold? = try await pool.transaction(readOnly: true) { db in try Self.hold(of: attempt, in: db) }
        guard let held: Hold = found else { return }
        let provider: any PaymentProvider = try providers.named(held.reference.provider)
        let isOver: Bool = try await provider.holds(held.reference.reference) == false
        guard isOver || held.isUnwanted else { return }
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            guard let payment: PaymentRecord = try PaymentStore.lock(held.payment, in: db),
                payment.attemptID == attempt, payment.status.after(.release)?.after(.cancel) != nil,
                payment.status == .authorized
            else { return }
            guard try CaptureStore.underWay(payment.id, in: db) == nil else { throw CaptureUnderWay() }
            if isOver {
                try CancelPayment.end(payment, reason: "released_by_provider", at: now, in: db)
            } else {
                try PaymentStore.release([payment], in: db)
            }
        }
    }

    private struct Hold: Sendable {
        let payment: PaymentID
        /// A person has declined it; or its capture was refused for good, and it is an invoice's or a plan's.
        let isUnwanted: Bool
        let reference: ProviderReference
    }

    private static func hold(of attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> Hold? {
        let found: (payment: PaymentID, isUnwanted: Bool)? = try db.first(
            """
            SELECT p.id, p.review_status IS NOT DISTINCT FROM \(ReviewStatus.declined.rawValue)
                OR (coalesce(p.invoice_id, p.instalment_id) IS NOT NULL AND EXISTS (
                    SELECT 1 FROM captures c WHERE c.payment_id = p.id AND c.is_final AND c.status = 'failed'
                        AND c.created_at >= a.started_at))
            FROM payments p JOIN payment_attempts a ON a.id = p.attempt_id
            WHERE p.attempt_id = \(attempt) AND p.status = \(PaymentStatus.authorized.rawValue)
            """
        ) { row in (try row.next(), try row.next()) }
        guard let found, let reference = try PaymentStore.providerReference(of: found.payment, in: db) else {
            return nil
        }
        return Hold(payment: found.payment, isUnwanted: found.isUnwanted, reference: reference)
    }
}
