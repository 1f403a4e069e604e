import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Follows what providers do with money they hold: an authorization that was released at the provider, or whose time was
/// over there, is over here too. The provider is read, and the end is one transaction: a repeat finds nothing to do.
struct FollowReleases: Sendable {
    /// A capture of the payment is under way: its outcome comes first.
    struct CaptureUnderWay: Error {}

    let providers: PaymentProviders
    let pool: PostgresPool
    let clock: any WallClock

    /// - Throws: ``ProviderFault`` or ``CaptureUnderWay`` while it may be settled later.
    func callAsFunction(_ attempt: AttemptID) async throws {
        let held: (payment: PaymentID, reference: ProviderReference)? = try await pool.transaction(readOnly: true) {
            db in
            let payment: PaymentID? = try db.first(
                "SELECT id FROM payments WHERE attempt_id = \(attempt) AND status = 'authorized'"
            ) { row in try row.next() }
            guard let payment, let reference = try PaymentStore.providerReference(of: payment, in: db) else {
                return nil
            }
            return (payment, reference)
        }
        guard let held,
            try await providers.named(held.reference.provider).holds(held.reference.reference) == false
        else { return }
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            guard let payment: PaymentRecord = try PaymentStore.lock(held.payment, in: db),
                payment.attemptID == attempt, payment.status.after(.release)?.after(.cancel) != nil,
                payment.status == .authorized
            else { return }
            guard try !CaptureStore.isUnderWay(payment.id, in: db) else { throw CaptureUnderWay() }
            try CancelPayment.end(payment, reason: "released_by_provider", at: now, in: db)
        }
    }
}
