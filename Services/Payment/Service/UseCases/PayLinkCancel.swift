import BillingCore
package import HTTPKit
import PaymentContract
import PaymentDomain
package import PaymentLinks
import PaymentRecords
import Postgres

extension PayLink {
    /// Gives up the payment that waits for its customer elsewhere, so that they can pay in another way: whoever turned back
    /// at a provider need not wait until its page expires. One of which no provider has heard ends here and now. Asking again
    /// changes nothing.
    ///
    /// The provider lets go of it first, or says that the customer has finished there: then the payment goes on. Until it has
    /// said so the payment is under way and nothing else can be begun; after a crash the sweeper asks.
    /// - Throws: ``Problem``; nothing is stored then.
    package func cancel(_ call: Call, _ input: CancelLinkInput) async throws -> Reply<LinkStatusResource> {
        try await acting(call) { code in
            let id: PaymentID = try await pool.transactionRetrying(deadline: call.deadline) { db in
                let link: LinkRecord = try lock(code, in: db).link
                guard let current = try LinkAttempt.lock(of: link.id, link.slot(of: input.session), in: db) else {
                    throw Problem.notFound("payment")
                }
                let payment: PaymentRecord = current.payment
                if payment.status == .canceling || payment.status == .canceled { return payment.id }
                if current.plan == nil, payment.waitsElsewhere {
                    try PaymentStore.release([payment], in: db)
                } else if try link.invoiceID == nil && current.plan == nil && PaymentStore.isUnsent(payment, in: db) {
                    try current.giveUp(at: call.now, in: db)
                } else {
                    throw CancelPayment.Failure.notPossible(payment.status).problem
                }
                return payment.id
            }
            do { try await cancelPayment.finish(id) } catch is ProviderFault {}  // The sweeper asks again.
            return try await pool.transaction(readOnly: true, deadline: call.deadline) { db in
                try answer(code, input.session, call, in: db)
            }
        }
    }
}
