import BillingCore
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentRouting
import Postgres

/// Answers a bank that declined for want of authentication: the same charge once more, with the customer, within one
/// payment.
///
/// Like a cascade: the ended attempt and the next one's intent are stored in one transaction, before the provider is asked
/// under the next attempt's id. Only the attempt that the payment is at can be followed, and a payment is stepped up once.
/// Where the card's network allows no other attempt, the customer has been kept waiting for too long, or the method was taken
/// off (``UnheardCharges``), the payment fails as the bank has declined.
/// A card of a provider's form on a page is good for one charge: there the payment fails, and the card entered next is
/// charged with its customer (``PayLink``). So it is with a network token out of a wallet.
enum StepUpPayments {
    /// What is decided of a payment whose bank asked for its customer.
    static let softDecline = #"{"decision": "required", "reason": "soft_decline"}"#

    /// Begins following attempts where there may be some, in the transaction that would record the declines.
    /// - Returns: Those that follow, by the attempt they follow.
    static func follow(
        _ outcomes: [Outcome], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [AttemptID: FollowingAttempt] {
        try distrust(outcomes, in: db)
        let refused: [(outcome: Outcome, route: Route, next: AttemptID)] = outcomes.compactMap { outcome in
            guard !UnheardCharges.isTooLate(for: outcome.attempt.request.idempotencyKey, at: now) else { return nil }
            return outcome.stepUpRoute.map { (outcome, $0, AttemptID.new(at: now)) }
        }
        guard !refused.isEmpty else { return [:] }
        let last: Set<AttemptID> = try RetryBudgets.last(of: refused.compactMap(\.outcome.ended), at: now, in: db)
        let allowed = refused.filter { !last.contains($0.outcome.attempt.request.idempotencyKey) }
        guard !allowed.isEmpty else { return [:] }
        let moved: [AttemptID: Instant] = try move(
            allowed.map { ($0.outcome.attempt, $0.next) }, in: db)
        let followed = allowed.filter { moved[$0.next] != nil }
        try store(followed.map { ($0.outcome, $0.next) }, at: now, in: db)
        var following: [AttemptID: FollowingAttempt] = [:]
        for (outcome, route, next) in followed {
            guard let steppedAt: Instant = moved[next] else { continue }
            following[outcome.attempt.request.idempotencyKey] = FollowingAttempt(
                paymentID: outcome.attempt.paymentID, attemptID: next, route: route, steppedAt: steppedAt, stepUp: true)
        }
        return following
    }

    /// Where an issuer asks for the customer although the merchant was said to be on their list, it is not on it any more.
    private static func distrust(_ outcomes: [Outcome], in db: borrowing PostgresTransaction) throws {
        let asked: [Outcome] = outcomes.filter { outcome in
            outcome.asksForCustomer && outcome.isCarried
                && outcome.attempt.request.claim == .exemption(.trustedBeneficiary)
        }
        try AuthenticationStore.distrust(
            asked.map { ($0.attempt.paymentID, $0.attempt.request.idempotencyKey) }, in: db)
    }

    /// Moves payments to their next attempts: with the customer there, not stepped up before, and still wanted.
    /// - Returns: When they took the step, by the next attempt.
    private static func move(
        _ steps: [(attempt: ApprovedAttempt, next: AttemptID)], in db: borrowing PostgresTransaction
    ) throws -> [AttemptID: Instant] {
        let moved: [(AttemptID, Instant)] = try db.query(
            """
            UPDATE payments p SET attempt_id = n.next, attempts = p.attempts + 1, step_up = true, step_up_state = 'due',
                provider_reference = NULL, look_at = NULL, looks = 0, stepped_at = now(),
                authentication = coalesce(p.authentication, '{}') - 'liability' || \(softDecline)::jsonb
            FROM unnest(\(steps.map(\.attempt.paymentID.rawValue))::text[],
                \(steps.map(\.attempt.request.idempotencyKey.rawValue))::text[], \(steps.map(\.next.rawValue))::text[])
                AS n(id, attempt_id, next), payment_methods m
            WHERE p.id = n.id AND m.id = p.payment_method_id AND NOT \(UnheardCharges.isUnwanted) AND p.attempt_id = n.attempt_id AND p.status = \(PaymentStatus.processing.rawValue)
                AND NOT p.off_session AND NOT p.authenticated AND p.step_up_state IS NULL
                AND NOT \(PaymentMethodStore.isOfForm)
            RETURNING p.attempt_id, p.stepped_at
            """
        ) { row in (try row.next(), try row.next()) }
        return Dictionary(moved) { first, _ in first }
    }

    private static func store(
        _ steps: [(outcome: Outcome, next: AttemptID)], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !steps.isEmpty else { return }
        let ended: [String] = steps.map(\.outcome.attempt.request.idempotencyKey.rawValue)
        try db.enqueue(
            """
            UPDATE payment_attempts a SET status = 'failed', decline_code = \(Decline.authenticationRequired.code),
                provider_code = e.code, network_code = e.network_code, advice_code = e.advice_code,
                ended_at = \(now)::timestamptz,
                provider_reference = coalesce(e.reference, a.provider_reference)
            FROM unnest(\(ended)::text[], \(steps.map { $0.outcome.refusal?.code })::text[],
                \(steps.map { $0.outcome.refusal?.networkCode })::text[],
                \(steps.map { $0.outcome.refusal?.networkAdvice })::text[], \(steps.map(\.outcome.reference))::text[])
                AS e(id, code, network_code, advice_code, reference)
            WHERE a.id = e.id
            """)
        try db.enqueue(
            """
            INSERT INTO payment_attempts
                (id, payment_id, number, payment_method_id, provider, status, started_at, cascade_of, routing, authentication)
            SELECT p.attempt_id, p.id, p.attempts, p.payment_method_id, p.provider, 'started', \(now), a.id, a.routing,
                p.authentication
            FROM unnest(\(ended)::text[], \(steps.map(\.outcome.attempt.paymentID.rawValue))::text[]) AS e(id, payment_id)
            JOIN payments p ON p.id = e.payment_id JOIN payment_attempts a ON a.id = e.id
            """)
    }
}

extension Outcome {
    /// Where the charge goes once more with its customer's authentication; `nil` where that cannot be.
    fileprivate var stepUpRoute: Route? {
        guard isSoftDecline, attempt.mayStepUp, !attempt.request.stepUp, attempt.request.initiation == .customer else {
            return nil
        }
        switch attempt.request.source {
        case .stored(let token, let customer) where attempt.sealed == nil:
            return Route(provider: attempt.provider, token: token, providerCustomer: customer)
        // What it is charged by stays with the attempt, sealed. A cryptogram has authenticated, and is good for one charge.
        case .walletCard(let card) where !card.isAuthenticated:
            return Route(provider: attempt.provider, token: "", providerCustomer: nil)
        case .stored, .walletCard, .redirect: return nil
        }
    }
}
