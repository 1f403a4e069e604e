import BillingCore
import Logging
import PaymentContract
package import PaymentDomain
import PaymentRecords
import Postgres
package import ServiceKit

/// Finds payments and refunds that stopped on their way (a crash, a silent Fraud, a lost answer) and moves them on.
///
/// Goes by real time: the test clock makes nobody late. Rows are skipped while another instance holds them.
package struct SweepPayments: Sendable {
    /// How often it looks.
    static let interval: Duration = .milliseconds(500)
    /// Rows taken in one pass.
    static let passLimit = 500
    /// Rows of one kind that are moved on at once.
    static let width = 16

    let pool: PostgresPool
    let verdicts: ApplyVerdicts
    let charge: ChargePayments
    let capture: CapturePayment
    let cancel: CancelPayment
    let refund: RefundPayment
    let keep: KeepPaymentMethod
    let remove: RemoveMethods
    let clock: any WallClock
    let policy: SweepPolicy
    let logger: Logger

    /// Each kind of work goes by itself: while a provider leaves some of it without an answer, payments that Fraud says
    /// nothing of are decided all the same.
    package var loops: [BackgroundLoop] {
        looks.map { BackgroundLoop(name: "sweep: \($0.what)", every: Self.interval, pass: $0.look) }
    }

    /// One look at everything. What cannot be moved on yet is looked at again later and holds up nothing else.
    package func pass() async throws { for (_, look) in looks { try await look() } }

    private typealias Look = @Sendable () async throws -> Void

    /// What it looks for.
    private var looks: [(what: String, look: Look)] {
        [
            ("silent fraud", decideForSilentFraud),
            (
                "lost charges",
                { await each(try await lostCharges(), "payment", \.paymentID.rawValue) { try await charge.resume($0) } }
            ),
            (
                "waiting customers",
                {
                    await each(try await waitingForCustomers(), "payment", \.paymentID.rawValue) {
                        try await charge.resume($0)
                    }
                }
            ),
            (
                "expired actions",
                {
                    await each(try await expiredActions(), "payment", \.paymentID.rawValue) {
                        try await charge.expire($0)
                    }
                }
            ),
            (
                "captures",
                {
                    let captures: [CaptureID] = try await unanswered("captures", as: CaptureID.self)
                    await each(captures, "capture", \.rawValue) { _ = try await capture.finish($0) }
                }
            ),
            ("left challenges", failLeftChallenges), ("releases", releaseStopped),
            // Before others look at those holds and put their next look off.
            ("withdrawn holds", releaseWithdrawn), ("holds", lookAtHolds),
            ("late holds", releaseLateHolds), ("withdrawn invoices", giveBackWithdrawn), ("refunds", refundStopped),
            ("payment methods", keepStopped),
            ("removed methods", { try await remove.pass() }),
        ]
    }

    @Sendable private func releaseStopped() async throws {
        let lost: [PaymentID] = try await stopped(
            "payments", in: "'canceling' AND (look_at IS NULL OR look_at <= now())", as: PaymentID.self)
        await each(try await lost + expiredAuthorizations(), "release", \.rawValue) { try await cancel.finish($0) }
    }

    @Sendable private func lookAtHolds() async throws {
        let releases = FollowReleases(capture: capture, pool: pool, clock: clock)
        await each(try await oldHolds(), "hold", \.rawValue) { try await releases($0) }
    }

    @Sendable private func releaseLateHolds() async throws {
        let release = ReleaseLateHolds(providers: cancel.providers, pool: pool, logger: logger)
        await each(try await release.due(limit: Self.passLimit), "late hold", \.attempt.rawValue) {
            try await release($0)
        }
    }

    @Sendable private func giveBackWithdrawn() async throws {
        let giveBack = GiveBackWithdrawn(pool: pool, clock: clock, logger: logger)
        let refunds: [RefundID] = try await giveBack(limit: Self.passLimit)
        await each(refunds, "refund", \.rawValue) { _ = try await refund.finish($0) }
    }

    @Sendable private func refundStopped() async throws {
        let refunds: [RefundID] = try await unanswered("refunds", as: RefundID.self)
        await each(refunds, "refund", \.rawValue) { _ = try await refund.finish($0) }
    }

    @Sendable private func keepStopped() async throws {
        let lostSeconds: Int = policy.lostSeconds
        let methods: [PaymentMethodID] = try await pool.transaction { db in
            try KeptMethodStore.takeStopped(lostSeconds: lostSeconds, limit: Self.passLimit, in: db)
        }
        await each(try await methods + waitingMethods(), "payment method", \.rawValue) { try await keep.finish($0) }
    }

    /// Moves rows on, some at a time; one that stays where it is holds up no other.
    private func each<Row: Sendable>(
        _ rows: [Row], _ what: String, _ id: (Row) -> String, _ work: @escaping @Sendable (Row) async throws -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for (index, row) in rows.enumerated() {
                if index >= Self.width { await group.next() }
                let id: String = id(row)
                group.addTask {
                    do { try await work(row) } catch {
                        logger.warning(
                            "a lost \(what) stays where it is", metadata: ["\(what)_id": "\(id)", "error": "\(error)"])
                    }
                }
            }
        }
    }

    @Sendable private func decideForSilentFraud() async throws {
        let verdicts: ApplyVerdicts = verdicts
        let policy: SweepPolicy = policy
        let now: Instant = clock.now
        let decided: [PaymentID] = try await pool.transaction { db in
            let waiting: [Verdict] = try db.query(
                """
                SELECT id, attempt_id, amount, currency, off_session AND NOT customer_started FROM payments
                WHERE status = 'created' AND stepped_at < now() - make_interval(secs =>
                    CASE WHEN off_session AND NOT customer_started
                         THEN \(policy.offSessionSilenceSeconds)::double precision
                         ELSE \(policy.silenceSeconds)::double precision END)
                ORDER BY stepped_at LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED
                """
            ) { row in
                let (id, attempt): (PaymentID, AttemptID) = (try row.next(), try row.next())
                let amount = Money(minor: try row.next(), currency: try row.next())
                let risk: RiskVerdict = .fallback(policy.fallback, of: amount, isUnattended: try row.next())
                return Verdict(paymentID: id, attemptID: attempt, risk: risk)
            }
            try verdicts(waiting, at: now, in: db)
            return waiting.map(\.paymentID)
        }
        for payment in decided {
            logger.warning(
                "fraud was silent; the fallback decided",
                metadata: ["payment_id": "\(payment)", "policy": "\(policy.fallback.rawValue)"])
        }
    }

    /// Charges whose outcome nobody has recorded; taking them counts as a step, so that no other instance does.
    private func lostCharges() async throws -> [ApprovedAttempt] {
        let policy: SweepPolicy = policy
        return try await pool.transaction { db in
            try db.query(
                """
                UPDATE payments p SET looks = \(Self.looksTaken), stepped_at = now()
                FROM (SELECT id FROM payments WHERE \(policy.isDue)
                      ORDER BY stepped_at LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED) AS lost, payment_methods m
                WHERE p.id = lost.id AND m.id = p.payment_method_id
                RETURNING \(ApprovedAttempt.columns)
                """, as: ApprovedAttempt.self)
        }
    }

    /// Captures or refunds whose outcome nobody has recorded; taking them counts as a step, like that of a lost charge.
    private func unanswered<ID: PostgresCodable & Sendable>(_ table: SQL, as id: ID.Type) async throws -> [ID] {
        let policy: SweepPolicy = policy
        return try await pool.transaction { db in
            try db.query(
                """
                UPDATE \(table) p SET looks = \(Self.looksTaken), stepped_at = now() WHERE id IN (
                    SELECT id FROM \(table) WHERE \(policy.isDue)
                    ORDER BY stepped_at LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                RETURNING id
                """
            ) { row in try row.next() }
        }
    }

    /// How often the row `p` has been looked at once it is taken. A look that an answer asked for is counted by the answer
    /// that it brings; every other look is counted before, since it may bring none.
    private static var looksTaken: SQL { "p.looks + (p.look_at IS NULL OR p.look_at <= p.stepped_at)::integer" }

    /// Payments that wait for their customer on a page of the provider's, who may have finished without coming back.
    private func waitingForCustomers() async throws -> [ApprovedAttempt] {
        try await pool.transaction { db in
            try db.query(
                Self.taking(
                    "SELECT id FROM payments WHERE status = 'requires_action' AND look_at <= now() ORDER BY look_at"),
                as: ApprovedAttempt.self)
        }
    }

    /// Methods whose owners are asked for by their banks, who may have finished without coming back.
    private func waitingMethods() async throws -> [PaymentMethodID] {
        let (now, lostSeconds): (Instant, Int) = (clock.now, policy.lostSeconds)
        return try await pool.transaction { db in
            try KeptMethodStore.takeWaiting(at: now, lostSeconds: lostSeconds, limit: Self.passLimit, in: db)
        }
    }

    /// Payments whose customer has had the time there is, by the business clock.
    private func expiredActions() async throws -> [ApprovedAttempt] {
        let now: Instant = clock.now
        let policy: SweepPolicy = policy
        return try await pool.transaction { db in
            try db.query(
                Self.taking(
                    """
                    SELECT id FROM payments WHERE status = 'requires_action' AND look_at IS NOT NULL
                        AND action_expires_at <= \(now)
                        AND stepped_at <= now() - make_interval(secs => \(policy.lostSeconds)) ORDER BY look_at
                    """), as: ApprovedAttempt.self)
        }
    }

    /// Fails payments whose customer has not passed a challenge of ours in time, by the business clock. Those with a page
    /// or an issuer that was asked end with that; no provider waits for any of them.
    @Sendable private func failLeftChallenges() async throws {
        let now: Instant = clock.now
        try await pool.transaction { db in
            let left: [PaymentRecord] = try db.query(
                """
                SELECT \(PaymentRecord.columns) FROM payments p
                WHERE p.status = 'requires_action' AND p.action_expires_at <= \(now)
                    AND p.next_action->>'type' = \(NextAction.challenge.kind)
                    AND NOT EXISTS (SELECT 1 FROM three_d_secure_pages a WHERE a.attempt_id = p.attempt_id)
                    AND NOT EXISTS (SELECT 1 FROM three_d_secure s WHERE s.attempt_id = p.attempt_id)
                ORDER BY p.action_expires_at LIMIT \(Self.passLimit) FOR UPDATE OF p SKIP LOCKED
                """, as: PaymentRecord.self)
            for payment in left { try ContinuePayment.decide(payment, .refused, at: now, in: db) }
        }
    }

    /// Asks again for the release of what is held for withdrawn invoices and a provider would not let go, once it is time to
    /// look.
    @Sendable private func releaseWithdrawn() async throws {
        let now: Instant = clock.now
        try await pool.transaction { db in
            let held: [PaymentRecord] = try db.query(
                """
                SELECT \(PaymentRecord.columns) FROM payments p
                WHERE p.status = 'authorized' AND p.look_at <= now() AND p.invoice_voided
                ORDER BY p.look_at LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED
                """, as: PaymentRecord.self)
            try CancelPayment.withdraw(held, at: now, in: db)
        }
    }

    /// Authorizations that have not been looked at for some days: their provider may have let go, and the news of it may be
    /// lost. Taking one sets the time of its next look, a day later, then ever more rarely, up to eight days.
    private func oldHolds() async throws -> [AttemptID] {
        try await pool.transaction { db in
            try db.query(
                """
                UPDATE payments SET looks = looks + 1,
                    look_at = now() + make_interval(days => (2 ^ least(looks, 3))::integer)
                WHERE id IN (
                    SELECT id FROM payments WHERE status = 'authorized' AND look_at <= now()
                    ORDER BY look_at LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                RETURNING attempt_id
                """
            ) { row in try row.next() }
        }
    }

    /// Takes waiting payments; no other instance looks at them for a while.
    private static func taking(_ waiting: SQL) -> SQL {
        """
        UPDATE payments p SET look_at = now() + interval '1 minute', stepped_at = now()
        FROM (\(waiting) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED) AS taken, payment_methods m
        WHERE p.id = taken.id AND m.id = p.payment_method_id
        RETURNING \(ApprovedAttempt.columns)
        """
    }

    /// Rows of a table that stopped in a state; taking them counts as a step, so that no other instance does.
    private func stopped<ID: PostgresCodable & Sendable>(
        _ table: SQL, in status: SQL, as id: ID.Type
    ) async throws -> [ID] {
        let policy: SweepPolicy = policy
        return try await pool.transaction { db in
            try db.query(
                """
                UPDATE \(table) SET stepped_at = now() WHERE id IN (
                    SELECT id FROM \(table)
                    WHERE status = \(status) AND stepped_at < now() - make_interval(secs => \(policy.lostSeconds))
                    ORDER BY stepped_at LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                RETURNING id
                """
            ) { row in try row.next() }
        }
    }

    /// Begins the release of authorizations whose time is over by the business clock; a capture under way is waited for.
    /// Whether there is one is judged again once the rows are locked: one may have begun since the first statement looked.
    private func expiredAuthorizations() async throws -> [PaymentID] {
        let now: Instant = clock.now
        return try await pool.transaction { db in
            let over: [PaymentRecord] = try db.query(
                """
                SELECT \(PaymentRecord.columns) FROM payments p
                WHERE p.status = 'authorized' AND p.authorization_expires_at <= \(now)
                    AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.payment_id = p.id AND c.status = 'processing')
                ORDER BY p.authorization_expires_at LIMIT \(Self.passLimit) FOR UPDATE OF p SKIP LOCKED
                """, as: PaymentRecord.self)
            return Array(try PaymentStore.release(over, in: db))
        }
    }
}

