package import BillingCore
package import PaymentDomain
package import Postgres

/// A refund as stored.
package struct RefundRecord: PostgresRecord, Sendable {
    package let id: RefundID
    package let paymentID: PaymentID
    package let amount: Money
    package let status: FollowUpStatus
    /// Why the provider refused.
    package let failureCode: String?
    package let reason: String?
    package let createdAt: Instant

    package static let columns: SQL = "id, payment_id, amount, currency, status, failure_code, reason, created_at"

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        paymentID = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        status = try row.nextCase()
        failureCode = try row.next()
        reason = try row.next()
        createdAt = try row.next()
    }

    package init(
        id: RefundID, paymentID: PaymentID, amount: Money, status: FollowUpStatus, failureCode: String? = nil,
        reason: String?, createdAt: Instant
    ) {
        self.id = id
        self.paymentID = paymentID
        self.amount = amount
        self.status = status
        self.failureCode = failureCode
        self.reason = reason
        self.createdAt = createdAt
    }
}

/// Why the service gives money back by itself. What becomes of the money is decided by these words, so that no refund
/// that somebody asks for may carry one.
package enum OwnRefund {
    /// It came when its payment had ended, and nobody waited for it any more.
    package static let ofEndedPayment = "paid_after_it_had_ended"
    /// It was taken for an invoice that was withdrawn meanwhile.
    package static let ofWithdrawnInvoice = "invoice_voided"
    /// It came in beyond what an instalment plan was owed.
    package static let ofOverpaidPlan = "paid_beyond_what_was_owed"
    /// All of them.
    package static let reasons: [String] = [ofEndedPayment, ofWithdrawnInvoice, ofOverpaidPlan]
    /// Those that leave nothing of the payment owed.
    package static let ofAll: [String] = [ofEndedPayment, ofWithdrawnInvoice]
}

