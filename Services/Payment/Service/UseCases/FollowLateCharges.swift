import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Follows news of charges whose payments have ended: failed or canceled, while the provider went on.
///
/// The charge is read by the provider's name of it, which cannot make one (``PaymentProvider/lookUp(_:)``); where a provider
/// cannot be read so, nothing is done. What has come of it is recorded as any outcome, and ``LateOutcomes`` decides. A crash
/// at any line is safe: nothing but the record changes anything, it counts once, and the news comes again until it is done.
struct FollowLateCharges: Sendable {
    /// Money came, and the payment has gone on meanwhile: the same news finds it there.
    struct GoneOn: Error {}

    let providers: PaymentProviders
    let record: RecordOutcomes
    let pool: PostgresPool

    /// - Parameter reference: What the provider was just heard to call the charge; without it, what its answer has told.
    /// - Throws: ``ProviderFault`` or ``GoneOn`` while it may be settled later.
    func callAsFunction(_ id: AttemptID, known reference: String?, at provider: String) async throws {
        let current: ApprovedAttempt? = try await ended(id)
        let found: ApprovedAttempt? = if let current { current } else { try await followed(id) }
        guard let attempt: ApprovedAttempt = found, attempt.provider == provider else { return }
        let connector: any PaymentProvider = try providers.named(provider)
        guard let answer = try await money(of: attempt.request, known: reference, at: connector) else { return }
        try await record(Outcome(attempt: attempt, answer: answer, by: connector))
        if case .captured = answer, try await !isCaptured(id) { throw GoneOn() }
    }

    /// What was captured or is held by a charge, as the provider says now; `nil` for any other word.
    private func money(
        of request: ChargeRequest, known reference: String?, at provider: any PaymentProvider
    ) async throws -> ChargeAnswer? {
        let named: ChargeRequest = reference.map(request.known) ?? request
        guard let answer: ChargeAnswer = try await provider.lookUp(named) else { return nil }
        switch answer {
        case .captured: return answer
        case .authorized(let charge): return try await provider.holds(charge.reference) == false ? nil : answer
        case .declined, .actionRequired, .pending: return nil
        }
    }

    /// The attempt with which its payment has ended.
    private func ended(_ id: AttemptID) async throws -> ApprovedAttempt? {
        try await pool.transaction(readOnly: true) { db in
            try db.first(
                """
                SELECT \(ApprovedAttempt.columns) FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
                WHERE p.attempt_id = \(id) AND p.status = ANY(\(LateOutcomes.ended)::text[])
                """, as: ApprovedAttempt.self)
        }
    }

    private func isCaptured(_ id: AttemptID) async throws -> Bool {
        try await pool.transaction(readOnly: true) { db in
            try db.first(
                "SELECT status = \(PaymentStatus.succeeded.rawValue) FROM payments WHERE attempt_id = \(id)"
            ) { row in try row.next() } ?? false
        }
    }

    /// An attempt that ended without money, and that another one of its payment followed.
    private func followed(_ id: AttemptID) async throws -> ApprovedAttempt? {
        try await pool.transaction(readOnly: true) { db in
            try db.first(
                """
                SELECT p.id, coalesce(a.amount, p.amount), p.currency, coalesce(a.capture_method, p.capture_method),
                    a.provider_reference, a.provider
                FROM payment_attempts a JOIN payments p ON p.id = a.payment_id
                WHERE a.id = \(id) AND p.attempt_id <> a.id AND a.status = ANY(\(LateOutcomes.ended)::text[])
                """
            ) { row in
                let payment: PaymentID = try row.next()
                let amount = Money(minor: try row.next(), currency: try row.next())
                let method: CaptureMethod = try row.nextCase()
                let request = ChargeRequest(
                    idempotencyKey: id, paymentID: payment, source: .unopened, amount: amount,
                    capture: method == .automatic, reference: try row.next())
                return ApprovedAttempt(paymentID: payment, provider: try row.next(), request: request)
            }
        }
    }
}
