package import BillingCore
import BillingEvents
package import HTTPKit
import Messaging
import PaymentContract
package import PaymentDomain
import PaymentRecords
import Postgres

/// A person decides about a payment whose money is held for review: it is captured, or released. Once. One of an invoice or
/// an instalment that is still owed fails with its release: a declined one is not tried again by itself, unless with a card
/// that was brought meanwhile; an approved one whose capture the provider refused is.
///
/// The decision, what it begins, a `processing` capture or a `canceling` payment, and the event that tells Fraud of it are
/// one transaction; the provider is asked after it, and the sweeper goes on where a crash stops it.
package struct ReviewPayment: Sendable {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(PaymentID)
        /// Nobody has to look at it, or its money is no longer held.
        case notInReview(PaymentStatus)
        /// What they looked at is another attempt than the payment's last one.
        case changed
        case decided(ReviewStatus)
    }

    let capture: CapturePayment
    let cancel: CancelPayment
    let pool: PostgresPool

    /// - Returns: 200 with the payment; 202 while the provider's word is not known.
    /// - Throws: ``Failure`` or ``Problem``; nothing is stored then.
    package func callAsFunction(
        _ call: Call, _ id: PaymentID, _ input: ReviewPaymentInput
    ) async throws -> Reply<PaymentResource> {
        let claim: IdempotencyClaim? = call.claim()
        let intent: ProviderIntent<PaymentID> = try await .store(claim, in: pool) { db in
            try Self.decide(id, input, by: call.principal.id, at: call.now, in: db)
            return id
        }
        if case .replay(let stored) = intent { return Reply(replaying: stored) }
        let capture: CaptureID? = try await pool.transaction(readOnly: true) { db in
            try CaptureStore.underWay(id, in: db)
        }
        do {
            if let capture { _ = try await self.capture.finish(capture) }
            try await cancel.finish(id)
        } catch is ProviderFault {}  // The sweeper asks again.
        let (found, isOpen): (PaymentResource?, Bool) = try await pool.transaction(readOnly: true) { db in
            (try PaymentResource.find(id, in: db), try CaptureStore.underWay(id, in: db) != nil)
        }
        guard let found else { throw Failure.notFound(id) }
        let reply = Reply(status: found.payment.status.isSettled && !isOpen ? 200 : 202, found)
        try await intent.keep(reply.stored, under: claim, in: pool)
        return reply
    }

    private static func decide(
        _ id: PaymentID, _ input: ReviewPaymentInput, by principal: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db) else { throw Failure.notFound(id) }
        if let seen: AttemptID = input.attemptID, seen != payment.attemptID { throw Failure.changed }
        guard let review: ReviewStatus = payment.reviewStatus else { throw Failure.notInReview(payment.status) }
        guard review == .pending else { throw Failure.decided(review) }
        guard payment.status == .authorized else { throw Failure.notInReview(payment.status) }
        let captures: Bool? = try db.first(
            """
            UPDATE payments SET review_status = \(input.decision.status.rawValue), review_note = \(input.note),
                reviewed_by = \(principal), reviewed_at = \(now),
                stepped_at = now()
            WHERE id = \(id) RETURNING review_captures
            """
        ) { row in try row.next() }
        if input.decision == .decline { try PaymentStore.release([payment], in: db) }
        let body = PaymentReviewedV1(
            paymentID: id, attemptID: payment.attemptID, customerID: payment.customerID,
            outcome: input.decision.status.rawValue, reviewedAt: now)
        try Outbox.append(body, key: payment.key, at: now, in: db)
        guard input.decision == .approve, captures == true else { return }
        _ = try CapturePayment.reserve(payment, nil, isFinal: true, at: now, in: db)
    }
}

extension ReviewPayment.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("payment", id.rawValue)
        case .notInReview(let status):
            .conflict("payment_state", "The payment is \(status.rawValue) and waits for no review.")
        case .changed:
            .conflict("review_changed", "The payment has made another attempt since: look at that one first.")
        case .decided(let review): .conflict("review_decided", "The payment's review is \(review.rawValue) already.")
        }
    }
}
