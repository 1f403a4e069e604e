import AnalyticsDomain
import BillingCore
import BillingEvents
import JSON
import Messaging

/// A batch of events, read: what goes into the history and what each projection learns from it.
struct EventBatch {
    /// One event for the history.
    struct Entry {
        let event: RawEvent
        /// The body as it is kept.
        let body: String
    }

    /// Money that was taken of an authorized payment.
    struct Capture {
        let id: CaptureID
        let paymentID: PaymentID
        let customerID: CustomerID
        let amount: Money
        let at: Instant
    }

    /// A word on how a dispute ended.
    struct DisputeClosing {
        enum Outcome: String { case won, lost, closed }

        let eventID: EventID
        let disputeID: DisputeID
        let paymentID: PaymentID
        let customerID: CustomerID
        let amount: Money
        let outcome: Outcome
        let at: Instant
    }

    fileprivate(set) var entries: [Entry] = []
    fileprivate(set) var changes: [SubscriptionChange] = []
    fileprivate(set) var payments: [PaymentState] = []
    fileprivate(set) var invoices: [InvoiceState] = []
    fileprivate(set) var captures: [Capture] = []
    fileprivate(set) var refunds: [RefundState] = []
    fileprivate(set) var disputes: [DisputeClosing] = []

    /// Reads events in their order of arrival.
    /// - Throws: ``Refusal/park(reason:)`` for the first one that can never be understood.
    init(_ events: [RawEvent]) throws {
        entries.reserveCapacity(events.count)
        for event in events {
            guard let read = EventReaders.byType[event.type] else {
                throw Refusal.park(reason: "unknown event type \(event.type)")
            }
            do { try read(event, &self) } catch let error as RawEvent.Malformed {
                throw Refusal.park(reason: "malformed: \(error)")
            } catch let error as MonthlyValue.Failure {
                throw Refusal.park(reason: "the price has no monthly value: \(error)")
            }
        }
        changes = SubscriptionChange.settle(changes)
        payments = PaymentState.fold(payments)
        invoices = InvoiceState.fold(invoices)
        refunds = RefundState.fold(refunds)
    }
}

/// How each type of event is read.
enum EventReaders {
    typealias Reader = @Sendable (RawEvent, inout EventBatch) throws -> Void

    /// A reader for every type there is; those without a projection are only checked and kept.
    static let byType: [String: Reader] = {
        var readers: [String: Reader] = [:]
        for type in EventCatalog.all { readers[type.type] = keeper(of: type) }
        for projecting in [subscriptionReaders, paymentReaders, movementReaders, invoiceReaders] {
            readers.merge(projecting) { _, projecting in projecting }
        }
        readers[APIKeyChangedV1.type] = keepWithoutHash
        return readers
    }()

    private static func keeper<Body: EventBody>(of type: Body.Type) -> Reader {
        reader(of: type) { _, _ in }
    }

    static func reader<Body: EventBody>(
        of type: Body.Type, _ project: @escaping @Sendable (Envelope<Body>, inout EventBatch) throws -> Void
    ) -> Reader {
        { raw, batch in
            let event: Envelope<Body> = try raw.decode(as: Body.self)
            batch.entries.append(.init(event: raw, body: String(decoding: raw.body, as: UTF8.self)))
            try project(event, &batch)
        }
    }

    /// Only the services that check keys need their hashes; the history is read by people.
    private static let keepWithoutHash: Reader = { raw, batch in
        let key: APIKeyChangedV1 = try raw.decode(as: APIKeyChangedV1.self).body
        let kept = APIKeyChangedV1(
            keyID: key.keyID, name: key.name, display: key.display, hash: "<redacted>", scopes: key.scopes,
            createdAt: key.createdAt, expiresAt: key.expiresAt, revokedAt: key.revokedAt, lineageID: key.lineageID)
        batch.entries.append(.init(event: raw, body: encodeString(kept)))
    }

    private static func word<Word: RawRepresentable>(
        _ text: String, _ name: String, as type: Word.Type
    ) throws -> Word where Word.RawValue == String {
        guard let word = Word(rawValue: text) else {
            throw Refusal.park(reason: "unknown \(name) \(text.prefix(40))")
        }
        return word
    }
}

extension EventReaders {
    private static let subscriptionReaders: [String: Reader] = [
        SubscriptionCreatedV1.type: reader(of: SubscriptionCreatedV1.self) { event, batch in
            let body: SubscriptionCreatedV1 = event.body
            batch.changes.append(
                try SubscriptionChange(
                    eventID: event.id, kind: .created, subscriptionID: body.subscriptionID, customerID: body.customerID,
                    planID: body.planID, amount: body.amount,
                    interval: try word(body.interval, "interval", as: BillingInterval.self),
                    intervalCount: body.intervalCount,
                    status: try word(body.status, "status", as: SubscriptionStatus.self), effectiveAt: body.createdAt,
                    toldAt: event.time))
        },
        SubscriptionStatusChangedV1.type: reader(of: SubscriptionStatusChangedV1.self) { event, batch in
            let body: SubscriptionStatusChangedV1 = event.body
            batch.changes.append(
                try SubscriptionChange(
                    eventID: event.id, kind: .status, subscriptionID: body.subscriptionID, customerID: body.customerID,
                    planID: body.planID, amount: body.amount,
                    interval: try word(body.interval, "interval", as: BillingInterval.self),
                    intervalCount: body.intervalCount,
                    status: try word(body.newStatus, "status", as: SubscriptionStatus.self),
                    effectiveAt: body.effectiveAt,
                    toldAt: event.time))
        },
        SubscriptionPlanChangedV1.type: reader(of: SubscriptionPlanChangedV1.self) { event, batch in
            let body: SubscriptionPlanChangedV1 = event.body
            batch.changes.append(
                try SubscriptionChange(
                    eventID: event.id, kind: .plan, subscriptionID: body.subscriptionID, customerID: body.customerID,
                    planID: body.newPlanID, amount: body.amount,
                    interval: try word(body.interval, "interval", as: BillingInterval.self),
                    intervalCount: body.intervalCount,
                    status: try word(body.status, "status", as: SubscriptionStatus.self), effectiveAt: body.effectiveAt,
                    toldAt: event.time))
        },
    ]

