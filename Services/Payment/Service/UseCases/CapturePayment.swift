import PaymentContract
package import PaymentRecords
package import BillingCore
import BillingEvents
import PaymentExchange
package import HTTPKit
import Messaging
package import PaymentDomain
import Postgres

/// Takes what an authorized payment holds, in one or several parts: the intent is stored, the provider is asked under the
/// capture's id, and the outcome is booked. A crash in between, and a provider that looks at it first, leave a
/// `processing` capture that the sweeper finishes.
package struct CapturePayment: Sendable {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(PaymentID)
        case notAuthorized(PaymentStatus)
        case underWay
        /// A person has not approved it.
        case notReviewed(ReviewStatus)
        case tooMuch(left: Int64)
        /// An invoice is paid whole or not at all.
        case partOfInvoice
        /// So is an instalment, and what pays off a plan.
        case partOfInstalment
        /// The provider captures the payment's method once.
        case singleCapture
        /// The provider captures all that the payment's method holds, or nothing.
        case wholeCapture
        /// The amount has last digits that the provider does not count.
        case unsupportedAmount
    }

    let providers: PaymentProviders
    let exchange: BookExchange
    let pool: PostgresPool
    let clock: any WallClock

    /// - Returns: 201 with the capture, or 202 while the provider's word is not known; the sweeper finishes it then.
    /// - Throws: ``Failure`` or ``Problem``; nothing is stored then.
    package func callAsFunction(
        _ call: Call, _ payment: PaymentID, _ input: CapturePaymentInput
    ) async throws -> Reply<CaptureResource> {
        let claim: IdempotencyClaim? = call.claim()
        let now: Instant = call.now
        let intent: ProviderIntent<CaptureID> = try await .store(claim, in: pool) { db in
            try reserve(payment, input, at: now, in: db)
        }
        let id: CaptureID
        switch intent {
        case .stored(let known), .resumed(let known): id = known
        case .replay(let stored): return Reply(replaying: stored)
        }
        let capture: CaptureRecord = try await finishIfPossible(id)
        let reply = Reply(status: capture.status == .processing ? 202 : 201, CaptureResource(capture))
        try await intent.keep(reply.stored, under: claim, in: pool)
        return reply
    }

    /// An outcome that is not known leaves the capture `processing`.
    private func finishIfPossible(_ id: CaptureID) async throws -> CaptureRecord {
        do { return try await finish(id) } catch let fault as ProviderFault {
            let standing: CaptureRecord? = try await pool.transaction(readOnly: true) { db in
                try CaptureStore.find(id, in: db)
            }
            guard let standing else { throw fault }
            return standing
        }
    }

    /// Stores the intent. One capture at a time: what is left is known to the next.
    private func reserve(
        _ id: PaymentID, _ input: CapturePaymentInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> CaptureID {
        guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db) else { throw Failure.notFound(id) }
        guard payment.status == .authorized else { throw Failure.notAuthorized(payment.status) }
        if let review: ReviewStatus = payment.reviewStatus, review != .approved { throw Failure.notReviewed(review) }
        if !input.isFinal || input.amount.map({ $0 != payment.amount.minor }) ?? false {
            guard payment.invoiceID == nil else { throw Failure.partOfInvoice }
            guard try !PaymentStore.isOfPlan(id, in: db) else { throw Failure.partOfInstalment }
        }
        let amount: Int64 = input.amount ?? payment.amountCapturable
        if amount < payment.amountCapturable,
            let able: ProviderCapabilities.Method = try providers.method(of: payment, in: db)
        {
            guard able.partialCapture else { throw Failure.wholeCapture }
            guard input.isFinal || able.multipleCapture else { throw Failure.singleCapture }
        }
        guard providers.counts(amount, of: payment) else { throw Failure.unsupportedAmount }
        return try Self.reserve(payment, amount, isFinal: input.isFinal, at: now, in: db)
    }

    /// Stores the intent to take a part of an authorized payment, or all that is left, whose row is locked.
    static func reserve(
        _ payment: PaymentRecord, _ amount: Int64?, isFinal: Bool, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> CaptureID {
        let id: PaymentID = payment.id
        guard try CaptureStore.underWay(id, in: db) == nil else { throw Failure.underWay }
        let left: Int64 = payment.amountCapturable
        let amount: Int64 = amount ?? left
        guard amount <= left else { throw Failure.tooMuch(left: left) }
        let capture = CaptureID.new(at: now)
        try CaptureStore.reserve(capture, amount, of: payment, isFinal: isFinal || amount == left, at: now, in: db)
        return capture
    }

    /// Asks the provider and books the outcome; harmless to repeat.
    package func finish(_ id: CaptureID) async throws -> CaptureRecord {
        let read: (capture: CaptureRecord, charge: ProviderReference?, known: String?)?
        read = try await pool.transaction(readOnly: true) { db in
            guard let capture: CaptureRecord = try CaptureStore.find(id, in: db) else { return nil }
            return (
                capture, try PaymentStore.providerReference(of: capture.paymentID, in: db),
                try CaptureStore.providerReference(of: id, in: db)
            )
        }
        guard let read else { throw Problem.notFound("capture", id.rawValue) }
        guard read.capture.status == .processing else { return read.capture }
        guard let charge: ProviderReference = read.charge else {
            throw ProviderFault.unusable("an authorization without a reference")
        }
        let answer: CaptureAnswer = try await providers.named(charge.provider).capture(
            CaptureRequest(
                idempotencyKey: id, reference: charge.reference, amount: read.capture.amount,
                isFinal: read.capture.isFinal, known: read.known))
        let now: Instant = clock.now
        return try await pool.transactionRetrying { db in
            switch answer {
            case .captured(let reference):
                try book(id, reference: reference, at: now, in: db)
            case .pending(let reference): try Self.wait(id, reference: reference, in: db)
            case .refused(let code): try Self.fail(id, code: code, in: db)
            }
        }
    }

    /// Finishes the capture under way that the provider knows by this name; nothing to do where there is none.
    func finish(known reference: String, at provider: String) async throws {
        let id: CaptureID? = try await pool.transaction(readOnly: true) { db in
            try db.first(
                """
                SELECT c.id FROM captures c JOIN payments p ON p.id = c.payment_id
                WHERE c.provider_reference = \(reference) AND p.provider = \(provider) AND c.status = 'processing'
                """
            ) { row in try row.next() }
        }
        if let id { _ = try await finish(id) }
    }

    /// The provider looks at it before it takes the money: it is asked about again after waits that double from five
    /// seconds to an hour, or when news comes.
    private static func wait(
        _ id: CaptureID, reference: String, in db: borrowing PostgresTransaction
    ) throws -> CaptureRecord {
        try db.enqueue(
            """
            UPDATE captures SET provider_reference = \(reference), looks = looks + 1, stepped_at = now(),
                look_at = now() + make_interval(secs => least(5 * 2 ^ least(looks, 20), 3600))
            WHERE id = \(id) AND status = 'processing'
            """)
        return try standing(id, in: db)
    }

    /// The provider refused for good: the payment stays authorized, and its merchant decides. An invoice's or a plan's is
    /// released: nobody else would take what it holds, and whoever collects waits for its end.
    private static func fail(
        _ id: CaptureID, code: String, in db: borrowing PostgresTransaction
    ) throws -> CaptureRecord {
        let paymentID: PaymentID = try standing(id, in: db).paymentID
        let payment: PaymentRecord? = try PaymentStore.lock(paymentID, in: db)
        let moved: CaptureRecord? = try db.first(
            """
            UPDATE captures SET status = 'failed', failure_code = \(code), stepped_at = now()
            WHERE id = \(id) AND status = 'processing' RETURNING \(CaptureRecord.columns)
            """, as: CaptureRecord.self)
        if moved?.isFinal == true, let payment, payment.canBeReleased,
            try payment.invoiceID != nil || PaymentStore.isOfPlan(paymentID, in: db)
        {
            try PaymentStore.release([payment], in: db)
        }
        return try moved ?? standing(id, in: db)
    }

    private static func standing(_ id: CaptureID, in db: borrowing PostgresTransaction) throws -> CaptureRecord {
        guard let capture: CaptureRecord = try CaptureStore.find(id, in: db) else {
            throw Problem.notFound("capture", id.rawValue)
        }
        return capture
    }

    /// Capture, payment, journal entry and events in one transaction; the payment's row is locked first, as everywhere. Two
    /// instances may have asked at once: where the other one was told that it is refused, a person has to look.
    func book(
        _ id: CaptureID, reference: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> CaptureRecord {
        let paymentID: PaymentID = try Self.standing(id, in: db).paymentID
        guard let payment: PaymentRecord = try PaymentStore.lock(paymentID, in: db) else {
            throw Problem.notFound("payment", paymentID.rawValue)
        }
        let moved: CaptureRecord? = try db.first(
            """
            UPDATE captures SET status = 'succeeded', provider_reference = \(reference), stepped_at = now()
            WHERE id = \(id) AND status = 'processing' RETURNING \(CaptureRecord.columns)
            """, as: CaptureRecord.self)
        guard let capture: CaptureRecord = moved else {
            if try CaptureStore.noteMade(id, reference: reference, in: db) {
                let fault = ProviderFault.unusable("the capture \(id) was refused, and is made")
                db.onCommit {
                    ProviderAlarms.shared.note(fault, of: payment.provider, on: .capture, isSingular: true)
                }
            }
            return try Self.standing(id, in: db)
        }
        let total: Int64 = payment.amountCaptured + capture.amount.minor
        let status: PaymentStatus = capture.isFinal ? .succeeded : .authorized
        try PaymentStore.captured(payment, total: total, status: status, at: now, in: db)
        let movement = ExchangeMovement(
            reference: id.rawValue, paymentID: payment.id, amount: capture.amount, provider: payment.provider)
        let entry = JournalEntry(
            id: JournalEntryID.new(at: now), kind: .capture, reference: id.rawValue, paymentID: payment.id,
            occurredAt: now, postings: try exchange.captures([movement], at: now, in: db)[0])
        try LedgerStore.book([entry], in: db)
        var events: [OutboxEvent] = [PaymentEvents.captured(capture, of: payment, total: total, at: now)]
        if capture.isFinal, let done = PaymentEvents.succeeded(payment, total, at: now) {
            events.append(done)
            try PageAgreementStore.paid([payment], at: now, in: db)
        }
        try Outbox.append(events, in: db)
        return capture
    }
}

extension CapturePayment.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("payment", id.rawValue)
        case .notAuthorized(let status):
            .conflict("payment_state", "A payment that is \(status.rawValue) cannot be captured.")
        case .notReviewed(let review):
            .conflict("payment_review", "The payment's review is \(review.rawValue); it cannot be captured.")
        case .underWay: .conflict("capture_in_progress", "Another capture of the payment is under way.")
        case .tooMuch(let left):
            .invalid("amount", code: "over_capture", "only \(left) of the authorization is left to capture")
        case .partOfInvoice:
            .invalid("amount", code: "part_of_invoice", "an invoice's payment is captured whole, in one final capture")
        case .partOfInstalment:
            .invalid(
                "amount", code: "part_of_instalment",
                "a payment of an instalment plan is captured whole, in one final capture")
        case .singleCapture:
            .invalid(
                "final", code: "unsupported_multiple_capture", "must be true: the method is captured once")
        case .wholeCapture:
            .invalid(
                "amount", code: "unsupported_partial_capture", "must be all that is held: the method is captured whole")
        case .unsupportedAmount: .uncountedAmount
        }
    }
}
