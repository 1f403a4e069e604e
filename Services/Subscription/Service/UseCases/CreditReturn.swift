import BillingCore
import Postgres
import SubscriptionDomain

/// Takes credit off again whose money has gone: late payments, and payments of time that a change of plan credited, that were
/// refunded or lost in disputes. The balance moves to what has gone in all, whoever has counted it and whenever, not by what
/// is told of now.
struct CreditReturn {
    private var batch: SubscriptionBatch
    private let billings: [BillingID]

    /// Locks the customers' subscriptions, so that no plan is changed meanwhile, and finds whose credit the payments of these
    /// invoices are behind.
    static func lock(
        _ told: [(invoice: InvoiceID, customer: CustomerID)], in db: borrowing PostgresTransaction
    ) throws -> CreditReturn {
        try SubscriptionStore.lockAll(of: told.map(\.customer), in: db)
        let credited: [(subscription: SubscriptionID, billing: BillingID)] = try BillingStore.credited(
            told.map(\.invoice), in: db)
        return CreditReturn(
            batch: try .lock(credited.map(\.subscription), in: db), billings: credited.map(\.billing))
    }

    /// Moves the balances, once what has gone is noted, and stores them.
    mutating func settle(at now: Instant, in db: borrowing PostgresTransaction) throws {
        try Self.settle(billings, &batch, in: db)
        try batch.save(at: now, in: db)
    }

    /// Moves the balances of locked subscriptions to what has gone of the payments behind these billings' credit.
    static func settle(
        _ billings: [BillingID], _ batch: inout SubscriptionBatch, in db: borrowing PostgresTransaction
    ) throws {
        guard !billings.isEmpty else { return }
        for gone in try BillingStore.returnCredit(billings, in: db) {
            try batch.change(gone.subscription) { $0.creditReturned(gone.amount) }
        }
    }
}