/// SQL over refunds.
package enum RefundStore {
    package static func find(_ id: RefundID, in db: borrowing PostgresTransaction) throws -> RefundRecord? {
        try db.first("SELECT \(RefundRecord.columns) FROM refunds WHERE id = \(id)", as: RefundRecord.self)
    }

    /// A refund, its payment's row and its own locked until the transaction ends, in this order as everywhere.
    package static func lock(_ id: RefundID, in db: borrowing PostgresTransaction) throws -> RefundRecord? {
        try db.enqueue(
            "SELECT 1 FROM payments WHERE id = (SELECT payment_id FROM refunds WHERE id = \(id)) FOR UPDATE")
        return try db.first(
            "SELECT \(RefundRecord.columns) FROM refunds WHERE id = \(id) FOR UPDATE", as: RefundRecord.self)
    }

    /// Notes what the provider calls a refund that has failed here, and that it says to have made, so that its news and its
    /// settlement lines find the refund.
    /// - Returns: `false` where that is known: the refund was booked before it failed, or is booked as another one.
    package static func noteMade(
        _ failed: RefundID, reference: String, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let noted: Int = try db.execute(
            """
            UPDATE refunds r SET provider_reference = \(reference) WHERE r.id = \(failed) AND r.status = 'failed'
                AND NOT EXISTS (SELECT 1 FROM journal_entries e WHERE e.kind = 'refund' AND e.reference = r.id)
                AND NOT EXISTS (SELECT 1 FROM refunds o WHERE o.provider_reference = \(reference) AND o.id <> r.id)
            """)
        if noted > 0 { try RefundRepeats.stop(failed, in: db) }
        return noted > 0
    }

    /// Ends a refund that gives nothing back, whose row is locked: what it held can be refunded again. Where nobody owes the
    /// money a person is told, or another refund follows (``RefundRepeats``).
    package static func free(
        _ id: RefundID, as status: FollowUpStatus, code: String, in db: borrowing PostgresTransaction
    ) throws -> RefundRecord? {
        let ended: RefundRecord? = try db.first(
            """
            UPDATE refunds SET status = \(status.rawValue), failure_code = \(code), stepped_at = now()
            WHERE id = \(id) RETURNING \(RefundRecord.columns)
            """, as: RefundRecord.self)
        guard let ended else { return nil }
        try db.enqueue(
            """
            UPDATE captures SET amount_refunded = amount_refunded - \(ended.amount.minor)
            WHERE id = (SELECT capture_id FROM refunds WHERE id = \(id))
            """)
        _ = try db.execute(
            """
            UPDATE payments SET amount_refunded = amount_refunded - \(ended.amount.minor)
            WHERE id = \(ended.paymentID)
            """)
        try RefundRepeats.note(ended, code: code, in: db)
        return ended
    }

    /// Stores a refund that is about to be asked for, of a payment whose row is locked: what is reserved by it cannot be
    /// refunded a second time.
    package static func reserve(
        _ id: RefundID, _ amount: Int64, of payment: PaymentRecord, capture: CaptureID?, reason: String?,
        at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("UPDATE captures SET amount_refunded = amount_refunded + \(amount) WHERE id = \(capture)")
        try db.enqueue("UPDATE payments SET amount_refunded = amount_refunded + \(amount) WHERE id = \(payment.id)")
        _ = try db.execute(
            """
            INSERT INTO refunds
                (id, payment_id, capture_id, customer_id, amount, currency, status, reason, created_at)
            VALUES (\(id), \(payment.id), \(capture), \(payment.customerID), \(amount), \(payment.amount.currency),
                'processing', \(reason), \(now))
            """)
    }

    /// Stores the refunds of all that is left of a payment, whose row is locked: one, or one for each capture, as a refund lies
    /// within one. They are to be made; those that nobody makes the sweeper does.
    /// - Parameter most: No more than this is given back, minor units.
    package static func reserveRest(
        of payment: PaymentRecord, atMost most: Int64 = .max, reason: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> [RefundID] {
        let captures: [(capture: CaptureID?, left: Int64)] = try CaptureStore.refundable(of: payment.id, in: db)
        let sources: [(capture: CaptureID?, left: Int64)] =
            captures.isEmpty ? [(nil, payment.amountRefundable)] : captures
        var left: Int64 = min(payment.amountRefundable, most)
        var refunds: [RefundID] = []
        for source in sources where left > 0 {
            let id = RefundID.new(at: now)
            let amount: Int64 = min(left, source.left)
            try reserve(id, amount, of: payment, capture: source.capture, reason: reason, at: now, in: db)
            refunds.append(id)
            left -= amount
        }
        return refunds
    }

    /// What the provider knows the money by that a refund gives back: its capture, or the charge.
    package static func refundedReference(of id: RefundID, in db: borrowing PostgresTransaction) throws
        -> ProviderReference?
    {
        try db.first(
            """
            SELECT a.provider, CASE WHEN r.capture_id IS NULL THEN a.provider_reference ELSE c.provider_reference END
            FROM refunds r JOIN payments p ON p.id = r.payment_id JOIN payment_attempts a ON a.id = p.attempt_id
            LEFT JOIN captures c ON c.id = r.capture_id
            WHERE r.id = \(id)
                AND CASE WHEN r.capture_id IS NULL THEN a.provider_reference ELSE c.provider_reference END IS NOT NULL
            """, as: ProviderReference.self)
    }

    /// What has been given back of a payment, minor units.
    package static func succeededTotal(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            SELECT coalesce(sum(amount), 0)::bigint FROM refunds WHERE payment_id = \(payment) AND status = 'succeeded'
            """
        ) { row in try row.next() } ?? 0
    }

    /// Newest first, after a cursor; made from one moment on and before another, by their ids.
    package static func list(
        payment: PaymentID? = nil, customer: CustomerID? = nil, status: FollowUpStatus? = nil,
        knownAs reference: String? = nil, from: Instant? = nil, to: Instant? = nil, after: RefundID?, limit: Int,
        in db: borrowing PostgresTransaction
    ) throws -> [RefundRecord] {
        let since: SQL? = from.map { "id >= \(RefundID.first(at: $0))" }
        let until: SQL? = to.map { "id < \(RefundID.first(at: $0))" }
        // Written out: the partial index of what is under way serves no parameter.
        let standing: SQL? = status.map { SQL(stringLiteral: "status = '\($0.rawValue)'") }
        let matching: SQL = .matching(
            payment.map { "payment_id = \($0)" }, customer.map { "customer_id = \($0)" }, standing,
            reference.map { "provider_reference = \($0)" }, since, until, after.map { "id < \($0)" })
        return try db.query(
            "SELECT \(RefundRecord.columns) FROM refunds \(matching) ORDER BY id DESC LIMIT \(limit)",
            as: RefundRecord.self)
    }
}
