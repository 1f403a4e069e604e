package import BillingCore
package import PaymentContract
package import PaymentDomain
package import Postgres

/// A payment about to be recorded, with its first attempt unless it waits for its confirmation.
package struct NewPayment: Sendable {
    package let id: PaymentID
    package let attemptID: AttemptID
    package let customerID: CustomerID
    package let method: ChargeableMethod?
    package let amount: Money
    package let captureMethod: CaptureMethod
    package let invoiceID: InvoiceID?
    package let billingID: BillingID?
    package let subscriptionID: SubscriptionID?
    /// What it pays of an instalment plan.
    package let instalmentID: InstalmentID?
    package let description: String?
    package let metadata: String
    package let offSession: Bool
    /// Whether something the customer has just done brought it about; `nil` where nobody says.
    package let customerStarted: Bool?
    /// With it the customer agrees to later charges of the method without them.
    package let keepsMethod: Bool
    /// Where the customer comes back to from an authentication.
    package let returnURL: String?
    /// Until when it can be confirmed; `nil` for one whose first attempt begins at once.
    package let confirmBy: Instant?
    package let createdAt: Instant

    package init(
        id: PaymentID, attemptID: AttemptID, customerID: CustomerID, method: ChargeableMethod?, amount: Money,
        captureMethod: CaptureMethod = .automatic, invoiceID: InvoiceID? = nil, billingID: BillingID? = nil,
        subscriptionID: SubscriptionID? = nil, instalmentID: InstalmentID? = nil, description: String?,
        metadata: String = "{}", offSession: Bool, customerStarted: Bool? = nil, keepsMethod: Bool = false,
        returnURL: String? = nil, confirmBy: Instant? = nil, createdAt: Instant
    ) {
        self.id = id
        self.attemptID = attemptID
        self.customerID = customerID
        self.method = method
        self.amount = amount
        self.captureMethod = captureMethod
        self.invoiceID = invoiceID
        self.billingID = billingID
        self.subscriptionID = subscriptionID
        self.instalmentID = instalmentID
        self.description = description
        self.metadata = metadata
        self.offSession = offSession
        self.customerStarted = customerStarted
        self.keepsMethod = keepsMethod
        self.returnURL = returnURL
        self.confirmBy = confirmBy
        self.createdAt = createdAt
    }

    /// Who is asked; `none` when there is nothing to charge.
    package var provider: String { method?.provider ?? "none" }

    /// Without a method the first attempt has failed before it began.
    package var status: PaymentStatus {
        if confirmBy != nil { return .requiresConfirmation }
        return method == nil ? .failed : .created
    }
}

/// What a provider knows a charge or a capture by.
package struct ProviderReference: PostgresRecord, Sendable {
    package let provider: String
    package let reference: String

    package init(row: inout PostgresRow) throws {
        provider = try row.next()
        reference = try row.next()
    }
}

