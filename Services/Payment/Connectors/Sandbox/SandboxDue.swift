package import BillingCore
package import PaymentContract
import PaymentDomain
package import Postgres

/// What becomes of a card's refunds by itself; the cards' numbers are Stripe's (docs.stripe.com/testing, "Refunds").
enum SandboxRefundCourse: String, CaseIterable, Sendable {
    case pendsFirst = "pends_first"
    case failsLater = "fails_later"

    /// After how long, by the business clock.
    static let wait: Duration = .seconds(86_400)
    /// Why one comes back.
    static let failure = "expired_or_canceled_card"

    /// How a refund stands that is so in the books.
    static func state(isPending: Bool, failure: String?) -> ProviderRefund.State {
        if let failure { return .failed(code: failure) }
        return isPending ? .pending : .succeeded
    }
}

/// What the sandbox says by itself: an outside provider would send a webhook.
package struct SandboxWord: Sendable, Equatable {
    /// The acquirer, by name.
    package let provider: String
    /// The charge that it is about.
    package let attempt: AttemptID
    /// The refund of it that has come to an end; `nil`: the charge itself has.
    package let refund: ProviderRefund?
}

/// Finds what is due at the sandbox by the business clock, at whichever acquirer: answers of banks, and ends of refunds.
/// Disputes are followed as any provider's are.
package struct SandboxDue: Sendable {
    /// Charges, and refunds, that one look takes.
    private static let limit = 100

    private let pool: PostgresPool
    private let clock: any WallClock

    /// A reader of the books in the pool's schema.
    package init(pool: PostgresPool, clock: any WallClock) {
        self.pool = pool
        self.clock = clock
    }

    /// What is due and was not heard yet; in the books it has happened then. Harmless to repeat.
    /// - Throws: ``PostgresError``.
    package func words() async throws -> [SandboxWord] {
        let now: Instant = clock.now
        return try await pool.transactionRetrying { db in
            try Self.turn(at: now, in: db)
            return try Self.charges(at: now, in: db) + Self.refunds(at: now, in: db)
        }
    }

    /// Notes that a word was heard: it is told no more.
    /// - Throws: ``PostgresError``.
    package func heard(_ word: SandboxWord) async throws {
        try await pool.transactionRetrying { db in
            if let refund: ProviderRefund = word.refund {
                _ = try db.execute("UPDATE sandbox_refunds SET due_at = NULL WHERE reference = \(refund.reference)")
            } else {
                _ = try db.execute(
                    "UPDATE sandbox_charges SET due_at = NULL WHERE idempotency_key = \(word.attempt)")
            }
        }
    }

    /// How much is due by the test clock and was not heard yet.
    package static func inFlight(_ db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            WITH business AS (SELECT now() + offset_microseconds * interval '1 microsecond' AS now FROM test_clock)
            SELECT (SELECT count(*) FROM sandbox_charges WHERE due_at <= (SELECT now FROM business))
                 + (SELECT count(*) FROM sandbox_refunds WHERE due_at <= (SELECT now FROM business))
            """
        ) { row in try row.next() } ?? 0
    }

    /// Does all that is due, as of when it was: banks answer, refunds come to an end, disputes go on.
    static func turn(at now: Instant, in db: borrowing PostgresTransaction) throws {
        try SandboxLocalBooks.answer(at: now, in: db)
        try end(at: now, in: db)
        try SandboxDisputeBooks.turn(at: now, in: db)
    }

    /// Pending refunds are made, others come back.
    private static func end(at now: Instant, in db: borrowing PostgresTransaction) throws {
        // Locked first, and in one order: of two who do it, one waits for the other.
        let keys: [String] = try db.query(
            """
            SELECT idempotency_key FROM sandbox_refunds WHERE due_at <= \(now) ORDER BY idempotency_key FOR UPDATE
            """
        ) { row in try row.next() }
        guard !keys.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE sandbox_refunds SET is_pending = false, occurred_at = due_at
            WHERE idempotency_key = ANY(\(keys)::text[]) AND is_pending
            """)
        try db.enqueue(
            """
            UPDATE sandbox_refunds r SET failure_code = \(SandboxRefundCourse.failure), failed_at = r.due_at
            FROM sandbox_charges c
            WHERE r.idempotency_key = ANY(\(keys)::text[]) AND r.failure_code IS NULL
                AND c.idempotency_key = r.charge_key AND c.refund_course = \(SandboxRefundCourse.failsLater.rawValue)
            """)
    }

    private static func charges(
        at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [SandboxWord] {
        try db.query(
            """
            SELECT provider, idempotency_key FROM sandbox_charges WHERE due_at <= \(now)
            ORDER BY due_at LIMIT \(limit)
            """
        ) { row in SandboxWord(provider: try row.next(), attempt: try row.next(), refund: nil) }
    }

    private static func refunds(
        at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [SandboxWord] {
        let ended: [(provider: String, attempt: AttemptID, reference: String)] = try db.query(
            """
            SELECT c.provider, r.charge_key, r.reference FROM sandbox_refunds r
            JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
            WHERE r.due_at <= \(now) ORDER BY r.due_at LIMIT \(limit)
            """
        ) { row in (try row.next(), try row.next(), try row.next()) }
        return try ended.compactMap { end in
            try SandboxBooks.refund(named: end.reference, in: db).map { refund in
                SandboxWord(provider: end.provider, attempt: end.attempt, refund: refund)
            }
        }
    }
}
