import BillingCore
import Logging
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres
package import ServiceKit

/// Finds payments and refunds that stopped on their way (a crash, a silent Fraud, a lost answer) and moves them on.
///
/// Goes by real time: the test clock makes nobody late. Rows are skipped while another instance holds them.
package struct SweepPayments: Sendable {
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

    /// One look at everything. What cannot be moved on yet is looked at again later and holds up nothing else.
    package func pass() async throws { try await Looks(looks, pool).pass() }

    /// Each kind of work goes by itself: while a provider leaves some of it without an answer, payments that Fraud says
    /// nothing of are decided all the same.
    package var looks: [Look] {
        [
            Look(name: "sweep: silent fraud", when: { .exists(unheard) }, pass: decideForSilentFraud),
            Look(name: "sweep: lost charges", when: { .exists(unanswered("payments")) }) {
                await each(try await lostCharges(), "payment", \.paymentID.rawValue) { try await charge.resume($0) }
            },
            Look(name: "sweep: waiting customers", when: { .exists(Self.waiting) }) {
                await each(try await waitingForCustomers(), "payment", \.paymentID.rawValue) {
                    try await charge.resume($0)
                }
            },
            Look(name: "sweep: expired actions", when: { .exists(overtime) }) {
                await each(try await expiredActions(), "payment", \.paymentID.rawValue) {
                    try await charge.expire($0)
                }
            },
            Look(name: "sweep: captures", when: { .exists(unanswered("captures")) }) {
                let captures: [CaptureID] = try await take("captures", as: CaptureID.self)
                await each(captures, "capture", \.rawValue) { _ = try await capture.finish($0) }
            },
            Look(name: "sweep: unconfirmed", when: { .exists(unconfirmed) }, pass: cancelUnconfirmed),
            Look(name: "sweep: left challenges", when: { .exists(leftChallenges) }, pass: failLeftChallenges),
            Look(
                name: "sweep: releases", when: { "\(SQL.exists(stopped)) OR \(SQL.exists(overdueHolds))" },
                pass: releaseStopped),
            // Before others look at those holds and put their next look off.
            Look(name: "sweep: withdrawn holds", when: { .exists(Self.withdrawn) }, pass: releaseWithdrawn),
            Look(name: "sweep: holds", when: { .exists(Self.longHeld) }, pass: lookAtHolds),
            Look(name: "sweep: late holds", when: { .exists(ReleaseLateHolds.held) }, pass: releaseLateHolds),
            Look(
                name: "sweep: withdrawn invoices", when: { .exists(GiveBackWithdrawn.taken) }, pass: giveBackWithdrawn),
            Look(name: "sweep: refused refunds", when: { .exists(RefundRepeats.due) }, pass: repeatRefunds),
            Look(name: "sweep: refunds", when: { .exists(unanswered("refunds")) }, pass: refundStopped),
            Look(name: "sweep: payment methods", when: { stoppedMethods }, pass: keepStopped),
            Look(name: "sweep: agreed methods", when: { .exists(PageAgreementStore.due) }) {
                let agreed = KeepAgreedMethods(pool: pool, clock: clock, logger: logger)
                await each(try await agreed.due(limit: Self.passLimit), "agreed method", \.methodID.rawValue) {
                    try await agreed($0)
                }
            },
            Look(name: "sweep: removed methods", when: { .exists(MethodRemovalStore.due) }) { try await remove.pass() },
        ]
    }

    /// Methods whose keeping is to be asked about.
    private var stoppedMethods: SQL {
        let stopped: SQL = KeptMethodStore.stopped(lostSeconds: policy.lostSeconds)
        let waiting: SQL = KeptMethodStore.waiting(at: clock.now, lostSeconds: policy.lostSeconds)
        return "\(SQL.exists(stopped)) OR \(SQL.exists(waiting))"
    }

    @Sendable private func releaseStopped() async throws {
        let lost: [PaymentID] = try await stoppedReleases()
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

    @Sendable private func repeatRefunds() async throws {
        let again = RepeatRefunds(pool: pool, clock: clock, logger: logger)
        let refunds: [RefundID] = try await again(limit: Self.passLimit)
        await each(refunds, "refund", \.rawValue) { _ = try await refund.finish($0) }
    }

    @Sendable private func refundStopped() async throws {
        let refunds: [RefundID] = try await take("refunds", as: RefundID.self)
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

    /// Payments that Fraud has said nothing of in time.
    private var unheard: SQL {
        """
        SELECT id, attempt_id, amount, currency, off_session AND NOT customer_started FROM payments
        WHERE status = 'created' AND stepped_at < now() - make_interval(secs =>
            CASE WHEN off_session AND NOT customer_started
                 THEN \(policy.offSessionSilenceSeconds)::double precision
                 ELSE \(policy.silenceSeconds)::double precision END)
        ORDER BY stepped_at
        """
    }

    @Sendable private func decideForSilentFraud() async throws {
        let verdicts: ApplyVerdicts = verdicts
        let policy: SweepPolicy = policy
        let unheard: SQL = unheard
        let now: Instant = clock.now
        let decided: [PaymentID] = try await pool.transaction { db in
            let waiting: [Verdict] = try db.query("\(unheard) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED") { row in
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

    /// Rows of payments, captures or refunds whose outcome nobody has recorded.
    private func unanswered(_ table: SQL) -> SQL { "SELECT id FROM \(table) WHERE \(policy.isDue) ORDER BY stepped_at" }

    /// Charges whose outcome nobody has recorded; taking them counts as a step, so that no other instance does.
    private func lostCharges() async throws -> [ApprovedAttempt] {
        let lost: SQL = unanswered("payments")
        return try await pool.transaction { db in
            try db.query(
                """
                UPDATE payments p SET looks = \(Self.looksTaken), stepped_at = now()
                FROM (\(lost) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED) AS lost, payment_methods m
                WHERE p.id = lost.id AND m.id = p.payment_method_id
                RETURNING \(ApprovedAttempt.columns)
                """, as: ApprovedAttempt.self)
        }
    }

    /// Captures or refunds whose outcome nobody has recorded; taking them counts as a step, like that of a lost charge.
    private func take<ID: PostgresCodable & Sendable>(_ table: SQL, as id: ID.Type) async throws -> [ID] {
        let lost: SQL = unanswered(table)
        return try await pool.transaction { db in
            try db.query(
                """
                UPDATE \(table) p SET looks = \(Self.looksTaken), stepped_at = now()
                WHERE id IN (\(lost) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                RETURNING id
                """
            ) { row in try row.next() }
        }
    }

    /// How often the row `p` has been looked at once it is taken. A look that an answer asked for is counted by the answer
    /// that it brings; every other look is counted before, since it may bring none.
    private static var looksTaken: SQL { "p.looks + (p.look_at IS NULL OR p.look_at <= p.stepped_at)::integer" }

    /// Payments that wait for their customer on a page of the provider's, who may have finished without coming back.
    private static let waiting: SQL =
        "SELECT id FROM payments WHERE status = 'requires_action' AND look_at <= now() ORDER BY look_at"

    private func waitingForCustomers() async throws -> [ApprovedAttempt] {
        try await pool.transaction { db in try db.query(Self.taking(Self.waiting), as: ApprovedAttempt.self) }
    }

    /// Methods whose owners are asked for by their banks, who may have finished without coming back.
    private func waitingMethods() async throws -> [PaymentMethodID] {
        let (now, lostSeconds): (Instant, Int) = (clock.now, policy.lostSeconds)
        return try await pool.transaction { db in
            try KeptMethodStore.takeWaiting(at: now, lostSeconds: lostSeconds, limit: Self.passLimit, in: db)
        }
    }

    /// Payments whose customer has had the time there is, by the business clock. A provider that does not say whether it lets
    /// go is asked ever more rarely.
    private var overtime: SQL {
        """
        SELECT id FROM payments WHERE status = 'requires_action' AND look_at IS NOT NULL
            AND action_expires_at <= \(clock.now) AND (expire_at IS NULL OR expire_at <= now())
            AND stepped_at <= now() - make_interval(secs => \(policy.lostSeconds)) ORDER BY look_at
        """
    }

    private func expiredActions() async throws -> [ApprovedAttempt] {
        let overtime: SQL = overtime
        let wait: SQL = policy.wait("p.expiries")
        let counted: SQL = "expiries = p.expiries + 1, expire_at = now() + make_interval(secs => \(wait)),"
        return try await pool.transaction { db in
            try db.query(Self.taking(overtime, counted), as: ApprovedAttempt.self)
        }
    }

    /// Payments whose customer has not passed a challenge of ours in time, by the business clock. Those with a page or an
    /// issuer that was asked end with that; no provider waits for any of them.
    private var leftChallenges: SQL {
        """
        SELECT \(PaymentRecord.columns) FROM payments p
        WHERE p.status = 'requires_action' AND p.action_expires_at <= \(clock.now)
            AND p.next_action->>'type' = \(NextAction.challenge.kind.rawValue)
            AND NOT EXISTS (SELECT 1 FROM three_d_secure_pages a WHERE a.attempt_id = p.attempt_id)
            AND NOT EXISTS (SELECT 1 FROM three_d_secure s WHERE s.attempt_id = p.attempt_id)
        ORDER BY p.action_expires_at
        """
    }

    @Sendable private func failLeftChallenges() async throws {
        let challenges: SQL = leftChallenges
        let now: Instant = clock.now
        try await pool.transaction { db in
            let left: [PaymentRecord] = try db.query(
                "\(challenges) LIMIT \(Self.passLimit) FOR UPDATE OF p SKIP LOCKED", as: PaymentRecord.self)
            for payment in left { try ContinuePayment.decide(payment, .refused, at: now, in: db) }
        }
    }

    /// Payments that nobody has confirmed in time, by the business clock.
    private var unconfirmed: SQL {
        "SELECT id FROM payments WHERE status = 'requires_confirmation' AND action_expires_at <= \(clock.now)"
    }

    /// Ends them: they have no attempt, and nobody but their merchant has heard of them.
    @Sendable private func cancelUnconfirmed() async throws {
        let unconfirmed: SQL = unconfirmed
        try await pool.transaction { db in
            _ = try db.execute(
                """
                UPDATE payments SET status = 'canceled', stepped_at = now()
                WHERE id IN (\(unconfirmed) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                """)
        }
    }

    private static let withdrawn: SQL = """
        SELECT \(PaymentRecord.columns) FROM payments p
        WHERE p.status = 'authorized' AND p.look_at <= now() AND p.invoice_voided ORDER BY p.look_at
        """

    /// Asks again for the release of what is held for withdrawn invoices and a provider would not let go, once it is time to
    /// look.
    @Sendable private func releaseWithdrawn() async throws {
        let now: Instant = clock.now
        try await pool.transaction { db in
            let held: [PaymentRecord] = try db.query(
                "\(Self.withdrawn) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED", as: PaymentRecord.self)
            try CancelPayment.withdraw(held, at: now, in: db)
        }
    }

    private static let longHeld: SQL =
        "SELECT id FROM payments WHERE status = 'authorized' AND look_at <= now() ORDER BY look_at"

    /// Authorizations that have not been looked at for some days: their provider may have let go, and the news of it may be
    /// lost. Taking one sets the time of its next look, a day later, then ever more rarely, up to eight days.
    private func oldHolds() async throws -> [AttemptID] {
        try await pool.transaction { db in
            try db.query(
                """
                UPDATE payments SET looks = looks + 1,
                    look_at = now() + make_interval(days => (2 ^ least(looks, 3))::integer)
                WHERE id IN (\(Self.longHeld) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                RETURNING attempt_id
                """
            ) { row in try row.next() }
        }
    }

    /// Takes waiting payments; no other instance looks at them for a while.
    private static func taking(_ waiting: SQL, _ counted: SQL = "") -> SQL {
        """
        UPDATE payments p SET \(counted) look_at = now() + interval '1 minute', stepped_at = now()
        FROM (\(waiting) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED) AS taken, payment_methods m
        WHERE p.id = taken.id AND m.id = p.payment_method_id
        RETURNING \(ApprovedAttempt.columns)
        """
    }

    /// Releases that stopped on their way.
    private var stopped: SQL {
        """
        SELECT id FROM payments
        WHERE status = 'canceling' AND (look_at IS NULL OR look_at <= now())
            AND stepped_at < now() - make_interval(secs => \(policy.lostSeconds)) AND \(policy.hasWaited)
        ORDER BY stepped_at
        """
    }

    /// Releases that stopped; taking them counts as a step, like that of a lost charge.
    private func stoppedReleases() async throws -> [PaymentID] {
        let stopped: SQL = stopped
        return try await pool.transaction { db in
            try db.query(
                """
                UPDATE payments p SET looks = \(Self.looksTaken), stepped_at = now()
                WHERE id IN (\(stopped) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                RETURNING id
                """
            ) { row in try row.next() }
        }
    }

    /// Authorizations whose time is over by the business clock; a capture under way is waited for.
    private var overdueHolds: SQL {
        """
        SELECT \(PaymentRecord.columns) FROM payments p
        WHERE p.status = 'authorized' AND p.authorization_expires_at <= \(clock.now)
            AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.payment_id = p.id AND c.status = 'processing')
        ORDER BY p.authorization_expires_at
        """
    }

    /// Begins the release of those. Whether a capture is under way is judged again once the rows are locked: one may have
    /// begun since the first statement looked.
    private func expiredAuthorizations() async throws -> [PaymentID] {
        let overdue: SQL = overdueHolds
        return try await pool.transaction { db in
            let over: [PaymentRecord] = try db.query(
                "\(overdue) LIMIT \(Self.passLimit) FOR UPDATE OF p SKIP LOCKED", as: PaymentRecord.self)
            return Array(try PaymentStore.release(over, in: db))
        }
    }
}
