import PaymentRecords
import BillingCore
import BillingEvents
import Messaging
import PaymentDomain
import Postgres

/// Everything Payment listens to.
struct PaymentConsumers: Sendable {
    let verdicts: ApplyVerdicts

    var consumer: EventConsumer {
        let verdicts: ApplyVerdicts = verdicts
        return EventConsumer(
            name: "payment", topics: [.customers, .subscriptions, .invoices, .fraud, .access],
            routes: [
                .on(CustomerCreatedV1.self) { events, db, _ in try ProjectCustomers.apply(events, in: db) },
                .on(InvoiceFinalizedV1.self) { events, db, context in
                    try CollectInvoices.begin(events, at: context.now, in: db)
                },
                .on(SubscriptionCollectionDueV1.self) { events, db, context in
                    try CollectInvoices.again(events, at: context.now, in: db)
                },
                .on(InvoiceVoidedV1.self) { events, db, context in
                    try CollectInvoices.stop(events, at: context.now, in: db)
                },
                .on(SubscriptionRefundDueV1.self) { events, db, _ in
                    try RefundEndedSubscriptions.begin(events, in: db)
                },
                .on(FraudAssessedV1.self) { events, db, context in
                    try verdicts(events.map(Verdict.init), at: context.now, in: db)
                },
            ])
    }
}

extension Verdict {
    /// Fraud's word. A decision nobody knows is a review: the payment goes on and is marked.
    init(_ event: Envelope<FraudAssessedV1>) {
        let decision = RiskVerdict.Decision(rawValue: event.body.decision) ?? .review
        self.init(
            paymentID: event.body.paymentID, attemptID: event.body.attemptID,
            risk: RiskVerdict(score: event.body.score, decision: decision, reasons: event.body.reasons))
    }
}

/// Keeps what Payment needs of customers.
enum ProjectCustomers {
    static func apply(_ events: [Envelope<CustomerCreatedV1>], in db: borrowing PostgresTransaction) throws {
        _ = try db.execute(
            """
            INSERT INTO customers (id, created_at, country)
            SELECT * FROM unnest(\(events.map(\.body.customerID.rawValue))::text[], \(events.map(\.time))::timestamptz[],
                \(events.map(\.body.country))::text[])
            ON CONFLICT DO NOTHING
            """)
    }
}

/// Collects finalized invoices from the customer's default payment method. One invoice has one payment for ever.
enum CollectInvoices {
    /// First attempts.
    static func begin(
        _ events: [Envelope<InvoiceFinalizedV1>], at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let due: [InvoiceFinalizedV1] = events.map(\.body).filter { $0.amount.isPositive }
        guard !due.isEmpty else { return }
        let resolved: [ResolvedMethod] = try PaymentMethodStore.resolve(due.map { ($0.customerID, nil) }, in: db)
        let payments: [NewPayment] = zip(due, resolved).map { invoice, resolved in
            NewPayment(
                id: PaymentID.new(at: now), attemptID: AttemptID.new(at: now), customerID: invoice.customerID,
                method: resolved.method, amount: invoice.amount, captureMethod: .automatic,
                invoiceID: invoice.invoiceID,
                billingID: invoice.billingID, subscriptionID: invoice.subscriptionID,
                description: "Invoice \(invoice.number)", metadata: "{}", offSession: true,
                customerStarted: invoice.isStartedByCustomer, createdAt: now)
        }
        let inserted: Set<PaymentID> = try PaymentStore.insert(payments, in: db)
        let fresh: [NewPayment] = payments.filter { inserted.contains($0.id) }
        try Outbox.append(fresh.map { PaymentEvents.created($0) ?? PaymentEvents.failedAtOnce($0) }, in: db)
    }