/// SQL over payments and their attempts.
package enum PaymentStore {
    /// Inserts payments, and first attempts of those that begin at once; an invoice that has a payment keeps it.
    /// - Returns: The ids that were inserted.
    package static func insert(_ payments: [NewPayment], in db: borrowing PostgresTransaction) throws -> Set<PaymentID>
    {
        guard !payments.isEmpty else { return [] }
        let inserted: [PaymentID] = try db.query(insertion(of: payments)) { row in try row.next() }
        return Set(inserted)
    }

    /// Inserts payments of no invoice, and first attempts of those that begin at once, with the next statement or COMMIT.
    package static func add(_ payments: [NewPayment], in db: borrowing PostgresTransaction) throws {
        guard !payments.isEmpty else { return }
        try db.enqueue(insertion(of: payments))
        try MetadataStore.add(payments, in: db)
    }

    private static func insertion(of payments: [NewPayment]) -> SQL {
        """
        WITH p AS (
            INSERT INTO payments (id, customer_id, payment_method_id, provider, amount, currency, status, invoice_id, billing_id,
                subscription_id, instalment_id, description, metadata, off_session, capture_method, attempt_id, attempts,
                action_expires_at, decline_code, decline_class, return_url, keeps_method, customer_started, created_at)
            SELECT n.id, n.customer_id, n.method_id, n.provider, n.amount, n.currency, n.status, n.invoice_id, n.billing_id,
                n.subscription_id, n.instalment_id, n.description, n.metadata::jsonb, n.off_session, n.capture_method, n.attempt_id,
                (n.confirm_by IS NULL)::integer, n.confirm_by, CASE WHEN n.status = 'failed' THEN 'no_payment_method' END,
                CASE WHEN n.status = 'failed' THEN 'soft' END, n.return_url, n.keeps_method, n.customer_started,
                n.created_at
            FROM unnest(
                \(payments.map(\.id.rawValue))::text[], \(payments.map(\.customerID.rawValue))::text[],
                \(payments.map { $0.method?.id.rawValue })::text[], \(payments.map(\.provider))::text[],
                \(payments.map(\.amount.minor))::bigint[],
                \(payments.map(\.amount.currency.code))::text[], \(payments.map(\.status.rawValue))::text[],
                \(payments.map { $0.invoiceID?.rawValue })::text[], \(payments.map { $0.billingID?.rawValue })::text[],
                \(payments.map { $0.subscriptionID?.rawValue })::text[],
                \(payments.map { $0.instalmentID?.rawValue })::text[], \(payments.map(\.description))::text[],
                \(payments.map(\.metadata))::text[], \(payments.map(\.offSession))::boolean[],
                \(payments.map(\.captureMethod.rawValue))::text[],
                \(payments.map(\.attemptID.rawValue))::text[], \(payments.map(\.returnURL))::text[],
                \(payments.map(\.keepsMethod))::boolean[], \(payments.map { $0.customerStarted ?? false })::boolean[],
                \(payments.map(\.confirmBy))::timestamptz[], \(payments.map(\.createdAt))::timestamptz[]
            ) AS n(id, customer_id, method_id, provider, amount, currency, status, invoice_id, billing_id, subscription_id,
                instalment_id, description, metadata, off_session, capture_method, attempt_id, return_url, keeps_method,
                customer_started, confirm_by, created_at)
            ON CONFLICT (invoice_id) DO NOTHING
            RETURNING id, attempt_id, payment_method_id, provider, status, decline_code, created_at),
        a AS (
            INSERT INTO payment_attempts
                (id, payment_id, number, payment_method_id, provider, status, decline_code, started_at, ended_at)
            SELECT attempt_id, id, 1, payment_method_id, provider,
                CASE WHEN status = 'failed' THEN 'failed' ELSE 'started' END, decline_code, created_at,
                CASE WHEN status = 'failed' THEN created_at END
            FROM p WHERE status <> \(PaymentStatus.requiresConfirmation.rawValue))
        SELECT id FROM p
        """
    }

    /// One payment; `nil` when there is none.
    package static func find(_ id: PaymentID, in db: borrowing PostgresTransaction) throws -> PaymentRecord? {
        try db.first("SELECT \(PaymentRecord.columns) FROM payments p WHERE p.id = \(id)", as: PaymentRecord.self)
    }

    /// One payment, its row locked until the transaction ends; `nil` when there is none.
    package static func lock(_ id: PaymentID, in db: borrowing PostgresTransaction) throws -> PaymentRecord? {
        try db.first(
            "SELECT \(PaymentRecord.columns) FROM payments p WHERE p.id = \(id) FOR UPDATE", as: PaymentRecord.self)
    }

    /// Payments, their rows locked in order of id.
    package static func lock(
        _ ids: [PaymentID], in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: PaymentRecord] {
        let found: [PaymentRecord] = try db.query(
            """
            SELECT \(PaymentRecord.columns) FROM payments p
            WHERE p.id = ANY(\(ids.map(\.rawValue))::text[]) ORDER BY p.id FOR UPDATE
            """, as: PaymentRecord.self)
        return Dictionary(found.map { ($0.id, $0) }) { first, _ in first }
    }

    /// The payments of invoices, their rows locked in order of id.
    package static func lock(
        invoices: [InvoiceID], in db: borrowing PostgresTransaction
    ) throws -> [InvoiceID: PaymentRecord] {
        let found: [PaymentRecord] = try db.query(
            """
            SELECT \(PaymentRecord.columns) FROM payments p
            WHERE p.invoice_id = ANY(\(invoices.map(\.rawValue))::text[]) ORDER BY p.id FOR UPDATE
            """, as: PaymentRecord.self)
        var byInvoice: [InvoiceID: PaymentRecord] = [:]
        for payment in found { if let invoice: InvoiceID = payment.invoiceID { byInvoice[invoice] = payment } }
        return byInvoice
    }

    /// Begins a new attempt of payments whose rows are locked: after a failure, or in the place of one that is over. It is
    /// assessed anew: what was held for a review of the last one is not held for this one.
    /// - Precondition: The table of states lets one begin.
    package static func beginAttempts(
        _ attempts: [NextAttempt], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !attempts.isEmpty else { return }
        let ids: [String] = attempts.map(\.payment.id.rawValue)
        let attemptIDs: [String] = attempts.map(\.attemptID.rawValue)
        let methods: [String] = attempts.map(\.method.id.rawValue)
        let numbers: [Int] = attempts.map(\.number)
        let providers: [String] = attempts.map(\.method.provider)
        // Those before were captured or held as the payment says until now.
        try db.enqueue(
            """
            UPDATE payment_attempts a SET capture_method = p.capture_method FROM payments p
            WHERE p.id = ANY(\(ids)::text[]) AND a.payment_id = p.id AND a.capture_method IS NULL
            """)
        try db.enqueue(
            """
            UPDATE payments p SET status = n.status, attempts = n.number, attempt_id = n.attempt_id,
                payment_method_id = n.method_id, provider = n.provider, authenticated = n.authenticated,
                off_session = n.off_session, customer_started = n.customer_started, decline_code = NULL, decline_class = NULL, next_action = NULL,
                action_expires_at = NULL, provider_reference = NULL, look_at = NULL, looks = 0, stepped_at = now(),
                authorization_expires_at = NULL, review_status = NULL, review_captures = false,
                capture_method = CASE WHEN p.review_captures THEN 'automatic' ELSE p.capture_method END,
                collect_again = false, step_up_state = n.step_up, authentication = CASE WHEN n.step_up = 'spent' THEN p.authentication END
            FROM unnest(\(ids)::text[], \(attemptIDs)::text[], \(methods)::text[], \(numbers)::int[],
                \(attempts.map(\.authenticated))::boolean[], \(attempts.map(\.offSession))::boolean[], \(providers)::text[],
                \(attempts.map { $0.stepUp?.rawValue })::text[],
                \(attempts.map { $0.customerStarted ?? false })::boolean[], \(attempts.map(\.status.rawValue))::text[])
                AS n(id, attempt_id, method_id, number, authenticated, off_session, provider, step_up,
                    customer_started, status)
            WHERE p.id = n.id
            """)
        try db.enqueue(
            """
            INSERT INTO payment_attempts
                (id, payment_id, number, payment_method_id, provider, status, started_at, authentication)
            SELECT n.attempt_id, n.id, n.number, n.method_id, n.provider, 'started', \(now), p.authentication
            FROM unnest(\(ids)::text[], \(attemptIDs)::text[], \(methods)::text[], \(numbers)::int[],
                \(providers)::text[]) AS n(id, attempt_id, method_id, number, provider)
            JOIN payments p ON p.id = n.id
            """)
    }

    /// Has the first attempt of a payment that was just stored authenticate its customer.
    package static func askForCustomer(_ id: PaymentID, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("UPDATE payments SET step_up_state = \(StepUpState.due.rawValue) WHERE id = \(id)")
    }

    /// Notes what is agreed to with the attempt that a payment, its row locked, is about to make.
    /// - Parameters:
    ///   - keepsMethod: Whether it is agreed with it that the method is charged later without its customer.
    ///   - returnURL: Where the customer comes back to; `nil` leaves what was said before.
    package static func note(
        keepsMethod: Bool, returnURL: String?, of id: PaymentID, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE payments SET keeps_method = \(keepsMethod), return_url = coalesce(\(returnURL), return_url)
            WHERE id = \(id)
            """)
    }

    /// Has a customer who is sent somewhere by a payment, its row locked, led back to this address.
    package static func lead(_ id: PaymentID, backTo address: String, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("UPDATE payments SET return_url = \(address) WHERE id = \(id)")
    }

    /// Has the outcome of a failed payment's attempt, its row locked, read again: it is due at once, and the sweeper's where
    /// nobody else reads it.
    package static func reopen(_ payment: PaymentRecord, in db: borrowing PostgresTransaction) throws {
        let status: PaymentStatus = .processing
        try db.enqueue(
            """
            UPDATE payments SET status = \(status), decline_code = NULL, decline_class = NULL, look_at = NULL, looks = 0,
                stepped_at = now()
            WHERE id = \(payment.id)
            """)
        try db.enqueue(
            """
            UPDATE payment_attempts SET status = 'started', decline_code = NULL, ended_at = NULL
            WHERE id = \(payment.attemptID)
            """)
    }

    /// What the provider knows the charge of the payment's current attempt by; `nil` when it has told none.
    package static func providerReference(
        of id: PaymentID, in db: borrowing PostgresTransaction
    ) throws -> ProviderReference? {
        try db.first(
            """
            SELECT a.provider, a.provider_reference FROM payments p JOIN payment_attempts a ON a.id = p.attempt_id
            WHERE p.id = \(id) AND a.provider_reference IS NOT NULL
            """, as: ProviderReference.self)
    }

    /// The attempt, and its payment, whose charge or capture a provider knows by this name.
    package static func attempt(
        known reference: String, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> (id: AttemptID, payment: PaymentID)? {
        try db.first(
            """
            SELECT id, payment_id FROM payment_attempts
            WHERE provider_reference = \(reference) AND provider = \(provider)
            UNION ALL
            SELECT p.attempt_id, p.id FROM captures c JOIN payments p ON p.id = c.payment_id
            WHERE c.provider_reference = \(reference) AND p.provider = \(provider)
            LIMIT 1
            """
        ) { row in (try row.next(), try row.next()) }
    }

    /// Records what has been captured in all of a payment whose row is locked.
    package static func captured(
        _ payment: PaymentRecord, total: Int64, status: PaymentStatus, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE payments SET amount_captured = \(total), status = \(status.rawValue), stepped_at = now()
            WHERE id = \(payment.id)
            """)
        try db.enqueue(
            """
            UPDATE payment_attempts SET status = \(status.rawValue), ended_at = \(now)::timestamptz
            WHERE id = \(payment.attemptID)
            """)
    }

    /// Notes that outcomes are still to come: when they are looked for next, after waits that double from five seconds
    /// to an hour, and what the provider knows the charges by. Looks before the first answer lengthen no wait.
    /// - Returns: The payments that wait for a bank; those that wait for their customer have been told of.
    package static func lookAgain(
        _ looks: [PaymentLook], in db: borrowing PostgresTransaction
    ) throws -> [PaymentRecord] {
        let waiting: [String] = [PaymentStatus.processing.rawValue, PaymentStatus.requiresAction.rawValue]
        let answers: SQL = "(CASE WHEN p.look_at IS NULL THEN 0 ELSE p.looks END)"
        let seen: [PaymentRecord] = try db.query(
            """
            UPDATE payments p SET looks = \(answers) + 1, stepped_at = now(),
                look_at = now() + make_interval(secs => least(5 * 2 ^ least(\(answers), 20), 3600)),
                next_action = CASE WHEN p.status = 'requires_action'
                    THEN coalesce(l.next_action::jsonb, p.next_action) END,
                provider_reference = coalesce(l.reference, p.provider_reference)
            FROM unnest(\(looks.map(\.id.rawValue))::text[], \(looks.map(\.attemptID.rawValue))::text[],
                \(looks.map(\.reference))::text[], \(looks.map { $0.nextAction?.stored })::text[]
            ) AS l(id, attempt_id, reference, next_action)
            WHERE p.id = l.id AND p.attempt_id = l.attempt_id AND p.status = ANY(\(waiting)::text[])
            RETURNING \(PaymentRecord.columns)
            """, as: PaymentRecord.self)
        let pending: Set<PaymentID> = Set(looks.lazy.filter { $0.nextAction == nil }.map(\.id))
        return seen.filter { pending.contains($0.id) }
    }

    /// Those of payments whose callers need not wait any longer: they are settled, or a bank takes its time over them
    /// (``lookAgain(_:in:)``).
    package static func answered(
        _ payments: [PaymentID], in db: borrowing PostgresTransaction
    ) throws -> [PaymentID] {
        let settled: [String] = PaymentStatus.allCases.filter(\.isSettled).map(\.rawValue)
        return try db.query(
            """
            SELECT id FROM payments WHERE id = ANY(\(payments.map(\.rawValue))::text[]) AND (status = ANY(\(settled)::text[])
                OR status = \(PaymentStatus.processing.rawValue) AND look_at IS NOT NULL)
            """
        ) { row in try row.next() }
    }
}

