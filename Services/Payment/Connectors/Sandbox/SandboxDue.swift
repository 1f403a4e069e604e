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
    /// How long a word that could not be settled waits, by the business clock.
    package static let setback: Duration = .seconds(10)

    private let pool: PostgresPool
    private let clock: any WallClock
    private let providers: [String]

    /// A reader of the books in the pool's schema.
    /// - Parameter providers: The acquirers that are there; what others have in the books is told to nobody.
    package init(pool: PostgresPool, clock: any WallClock, of providers: [String]) {
        self.pool = pool
        self.clock = clock
        self.providers = providers
    }

    /// Whether there are words.
    package var isDue: SQL {
        let now: Instant = clock.now
        return "\(SQL.exists(dueCharges(at: now))) OR \(SQL.exists(dueRefunds(at: now)))"
    }

    /// For each acquirer, whether it is worth asking for news of disputes beyond a cursor (a SELECT of it): it has some, or
    /// something is due.
    package var disputes: [String: @Sendable (_ cursor: SQL) -> SQL] {
        let conditions: [(String, @Sendable (SQL) -> SQL)] = providers.map { provider in
            (provider, { cursor in SandboxDisputeBooks.isNew(after: cursor, at: provider, now: clock.now) })
        }
        return Dictionary(conditions) { first, _ in first }
    }

    /// What is due and was not heard yet, the longest due first; in the books it has happened then. Harmless to repeat.
    /// - Throws: ``PostgresError``.
    package func words() async throws -> [SandboxWord] {
        let now: Instant = clock.now
        return try await pool.transactionRetrying { db in
            try Self.turn(at: now, in: db)
            return try charges(at: now, in: db) + refunds(at: now, in: db)
        }
    }

    /// Notes that a word was heard: it is told no more.
    /// - Throws: ``PostgresError``.
    package func heard(_ word: SandboxWord) async throws { try await tell(word, at: nil) }

    /// Has a word that could not be settled told again ``setback`` later, so that it holds up no other. When it happened stays
    /// as it is.
    /// - Throws: ``PostgresError``.
    package func putOff(_ word: SandboxWord) async throws { try await tell(word, at: clock.now + Self.setback) }

    private func tell(_ word: SandboxWord, at time: Instant?) async throws {
        // What another instance has heard meanwhile stays heard.
        try await pool.transactionRetrying { db in
            if let refund: ProviderRefund = word.refund {
                _ = try db.execute(
                    """
                    UPDATE sandbox_refunds SET due_at = \(time)
                    WHERE reference = \(refund.reference) AND due_at IS NOT NULL
                    """)
            } else {
                _ = try db.execute(
                    """
                    UPDATE sandbox_charges SET due_at = \(time)
                    WHERE idempotency_key = \(word.attempt) AND due_at IS NOT NULL
                    """)
            }
        }
    }

    /// How much is due by the test clock and was not heard yet, at the two that are always there: a further acquirer may have
    /// been taken out of the configuration, and then it is never heard.
    package static func inFlight(_ db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            WITH business AS (SELECT now() + offset_microseconds * interval '1 microsecond' AS now FROM test_clock)
            SELECT (SELECT count(*) FROM sandbox_charges, business
                    WHERE due_at <= business.now AND provider IN ('sandbox', 'sandbox_local'))
                 + (SELECT count(*) FROM business CROSS JOIN sandbox_refunds r
                    JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
                    WHERE r.due_at <= business.now AND c.provider IN ('sandbox', 'sandbox_local'))
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

    private func dueCharges(at now: Instant) -> SQL {
        """
        SELECT provider, idempotency_key FROM sandbox_charges
        WHERE due_at <= \(now) AND provider = ANY(\(providers)::text[]) ORDER BY due_at
        """
    }

    private func charges(at now: Instant, in db: borrowing PostgresTransaction) throws -> [SandboxWord] {
        try db.query("\(dueCharges(at: now)) LIMIT \(Self.limit)") { row in
            SandboxWord(provider: try row.next(), attempt: try row.next(), refund: nil)
        }
    }

    private func dueRefunds(at now: Instant) -> SQL {
        """
        SELECT c.provider, r.charge_key, r.reference FROM sandbox_refunds r
        JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
        WHERE r.due_at <= \(now) AND c.provider = ANY(\(providers)::text[]) ORDER BY r.due_at
        """
    }

    private func refunds(at now: Instant, in db: borrowing PostgresTransaction) throws -> [SandboxWord] {
        let ended: [(provider: String, attempt: AttemptID, reference: String)] = try db.query(
            "\(dueRefunds(at: now)) LIMIT \(Self.limit)"
        ) { row in (try row.next(), try row.next(), try row.next()) }
        return try ended.compactMap { end in
            try SandboxBooks.refund(named: end.reference, in: db).map { refund in
                SandboxWord(provider: end.provider, attempt: end.attempt, refund: refund)
            }
        }
    }
}
