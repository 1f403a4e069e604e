package import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Asks the provider what became of a payment: after the customer is back from its page, when a webhook says that
/// something happened, or because somebody wants to know. It is harmless, however often and whoever asks.
package struct SyncPayment: Sendable {
    let charge: ChargePayments
    let pool: PostgresPool
    let policy: SweepPolicy

    /// - Returns: The payment as it stands afterwards; unchanged when it waits for no provider or the provider does not
    ///   say.
    /// - Throws: ``Problem`` for a payment that is not there.
    package func callAsFunction(_ id: PaymentID) async throws -> PaymentResource {
        // A call that has just begun answers by itself: its refusal counts only as long as nobody else takes the payment.
        let isLeft: SQL = """
            (p.status <> 'processing' OR p.look_at IS NOT NULL
                OR p.stepped_at < now() - make_interval(secs => \(policy.lostSeconds)))
            """
        if let attempt: ApprovedAttempt = try await waiting("p.id = \(id) AND \(isLeft)") {
            do { try await charge.resume(attempt) } catch is ProviderFault {}  // It is looked for again anyway.
        }
        let found: PaymentResource? = try await pool.transaction(readOnly: true) { db in
            try PaymentResource.find(id, in: db)
        }
        guard let found else { throw Problem.notFound("payment", id.rawValue) }
        return found
    }

    /// Reads an attempt's outcome back and records it; nothing to do for one that no payment waits for.
    /// - Parameter reference: What the provider was just heard to call the charge, where it is this one.
    /// - Throws: ``ProviderFault`` while it is not known.
    package func callAsFunction(
        attempt id: AttemptID, known reference: String? = nil, at provider: String? = nil
    ) async throws {
        guard let attempt: ApprovedAttempt = try await waiting("p.attempt_id = \(id)") else { return }
        try await charge.resume(attempt.provider == provider ? attempt.known(as: reference) : attempt)
    }

    /// The current attempt, where its outcome is open. Taking one that is `processing` counts as a step, as the sweeper's
    /// does: asking about a charge may make it, so that whoever set out to ask before must not go on elsewhere.
    private func waiting(_ which: SQL) async throws -> ApprovedAttempt? {
        try await pool.transaction { db in
            let taken: ApprovedAttempt? = try db.first(
                """
                UPDATE payments p SET stepped_at = now() FROM payment_methods m
                WHERE \(which) AND p.status = \(PaymentStatus.processing.rawValue) AND m.id = p.payment_method_id
                RETURNING \(ApprovedAttempt.columns)
                """, as: ApprovedAttempt.self)
            if let taken { return taken }
            return try db.first(
                """
                SELECT \(ApprovedAttempt.columns) FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
                WHERE \(which) AND p.status = \(PaymentStatus.requiresAction.rawValue) AND p.look_at IS NOT NULL
                """, as: ApprovedAttempt.self)
        }
    }
}
