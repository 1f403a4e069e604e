import BillingCore
import Logging
import PaymentContract
import PaymentDomain
import Postgres

/// Releases money that providers hold for attempts whose payments had ended before anybody heard of it; see ``LateOutcomes``.
///
/// Taking one sets the time of the next try, so that a crash leaves it to another pass. A provider that refuses is asked
/// what it holds; as long as it holds something, or does not say, the consistency check shows it. Where somebody has captured
/// the money there instead, a person is told, and its settlement line becomes a case.
struct ReleaseLateHolds: Sendable {
    /// An attempt with what its provider knows the hold by.
    struct Hold: Sendable {
        let attempt: AttemptID
        let provider: String
        let reference: String
    }

    let providers: PaymentProviders
    let pool: PostgresPool
    let logger: Logger

    /// What is due.
    static let held: SQL = "SELECT id FROM payment_attempts WHERE release_at <= now() ORDER BY release_at"

    /// Takes what is due; nobody else does before its next time, which is twice as far away after each, a day at most.
    func due(limit: Int) async throws -> [Hold] {
        try await pool.transaction { db in
            try db.query(
                """
                UPDATE payment_attempts SET releases = releases + 1,
                    release_at = now() + make_interval(secs => least(60 * 2 ^ least(releases, 20), 86400))
                WHERE id IN (\(Self.held) LIMIT \(limit) FOR UPDATE SKIP LOCKED)
                RETURNING id, provider, provider_reference
                """
            ) { row in Hold(attempt: try row.next(), provider: try row.next(), reference: try row.next()) }
        }
    }

    /// - Throws: ``ProviderFault`` while the provider's word is not known.
    func callAsFunction(_ hold: Hold) async throws {
        let provider: any PaymentProvider = try providers.named(hold.provider)
        let answer: ReleaseAnswer = try await provider.release(
            ReleaseRequest(idempotencyKey: hold.attempt, reference: hold.reference))
        if answer != .released, try await provider.holds(hold.reference) != false {
            if try await Self.isTaken(hold.reference, at: provider) { return try await end(hold, isTaken: true) }
            return logger.error(
                "money is held for a payment that has ended, and the provider does not release it",
                metadata: [
                    "attempt_id": "\(hold.attempt)", "provider": "\(hold.provider)", "reference": "\(hold.reference)",
                    "answer": "\(answer)",
                ])
        }
        try await end(hold, isTaken: false)
    }

    /// Whether all that there was to hold has been captured.
    private static func isTaken(_ reference: String, at provider: any PaymentProvider) async throws -> Bool {
        guard let takings: ProviderTakings = try await provider.takings(of: reference) else { return false }
        return !takings.taken.isEmpty && !takings.isHeld && !takings.isPending
    }

    /// Nothing is held any more. That it was captured is told once.
    private func end(_ hold: Hold, isTaken: Bool) async throws {
        try await pool.transaction { db in
            let ended: Int = try db.execute(
                "UPDATE payment_attempts SET release_at = NULL WHERE id = \(hold.attempt) AND release_at IS NOT NULL")
            guard isTaken, ended > 0 else { return }
            let fault = ProviderFault.unusable(
                "\(hold.reference) of \(hold.attempt) was captured after its payment had ended")
            db.onCommit {
                ProviderAlarms.shared.note(fault, of: hold.provider, on: .capture, isSingular: true)
            }
        }
    }
}