/// When something counts as stopped; `payment.*` tunables.
package struct SweepPolicy: Sendable {
    /// Fraud is silent after this, with the customer waiting: also for what they have just brought about without being there
    /// to authenticate (`payment.fraud_timeout_seconds`).
    let silenceSeconds: Int
    /// Fraud is silent after this for renewals, which nobody waits for (`payment.fraud_timeout_off_session_seconds`).
    let offSessionSilenceSeconds: Int
    /// A provider call without an outcome is read back after this (`payment.lost_call_seconds`).
    /// Looks without an answer are repeated after waits that double from there to an hour.
    let lostSeconds: Int
    /// What a silent Fraud means (`payment.fraud_fallback`).
    let fallback: FraudFallback

    /// Sets every limit.
    package init(silenceSeconds: Int, offSessionSilenceSeconds: Int, lostSeconds: Int, fallback: FraudFallback) {
        self.silenceSeconds = silenceSeconds
        self.offSessionSilenceSeconds = offSessionSilenceSeconds
        self.lostSeconds = lostSeconds
        self.fallback = fallback
    }

    /// Whether it is time to ask the provider about a payment, a capture or a refund again.
    fileprivate var isDue: SQL {
        """
        status = 'processing' AND (look_at IS NULL OR look_at <= now())
            AND stepped_at < now() - make_interval(secs => \(lostSeconds))
            AND stepped_at < now() - make_interval(secs =>
                least(\(lostSeconds)::double precision * 2 ^ least(looks, 20), 3600))
        """
    }
}