    /// Further attempts for unpaid invoices, with whatever method is the default now. One whose customer is asked for something
    /// goes on as it is; once it has failed, another method than its is tried. Where they have brought another card, a
    /// challenge is given up, and where they are on a provider's page, or it is about to let go of what it holds, the attempt
    /// begins once it has (``CancelPayment``). A payment that is under way or done is left alone: a repeated or late request
    /// cannot charge twice. Where another card was brought, it is tried once an attempt that is with the provider, or held for a
    /// review, has failed (``BookOutcomes``, ``CancelPayment``).
    static func again(
        _ events: [Envelope<SubscriptionCollectionDueV1>], at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let payments: [InvoiceID: PaymentRecord] = try PaymentStore.lock(invoices: events.map(\.body.invoiceID), in: db)
        var asked: Set<InvoiceID> = []
        let standing: [PaymentRecord] = events.compactMap { event in
            guard let payment: PaymentRecord = payments[event.body.invoiceID],
                asked.insert(event.body.invoiceID).inserted
            else { return nil }
            return payment
        }
        let started: Set<InvoiceID> = Set(events.map(\.body).filter(\.isStartedByCustomer).map(\.invoiceID))
        func isStarted(_ payment: PaymentRecord) -> Bool { payment.invoiceID.map(started.contains) ?? false }
        let released: Set<PaymentID> = try PaymentStore.release(
            standing.filter { $0.status == .requiresAction && $0.canBeReleased && isStarted($0) }, in: db)
        let later: [PaymentRecord] = standing.filter { payment in
            switch payment.status {
            case .canceling: true
            case .processing, .authorized: isStarted(payment)
            case .requiresAction where !isStarted(payment): true
            default: released.contains(payment.id)
            }
        }
        try PaymentStore.noteCollectAgain(later.map(\.id), in: db)
        let open: [PaymentRecord] = standing.filter {
            $0.status.after(.retry) != nil
                || ($0.status == .requiresAction && !$0.isHeldAtProvider && isStarted($0))
        }
        let resolved: [ResolvedMethod] = try PaymentMethodStore.resolve(open.map { ($0.customerID, nil) }, in: db)
        let attempts: [NextAttempt] = zip(open, resolved).compactMap { payment, resolved in
            resolved.method.map {
                NextAttempt(
                    payment: payment, attemptID: AttemptID.new(at: now), method: $0, authenticated: false,
                    offSession: true, customerStarted: isStarted(payment))
            }
        }
        try PaymentStore.beginAttempts(attempts, at: now, in: db)
        try Outbox.append(attempts.map { PaymentEvents.created($0, at: now) }, in: db)
        let without: [PaymentRecord] = zip(open, resolved).compactMap { payment, resolved in
            resolved.method == nil && payment.status != .requiresAction ? payment : nil
        }
        try Outbox.append(without.map { PaymentEvents.failedAtOnce($0, at: now) }, in: db)
    }

    /// Gives up the payments of voided invoices that have not moved money; what a provider holds, or waits for, it is to
    /// release first. One that is with the provider at this moment is left alone until its outcome is known; what it turns out
    /// to have taken is given back by ``GiveBackWithdrawn``, what it holds is released.
    static func stop(
        _ events: [Envelope<InvoiceVoidedV1>], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let payments: [InvoiceID: PaymentRecord] = try PaymentStore.lock(invoices: events.map(\.body.invoiceID), in: db)
        guard !payments.isEmpty else { return }
        let all: [PaymentRecord] = payments.values.sorted { $0.id < $1.id }
        try PaymentStore.noteVoided(all, in: db)
        try CancelPayment.withdraw(all, at: now, in: db)
    }
}

extension InvoiceFinalizedV1 {
    /// Whether somebody is behind its first attempt: they have just signed up, or moved to another plan.
    fileprivate var isStartedByCustomer: Bool { reason == "signup" || reason == "upgrade" }
}

extension SubscriptionCollectionDueV1 {
    /// Whether somebody is behind the attempt: they have just brought another card.
    fileprivate var isStartedByCustomer: Bool { reason == "new_payment_method" }
}
