import BillingCore
import Postgres
package import ServiceKit
import SubscriptionDomain

/// What is to be woken after an outcome has been committed: requests that wait for it, and the scheduler when the next
/// period is due already.
package struct SettlementNotice: Sendable {
    let waiters: SettlementWaiters
    let clock: any ServiceClock

    /// Wires the notice.
    package init(waiters: SettlementWaiters, clock: any ServiceClock) {
        self.waiters = waiters
        self.clock = clock
    }

    func notify(of changed: [Subscription], at now: Instant, in db: borrowing PostgresTransaction) {
        guard !changed.isEmpty else { return }
        let ids: [SubscriptionID] = changed.map(\.id)
        let isDue: Bool = changed.contains { subscription in subscription.nextActionAt.map { $0 <= now } ?? false }
        let (waiters, clock) = (waiters, clock)
        db.onCommit {
            waiters.wake(ids)
            if isDue { clock.poke() }
        }
    }
}
