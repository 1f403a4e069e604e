import BillingCore
import PaymentContract
import PaymentDomain
import Postgres

/// What a charge beside cards is taken from.
enum SandboxLocalSource: Sendable {
    /// Whatever the customer pays with on the page.
    case page
    case account(SandboxAccount)
}

/// A charge beside cards, as it stands in the sandbox's books. While its page or bank is waited for, nothing has happened
/// (`requires_action`).
struct SandboxLocalCharge: PostgresRecord, Sendable {
    let key: AttemptID
    let reference: String
    let answer: SandboxAnswer
    let heldUntil: Instant?
    /// Whether the customer has authorized it on the page.
    let isAuthorized: Bool
    /// Whether it debits an account, so that there is no page.
    let isDebit: Bool

    static let columns: SQL = """
        idempotency_key, reference, outcome, decline_code, held_until, authorized_at IS NOT NULL, account IS NOT NULL
        """

    init(row: inout PostgresRow) throws {
        key = try row.next()
        reference = try row.next()
        answer = SandboxAnswer(outcome: try row.nextCase(), declineCode: try row.next())
        heldUntil = try row.next()
        isAuthorized = try row.next()
        isDebit = try row.next()
    }
}

/// SQL over the sandbox's charges beside cards.
enum SandboxLocalBooks {
    /// Books what is new under its key as waited for. A debit that will be disputed is foreseen as a card's charge is.
    static func begin(
        _ request: ChargeRequest, from source: SandboxLocalSource, at now: Instant, disputesAfter: Duration,
        in db: borrowing PostgresTransaction
    ) throws {
        let account: SandboxAccount? = if case .account(let account) = source { account } else { nil }
        let due: Instant? = account.map { _ in SandboxAccount.answer(to: now) }
        let dispute: SandboxDisputeKind? = account?.dispute
        let disputeAt: Instant? = dispute == nil ? nil : due.map { $0 + disputesAfter }
        let key: AttemptID = request.idempotencyKey
        _ = try db.execute(
            """
            INSERT INTO sandbox_charges (provider, idempotency_key, reference, amount, currency, outcome, occurred_at,
                mandate_id, account, due_at, dispute_kind, dispute_payment, dispute_at)
            VALUES (\(SandboxLocalProvider.name), \(key), \("ch_\(key.rawValue)"), \(request.amount.minor),
                \(request.amount.currency.code), \(SandboxAnswer.Outcome.requiresAction.rawValue), \(now),
                \(request.mandate), \(account?.rawValue), \(due), \(dispute?.rawValue),
                \(dispute.map { _ in request.paymentID }), \(disputeAt))
            ON CONFLICT (idempotency_key) DO NOTHING
            """)
    }

