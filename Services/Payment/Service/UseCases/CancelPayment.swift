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
        /// The provider will not let go of the money.
        case refused
    }

    let providers: PaymentProviders
    let pool: PostgresPool
    let waiters: PaymentWaiters
    let clock: any WallClock

    /// - Returns: 200 with the payment; 202 while the provider's word on the release is not known.
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
        try await claim.complete(reply.stored, in: pool)
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
        if payment.isHeldAtProvider, payment.status.after(.release) != nil {
            guard try !CaptureStore.isUnderWay(id, in: db) else { throw Failure.captureUnderWay }
            _ = try db.execute("UPDATE payments SET status = 'canceling', stepped_at = now() WHERE id = \(id)")
            return
        }
        guard payment.status.after(.cancel) == .canceled else { throw Failure.notPossible(payment.status) }
        try PaymentStore.cancel([payment], in: db)
        try Outbox.append([PaymentEvents.canceled(payment, reason: "requested", at: now)], in: db)
        guard let canceled: PaymentRecord = try PaymentStore.find(id, in: db) else { return }
        try waiters.answer([canceled], in: db)
    }

    /// Asks the provider to release what it holds and records its word; harmless to repeat.
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
        let answer: ReleaseAnswer = try await providers.named(charge.provider).release(
            ReleaseRequest(idempotencyKey: read.payment.attemptID, reference: charge.reference))
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db), payment.status == .canceling else {
                return
            }
            // Past its time an authorization is over, whatever the provider makes of the question.
            if answer == .released || payment.isAuthorizationOver(at: now) {
                try Self.end(payment, reason: "released", at: now, in: db)
            } else if payment.nextAction != nil {
                // The customer has finished meanwhile: the provider's word on the charge decides.
                _ = try db.execute(
                    "UPDATE payments SET status = 'processing', look_at = now(), stepped_at = now() WHERE id = \(id)")
            } else {
                _ = try db.execute("UPDATE payments SET status = 'authorized', stepped_at = now() WHERE id = \(id)")
            }
        }
    }

    /// What was captured before stays captured; the payment has then succeeded with that part.
    static func end(
        _ payment: PaymentRecord, reason: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard payment.amountCaptured > 0 else {
            try PaymentStore.cancel([payment], in: db)
            return try Outbox.append([PaymentEvents.canceled(payment, reason: reason, at: now)], in: db)
        }
        let total: Int64 = payment.amountCaptured
        try PaymentStore.captured(payment, total: total, status: .succeeded, in: db)
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
        case .captureUnderWay: .conflict("capture_in_progress", "A capture of the payment is under way.")
        case .refused: .conflict("release_refused", "The provider refuses to release what it holds.")
        }
    }
}
