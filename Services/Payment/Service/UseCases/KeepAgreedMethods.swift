import BillingCore
import Logging
import Messaging
import PaymentRecords
import Postgres

/// Keeps what customers have paid with on links' pages, as they agreed to there: it becomes their default, and a card that was
/// given to pay once is kept.
///
/// Why a crash at any line is safe: that the payment went through is noted in its own transaction; here an agreement's turn is
/// taken in the transaction that keeps its method and tells of it.
/// - Note: Emits `payment_method.attached.v1`, for later charges: what is unpaid already is not collected by that. Locks the
///   customer's row.
struct KeepAgreedMethods: Sendable {
    let pool: PostgresPool
    let clock: any WallClock
    let logger: Logger

    /// Methods whose payments went through.
    func due(limit: Int) async throws -> [AgreedMethod] {
        try await pool.transaction(readOnly: true) { db in try PageAgreementStore.due(limit: limit, in: db) }
    }

    /// Keeps one. A method that was taken off meanwhile, or does not work, stays as it is.
    func callAsFunction(_ agreed: AgreedMethod) async throws {
        let now: Instant = clock.now
        let isKept: Bool = try await pool.transactionRetrying { db in
            guard try PaymentMethodStore.lockCustomer(agreed.customerID, in: db),
                let turn: PageAgreementStore.Turn = try PageAgreementStore.take(agreed, at: now, in: db),
                let known: PaymentMethodRecord = try PaymentMethodStore.find(agreed.methodID, in: db),
                known.status == .active
            else { return false }
            let isNew: Bool = try PaymentMethodStore.keep(known.id, in: db)
            let isMade: Bool =
                try turn.becomesDefault && !known.isDefault && makeDefault(known, turn.acceptedAt, at: now, in: db)
            guard isNew || isMade, let method = try PaymentMethodStore.find(known.id, in: db) else { return false }
            try Outbox.append([PaymentEvents.attached(method, forLater: true, at: now)], in: db)
            return true
        }
        guard isKept else { return }
        logger.info("a method is kept as agreed on a page", metadata: ["payment_method_id": "\(agreed.methodID)"])
    }

    private func makeDefault(
        _ method: PaymentMethodRecord, _ acceptedAt: Instant, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try PaymentMethodStore.forgetWishes(of: method.customerID, before: acceptedAt, in: db)
        return try PaymentMethodStore.makeDefault(method.id, of: method.customerID, forLater: true, at: now, in: db)
    }
}
