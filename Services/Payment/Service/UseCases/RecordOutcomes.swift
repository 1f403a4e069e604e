import PaymentAuthentication
package import PaymentContract
import PaymentRecords
package import BillingCore
import BillingEvents
import HTTPKit
import Messaging
package import PaymentDomain
package import Postgres

/// What the provider said of an attempt.
package struct Outcome: Sendable {
    let attempt: ApprovedAttempt
    let answer: ChargeAnswer
    /// What a refusal means; `nil` for any other answer.
    let decline: Decline?

    /// An answer to an attempt.
    package init(attempt: ApprovedAttempt, answer: ChargeAnswer, decline: Decline? = nil) {
        self.attempt = attempt
        self.answer = answer
        self.decline = decline
    }

    /// An answer to an attempt, its refusals read by the provider that gave it.
    package init(attempt: ApprovedAttempt, answer: ChargeAnswer, by provider: any PaymentProvider) {
        if case .declined(let refusal) = answer {
            self.init(attempt: attempt, answer: answer, decline: provider.reading(of: refusal).decline)
        } else {
            self.init(attempt: attempt, answer: answer)
        }
    }

    /// The state it leads to. An off-session payment cannot wait for the customer: it fails and may be confirmed later.
    func settled(_ offSession: Bool) -> (status: PaymentStatus, decline: Decline?) {
        switch answer {
        case .captured: (.succeeded, nil)
        case .authorized: (.authorized, nil)
        case .declined(let refusal): (.failed, decline ?? Decline(code: refusal.code))
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

    /// What the customer has to do.
    var nextAction: NextAction? {
        if case .actionRequired(_, let action) = answer { return action }
        return nil
    }

    /// A refusal in the provider's own words.
    var refusal: ProviderDecline? {
        if case .declined(let refusal) = answer { return refusal }
        return nil
    }

    /// For later charges without the customer.
    var networkTransactionID: String? {
        switch answer {
        case .captured(let charge), .authorized(let charge): charge.networkTransactionID
        case .declined, .actionRequired, .pending: nil
        }
    }

    /// Whether the provider goes on by itself, and its word is to be looked for again: after a page of its own, and while
    /// a bank is about it. A challenge of ours ends with a request instead.
    var isOpen: Bool {
        switch answer {
        case .pending: true
        case .actionRequired(_, let action): action != .challenge
        case .captured, .authorized, .declined: false
        }
    }
}

/// Records outcomes in batches: payment, attempt, journal entry, event and the caller's stored answer in one transaction.
///
/// An outcome counts once: only a payment that waits for this very attempt's moves.
package struct RecordOutcomes: Sendable {
    private let group: GroupCommit<Outcome, Void>

    init(pool: PostgresPool, waiters: PaymentWaiters, clock: any WallClock, policy: ActionPolicy) {
        group = GroupCommit(pool, maxBatch: 200) { db, outcomes in
            try Self.record(outcomes, waiters, policy, clock.now, db)
            return outcomes.map { _ in .success(()) }
        }
    }

    /// Records one outcome; it shares a transaction with what else is waiting.
    package func callAsFunction(_ outcome: Outcome) async throws { try await group.submit(outcome) }

    private static func record(
        _ outcomes: [Outcome], _ waiters: PaymentWaiters, _ policy: ActionPolicy, _ now: Instant,
        _ db: borrowing PostgresTransaction
    ) throws {
        // By attempt, not by payment: a late word on an earlier attempt must not push the current one's aside.
        var byAttempt: [AttemptID: Outcome] = [:]
        for outcome in outcomes { byAttempt[outcome.attempt.request.idempotencyKey] = outcome }
        let all: [Outcome] = Array(byAttempt.values)
        let moved: [PaymentRecord] = try settle(all, until: policy.end(from: now), in: db)
        let open: [Outcome] = all.filter(\.isOpen)
        if !open.isEmpty { try waiters.answer(try PaymentStore.lookAgain(open.map(\.look), in: db), in: db) }
        guard !moved.isEmpty else { return }
        try endAttempts(moved, byAttempt, at: now, in: db)
        try WalletStore.finish(moved.compactMap { $0.finishedWallet(byAttempt) }, in: db)
        try LedgerStore.book(try moved.compactMap { try entry($0, now) }, in: db)
        var traces: [String: String] = [:]
        for outcome in outcomes { if let trace = outcome.attempt.trace { traces[trace.key] = trace.traceparent } }
        try CausalTraces.$byKey.withValue(traces) {
            try Outbox.append(moved.compactMap { event($0, now) }, in: db)
        }
        try waiters.answer(moved.filter(\.status.isSettled), in: db)
    }

    /// Moves payments on; those that are not waiting for this attempt's outcome stay as they are.
    private static func settle(
        _ outcomes: [Outcome], until actionEnd: Instant, in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        try db.query(settlement(of: outcomes, until: actionEnd), as: PaymentRecord.self)
    }

    /// The states are a parameter for the reason told at ``ApplyVerdicts/approval(of:)``. An outcome that leads to the
    /// state the payment is in says nothing new.
    package static func settlement(of outcomes: [Outcome], until actionEnd: Instant) -> SQL {
        let onSession: [(status: PaymentStatus, decline: Decline?)] = outcomes.map { $0.settled(false) }
        let offSession: [(status: PaymentStatus, decline: Decline?)] = outcomes.map { $0.settled(true) }
        let waiting: [String] = [PaymentStatus.processing.rawValue, PaymentStatus.requiresAction.rawValue]
        return """
            UPDATE payments p SET stepped_at = now(),
                status = CASE WHEN p.off_session THEN o.off_status ELSE o.on_status END,
                decline_code = CASE WHEN p.off_session THEN o.off_code ELSE o.on_code END,
                decline_class = CASE WHEN p.off_session THEN o.off_class ELSE o.on_class END,
                amount_captured = CASE WHEN o.on_status = 'succeeded' THEN p.amount ELSE 0 END,
                authorization_expires_at = o.held_until, provider_reference = coalesce(o.reference, p.provider_reference),
                next_action = CASE WHEN NOT p.off_session THEN o.next_action::jsonb END,
                action_expires_at = CASE WHEN NOT p.off_session AND o.next_action IS NOT NULL
                    THEN \(actionEnd)::timestamptz END
            FROM unnest(\(outcomes.map(\.attempt.paymentID.rawValue))::text[],
                \(outcomes.map(\.attempt.request.idempotencyKey.rawValue))::text[],
                \(onSession.map(\.status.rawValue))::text[], \(onSession.map { $0.decline?.code })::text[],
                \(onSession.map { $0.decline?.declineClass.rawValue })::text[],
                \(offSession.map(\.status.rawValue))::text[], \(offSession.map { $0.decline?.code })::text[],
                \(offSession.map { $0.decline?.declineClass.rawValue })::text[],
                \(outcomes.map(\.heldUntil))::timestamptz[], \(outcomes.map(\.reference))::text[],
                \(outcomes.map { $0.nextAction?.stored })::text[]
            ) AS o(id, attempt_id, on_status, on_code, on_class, off_status, off_code, off_class, held_until, reference,
                next_action)
            WHERE p.id = o.id AND p.attempt_id = o.attempt_id AND p.status = ANY(\(waiting)::text[])
                AND p.status <> o.on_status
            RETURNING \(PaymentRecord.columns)
            """
    }

    private static func endAttempts(
        _ payments: [PaymentRecord], _ outcomes: [AttemptID: Outcome], at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let ended: [(payment: PaymentRecord, outcome: Outcome)] = payments.compactMap { payment in
            outcomes[payment.attemptID].map { (payment, $0) }
        }
        try db.enqueue(
            """
            UPDATE payment_attempts a
            SET status = CASE WHEN o.status = 'processing' THEN a.status ELSE o.status END, decline_code = o.code,
                provider_reference = coalesce(o.reference, a.provider_reference), provider_code = o.provider_code,
                network_code = o.network_code, network_transaction_id = o.transaction_id, ended_at = CASE WHEN o.status <> 'processing' THEN \(now)::timestamptz END
            FROM unnest(\(ended.map(\.payment.attemptID.rawValue))::text[],
                \(ended.map(\.payment.status.rawValue))::text[], \(ended.map(\.payment.declineCode))::text[],
                \(ended.map(\.outcome.reference))::text[], \(ended.map { $0.outcome.refusal?.code })::text[],
                \(ended.map { $0.outcome.refusal?.networkCode })::text[],
                \(ended.map(\.outcome.networkTransactionID))::text[]
            ) AS o(id, status, code, reference, provider_code, network_code, transaction_id)
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
        case .processing: nil
        case .authorized: PaymentEvents.authorized(payment, at: now)
        default: PaymentEvents.failed(payment, payment.decline ?? .genericDecline, at: now)
        }
    }
}

extension Outcome {
    /// What is kept of an open one until it is looked at again.
    fileprivate var look: PaymentLook {
        PaymentLook(
            id: attempt.paymentID, attemptID: attempt.request.idempotencyKey, reference: reference,
            isPending: nextAction == nil)
    }
}

/// How long a customer has for what a payment asks of them; `payment.action_expires_seconds`.
package struct ActionPolicy: Sendable {
    let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    /// When the time is over that begins now.
    func end(from now: Instant) -> Instant { Instant(seconds: now.seconds + seconds) }
}