    /// Takes what its customer has authorized, and what its bank has answered, and reads the charge.
    static func advance(
        _ request: ChargeRequest, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> SandboxLocalCharge? {
        let key: AttemptID = request.idempotencyKey
        try answer(key, at: now, in: db)
        let found: SandboxLocalCharge? = try find(key, lock: true, in: db)
        guard let found, found.answer.outcome == .requiresAction, found.isAuthorized else { return found }
        try take(request, at: now, in: db)
        return try find(key, in: db)
    }

    private static func take(
        _ request: ChargeRequest, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let outcome: SandboxAnswer.Outcome = request.capture ? .succeeded : .authorized
        let captured: Int64 = request.capture ? request.amount.minor : 0
        let heldUntil: Instant? = request.capture ? nil : now + .seconds(SandboxProvider.holdSeconds)
        try db.enqueue(
            """
            UPDATE sandbox_charges SET outcome = \(outcome.rawValue), captured = \(captured), held_until = \(heldUntil),
                occurred_at = \(now) WHERE idempotency_key = \(request.idempotencyKey)
            """)
    }

    /// Has banks answer the debits for which it is time, as of when it was.
    /// - Parameter key: The one that is asked about; `nil`: all.
    static func answer(
        _ key: AttemptID? = nil, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let asked: SQL = if let key { "AND idempotency_key = \(key)" } else { "" }
        // Locked first, and in one order: of two who do it, one waits for the other.
        let keys: [String] = try db.query(
            """
            SELECT idempotency_key FROM sandbox_charges
            WHERE due_at <= \(now) AND outcome = \(SandboxAnswer.Outcome.requiresAction.rawValue) \(asked)
            ORDER BY idempotency_key FOR UPDATE
            """
        ) { row in try row.next() }
        guard !keys.isEmpty else { return }
        let isReturned: SQL = "account = \(SandboxAccount.returned.rawValue)"
        try db.enqueue(
            """
            UPDATE sandbox_charges SET occurred_at = due_at,
                outcome = CASE WHEN \(isReturned) THEN \(SandboxAnswer.Outcome.declined.rawValue)
                    ELSE \(SandboxAnswer.Outcome.succeeded.rawValue) END,
                decline_code = CASE WHEN \(isReturned) THEN \(SandboxAccount.returnCode) END,
                captured = CASE WHEN \(isReturned) THEN 0 ELSE amount END
            WHERE idempotency_key = ANY(\(keys)::text[])
            """)
    }

    static func find(
        _ key: AttemptID, lock: Bool = false, in db: borrowing PostgresTransaction
    ) throws -> SandboxLocalCharge? {
        let locking: SQL = lock ? "FOR UPDATE" : ""
        return try db.first(
            """
            SELECT \(SandboxLocalCharge.columns) FROM sandbox_charges
            WHERE idempotency_key = \(key) AND provider = \(SandboxLocalProvider.name) \(locking)
            """, as: SandboxLocalCharge.self)
    }

    /// Lets go of what is held, and closes a page. What was authorized there is about to be taken, and a bank that was asked
    /// answers: neither can be released.
    static func release(
        _ request: ReleaseRequest, in db: borrowing PostgresTransaction
    ) throws -> ReleaseAnswer {
        let found: SandboxLocalCharge? = try db.first(
            """
            SELECT \(SandboxLocalCharge.columns) FROM sandbox_charges
            WHERE reference = \(request.reference) AND provider = \(SandboxLocalProvider.name) FOR UPDATE
            """, as: SandboxLocalCharge.self)
        guard let charge: SandboxLocalCharge = found else { return .refused(code: "charge_not_found") }
        switch charge.answer.outcome {
        case .authorized: return try SandboxBooks.release(request, by: SandboxLocalProvider.name, in: db)
        case .declined: return .released
        case .succeeded: return .refused(code: "charge_captured")
        case .requiresAction:
            guard !charge.isDebit, !charge.isAuthorized else { return .refused(code: "charge_under_way") }
            try decline(charge.reference, Decline.actionExpired.code, in: db)
            return .released
        }
    }

    static func isWaiting(_ reference: String, in db: borrowing PostgresTransaction) throws -> Bool? {
        try db.first(
            """
            SELECT outcome = \(SandboxAnswer.Outcome.requiresAction.rawValue) AND authorized_at IS NULL
            FROM sandbox_charges
            WHERE reference = \(reference) AND provider = \(SandboxLocalProvider.name) AND account IS NULL
            """
        ) { row in try row.next() }
    }

    /// Records the customer's choice where the page waits for one.
    static func choose(
        _ reference: String, authorized: Bool, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        // Locked first: a release may be about to close the page.
        _ = try db.execute("SELECT 1 FROM sandbox_charges WHERE reference = \(reference) FOR UPDATE")
        guard try isWaiting(reference, in: db) == true else { return }
        guard authorized else { return try decline(reference, "customer_declined", in: db) }
        _ = try db.execute("UPDATE sandbox_charges SET authorized_at = \(now) WHERE reference = \(reference)")
    }

    private static func decline(
        _ reference: String, _ code: String, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE sandbox_charges SET outcome = \(SandboxAnswer.Outcome.declined.rawValue), decline_code = \(code)
            WHERE reference = \(reference)
            """)
    }
}
