import PaymentContract
import PaymentRecords
package import BillingCore
package import HTTPKit
import Messaging
package import PaymentDomain
import Postgres

/// Gives a payment up. Before money is held that is one transaction; what a provider holds is released first: the payment
/// is `canceling` until the provider has said so, and the sweeper asks again after a crash.
package struct CancelPayment: Sendable {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(String)
        case notPossible(PaymentStatus)
        case captureUnderWay
        /// It collects an invoice, which is due as long as it is not voided.
        case ofInvoice
        /// It collects an instalment, which is owed as long as its plan is neither reduced by it nor over.
        case ofInstalment
        /// The provider will not let go of the money.
        case refused
    }

    let providers: PaymentProviders
    let capture: CapturePayment
    let pool: PostgresPool
    let waiters: PaymentWaiters
    let clock: any WallClock

    /// - Returns: 200 with the payment, which has succeeded where its money had been captured at the provider; 202 while the
    ///   provider's word on the release is not known.
    /// - Throws: ``Failure`` or ``Problem``. Nothing is stored then, but for ``Failure/refused``: the key stays with this
    ///   request, whose repeats are told the same.
    package func callAsFunction(_ call: Call, _ id: PaymentID) async throws -> Reply<PaymentResource> {
        let claim: IdempotencyClaim? = call.claim()
        let waiters: PaymentWaiters = waiters
        let now: Instant = call.now
        let intent: ProviderIntent<PaymentID> = try await .store(claim, in: pool) { db in
            try Self.begin(id, waiters, at: now, in: db)
            return id
        }
        if case .replay(let stored) = intent { return Reply(replaying: stored) }
        do { try await finish(id) } catch is ProviderFault {}  // The sweeper asks again.
        let found: PaymentResource? = try await pool.transaction(readOnly: true) { db in
            try PaymentResource.find(id, in: db)
        }
        guard let found else { throw Failure.notFound(id.rawValue) }
        let status: PaymentStatus = found.payment.status
        guard status != .authorized else { throw Failure.refused }
        let reply = Reply(status: status.isSettled ? 200 : 202, found)
        try await intent.keep(reply.stored, under: claim, in: pool)
        return reply
    }

    /// Stores the intent, or the whole cancellation where no provider holds anything.
    private static func begin(
        _ id: PaymentID, _ waiters: PaymentWaiters, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db) else {
            throw Failure.notFound(id.rawValue)
        }
        if payment.status == .canceled || payment.status == .canceling { return }
        guard try payment.canBeReleased || payment.canBeGivenUp || PaymentStore.isUnsent(payment, in: db) else {
            throw Failure.notPossible(payment.status)
        }
        guard try !PaymentStore.isOwed(payment, in: db) else {
            throw payment.invoiceID == nil ? Failure.ofInstalment : .ofInvoice
        }
        if payment.canBeReleased {
            guard try PaymentStore.release([payment], in: db).contains(id) else { throw Failure.captureUnderWay }
            return
        }
        try PaymentStore.cancel([payment], at: now, in: db)
        // Nobody has heard of one that was never confirmed.
        if payment.attempts > 0 {
            try Outbox.append([PaymentEvents.canceled(payment, reason: "requested", at: now)], in: db)
        }
        guard let canceled: PaymentRecord = try PaymentStore.find(id, in: db) else { return }
        try waiters.answer([canceled], in: db)
    }

    /// Asks the provider to release what it holds and records its word; harmless to repeat. It is asked what was captured, too:
    /// somebody may have had that done there. One that refuses is asked what it holds: nothing is concluded from the refusal,
    /// nor from a release while the provider still looks at a capture.
    /// - Throws: ``ProviderFault`` while the provider's word is not known, or makes no end.
    package func finish(_ id: PaymentID) async throws {
        let read: (payment: PaymentRecord, charge: ProviderReference?)? = try await pool.transaction(readOnly: true) {
            db in
            guard let payment: PaymentRecord = try PaymentStore.find(id, in: db) else { return nil }
            return (payment, try PaymentStore.providerReference(of: id, in: db))
        }
        guard let read, read.payment.status == .canceling else { return }
        guard let charge: ProviderReference = read.charge else {
            throw ProviderFault.unusable("an authorization without a reference")
        }
        let provider: any PaymentProvider = try providers.named(charge.provider)
        let answer: ReleaseAnswer = try await provider.release(
            ReleaseRequest(idempotencyKey: read.payment.attemptID, reference: charge.reference))
        let wasHeld: Bool = read.payment.nextAction == nil
        let told: ProviderTakings? =
            if wasHeld, read.payment.captureMethod == .manual {
                try await provider.takings(of: charge.reference)
            } else { nil }
        let isReleased: Bool
        let isPending: Bool = told?.isPending == true
        if isPending {
            isReleased = false
        } else if answer == .released || !wasHeld {
            isReleased = answer == .released
        } else if let told {
            isReleased = !told.isHeld
        } else {
            isReleased = try await provider.holds(charge.reference) == false
        }
        let isOver: Bool = try await record(isReleased, told, read.payment)
        guard isOver else {
            let fault = ProviderFault.unusable("a hold that is over is not released: \(answer)")
            if !isPending { ProviderAlarms.shared.note(fault, of: charge.provider, on: .release) }
            throw fault
        }
    }

    /// Records what became of a release; one of an earlier attempt says nothing of the payment's hold now. Money that is
    /// still held is looked at a day later, and released again where nobody wants it any more (``FollowReleases``).
    /// - Returns: `false` for an authorization whose time is over and that the provider has not let go: it is asked about
    ///   again, after waits that double from a minute to a day.
    private func record(
        _ isReleased: Bool, _ told: ProviderTakings?, _ asked: PaymentRecord
    ) async throws -> Bool {
        let (id, now): (PaymentID, Instant) = (asked.id, clock.now)
        return try await pool.transactionRetrying { db in
            guard let canceling: PaymentRecord = try PaymentStore.lock(id, in: db), canceling.status == .canceling,
                canceling.attemptID == asked.attemptID
            else { return true }
            var payment: PaymentRecord = canceling
            if let told { payment = try capture.adopt(told, of: canceling, at: now, in: db) }
            if payment.status == .succeeded { return true }
            if isReleased {
                try Self.end(payment, reason: "released", at: now, in: db)
            } else if payment.nextAction != nil {
                // The customer has finished meanwhile: the provider's word on the charge decides.
                _ = try db.execute(
                    """
                    UPDATE payments SET status = 'processing', look_at = now(), looks = 0, stepped_at = now()
                    WHERE id = \(id)
                    """)
            } else if payment.status == .canceling, payment.isAuthorizationOver(at: now) {
                // Looks before the first answer lengthen no wait.
                let answers: SQL = "(CASE WHEN look_at IS NULL THEN 0 ELSE looks END)"
                _ = try db.execute(
                    """
                    UPDATE payments SET looks = \(answers) + 1, stepped_at = now(),
                        look_at = now() + make_interval(secs => least(60 * 2 ^ least(\(answers), 20), 86400))
                    WHERE id = \(id)
                    """)
                return false
            } else if let kept: PaymentStatus = canceling.status.after(.keep) {
                _ = try db.execute(
                    """
                    UPDATE payments SET status = \(kept.rawValue), look_at = now() + interval '1 day', looks = 0,
                        stepped_at = now()
                    WHERE id = \(id)
                    """)
            }
            return true
        }
    }

    /// Begins the attempts that were asked for while providers were to let go of the last ones, with the customers' default
    /// methods; the payments' rows are locked. Whoever asked hears of their outcomes, and not of the ends of those before. With
    /// another card than the last attempt's it is the customer who has brought the attempt about.
    /// - Parameter withAnother: Only with another method than the last attempt's: that was refused, or held in vain.
    /// - Returns: The payments that go on.
    static func collectAgain(
        _ payments: [PaymentRecord], withAnother: Bool = false, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Set<PaymentID> {
        let asked: [PaymentRecord] = try PaymentStore.toBeCollectedAgain(payments, in: db)
        guard !asked.isEmpty else { return [] }
        let resolved: [ResolvedMethod] = try PaymentMethodStore.resolve(asked.map { ($0.customerID, nil) }, in: db)
        let attempts: [NextAttempt] = zip(asked, resolved).compactMap { payment, resolved in
            guard let method: ChargeableMethod = resolved.method, !withAnother || method.id != payment.paymentMethodID
            else { return nil }
            return NextAttempt(
                payment: payment, attemptID: AttemptID.new(at: now), method: method, authenticated: false,
                offSession: true, customerStarted: method.id != payment.paymentMethodID)
        }
        try PaymentStore.beginAttempts(attempts, at: now, in: db)
        try Outbox.append(attempts.map { PaymentEvents.created($0, at: now) }, in: db)
        return Set(attempts.map(\.payment.id))
    }

    /// Gives up payments of withdrawn invoices, whose rows are locked and which have moved no money; what a provider holds, or
    /// waits for, it is to release first. Others stay as they are.
    static func withdraw(
        _ payments: [PaymentRecord], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try PaymentStore.release(payments.filter(\.canBeReleased), in: db)
        let ended: [PaymentRecord] = payments.filter(\.canBeGivenUp)
        guard !ended.isEmpty else { return }
        try PaymentStore.cancel(ended, at: now, in: db)
        try Outbox.append(ended.map { PaymentEvents.canceled($0, reason: "invoice_voided", at: now) }, in: db)
    }

    /// What was captured before stays captured; the payment has then succeeded with that part. One that
    /// collects what is still owed has failed: another attempt may follow, and whoever collects it hears of that.
    static func end(
        _ payment: PaymentRecord, reason: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard payment.amountCaptured > 0 else {
            if try PaymentStore.isOwed(payment, in: db) {
                // What was held was tried in full: only another method is.
                let wasHeld: Bool = payment.nextAction == nil
                if try collectAgain([payment], withAnother: wasHeld, at: now, in: db).contains(payment.id) {
                    return try PaymentStore.endAttempt(payment.attemptID, .holdReleased, at: now, in: db)
                }
                let decline: Decline = payment.reviewStatus == .declined ? .reviewDeclined : .holdReleased
                try PaymentStore.fail(payment, decline, at: now, in: db)
                return try Outbox.append([PaymentEvents.failed(payment, decline, at: now)], in: db)
            }
            try PaymentStore.cancel([payment], at: now, in: db)
            return try Outbox.append([PaymentEvents.canceled(payment, reason: reason, at: now)], in: db)
        }
        let total: Int64 = payment.amountCaptured
        try PaymentStore.captured(payment, total: total, status: .succeeded, at: now, in: db)
        try PageAgreementStore.paid([payment], at: now, in: db)
        try Outbox.append(
            [PaymentEvents.succeeded(payment, total, at: now)].compactMap(\.self), in: db)
    }
}

extension CancelPayment.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("payment", id)
        case .notPossible(let status):
            .conflict("payment_state", "A payment that is \(status.rawValue) cannot be cancelled.")
        case .ofInvoice:
            .conflict(
                "payment_of_invoice", "The payment collects an invoice: cancel its subscription instead.")
        case .ofInstalment:
            .conflict(
                "payment_of_instalment", "The payment collects an instalment: cancel, or reduce, its plan instead.")
        case .captureUnderWay: .conflict("capture_in_progress", "A capture of the payment is under way.")
        case .refused: .conflict("release_refused", "The provider refuses to release what it holds.")
        }
    }
}
