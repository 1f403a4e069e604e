package import BillingCore
package import PaymentDomain
package import Postgres

extension PaymentRecord {
    /// Whether it can be given up here and now: no provider holds money for it or waits for its customer.
    package var canBeGivenUp: Bool { status != .canceling && !isHeldAtProvider && status.after(.cancel) == .canceled }
    /// Whether it can be given up once its provider has released it.
    package var canBeReleased: Bool { isHeldAtProvider && status.after(.release) != nil }
}

extension NextAttempt {
    /// The state of the payment once it has begun.
    /// - Precondition: The payment's state lets one begin; whoever begins one has looked at it under the row's lock.
    var status: PaymentStatus {
        guard let status: PaymentStatus = payment.status.afterNewAttempt else {
            preconditionFailure("no attempt begins of a payment that is \(payment.status.rawValue)")
        }
        return status
    }
}

/// SQL over payments that end without money.
extension PaymentStore {
    /// Ends payments, whose rows are locked, and their attempts before money moved.
    package static func cancel(_ payments: [PaymentRecord], at now: Instant, in db: borrowing PostgresTransaction)
        throws
    {
        try db.enqueue(
            """
            UPDATE payments SET status = 'canceled', stepped_at = now()
            WHERE id = ANY(\(payments.map(\.id.rawValue))::text[])
            """)
        try db.enqueue(
            """
            UPDATE payment_attempts SET status = 'canceled', ended_at = \(now)::timestamptz
            WHERE id = ANY(\(payments.map(\.attemptID.rawValue))::text[]) AND status IN ('started', 'requires_action', 'authorized')
            """)
    }

    /// Begins the release of what providers hold, or wait for, of payments whose rows are locked; whoever calls, or the
    /// sweeper, has it made. One of which a capture is under way stays as it is: its outcome comes first.
    /// - Returns: Those that are `canceling` now.
    @discardableResult
    package static func release(
        _ payments: [PaymentRecord], in db: borrowing PostgresTransaction
    ) throws -> Set<PaymentID> {
        guard !payments.isEmpty else { return [] }
        let released: [PaymentID] = try db.query(
            """
            UPDATE payments p SET status = 'canceling', look_at = NULL, looks = 0, stepped_at = now()
            WHERE p.id = ANY(\(payments.map(\.id.rawValue))::text[])
                AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.payment_id = p.id AND c.status = 'processing')
            RETURNING p.id
            """
        ) { row in try row.next() }
        return Set(released)
    }

    /// Notes that a further attempt was asked for of payments that are being released, or whose attempt is to end first, their
    /// rows locked.
    package static func noteCollectAgain(_ payments: [PaymentID], in db: borrowing PostgresTransaction) throws {
        guard !payments.isEmpty else { return }
        try db.enqueue(
            "UPDATE payments SET collect_again = true WHERE id = ANY(\(payments.map(\.rawValue))::text[])")
    }

    /// Those of payments, their rows locked, of which a further attempt was asked for since the last one began.
    package static func toBeCollectedAgain(
        _ payments: [PaymentRecord], in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        try those(of: payments, where: "collect_again AND NOT invoice_voided", in: db)
    }

    /// Those of payments, their rows locked, that collect invoices which were withdrawn.
    package static func withdrawn(
        _ payments: [PaymentRecord], in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        try those(of: payments, where: "invoice_voided", in: db)
    }

    private static func those(
        of payments: [PaymentRecord], where condition: SQL, in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        guard !payments.isEmpty else { return [] }
        let ids: Set<PaymentID> = Set(
            try db.query(
                "SELECT id FROM payments WHERE id = ANY(\(payments.map(\.id.rawValue))::text[]) AND \(condition)"
            ) { row in try row.next() })
        return payments.filter { ids.contains($0.id) }
    }

    /// Notes that the invoices which payments collect were withdrawn.
    package static func noteVoided(_ payments: [PaymentRecord], in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            "UPDATE payments SET invoice_voided = true WHERE id = ANY(\(payments.map(\.id.rawValue))::text[])")
    }

    /// When an attempt began; `nil` where there was none.
    package static func beginning(of attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> Instant? {
        try db.first("SELECT started_at FROM payment_attempts WHERE id = \(attempt)") { row in try row.next() }
    }

    /// Whether a payment, whose row is locked, collects what is still owed: an invoice that was not withdrawn, or an open or
    /// written-off instalment of a plan that has begun. It cannot end but as paid or failed; what collects it has no other.
    package static func isOwed(_ payment: PaymentRecord, in db: borrowing PostgresTransaction) throws -> Bool {
        guard payment.invoiceID == nil else {
            return try db.first("SELECT NOT invoice_voided FROM payments WHERE id = \(payment.id)") { row in
                try row.next()
            } ?? false
        }
        return try db.first(
            """
            SELECT true FROM payments p JOIN instalments i ON i.id = p.instalment_id
            JOIN instalment_plans q ON q.id = i.plan_id
            WHERE p.id = \(payment.id) AND q.status IN ('active', 'late', 'defaulted')
                AND i.status IN ('scheduled', 'due', 'late', 'defaulted')
            """
        ) { row in try row.next() } ?? false
    }

    /// Whether a payment is one of an instalment plan: an instalment, or what pays the plan off.
    package static func isOfPlan(_ id: PaymentID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first("SELECT instalment_id IS NOT NULL FROM payments WHERE id = \(id)") { row in
            try row.next()
        } ?? false
    }

    /// Whether nothing has left for a provider of a payment under way, for certain. Under the lock on its row that stays so
    /// until the transaction ends: who sends it takes the payment first.
    package static func isUnsent(_ payment: PaymentRecord, in db: borrowing PostgresTransaction) throws -> Bool {
        guard payment.status == .processing else { return false }
        return try db.first("SELECT unsent FROM payment_attempts WHERE id = \(payment.attemptID)") { row in
            try row.next()
        } ?? false
    }

    /// Ends the current attempt of a payment, whose row is locked, without money having moved.
    package static func fail(
        _ payment: PaymentRecord, _ decline: Decline, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE payments SET status = \(PaymentStatus.failed.rawValue), decline_code = \(decline.code),
                decline_class = \(decline.declineClass.rawValue), next_action = NULL, action_expires_at = NULL,
                stepped_at = now()
            WHERE id = \(payment.id)
            """)
        try endAttempt(payment.attemptID, decline, at: now, in: db)
    }

    /// Ends an attempt without money having moved; its payment goes on with another.
    package static func endAttempt(
        _ id: AttemptID, _ decline: Decline, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE payment_attempts SET status = 'failed', decline_code = \(decline.code), ended_at = \(now)
            WHERE id = \(id)
            """)
    }
}
