package import PaymentContract
import PaymentRecords
import BillingCore
import BillingEvents
import HTTPKit
import Messaging
import PaymentDomain
package import Postgres

/// What the provider said of an attempt.
package struct Outcome: Sendable {
    let attempt: ApprovedAttempt
    let answer: ChargeAnswer

    /// An answer to an attempt.
    package init(attempt: ApprovedAttempt, answer: ChargeAnswer) {
        self.attempt = attempt
        self.answer = answer
    }

    /// The state it leads to. An off-session payment cannot wait for the customer: it fails and may be confirmed later.
    func settled(_ offSession: Bool) -> (status: PaymentStatus, decline: Decline?) {
        switch answer {
        case .captured: (.succeeded, nil)
        case .authorized: (.authorized, nil)
        case .declined(let decline): (.failed, Decline(code: decline.code))
        case .actionRequired: offSession ? (.failed, .authenticationRequired) : (.requiresAction, nil)
        case .pending: (.processing, nil)
        }
    }

    /// What the provider knows the charge by.
    var reference: String? {
        switch answer {
        case .captured(let charge), .authorized(let charge): charge.reference
        case .declined(let decline): decline.reference
        case .actionRequired(let reference, _), .pending(let reference): reference
        }
    }

    /// Until when the money is held.
    var heldUntil: Instant? {
        if case .authorized(let charge) = answer { return charge.expiresAt }
        return nil
    }
}

/// Records outcomes in batches: payment, attempt, journal entry, event and the caller's stored answer in one transaction.
///
/// An outcome counts once: only a payment that is `processing` with this very attempt moves.
package struct RecordOutcomes: Sendable {
    private let group: GroupCommit<Outcome, Void>

    init(pool: PostgresPool, waiters: PaymentWaiters, clock: any WallClock) {
        group = GroupCommit(pool, maxBatch: 200) { db, outcomes in
            try Self.record(outcomes, waiters, clock.now, db)
            return outcomes.map { _ in .success(()) }
        }
    }

    /// Records one outcome; it shares a transaction with what else is waiting.
    ///
    /// An answer that is still to come (a bank debit under way) leaves the payment `processing`.
    package func callAsFunction(_ outcome: Outcome) async throws {
        if case .pending = outcome.answer { return }
        try await group.submit(outcome)
    }

    private static func record(
        _ outcomes: [Outcome], _ waiters: PaymentWaiters, _ now: Instant,
        _ db: borrowing PostgresTransaction
    ) throws {
        // By attempt, not by payment: a late word on an earlier attempt must not push the current one's aside.
        var byAttempt: [AttemptID: Outcome] = [:]
        for outcome in outcomes { byAttempt[outcome.attempt.request.idempotencyKey] = outcome }
        let moved: [PaymentRecord] = try settle(Array(byAttempt.values), in: db)
        guard !moved.isEmpty else { return }
        try endAttempts(moved, byAttempt, at: now, in: db)
        try LedgerStore.book(try moved.compactMap { try entry($0, now) }, in: db)
        var traces: [String: String] = [:]
        for outcome in outcomes { if let trace = outcome.attempt.trace { traces[trace.key] = trace.traceparent } }
        try CausalTraces.$byKey.withValue(traces) {
            try Outbox.append(moved.compactMap { event($0, now) }, in: db)
        }
        try waiters.answer(moved, in: db)
    }

    /// Moves payments on; those that are not waiting for this attempt's outcome stay as they are.
    private static func settle(
        _ outcomes: [Outcome], in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        try db.query(settlement(of: outcomes), as: PaymentRecord.self)
    }

    /// The status is a parameter for the reason told at ``ApplyVerdicts/approval(of:)``.
    package static func settlement(of outcomes: [Outcome]) -> SQL {
        let onSession: [(status: PaymentStatus, decline: Decline?)] = outcomes.map { $0.settled(false) }
        let offSession: [(status: PaymentStatus, decline: Decline?)] = outcomes.map { $0.settled(true) }
        return """
            UPDATE payments p SET stepped_at = now(),
                status = CASE WHEN p.off_session THEN o.off_status ELSE o.on_status END,
                decline_code = CASE WHEN p.off_session THEN o.off_code ELSE o.on_code END,
                decline_class = CASE WHEN p.off_session THEN o.off_class ELSE o.on_class END,
                amount_captured = CASE WHEN o.on_status = 'succeeded' THEN p.amount ELSE 0 END,
                authorization_expires_at = o.held_until
            FROM unnest(\(outcomes.map(\.attempt.paymentID.rawValue))::text[],
                \(outcomes.map(\.attempt.request.idempotencyKey.rawValue))::text[],
                \(onSession.map(\.status.rawValue))::text[], \(onSession.map { $0.decline?.code })::text[],
                \(onSession.map { $0.decline?.declineClass.rawValue })::text[],
                \(offSession.map(\.status.rawValue))::text[], \(offSession.map { $0.decline?.code })::text[],
                \(offSession.map { $0.decline?.declineClass.rawValue })::text[],
                \(outcomes.map(\.heldUntil))::timestamptz[]
            ) AS o(id, attempt_id, on_status, on_code, on_class, off_status, off_code, off_class, held_until)
            WHERE p.id = o.id AND p.attempt_id = o.attempt_id AND p.status = \(PaymentStatus.processing.rawValue)
            RETURNING \(PaymentRecord.columns)
            """
    }

    private static func endAttempts(
        _ payments: [PaymentRecord], _ outcomes: [AttemptID: Outcome], at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE payment_attempts a
            SET status = o.status, decline_code = o.code, provider_reference = o.reference, ended_at = \(now)
            FROM unnest(\(payments.map(\.attemptID.rawValue))::text[], \(payments.map(\.status.rawValue))::text[],
                \(payments.map(\.declineCode))::text[], \(payments.map { outcomes[$0.attemptID]?.reference })::text[]
            ) AS o(id, status, code, reference)
            WHERE a.id = o.id
            """)
    }

    private static func entry(
        _ payment: PaymentRecord, _ now: Instant
    ) throws -> JournalEntry? {
        guard payment.status == .succeeded else { return nil }
        return JournalEntry(
            id: JournalEntryID.new(at: now), kind: .payment, reference: payment.attemptID.rawValue,
            paymentID: payment.id, occurredAt: now,
            postings: try Ledger.capture(payment.amount, provider: payment.provider))
    }

    private static func event(_ payment: PaymentRecord, _ now: Instant) -> OutboxEvent? {
        switch payment.status {
        case .succeeded: PaymentEvents.succeeded(payment, payment.amountCaptured, at: now)
        case .requiresAction: PaymentEvents.requiresAction(payment, at: now)
        case .authorized: PaymentEvents.authorized(payment, at: now)
        default: PaymentEvents.failed(payment, payment.decline ?? .genericDecline, at: now)
        }
    }
}
