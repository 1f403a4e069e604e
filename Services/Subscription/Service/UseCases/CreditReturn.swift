import BillingCore
import Postgres
import SubscriptionDomain

/// Takes credit off again whose money has gone: late payments that were refunded, or lost in disputes. The balance moves to
/// what has gone in all, whoever has counted it and whenever, not by what is told of now.
struct CreditReturn {
    private var batch: SubscriptionBatch
    private let billings: [BillingID]

    /// Locks the subscriptions whose credit late payments of these invoices became.
    static func lock(_ invoices: [InvoiceID], in db: borrowing PostgresTransaction) throws -> CreditReturn {
        let credited: [(subscription: SubscriptionID, billing: BillingID)] = try BillingStore.credited(
            invoices, in: db)
        return CreditReturn(
            batch: try .lock(credited.map(\.subscription), in: db), billings: credited.map(\.billing))
    }

    /// Moves the balances, once what has gone is noted, and stores them.
    mutating func settle(at now: Instant, in db: borrowing PostgresTransaction) throws {
        guard !billings.isEmpty else { return }
        for gone in try BillingStore.returnCredit(billings, in: db) {
            try batch.change(gone.subscription) { $0.creditReturned(gone.amount) }
        }
        try batch.save(at: now, in: db)
    }
}
