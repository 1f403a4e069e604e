package import BillingCore
import HTTPKit
import Messaging
package import PaymentRecords
package import Postgres

/// Makes a method its customer's default: the way back to one that another took the place of, and the way for one that was
/// entered on a payment link's page to serve renewals.
/// - Note: Emits `payment_method.attached.v1`, on which what is unpaid is collected. Locks the customer's row.
package struct MakeMethodDefault: Sendable {
    /// Needs nothing.
    package init() {}

    /// Runs in the caller's transaction. A method that is the default already stays so and is not told of again, but for one
    /// that became it by an agreement to later charges: now it is for what is unpaid, too. Methods that their providers are still to keep do not take its place any more.
    /// - Throws: ``Problem``: 404 for a method that is not there, 409 for one that is not active or is used once only.
    package func callAsFunction(
        _ id: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PaymentMethodRecord {
        guard let known: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db),
            try PaymentMethodStore.lockCustomer(known.customerID, in: db),
            let current: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db)
        else { throw Problem.notFound("payment method", id.rawValue) }
        try PaymentMethodStore.forgetWishes(of: current.customerID, in: db)
        if try current.isDefault && !PaymentMethodStore.isDefaultForLater(id, in: db) { return current }
        guard try PaymentMethodStore.makeDefault(id, of: current.customerID, at: now, in: db),
            let method: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db)
        else {
            throw Problem.conflict(
                "method_not_chargeable", "Only an active method that can be charged again becomes the default.")
        }
        try Outbox.append([PaymentEvents.attached(method, at: now)], in: db)
        return method
    }
}
