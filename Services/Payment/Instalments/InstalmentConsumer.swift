import BillingCore
import BillingEvents
package import Messaging
import PaymentDomain
import PaymentRecords
import Postgres

/// What plans listen to: the outcomes of Payment's own payments, and new methods. No other consumer of the service may
/// handle these types: the consistency check counts an event as handled once for the service.
package enum InstalmentConsumer {
    /// The consumer.
    package static let consumer = EventConsumer(
        name: "payment-instalments", topics: [.payments], urgency: .background,
        routes: [
            .on(PaymentSucceededV1.self) { events, db, context in
                try InstalmentOutcomes.apply(
                    events.map { InstalmentOutcome(payment: $0.body.paymentID, kind: .succeeded($0.body.amount)) },
                    at: context.now, in: db)
            },
            .on(PaymentFailedV1.self) { events, db, context in
                try InstalmentOutcomes.apply(events.map { InstalmentOutcome($0.body) }, at: context.now, in: db)
            },
            .on(PaymentCanceledV1.self) { events, db, context in
                try InstalmentOutcomes.apply(
                    events.map { InstalmentOutcome(payment: $0.body.paymentID, kind: .canceled) }, at: context.now,
                    in: db)
            },
            .on(PaymentMethodAttachedV1.self) { events, db, context in
                try tryAgain(events.map(\.body), at: context.now, in: db)
            },
        ])

    /// A new default method is what unpaid instalments wait for: they are tried with it at once.
    private static func tryAgain(
        _ methods: [PaymentMethodAttachedV1], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let customers: Set<CustomerID> = Set(methods.filter(\.isDefault).map(\.customerID))
        guard !customers.isEmpty else { return }
        var works: [PlanWork] = []
        for record in try PlanStore.lock(runningOf: customers.sorted(), in: db) {
            let waiting: [Int] = record.parts.indices.filter {
                record.plan.instalments[$0].status.hasComeDue && record.parts[$0].payment?.status == .failed
            }
            guard !waiting.isEmpty else { continue }
            var work = PlanWork(record, at: now)
            work.change { record in
                record.methodID = nil
                for index in waiting where record.awaited == nil || record.awaited != record.parts[index].payment?.id {
                    record.parts[index].nextAttempt = record.plan.day
                }
            }
            works.append(work)
        }
        try PlanWriter.save(works, in: db)
    }
}

extension InstalmentOutcome {
    /// A failed attempt.
    init(_ failure: PaymentFailedV1) {
        self.init(
            payment: failure.paymentID,
            kind: .failed(attempt: Int(failure.attempt), Decline(code: failure.declineCode)))
    }
}
