import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres
import Telemetry

/// What providers say of attempts whose payments have ended otherwise: failed by an earlier word, or given up while the
/// provider was still about them. Money is never left out.
///
/// Captured money is booked, and the payment has succeeded. An invoice or an instalment plan decides what to do with it as
/// with any late money; nobody waits for another payment's any more, so that all of it is given back, by a refund that says
/// why. Where another attempt has followed meanwhile, the money is no longer this payment's: it becomes a payment of its own,
/// which is given back likewise. Money that is only held is released; the payment stays as it is.
enum LateOutcomes {
    private static let taken: Counter = Metrics.shared.counter(
        "late_money_total", help: "Payments that succeeded after they had ended", labels: ["money": "captured"])
    private static let held: Counter = Metrics.shared.counter(
        "late_money_total", help: "Payments that succeeded after they had ended", labels: ["money": "held"])

    /// Takes the words that moved no payment.
    /// - Returns: The payments that have succeeded after all; they are to be booked and told.
    static func take(
        _ outcomes: [Outcome], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        let late: [Outcome] = outcomes.filter { $0.isCaptured || $0.isAuthorized }
        guard !late.isEmpty else { return [] }
        let found: Int = try release(late.filter(\.isAuthorized), in: db)
        for _ in 0..<found { held.increment() }
        let words: [Outcome] = late.filter(\.isCaptured)
        let captured: [PaymentRecord] = try capture(words, in: db) + setApart(words, at: now, in: db)
        for _ in captured { taken.increment() }
        return captured
    }

    /// Has what is held released by ``ReleaseLateHolds``. A hold of the same name that was seen to before is left alone: its
    /// end was found then, and providers go on calling it authorized after somebody has captured it.
    private static func release(_ outcomes: [Outcome], in db: borrowing PostgresTransaction) throws -> Int {
        guard !outcomes.isEmpty else { return 0 }
        return try db.execute(
            """
            UPDATE payment_attempts a SET release_at = now(), releases = 0, provider_reference = o.reference
            FROM unnest(\(outcomes.map(\.attempt.request.idempotencyKey.rawValue))::text[],
                \(outcomes.map(\.reference))::text[]) AS o(id, reference), payments p
            WHERE a.id = o.id AND p.id = a.payment_id AND a.release_at IS NULL
                AND (a.releases = 0 OR a.provider_reference IS DISTINCT FROM o.reference)
                AND CASE WHEN p.attempt_id = a.id THEN p.status ELSE a.status END = ANY(\(ended)::text[])
            """)
    }

    /// Takes what was asked for and no other amount. That of an instalment's payment follows what is owed, so that an earlier
    /// attempt may have asked for another one: the payment becomes one over what came in, and its plan takes that as far as it
    /// is owed.
    private static func capture(
        _ outcomes: [Outcome], in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        guard !outcomes.isEmpty else { return [] }
        return try db.query(
            """
            UPDATE payments p SET status = \(PaymentStatus.succeeded.rawValue), amount = o.amount,
                amount_captured = o.amount, decline_code = NULL, decline_class = NULL, next_action = NULL, action_expires_at = NULL,
                provider_reference = coalesce(o.reference, p.provider_reference), stepped_at = now()
            FROM unnest(\(outcomes.map(\.attempt.paymentID.rawValue))::text[],
                \(outcomes.map(\.attempt.request.idempotencyKey.rawValue))::text[],
                \(outcomes.map(\.attempt.request.amount.minor))::bigint[],
                \(outcomes.map(\.reference))::text[]) AS o(id, attempt_id, amount, reference)
            WHERE p.id = o.id AND p.attempt_id = o.attempt_id AND p.status = ANY(\(ended)::text[])
                AND (p.amount = o.amount OR p.instalment_id IS NOT NULL)
            RETURNING \(PaymentRecord.columns)
            """, as: PaymentRecord.self)
    }

    /// Makes payments of captured charges that another attempt has followed; their attempts are theirs from then on.
    private static func setApart(
        _ outcomes: [Outcome], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        guard !outcomes.isEmpty else { return [] }
        let made: [PaymentID] = try db.query(
            """
            WITH stray AS (
                SELECT a.id, a.payment_id, a.number, a.payment_method_id, a.provider, p.customer_id, p.currency,
                    o.own_id, o.amount, coalesce(o.reference, a.provider_reference) AS reference
                FROM unnest(\(outcomes.map(\.attempt.request.idempotencyKey.rawValue))::text[],
                    \(outcomes.map { _ in PaymentID.new(at: now).rawValue })::text[],
                    \(outcomes.map(\.attempt.request.amount.minor))::bigint[],
                    \(outcomes.map(\.reference))::text[]) AS o(id, own_id, amount, reference)
                JOIN payment_attempts a ON a.id = o.id JOIN payments p ON p.id = a.payment_id
                WHERE p.attempt_id <> a.id AND a.status = ANY(\(ended)::text[])
                FOR UPDATE OF a),
            own AS (
                INSERT INTO payments (id, customer_id, payment_method_id, provider, amount, currency, amount_captured, status,
                    off_session, attempt_id, provider_reference, description, created_at)
                SELECT own_id, customer_id, payment_method_id, provider, amount, currency, amount, 'succeeded',
                    true, id, reference, 'Charged beside ' || payment_id, \(now)::timestamptz
                FROM stray)
            UPDATE payment_attempts a SET payment_id = s.own_id, number = 1, asked_for = s.payment_id,
                asked_number = s.number, status = 'succeeded', provider_reference = s.reference
            FROM stray s WHERE a.id = s.id RETURNING s.own_id
            """
        ) { row in try row.next() }
        guard !made.isEmpty else { return [] }
        return try db.query(
            "SELECT \(PaymentRecord.columns) FROM payments p WHERE p.id = ANY(\(made.map(\.rawValue))::text[])",
            as: PaymentRecord.self)
    }

    /// Stores the refunds of what nobody waits for; the sweeper has them made.
    static func giveBack(
        _ payments: [PaymentRecord], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !payments.isEmpty else { return }
        let unwanted: [PaymentID] = try db.query(
            """
            SELECT id FROM payments WHERE id = ANY(\(payments.map(\.id.rawValue))::text[])
                AND invoice_id IS NULL AND instalment_id IS NULL
            """
        ) { row in try row.next() }
        for payment in payments where unwanted.contains(payment.id) {
            _ = try RefundStore.reserveRest(of: payment, reason: OwnRefund.ofEndedPayment, at: now, in: db)
        }
    }

    /// The states in which nobody waits for an outcome any more.
    static let ended: [String] = [PaymentStatus.failed.rawValue, PaymentStatus.canceled.rawValue]
}

extension Outcome {
    fileprivate var isCaptured: Bool { if case .captured = answer { true } else { false } }
    fileprivate var isAuthorized: Bool { if case .authorized = answer { true } else { false } }
}
