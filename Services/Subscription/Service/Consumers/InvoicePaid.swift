import BillingCore
package import BillingEvents
package import Messaging
package import Postgres
import SubscriptionDomain

/// Moves the period on when a billing's invoice is paid, and restores what was overdue. A change of plan that is paid loses
/// the credit for unused time whose payment went back meanwhile.
package struct InvoicePaid: Sendable {
    let afterCommit: SettlementNotice

    /// Wires the handler.
    package init(afterCommit: SettlementNotice) {
        self.afterCommit = afterCommit
    }

    var route: EventRoute {
        .on(InvoicePaidV1.self) { events, db, context in try handle(events, in: db, context) }
    }

    /// Handles a batch inside the transaction that claimed it.
    package func handle(
        _ events: [Envelope<InvoicePaidV1>], in db: borrowing PostgresTransaction, _ context: EventContext
    ) throws {
        var batch: SubscriptionBatch = try .lock(events.map(\.body.subscriptionID), in: db)
        var late: [InvoicePaidV1] = []
        var changes: [BillingID] = []
        for event in events {
            let body: InvoicePaidV1 = event.body
            let (isOpen, isChange): (Bool, Bool) = try batch.change(body.subscriptionID) { subscription in
                let isChange: Bool = subscription.open?.origin != nil
                return (subscription.paid(body.billingID, invoiceID: body.invoiceID, at: context.now), isChange)
            }
            if !isOpen { late.append(body) } else if isChange { changes.append(body.billingID) }
        }
        try settle(late, &batch, in: db, context)
        try CreditReturn.settle(changes, &batch, in: db)
        afterCommit.notify(of: try batch.save(at: context.now, in: db), at: context.now, in: db)
    }

    /// Money that came for billings that are not open: given up before, or told of twice.
    private func settle(
        _ late: [InvoicePaidV1], _ batch: inout SubscriptionBatch, in db: borrowing PostgresTransaction,
        _ context: EventContext
    ) throws {
        let billings: [BillingID: Billing] = try BillingStore.load(late.map(\.billingID), in: db)
        for body in late {
            guard let billing: Billing = billings[body.billingID] else {
                throw Refusal.park(reason: "unknown billing \(body.billingID)")
            }
            try batch.change(body.subscriptionID) { subscription in
                subscription.paidLate(billing, invoiceID: body.invoiceID, at: context.now)
            }
        }
    }
}
