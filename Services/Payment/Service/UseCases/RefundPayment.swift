import PaymentContract
package import PaymentRecords
package import BillingCore
import BillingEvents
import PaymentExchange
package import HTTPKit
import Messaging
package import PaymentDomain
import Postgres

/// Gives money back: the amount is reserved and the intent stored, the provider is asked under the refund's id, and the
/// outcome is booked. A crash in between leaves a `processing` refund that the sweeper finishes.
package struct RefundPayment: Sendable {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(PaymentID)
        case notRefundable(PaymentStatus)
        case tooMuch(left: Int64)
        /// More than one capture of the payment would have to give; `most` is what the largest has left.
        case spansCaptures(most: Int64)
        /// The provider gives back all that was paid with the payment's method, or nothing.
        case wholeRefund
        /// The amount has last digits that the provider does not count.
        case unsupportedAmount
    }

    let providers: PaymentProviders
    let exchange: BookExchange
    let pool: PostgresPool
    let clock: any WallClock

    /// - Returns: 201 with the refund, or 202 while the provider's word is not known; the sweeper finishes it then.
    /// - Throws: ``Failure`` or ``Problem``; nothing is stored then.
    package func callAsFunction(_ call: Call, _ input: CreateRefundInput) async throws -> Reply<RefundResource> {
        let claim: IdempotencyClaim? = call.claim()
        let now: Instant = call.now
        let intent: ProviderIntent<RefundID> = try await .store(claim, in: pool) { db in
            try reserve(input, at: now, in: db)
        }
        let id: RefundID
        switch intent {
        case .stored(let known), .resumed(let known): id = known
        case .replay(let stored): return Reply(replaying: stored)
        }
        let refund: RefundRecord = try await finishIfPossible(id)
        let reply = Reply(status: refund.status == .processing ? 202 : 201, RefundResource(refund))
        try await intent.keep(reply.stored, under: claim, in: pool)
        return reply
    }

    /// An outcome that is not known leaves the refund `processing`.
    private func finishIfPossible(_ id: RefundID) async throws -> RefundRecord {
        do { return try await finish(id) } catch let fault as ProviderFault {
            let standing: RefundRecord? = try await pool.transaction(readOnly: true) { db in
                try RefundStore.find(id, in: db)
            }
            guard let standing else { throw fault }
            return standing
        }
    }

    /// Stores the intent; the reserved amount cannot be refunded a second time.
    private func reserve(
        _ input: CreateRefundInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> RefundID {
        guard let payment: PaymentRecord = try PaymentStore.lock(input.paymentID, in: db) else {
            throw Failure.notFound(input.paymentID)
        }
        guard try Self.hasTaken(payment, in: db) else { throw Failure.notRefundable(payment.status) }
        let left: Int64 = payment.amountRefundable
        let amount: Int64 = input.amount ?? left
        guard amount > 0, amount <= left else { throw Failure.tooMuch(left: left) }
        if amount < payment.amountCaptured,
            let able: ProviderCapabilities.Method = try providers.method(of: payment, in: db)
        {
            guard able.partialRefund else { throw Failure.wholeRefund }
        }
        guard providers.counts(amount, of: payment) else { throw Failure.unsupportedAmount }
        let capture: CaptureID? = try Self.capture(toRefund: amount, of: payment, in: db)
        let id = RefundID.new(at: now)
        try RefundStore.reserve(id, amount, of: payment, capture: capture, reason: input.reason, at: now, in: db)
        return id
    }

    /// Whether there is money to be given back: also what was captured of a payment whose rest is held. What an invoice or a
    /// plan is owed is captured whole; a part of it, captured elsewhere, is theirs once the payment has succeeded.
    private static func hasTaken(_ payment: PaymentRecord, in db: borrowing PostgresTransaction) throws -> Bool {
        if payment.status == .succeeded { return true }
        guard payment.status == .authorized, payment.amountCaptured > 0, payment.invoiceID == nil else { return false }
        return try !PaymentStore.isOfPlan(payment.id, in: db)
    }

    /// The capture a refund gives back from: providers refund captures, so a refund lies within one. `nil` where the
    /// charge captured at once.
    private static func capture(
        toRefund amount: Int64, of payment: PaymentRecord, in db: borrowing PostgresTransaction
    ) throws -> CaptureID? {
        guard payment.captureMethod == .manual else { return nil }
        if let capture: CaptureID = try CaptureStore.refundable(amount, of: payment.id, in: db) { return capture }
        throw Failure.spansCaptures(most: try CaptureStore.mostRefundable(of: payment.id, in: db))
    }

    /// Asks the provider and books the outcome; harmless to repeat.
    package func finish(_ id: RefundID) async throws -> RefundRecord {
        let read: (refund: RefundRecord, taken: ProviderReference?)? = try await pool.transaction(readOnly: true) {
            db in
            guard let refund: RefundRecord = try RefundStore.find(id, in: db) else { return nil }
            return (refund, try RefundStore.refundedReference(of: id, in: db))
        }
        guard let read else { throw Problem.notFound("refund", id.rawValue) }
        guard read.refund.status == .processing else { return read.refund }
        guard let taken: ProviderReference = read.taken else {
            throw ProviderFault.unusable("a capture without a reference")
        }
        let request = RefundRequest(idempotencyKey: id, reference: taken.reference, amount: read.refund.amount)
        let answer: RefundAnswer = try await providers.named(taken.provider).refund(request)
        let now: Instant = clock.now
        return try await pool.transactionRetrying { db in
            switch answer {
            case .refunded(let reference):
                try book(id, reference: reference, at: now, in: db)
            case .pending(let reference): try Self.wait(id, reference: reference, in: db)
            case .refused(let code): try Self.release(id, code: code, in: db)
            }
        }
    }

    /// The provider has accepted it and not made it yet: it is asked about again after waits that double from five seconds
    /// to an hour.
    private static func wait(
        _ id: RefundID, reference: String, in db: borrowing PostgresTransaction
    ) throws -> RefundRecord {
        try db.enqueue(
            """
            UPDATE refunds SET provider_reference = \(reference), looks = looks + 1, stepped_at = now(),
                look_at = now() + make_interval(secs => least(5 * 2 ^ least(looks, 20), 3600))
            WHERE id = \(id) AND status = 'processing'
            """)
        return try standing(id, in: db)
    }

    /// The provider refused this refund for good: what was reserved can be refunded again, and is by another refund where
    /// nobody owes it.
    private static func release(
        _ id: RefundID, code: String, in db: borrowing PostgresTransaction
    ) throws -> RefundRecord {
        guard let open: RefundRecord = try RefundStore.lock(id, in: db), let next = open.status.after(.refuse) else {
            return try standing(id, in: db)
        }
        return try RefundStore.free(id, as: next, code: code, in: db) ?? open
    }

    private static func standing(_ id: RefundID, in db: borrowing PostgresTransaction) throws -> RefundRecord {
        guard let refund: RefundRecord = try RefundStore.find(id, in: db) else {
            throw Problem.notFound("refund", id.rawValue)
        }
        return refund
    }

    /// Moves a `processing` refund on, with its journal entry and its event; another one stays as it is. Two instances may
    /// have asked at once: where the other one was told that it is refused, a person has to look.
    func book(
        _ id: RefundID, reference: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> RefundRecord {
        guard let open: RefundRecord = try RefundStore.lock(id, in: db),
            let payment: PaymentRecord = try PaymentStore.find(open.paymentID, in: db)
        else { throw Problem.notFound("refund", id.rawValue) }
        let moved: RefundRecord? = try db.first(
            """
            UPDATE refunds SET status = 'succeeded', provider_reference = \(reference), stepped_at = now()
            WHERE id = \(id) AND status = 'processing' RETURNING \(RefundRecord.columns)
            """, as: RefundRecord.self)
        guard let refund: RefundRecord = moved else {
            if try RefundStore.noteMade(id, reference: reference, in: db) {
                let fault = ProviderFault.unusable("the refund \(id) was refused, and is made")
                db.onCommit {
                    ProviderAlarms.shared.note(fault, of: payment.provider, on: .refund, isSingular: true)
                }
            }
            return try Self.standing(id, in: db)
        }
        let movement = ExchangeMovement(
            reference: id.rawValue, paymentID: payment.id, amount: refund.amount, provider: payment.provider)
        let entry = JournalEntry(
            id: JournalEntryID.new(at: now), kind: .refund, reference: id.rawValue, paymentID: payment.id,
            occurredAt: now, postings: try exchange.refund(movement, at: now, in: db))
        try LedgerStore.book([entry], in: db)
        let total: Int64 = try RefundStore.succeededTotal(of: payment.id, in: db)
        let body = PaymentRefundedV1(
            refundID: id, paymentID: payment.id, customerID: payment.customerID, amount: refund.amount,
            refundedTotal: total, invoiceID: payment.invoiceID, reason: refund.reason, refundedAt: now)
        try Outbox.append(body, key: payment.key, at: now, in: db)
        return refund
    }
}

extension RefundPayment.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound:
            .invalid("payment_id", code: "unknown_payment", "there is no payment with this id")
        case .notRefundable(let status):
            .conflict("payment_not_refundable", "A payment that is \(status.rawValue) cannot be refunded.")
        case .tooMuch(let left):
            .invalid("amount", code: "over_refund", "only \(left) of the payment is left to refund")
        case .spansCaptures(let most):
            .invalid(
                "amount", code: "refund_spans_captures",
                "the payment was captured in parts; one refund can give back at most \(most)")
        case .wholeRefund:
            .invalid(
                "amount", code: "unsupported_partial_refund",
                "must be all that was paid: the method is given back whole")
        case .unsupportedAmount: .uncountedAmount
        }
    }
}
