import PaymentContract
import PaymentRecords
package import BillingCore
import PaymentRouting
import BillingEvents
import Messaging
package import PaymentDomain
package import Postgres

/// A verdict on one attempt.
package struct Verdict: Sendable {
    let paymentID: PaymentID
    let attemptID: AttemptID
    let risk: RiskVerdict

    /// A verdict on an attempt.
    package init(paymentID: PaymentID, attemptID: AttemptID, risk: RiskVerdict) {
        self.paymentID = paymentID
        self.attemptID = attemptID
        self.risk = risk
    }
}

/// Lets attempts go on to the provider, has the customer authenticate or a person look first, or fails them: by Fraud's
/// word or the fallback's, and the policy made of it. A card is tried only as its network allows.
///
/// `processing` is stored before the provider is asked: after a crash the sweeper reads the outcome back. An attempt that is
/// old by then, since nobody was there to decide, is stored as one that was not sent (``UnsentAttempts``), which it is.
package struct ApplyVerdicts: Sendable {
    let charge: ChargePayments
    let waiters: PaymentWaiters
    let policy: RiskPolicy
    let assess: AssessAuthentication
    let route: RoutePayment?
    let providers: PaymentProviders

    /// Applies verdicts in the caller's transaction; one for an attempt that is no longer waiting changes nothing.
    func callAsFunction(_ verdicts: [Verdict], at now: Instant, in db: borrowing PostgresTransaction) throws {
        var latest: [AttemptID: Verdict] = [:]
        for verdict in verdicts where latest[verdict.attemptID] == nil { latest[verdict.attemptID] = verdict }
        let unique: [Verdict] = Array(latest.values)
        let refused: Set<AttemptID> = try unheld(unique, in: db)
        let isBlocked: (Verdict) -> Bool = {
            refused.contains($0.attemptID)
                || policy.action(for: $0.risk, offSession: false, authenticated: false) == .block
        }
        // Before they are approved: that is another step.
        let overdue: Set<AttemptID> = try UnsentAttempts.overdue(unique.map(\.attemptID), at: now, in: db)
        let (going, ofRefusedCards) = try approve(unique.filter { !isBlocked($0) }, in: db)
        try block(unique.filter(isBlocked), at: now, in: db)
        var approved: [ApprovedAttempt] = try withinBudgets(going, ofRefusedCards, at: now, in: db)
        guard !approved.isEmpty else { return }
        if let route {
            let asked: [PaymentID: String] = Dictionary(approved.map { ($0.paymentID, $0.provider) }) { first, _ in
                first
            }
            let routes: [PaymentID: Route] = try route(asked, in: db)
            approved = approved.map { attempt in routes[attempt.paymentID].map(attempt.routed) ?? attempt }
        }
        // After the way is known: what is claimed depends on what the provider can be told.
        approved = try assess(approved, latest, by: providers, at: now, in: db)
        let late: Set<AttemptID> = try UnsentAttempts.mark(late: approved, overdue: overdue, at: now, in: db)
        let charge: ChargePayments = charge
        let sent: [ApprovedAttempt] = approved
        db.onCommit { charge.start(sent, late: late) }
    }

    /// The attempts of a high risk that nobody can be asked about first, where the policy blocks those: no bank can ask their
    /// customers, or did so in vain, and no money can be held. Their payments' rows are locked.
    private func unheld(_ verdicts: [Verdict], in db: borrowing PostgresTransaction) throws -> Set<AttemptID> {
        guard policy.unheld == .block else { return [] }
        let risky: [Verdict] = verdicts.filter {
            policy.action(for: $0.risk, offSession: false, authenticated: false) == .stepUp
        }
        guard !risky.isEmpty else { return [] }
        let found: [AttemptID] = try db.query(
            """
            SELECT p.attempt_id FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
            WHERE p.id = ANY(\(risky.map(\.paymentID.rawValue))::text[])
                AND p.attempt_id = ANY(\(risky.map(\.attemptID.rawValue))::text[])
                AND (m.provider || '/' || m.type) <> ALL(\(providers.holding)::text[])
                AND (p.off_session OR NOT (p.authenticated OR m.authenticated_by_wallet
                    OR (m.type = ANY(\(CardMethod.types)::text[]) AND p.step_up_state IS DISTINCT FROM 'spent')))
            ORDER BY p.id FOR UPDATE OF p
            """
        ) { row in try row.next() }
        return Set(found)
    }

    /// - Returns: The attempts that go on, and the payments of those whose cards were refused before.
    private func approve(
        _ verdicts: [Verdict], in db: borrowing PostgresTransaction
    ) throws -> ([ApprovedAttempt], Set<PaymentID>) {
        guard !verdicts.isEmpty else { return ([], []) }
        let approval: SQL = Self.approval(of: verdicts, by: policy, held: providers.holding)
        let rows: [(ApprovedAttempt, Bool)] = try db.query(approval) { row in
            (try ApprovedAttempt(row: &row), try row.next())
        }
        return (rows.map(\.0), Set(rows.filter(\.1).map(\.0.paymentID)))
    }

    /// Moves `created` payments on. The status is a parameter: as a literal it would let the planner take the partial index
    /// of payments in flight, which under load is mostly dead entries, instead of the primary key. The last column says
    /// whether the card was refused before: whoever pays with another needs no further statement.
    /// - Parameter held: Providers' methods whose money can be held until a person has looked; of others it is only marked.
    package static func approval(of verdicts: [Verdict], by policy: RiskPolicy, held: [String]) -> SQL {
        let action: (Verdict, Bool) -> RiskPolicy.Action = {
            policy.action(for: $0.risk, offSession: $1, authenticated: false)
        }
        // A risk that wants the customer asks cards; whom nobody can ask, and who was asked in vain, a person looks at.
        let holds: SQL = """
            (CASE WHEN p.off_session THEN a.holds_off
                    ELSE a.holds_on OR (a.step_up AND NOT p.authenticated AND NOT m.authenticated_by_wallet
                        AND (m.type <> ALL(\(CardMethod.types)::text[])
                            OR p.step_up_state IS NOT DISTINCT FROM 'spent')) END
                AND p.review_status IS NULL AND m.provider || '/' || m.type = ANY(\(held)::text[]))
            """
        return """
            UPDATE payments p SET status = 'processing', stepped_at = now(), risk_score = v.score,
                risk_decision = v.decision, risk_reasons = string_to_array(v.reasons, ','),
                step_up = ((a.step_up AND NOT m.authenticated_by_wallet) OR p.step_up_state IS NOT DISTINCT FROM 'due')
                    AND m.type = ANY(\(CardMethod.types)::text[]) AND NOT p.off_session
                    AND NOT p.authenticated AND p.step_up_state IS DISTINCT FROM 'spent',
                mandate_id = CASE WHEN (p.off_session OR p.keeps_method) AND m.mandate_ended_at IS NULL THEN m.mandate_id END,
                review_status = CASE WHEN \(holds) THEN 'pending' ELSE p.review_status END,
                review_captures = CASE WHEN \(holds) THEN p.capture_method = 'automatic' ELSE p.review_captures END,
                capture_method = CASE WHEN \(holds) THEN 'manual' ELSE p.capture_method END
            FROM \(rows(verdicts)),
                unnest(\(verdicts.map(\.attemptID.rawValue))::text[],
                    \(verdicts.map { action($0, false) == .stepUp })::boolean[],
                    \(verdicts.map { action($0, false) == .holdForReview })::boolean[],
                    \(verdicts.map { action($0, true) == .holdForReview })::boolean[]
                ) AS a(attempt_id, step_up, holds_on, holds_off), payment_methods m
            WHERE p.id = v.id AND p.attempt_id = v.attempt_id AND p.status = \(PaymentStatus.created.rawValue)
                AND a.attempt_id = v.attempt_id AND m.id = p.payment_method_id
            RETURNING \(ApprovedAttempt.columns), \(RetryBudgets.isOfRefusedCard)
            """
    }

    private func block(
        _ verdicts: [Verdict], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !verdicts.isEmpty else { return }
        let decline: Decline = .blockedByRisk
        let blocked: [PaymentRecord] = try db.query(
            """
            UPDATE payments p SET status = 'failed', stepped_at = now(), risk_score = v.score,
                risk_decision = v.decision, risk_reasons = string_to_array(v.reasons, ','),
                decline_code = \(decline.code), decline_class = \(decline.declineClass.rawValue)
            FROM \(Self.rows(verdicts))
            WHERE p.id = v.id AND p.attempt_id = v.attempt_id AND p.status = \(PaymentStatus.created.rawValue)
            RETURNING \(PaymentRecord.columns)
            """, as: PaymentRecord.self)
        guard !blocked.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE payment_attempts SET status = 'failed', decline_code = \(decline.code), ended_at = \(now)
            WHERE id = ANY(\(blocked.map(\.attemptID.rawValue))::text[])
            """)
        try Outbox.append(blocked.map { PaymentEvents.failed($0, decline, at: now) }, in: db)
        try waiters.answer(blocked, in: db)
    }

    /// Fails the attempts that the networks of their cards do not allow now; nobody is asked.
    /// - Parameter ofRefusedCards: The payments whose cards were refused before.
    /// - Returns: The others.
    private func withinBudgets(
        _ approved: [ApprovedAttempt], _ ofRefusedCards: Set<PaymentID>, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> [ApprovedAttempt] {
        guard !ofRefusedCards.isEmpty else { return approved }
        let refusals: [PaymentID: BudgetRefusal] = try RetryBudgets.refusals(
            of: ofRefusedCards.sorted(), at: now, in: db)
        guard !refusals.isEmpty else { return approved }
        let refused: [PaymentID] = refusals.keys.sorted()
        let declines: [Decline] = refused.compactMap { refusals[$0]?.decline }
        let failed: [PaymentRecord] = try db.query(
            """
            UPDATE payments p SET status = 'failed', stepped_at = now(), decline_code = r.code, decline_class = r.class
            FROM unnest(\(refused.map(\.rawValue))::text[], \(declines.map(\.code))::text[],
                \(declines.map(\.declineClass.rawValue))::text[]) AS r(id, code, class)
            WHERE p.id = r.id
            RETURNING \(PaymentRecord.columns)
            """, as: PaymentRecord.self)
        try db.enqueue(
            """
            UPDATE payment_attempts a SET status = 'failed', decline_code = p.decline_code, unsent = true,
                ended_at = \(now)::timestamptz, retry_at = r.retry_at
            FROM unnest(\(refused.map(\.rawValue))::text[], \(refused.map { refusals[$0]?.retryAt })::timestamptz[])
                AS r(id, retry_at)
            JOIN payments p ON p.id = r.id WHERE a.id = p.attempt_id
            """)
        let events: [OutboxEvent] = failed.map { payment in
            PaymentEvents.failed(
                payment, payment.decline ?? .doNotTryAgain, retryAt: refusals[payment.id]?.retryAt, at: now)
        }
        try Outbox.append(events, in: db)
        try waiters.answer(failed, retries: refusals.compactMapValues(\.retryAt), in: db)
        return approved.filter { refusals[$0.paymentID] == nil }
    }

    private static func rows(_ verdicts: [Verdict]) -> SQL {
        """
        unnest(\(verdicts.map(\.paymentID.rawValue))::text[], \(verdicts.map(\.attemptID.rawValue))::text[],
            \(verdicts.map(\.risk.score))::text[], \(verdicts.map(\.risk.decision.rawValue))::text[],
            \(verdicts.map { $0.risk.reasons.joined(separator: ",") })::text[]
        ) AS v(id, attempt_id, score, decision, reasons)
        """
    }
}

extension ApprovedAttempt: PostgresRecord {
    /// The columns in the order ``init(row:)`` reads them, of payments `p` and payment methods `m`.
    static let columns: SQL = """
        p.customer_id, p.id, p.provider, p.attempt_id, m.type, m.single_use, \(MethodTokenStore.token), \
        \(MethodTokenStore.providerCustomer), m.return_url, m.payer::text, \
        CASE WHEN p.instalment_id IS NULL THEN p.amount ELSE coalesce(
            (SELECT t.amount FROM payment_attempts t WHERE t.id = p.attempt_id), p.amount) END, \
        p.currency, p.capture_method, p.off_session, m.network_transaction_id, p.mandate_id, p.authenticated, \
        p.step_up, p.provider_reference, p.stepped_at, \
        (m.country IS NOT NULL OR p.step_up) AND m.type = ANY(\(CardMethod.types)::text[]), \
        CASE WHEN p.step_up_state = 'spent' AND NOT p.authenticated THEN 'unavailable'
            WHEN p.authentication->>'decision' = 'exempt' THEN p.authentication->>'reason' END, \
        m.id, m.wallet IS NOT NULL, \
        CASE WHEN m.wallet IS NOT NULL THEN
            (SELECT w.sealed FROM wallet_credentials w WHERE w.payment_id = p.id) END, \
        CASE WHEN p.authenticated AND p.authentication->>'by' = 'three_d_secure' THEN
            (SELECT t.proof FROM three_d_secure t WHERE t.payment_id = p.id AND t.proof IS NOT NULL
                ORDER BY t.attempt_id DESC LIMIT 1) END, p.keeps_method, m.brand
        """

    package init(row: inout PostgresRow) throws {
        let customer: String = try row.next()
        let paymentID: PaymentID = try row.next()
        let provider: String = try row.next()
        let key: AttemptID = try row.next()
        let stored: StoredSource = try StoredSource(&row)
        let amount = Money(minor: try row.next(), currency: try row.next())
        let captureMethod: CaptureMethod = try row.nextCase()
        let offSession: Bool = try row.next()
        let transaction: String? = try row.next()
        let mandate: String? = try row.next()
        let isAuthenticated: Bool = try row.next()
        let stepUp: Bool = try row.next()
        let reference: String? = try row.next()
        let steppedAt: Instant = try row.next()
        let mayAuthenticate: Bool = try row.next()
        let claim: String? = try row.next()
        let methodID: PaymentMethodID = try row.next()
        let isOfWallet: Bool = try row.next()
        let sealed: [UInt8]? = try row.next()
        let sealedProof: [UInt8]? = try row.next()
        let keepsMethod: Bool = try row.next()
        let brand: String? = try row.next()
        self.init(
            paymentID: paymentID, provider: provider,
            request: ChargeRequest(
                idempotencyKey: key, paymentID: paymentID, source: isOfWallet ? .unopened : stored.source,
                amount: amount, capture: captureMethod == .automatic,
                initiation: offSession ? .merchant(networkTransactionID: transaction) : .customer, mandate: mandate,
                keepsMethod: keepsMethod && !offSession,
                authenticated: isAuthenticated, payer: stored.payer, stepUp: stepUp,
                claim: claim.flatMap(AuthenticationClaim.init(name:)), reference: reference),
            steppedAt: steppedAt, mayAuthenticate: mayAuthenticate, brand: brand,
            sealed: sealed.map { SealedSource(bytes: $0, methodID: methodID) }, sealedProof: sealedProof,
            trace: CausalTraces.byKey[customer].map { (customer, $0) })
    }

}

/// What a charge is taken from, as far as it is stored in the open.
private struct StoredSource {
    let source: ChargeSource
    let payer: ChargePayer?

    init(_ row: inout PostgresRow) throws {
        let type: String = try row.next()
        let isSingleUse: Bool = try row.next()
        let token: String = (try row.next() as String?) ?? ""
        let providerCustomer: String? = try row.next()
        let returnURL: String? = try row.next()
        payer = (try row.next() as String?).flatMap(ChargePayer.init(stored:))
        source =
            isSingleUse && token.isEmpty
            ? .redirect(method: type, returnURL: returnURL ?? "")
            : .stored(token: token, providerCustomer: providerCustomer)
    }
}
