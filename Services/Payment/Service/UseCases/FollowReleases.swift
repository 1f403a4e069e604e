import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Follows what providers do with money they hold: what was captured at the provider is booked here
/// (``CapturePayment/adopt(_:of:at:in:)``); an authorization that was released there, or whose time was over there, is over
/// here too; one that nobody wants any more, and that the provider would not let go of, is released again. The provider is
/// read, and what was captured with the end, or the release's beginning, is one transaction: a repeat finds nothing to do.
struct FollowReleases: Sendable {
    /// A capture of the payment is under way: its outcome comes first.
    struct CaptureUnderWay: Error {}

    let capture: CapturePayment
    let pool: PostgresPool
    let clock: any WallClock

    /// - Throws: ``ProviderFault`` or ``CaptureUnderWay`` while it may be settled later.
    func callAsFunction(_ attempt: AttemptID) async throws {
        let found: Hold? = try await pool.transaction(readOnly: true) { db in try Self.hold(of: attempt, in: db) }
        guard let held: Hold = found else { return }
        let provider: any PaymentProvider = try capture.providers.named(held.reference.provider)
        let name: String = held.reference.reference
        let told: ProviderTakings? = held.isManual ? try await provider.takings(of: name) : nil
        let isOver: Bool
        if let told { isOver = !told.isHeld } else { isOver = try await provider.holds(name) == false }
        guard isOver || held.isUnwanted || told?.taken.isEmpty == false else { return }
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            guard let payment: PaymentRecord = try PaymentStore.lock(held.payment, in: db),
                payment.attemptID == attempt, payment.status.after(.release)?.after(.cancel) != nil,
                payment.status == .authorized
            else { return }
            guard try CaptureStore.underWay(payment.id, in: db) == nil else { throw CaptureUnderWay() }
            var standing: PaymentRecord = payment
            if let told { standing = try capture.adopt(told, of: payment, at: now, in: db) }
            // A capture that the provider looks at first is told of once it is decided.
            guard standing.status == .authorized, told?.isPending != true else { return }
            if isOver {
                try CancelPayment.end(standing, reason: "released_by_provider", at: now, in: db)
            } else if held.isUnwanted {
                try PaymentStore.release([standing], in: db)
            }
        }
    }

    private struct Hold: Sendable {
        let payment: PaymentID
        /// Whether it is captured by requests of their own.
        let isManual: Bool
        /// A person has declined it; its invoice was withdrawn; or its capture was refused for good, and it is an invoice's or a plan's.
        let isUnwanted: Bool
        let reference: ProviderReference
    }

    private static func hold(of attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> Hold? {
        let found: (payment: PaymentID, isManual: Bool, isUnwanted: Bool)? = try db.first(
            """
            SELECT p.id, p.capture_method = \(CaptureMethod.manual.rawValue),
                p.review_status IS NOT DISTINCT FROM \(ReviewStatus.declined.rawValue) OR p.invoice_voided
                OR (coalesce(p.invoice_id, p.instalment_id) IS NOT NULL AND EXISTS (
                    SELECT 1 FROM captures c WHERE c.payment_id = p.id AND c.is_final AND c.status = 'failed'
                        AND c.created_at >= a.started_at))
            FROM payments p JOIN payment_attempts a ON a.id = p.attempt_id
            WHERE p.attempt_id = \(attempt) AND p.status = \(PaymentStatus.authorized.rawValue)
            """
        ) { row in (try row.next(), try row.next(), try row.next()) }
        guard let found, let reference = try PaymentStore.providerReference(of: found.payment, in: db) else {
            return nil
        }
        return Hold(
            payment: found.payment, isManual: found.isManual, isUnwanted: found.isUnwanted, reference: reference)
    }
}
