package import BillingCore
import PaymentContract
import Postgres

/// Asks the provider what became of a payment when a webhook says that something happened. Reading back is harmless,
/// however often and whoever asks.
package struct SyncPayment: Sendable {
    let charge: ChargePayments
    let pool: PostgresPool

    /// Reads an attempt's outcome back and records it; nothing to do for one that no payment waits for.
    /// - Throws: ``ProviderFault`` while it is not known.
    package func callAsFunction(attempt id: AttemptID) async throws {
        let waiting: ApprovedAttempt? = try await pool.transaction(readOnly: true) { db in
            try db.first(
                """
                SELECT \(ApprovedAttempt.columns)
                FROM payment_attempts a JOIN payments p ON p.id = a.payment_id AND p.attempt_id = a.id
                JOIN payment_methods m ON m.id = p.payment_method_id
                WHERE a.id = \(id) AND p.status = 'processing'
                """, as: ApprovedAttempt.self)
        }
        if let waiting { try await charge.resume(waiting) }
    }
}