/// Where a payment stands with the one authentication that it may ask its customer for.
package enum StepUpState: String, Sendable, CaseIterable {
    /// The bank has asked for the customer: this attempt authenticates.
    case due
    /// It was tried. A bank that asks again declines.
    case spent
}

/// Another attempt at a payment whose row is locked.
package struct NextAttempt: Sendable {
    package let payment: PaymentRecord
    package let attemptID: AttemptID
    package let method: ChargeableMethod
    package let authenticated: Bool
    /// Whether nobody is there to authenticate.
    package let offSession: Bool
    /// Whether something the customer has just done brought it about; `nil` where nobody says.
    package let customerStarted: Bool?
    /// `nil` for a new start.
    package let stepUp: StepUpState?

    package init(
        payment: PaymentRecord, attemptID: AttemptID, method: ChargeableMethod, authenticated: Bool, offSession: Bool,
        customerStarted: Bool? = nil, stepUp: StepUpState? = nil
    ) {
        self.payment = payment
        self.attemptID = attemptID
        self.method = method
        self.authenticated = authenticated
        self.offSession = offSession
        self.customerStarted = customerStarted
        self.stepUp = stepUp
    }

    package var number: Int { payment.attempts + 1 }
}

/// An attempt whose outcome is still to come.
package struct PaymentLook: Sendable {
    let id: PaymentID
    let attemptID: AttemptID
    let reference: String?
    /// What is asked of the customer now; `nil` while a bank is about it.
    let nextAction: NextAction?

    package init(id: PaymentID, attemptID: AttemptID, reference: String?, nextAction: NextAction?) {
        self.id = id
        self.attemptID = attemptID
        self.reference = reference
        self.nextAction = nextAction
    }
}