    private static let paymentReaders: [String: Reader] = [
        PaymentCreatedV1.type: reader(of: PaymentCreatedV1.self) { event, batch in
            try batch.add(
                event.body.paymentID, event.body.customerID, event.body.amount, .created, event.body.attempt,
                event.body.createdAt)
        },
        PaymentRequiresActionV1.type: reader(of: PaymentRequiresActionV1.self) { event, batch in
            try batch.add(
                event.body.paymentID, event.body.customerID, event.body.amount, .requiresAction, event.body.attempt,
                event.time)
        },
        PaymentSucceededV1.type: reader(of: PaymentSucceededV1.self) { event, batch in
            try batch.add(
                event.body.paymentID, event.body.customerID, event.body.amount, .succeeded, event.body.attempt,
                event.body.succeededAt)
        },
        PaymentFailedV1.type: reader(of: PaymentFailedV1.self) { event, batch in
            try batch.add(
                event.body.paymentID, event.body.customerID, event.body.amount, .failed, event.body.attempt,
                event.body.failedAt)
        },
        PaymentCanceledV1.type: reader(of: PaymentCanceledV1.self) { event, batch in
            try batch.add(
                event.body.paymentID, event.body.customerID, event.body.amount, .canceled, nil, event.time)
        },
    ]

    /// Money of payments that moves by itself.
    private static let movementReaders: [String: Reader] = [
        PaymentCapturedV1.type: reader(of: PaymentCapturedV1.self) { event, batch in
            batch.captures.append(
                .init(
                    id: event.body.captureID, paymentID: event.body.paymentID, customerID: event.body.customerID,
                    amount: event.body.amount, at: event.body.capturedAt))
        },
        PaymentRefundedV1.type: reader(of: PaymentRefundedV1.self) { event, batch in
            batch.refunds.append(
                .init(
                    refundID: event.body.refundID, paymentID: event.body.paymentID, customerID: event.body.customerID,
                    amount: event.body.amount, at: event.body.refundedAt, hasFailed: false))
        },
        PaymentRefundFailedV1.type: reader(of: PaymentRefundFailedV1.self) { event, batch in
            batch.refunds.append(
                .init(
                    refundID: event.body.refundID, paymentID: event.body.paymentID, customerID: event.body.customerID,
                    amount: event.body.amount, at: event.body.failedAt, hasFailed: true))
        },
        PaymentDisputeClosedV1.type: reader(of: PaymentDisputeClosedV1.self) { event, batch in
            batch.disputes.append(
                .init(
                    eventID: event.id, disputeID: event.body.disputeID, paymentID: event.body.paymentID,
                    customerID: event.body.customerID, amount: event.body.amount,
                    outcome: try word(event.body.outcome, "outcome", as: EventBatch.DisputeClosing.Outcome.self),
                    at: event.body.closedAt))
        },
    ]

    private static let invoiceReaders: [String: Reader] = [
        InvoiceFinalizedV1.type: reader(of: InvoiceFinalizedV1.self) { event, batch in
            let body: InvoiceFinalizedV1 = event.body
            batch.invoices.append(
                InvoiceState(
                    invoiceID: body.invoiceID, customerID: body.customerID, subscriptionID: body.subscriptionID,
                    amount: body.amount, status: .finalized, number: body.number, at: body.issuedAt))
        },
        InvoicePaidV1.type: reader(of: InvoicePaidV1.self) { event, batch in
            let body: InvoicePaidV1 = event.body
            batch.invoices.append(
                InvoiceState(
                    invoiceID: body.invoiceID, customerID: body.customerID, subscriptionID: body.subscriptionID,
                    amount: body.amount, status: .paid, at: body.paidAt))
        },
        InvoiceVoidedV1.type: reader(of: InvoiceVoidedV1.self) { event, batch in
            let body: InvoiceVoidedV1 = event.body
            batch.invoices.append(
                InvoiceState(
                    invoiceID: body.invoiceID, customerID: body.customerID, subscriptionID: body.subscriptionID,
                    amount: body.amount, status: .void, at: event.time))
        },
    ]
}

extension EventBatch {
    fileprivate mutating func add(
        _ id: PaymentID, _ customer: CustomerID, _ amount: Money, _ status: PaymentState.Status, _ attempt: Int64?,
        _ at: Instant
    ) throws {
        let state: PaymentState? = PaymentState(
            paymentID: id, customerID: customer, amount: amount, status: status, attempt: attempt, at: at)
        guard let state else { throw Refusal.park(reason: "attempt \(attempt ?? 0) is out of range") }
        payments.append(state)
    }
}
