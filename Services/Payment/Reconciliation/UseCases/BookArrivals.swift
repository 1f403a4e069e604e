package import BillingCore
import PaymentDomain
import PaymentRecords
package import Postgres

/// Books payouts into our bank account on the day on which they arrive there.
package struct BookArrivals: Sendable {
    /// Payouts of one transaction.
    static let batch = 200

    let pool: PostgresPool
    let clock: any WallClock

    package init(pool: PostgresPool, clock: any WallClock) {
        self.pool = pool
        self.clock = clock
    }

    package func callAsFunction() async throws {
        while try await batch() == Self.batch {}
    }

    private func batch() async throws -> Int {
        let now: Instant = clock.now
        return try await pool.transactionRetrying { db in
            let payouts: [SettlementLine] = try SettlementLineStore.arrived(by: now, limit: Self.batch, in: db)
            for payout in payouts where !payout.gross.isZero {
                let entry = JournalEntry(
                    id: .new(at: now), kind: .payoutArrival, reference: payout.bookingReference, paymentID: nil,
                    occurredAt: payout.availableAt ?? payout.occurredAt,
                    postings: try Ledger.payoutArrival(payout.gross.negated()))
                try LedgerStore.book([entry], in: db)
                try SettlementLineStore.link(
                    payout.provider, [(payout.id, entry.id.rawValue, .arrival)], in: db)
            }
            return payouts.count
        }
    }
}
