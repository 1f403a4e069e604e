import BillingCore
import BillingEvents
import Messaging
import PaymentDomain
import PaymentRecords
import Postgres
import Telemetry

/// The payments that a batch of orders is to charge which were recorded before, their rows locked. Each begins one attempt.
struct ConfirmedPayments {
    private let payments: [PaymentID: PaymentRecord]
    private var taken: Set<PaymentID> = []

    /// Locks them, in the order of their ids.
    init(locking orders: [PaymentOrder], in db: borrowing PostgresTransaction) throws {
        let ids: [PaymentID] = orders.filter(\.isConfirmation).map(\.id)
        payments = ids.isEmpty ? [:] : try PaymentStore.lock(ids, in: db)
    }

    /// Why an order cannot charge its payment; `nil` where it can, and for orders of other kinds.
    func obstacle(
        to order: PaymentOrder, in db: borrowing PostgresTransaction
    ) throws -> ContinuePayment.Failure? {
        guard case .confirm(let byName) = order.step else { return nil }
        guard let payment: PaymentRecord = payments[order.id] else { return .notFound(order.id.rawValue) }
        guard !taken.contains(order.id) else { return .notWaiting(.created) }
        switch payment.status {
        case .requiresConfirmation:
            // The sweeper cancels it.
            return payment.actionExpiresAt.map { $0 <= order.now } ?? false ? .notWaiting(.canceled) : nil
        case .failed where byName:
            // What collects an invoice or an instalment tries others by itself, once they are the customer's default.
            if payment.invoiceID != nil { return .ofInvoice }
            return try PaymentStore.isOfPlan(payment.id, in: db) ? .ofInstalment : nil
        default: return .notWaiting(payment.status)
        }
    }

    /// Notes that an order without an obstacle is carried out: no other of the batch charges the same payment.
    mutating func take(_ id: PaymentID) { taken.insert(id) }

    /// Begins the attempt, and asks Fraud about it.
    func begin(_ order: PaymentOrder, _ resolved: ResolvedMethod, in db: borrowing PostgresTransaction) throws {
        guard let payment: PaymentRecord = payments[order.id], let method: ChargeableMethod = resolved.method else {
            return
        }
        if let page: SingleUseMethod = order.page {
            try PaymentMethodStore.insertSingleUse([page], at: order.now, in: db)
        }
        // Whoever could not be authenticated is, whatever could be claimed; a cryptogram has done so, a page has its own way.
        let isUnproven: Bool = order.page == nil && !method.isAuthenticatedByWallet
        let next = NextAttempt(
            payment: payment, attemptID: AttemptID.new(at: order.now), method: method, authenticated: false,
            offSession: order.offSession,
            stepUp: isUnproven && payment.wantsCustomer && !order.offSession ? .due : nil)
        try PaymentStore.beginAttempts([next], at: order.now, in: db)
        try PaymentStore.note(
            keepsMethod: order.acceptance != nil, returnURL: order.returnURL, of: payment.id, in: db)
        try CausalTraces.$byKey.withValue(order.traceparent.map { [payment.key: $0] } ?? [:]) {
            try Outbox.append([PaymentEvents.created(next, at: order.now)], in: db)
        }
    }
}
