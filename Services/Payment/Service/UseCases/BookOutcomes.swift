package import BillingCore
import BillingEvents
import Messaging
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentExchange
import PaymentRecords
package import PaymentRouting
package import Postgres

/// What is booked with outcomes: payment, attempt, journal entry, events, the caller's answer; or the attempt that follows
/// at another provider.
package struct BookOutcomes: Sendable {
    let waiters: PaymentWaiters
    let policy: ActionPolicy
    let cascade: CascadePayment?
    let exchange: BookExchange
    /// Where customers pass challenges of ours; `nil` where callers bring them there.
    let pages: ChallengePages?

    /// Books outcomes, whose payments' rows it locks first; those that the books contradict change nothing.
    /// - Returns: The attempts that follow, by the attempt they follow.
    /// - Throws: ``PostgresError``.
    package func record(
        _ told: [Outcome], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [AttemptID: FollowingAttempt] {
        try Self.lock(told, in: db)
        let outcomes: [Outcome] = try Self.standing(told, in: db)
        try PaymentMethodStore.learn(outcomes.compactMap(\.brand), in: db)
        // By attempt, not by payment: a late word on an earlier attempt must not push the current one's aside.
        var byAttempt: [AttemptID: Outcome] = [:]
        for outcome in outcomes { byAttempt[outcome.attempt.request.idempotencyKey] = outcome }
        var next: [AttemptID: FollowingAttempt] = try StepUpPayments.follow(
            Array(byAttempt.values), at: now, in: db)
        for id in next.keys { byAttempt[id] = nil }
        let cascading: [AttemptID: FollowingAttempt] =
            try cascade?(byAttempt.values.compactMap(\.ended), at: now, in: db) ?? [:]
        for id in cascading.keys { byAttempt[id] = nil }
        next.merge(cascading) { first, _ in first }
        let all: [Outcome] = Array(byAttempt.values)
        guard !all.isEmpty else { return next }
        let codes: [AttemptID: String] = pages?.codes(for: all) ?? [:]
        let settled: [PaymentRecord] = try settle(all, codes, at: now, in: db)
        let attempts: Set<AttemptID> = Set(settled.map(\.attemptID))
        let late: [PaymentRecord] = try LateOutcomes.take(
            all.filter { !attempts.contains($0.attempt.request.idempotencyKey) }, at: now, in: db)
        let moved: [PaymentRecord] = settled + late
        let open: [Outcome] = all.filter(\.isOpen)
        if !open.isEmpty { try waiters.answer(try PaymentStore.lookAgain(open.map(\.look), in: db), in: db) }
        guard !moved.isEmpty else { return next }
        try Self.endAttempts(moved, byAttempt, at: now, in: db)
        try WalletStore.finish(moved.compactMap { $0.finishedWallet(byAttempt) }, in: db)
        try AuthenticationPages.open(
            moved.filter { $0.status == .requiresAction }.compactMap { payment in
                codes[payment.attemptID].map { ($0, payment.id, payment.attemptID) }
            }, until: policy.end(from: now), in: db)
        try noteAuthentications(moved, byAttempt, in: db)
        try learn(moved, byAttempt, in: db)
        // Late money is an invoice's still; any other goes back.
        let paid: [PaymentRecord] = (settled + late.filter { $0.invoiceID != nil }).filter {
            $0.status == .succeeded && byAttempt[$0.attemptID]?.attempt.request.keepsMethod == true
        }
        try PageAgreementStore.paid(paid, at: now, in: db)
        try LedgerStore.book(try entries(moved.filter { $0.status == .succeeded }, at: now, in: db), in: db)
        // Another method was brought while this attempt could not be ended: its failure is nobody's news.
        let goingOn: Set<PaymentID> = try CancelPayment.collectAgain(
            moved.filter { $0.status == .failed && $0.invoiceID != nil }, withAnother: true, at: now, in: db)
        var traces: [String: String] = [:]
        for outcome in outcomes { if let trace = outcome.attempt.trace { traces[trace.key] = trace.traceparent } }
        try CausalTraces.$byKey.withValue(traces) {
            // Callers hear of their payments from this process; an invoice's is waited for elsewhere.
            let isAwaited: Bool = moved.contains { $0.invoiceID != nil || !$0.status.isSettled }
            try Outbox.append(
                moved.compactMap { goingOn.contains($0.id) ? nil : Self.event($0, byAttempt[$0.attemptID], now) },
                urgency: isAwaited ? .waitedFor : .background, in: db)
        }
        try waiters.answer(moved.filter(\.status.isSettled), retries: Self.waits(moved, byAttempt, now), in: db)
        try LateOutcomes.giveBack(late, at: now, in: db)
        // The word that nobody owes it came while the provider was asked.
        let unpaid: [PaymentRecord] = moved.filter {
            $0.invoiceID != nil && $0.status != .succeeded && !goingOn.contains($0.id)
        }
        try CancelPayment.withdraw(PaymentStore.withdrawn(unpaid, in: db), at: now, in: db)
        return next
    }

    /// Locks the payments' rows, as their update does, in the order of the ids, as everybody does: instances that record
    /// the same ones at once wait for each other, and neither is undone. It travels with the statement that follows.
    private static func lock(_ outcomes: [Outcome], in db: borrowing PostgresTransaction) throws {
        let ids: [String] = outcomes.map(\.attempt.paymentID.rawValue)
        try db.enqueue("SELECT 1 FROM payments WHERE id = ANY(\(ids)::text[]) ORDER BY id FOR NO KEY UPDATE")
    }

    /// The outcomes without those that count only as long as nobody else has taken the payment, whose rows are locked: whoever
    /// has may have asked the provider, too.
    private static func standing(
        _ outcomes: [Outcome], in db: borrowing PostgresTransaction
    ) throws -> [Outcome] {
        let guarded: [String] = outcomes.compactMap { $0.since == nil ? nil : $0.attempt.paymentID.rawValue }
        guard !guarded.isEmpty else { return outcomes }
        let steps: [(AttemptID, Instant)] = try db.query(
            """
            SELECT attempt_id, stepped_at FROM payments WHERE id = ANY(\(guarded)::text[])
            """
        ) { row in (try row.next(), try row.next()) }
        let stepped: [AttemptID: Instant] = Dictionary(steps) { first, _ in first }
        return outcomes.filter { $0.since == nil || stepped[$0.attempt.request.idempotencyKey] == $0.since }
    }

    /// Notes how providers have authenticated customers themselves, and counts what went through without. What a bank was
    /// not told of binds it to nothing; its word on a proof that it was told of is the proof's own.
    private func noteAuthentications(
        _ moved: [PaymentRecord], _ outcomes: [AttemptID: Outcome], in db: borrowing PostgresTransaction
    ) throws {
        var authenticated: Set<PaymentID> = []
        for payment in moved {
            guard let outcome: Outcome = outcomes[payment.attemptID] else { continue }
            if !outcome.isCarried {
                try AuthenticationStore.noteUntold(on: payment.attemptID, of: payment.id, in: db)
            }
            guard let word: ProviderAuthentication = outcome.authentication,
                outcome.attempt.request.proof == nil || !outcome.isCarried
            else { continue }
            try AuthenticationStore.note(word, on: payment.attemptID, of: payment.id, in: db)
            if word.result == .authenticated { authenticated.insert(payment.id) }
        }
        try SCACounterStore.book(moved, authenticated: authenticated, in: db)
    }

    /// Keeps what charges without the customer will refer to: the network's id of one the customer made.
    private func learn(
        _ moved: [PaymentRecord], _ outcomes: [AttemptID: Outcome], in db: borrowing PostgresTransaction
    ) throws {
        try StoredCredentialStore.learn(
            moved.compactMap { payment in
                guard !payment.offSession, let method: PaymentMethodID = payment.paymentMethodID,
                    let id: String = outcomes[payment.attemptID]?.networkTransactionID
                else { return nil }
                return (method, id)
            }, in: db)
    }

    private func entries(
        _ captured: [PaymentRecord], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [JournalEntry] {
        let lines: [[Posting]] = try exchange.captures(
            captured.map {
                ExchangeMovement(
                    reference: $0.attemptID.rawValue, paymentID: $0.id, amount: $0.amount, provider: $0.provider)
            }, at: now, in: db)
        return zip(captured, lines).map { payment, postings in
            JournalEntry(
                id: JournalEntryID.new(at: now), kind: .payment, reference: payment.attemptID.rawValue,
                paymentID: payment.id, occurredAt: now, postings: postings)
        }
    }

    /// Moves payments on; those that are not waiting for this attempt's outcome stay as they are.
    private func settle(
        _ outcomes: [Outcome], _ codes: [AttemptID: String], at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        let actions: [String?] = outcomes.map { outcome in
            let url: String? = codes[outcome.attempt.request.idempotencyKey].flatMap { pages?.url(of: $0) }
            return outcome.nextAction?.stored(challengeAt: url)
        }
        let settlement: SQL = Self.settlement(
            of: outcomes, until: policy.end(from: now), onLinks: policy.endOfPlace(from: now), actions: actions)
        return try db.query(settlement, as: PaymentRecord.self)
    }

    /// The states are a parameter for the reason told at ``ApplyVerdicts/approval(of:)``. An outcome that leads to the
    /// state the payment is in says nothing new. A bank that asks for the customer has refused what was claimed. An attempt
    /// that was completed with held money was captured: any other word was read before that was decided. Money that is held is
    /// looked at after some days.
    /// - Parameters:
    ///   - actionEnd: Until when customers have time.
    ///   - placeEnd: The same on providers' pages for payments of links that take several; as others when left out.
    ///   - actions: What customers have to do, as it is stored.
    package static func settlement(
        of outcomes: [Outcome], until actionEnd: Instant, onLinks placeEnd: Instant? = nil, actions: [String?]? = nil
    ) -> SQL {
        let onSession: [(status: PaymentStatus, decline: Decline?)] = outcomes.map { $0.settled(false) }
        let offSession: [(status: PaymentStatus, decline: Decline?)] = outcomes.map { $0.settled(true) }
        let waiting: [String] = [PaymentStatus.processing.rawValue, PaymentStatus.requiresAction.rawValue]
        let hasPlace: SQL = """
            o.next_action::jsonb->>'type' = 'redirect' AND EXISTS (
                SELECT 1 FROM payment_link_payments u JOIN payment_links l ON l.id = u.link_id
                WHERE u.payment_id = p.id AND l.max_uses > 1)
            """
        return """
            UPDATE payments p SET stepped_at = now(),
                status = CASE WHEN p.off_session THEN o.off_status ELSE o.on_status END,
                decline_code = CASE WHEN p.off_session THEN o.off_code ELSE o.on_code END,
                decline_class = CASE WHEN p.off_session THEN o.off_class ELSE o.on_class END,
                amount_captured = CASE WHEN o.on_status = 'succeeded' THEN p.amount ELSE 0 END,
                authorization_expires_at = o.held_until, provider_reference = coalesce(o.reference, p.provider_reference),
                look_at = CASE WHEN o.on_status = 'authorized' THEN now() + interval '3 days' ELSE p.look_at END,
                looks = CASE WHEN o.on_status = 'authorized' THEN 0 ELSE p.looks END,
                expiries = CASE WHEN o.next_action IS NULL THEN p.expiries ELSE 0 END,
                expire_at = CASE WHEN o.next_action IS NULL THEN p.expire_at END,
                next_action = CASE WHEN NOT p.off_session THEN o.next_action::jsonb END,
                action_expires_at = CASE WHEN NOT p.off_session AND o.next_action IS NOT NULL
                    THEN CASE WHEN \(hasPlace) THEN \(placeEnd ?? actionEnd)::timestamptz
                        ELSE \(actionEnd)::timestamptz END END,
                authentication = CASE WHEN o.next_action IS NOT NULL AND NOT p.off_session
                        AND p.authentication->>'decision' <> 'required'
                    THEN p.authentication - 'liability' || \(StepUpPayments.softDecline)::jsonb
                    ELSE p.authentication END
            FROM unnest(\(outcomes.map(\.attempt.paymentID.rawValue))::text[],
                \(outcomes.map(\.attempt.request.idempotencyKey.rawValue))::text[],
                \(onSession.map(\.status.rawValue))::text[], \(onSession.map { $0.decline?.code })::text[],
                \(onSession.map { $0.decline?.declineClass.rawValue })::text[],
                \(offSession.map(\.status.rawValue))::text[], \(offSession.map { $0.decline?.code })::text[],
                \(offSession.map { $0.decline?.declineClass.rawValue })::text[],
                \(outcomes.map(\.heldUntil))::timestamptz[], \(outcomes.map(\.reference))::text[],
                \(actions ?? outcomes.map { $0.nextAction?.stored })::text[]
            ) AS o(id, attempt_id, on_status, on_code, on_class, off_status, off_code, off_class, held_until, reference,
                next_action)
            WHERE p.id = o.id AND p.attempt_id = o.attempt_id AND p.status = ANY(\(waiting)::text[])
                AND p.status <> o.on_status
                AND (o.on_status = 'succeeded'
                    OR NOT EXISTS (SELECT 1 FROM crypto_completions d WHERE d.attempt_id = o.attempt_id))
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
        let waits: [Instant?] = ended.map { end in end.outcome.advisedWait.map { now.adding($0) } }
        try db.enqueue(
            """
            UPDATE payment_attempts a
            SET status = CASE WHEN o.status = 'processing' THEN a.status ELSE o.status END, decline_code = o.code,
                provider_reference = coalesce(o.reference, a.provider_reference), provider_code = o.provider_code,
                network_code = o.network_code, advice_code = o.advice_code, network_transaction_id = o.transaction_id,
                retry_at = o.retry_at, ended_at = CASE WHEN o.status <> 'processing' THEN \(now)::timestamptz END
            FROM unnest(\(ended.map(\.payment.attemptID.rawValue))::text[],
                \(ended.map(\.payment.status.rawValue))::text[], \(ended.map(\.payment.declineCode))::text[],
                \(ended.map(\.outcome.reference))::text[], \(ended.map { $0.outcome.refusal?.code })::text[],
                \(ended.map { $0.outcome.refusal?.networkCode })::text[],
                \(ended.map { $0.outcome.refusal?.networkAdvice })::text[],
                \(ended.map(\.outcome.networkTransactionID))::text[], \(waits)::timestamptz[]
            ) AS o(id, status, code, reference, provider_code, network_code, advice_code, transaction_id, retry_at)
            WHERE a.id = o.id
            """)
    }

    /// Before when the networks of refused cards want no other attempt, where they have said, and what nobody was asked for is
    /// not asked for again.
    private static func waits(
        _ payments: [PaymentRecord], _ outcomes: [AttemptID: Outcome], _ now: Instant
    ) -> [PaymentID: Instant] {
        let told: [(PaymentID, Instant)] = payments.compactMap { payment in
            outcomes[payment.attemptID]?.advisedWait.map { (payment.id, now.adding($0)) }
        }
        return Dictionary(told) { first, _ in first }
    }

    private static func event(_ payment: PaymentRecord, _ outcome: Outcome?, _ now: Instant) -> OutboxEvent? {
        switch payment.status {
        case .succeeded: PaymentEvents.succeeded(payment, payment.amountCaptured, at: now)
        case .requiresAction: PaymentEvents.requiresAction(payment, at: now)
        case .processing: nil
        case .authorized: PaymentEvents.authorized(payment, at: now)
        default:
            PaymentEvents.failed(
                payment, payment.decline ?? .genericDecline, retryAt: outcome?.advisedWait.map { now.adding($0) },
                at: now)
        }
    }
}

extension Outcome {
    /// The end that another provider may follow; `nil` for anything but a refusal.
    var ended: EndedAttempt? {
        guard mayCascade, let refusal else { return nil }
        return EndedAttempt(
            paymentID: attempt.paymentID, attemptID: attempt.request.idempotencyKey,
            end: .declined(
                reading ?? DeclineReading(Decline(code: refusal.code), advice: refusal.advice), refusal),
            reference: refusal.reference)
    }

    /// The brand that the provider has named of a card that was kept without one.
    fileprivate var brand: (attempt: AttemptID, brand: String)? {
        guard attempt.brand == nil, let brand: String = refusal?.brand else { return nil }
        return (attempt.request.idempotencyKey, brand)
    }

    /// How long the card's network wants it to be left alone; `nil` where it has not said, or waiting does not help. Where
    /// nobody was asked, as it was decided.
    fileprivate var advisedWait: Duration? {
        if let rest { return rest }
        guard case .after? = reading?.retry, case .after(let wait)? = refusal?.advice?.retry else { return nil }
        return wait
    }

    /// What is kept of an open one until it is looked at again.
    fileprivate var look: PaymentLook {
        PaymentLook(
            id: attempt.paymentID, attemptID: attempt.request.idempotencyKey, reference: reference,
            nextAction: nextAction)
    }
}
