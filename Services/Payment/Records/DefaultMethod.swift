package import BillingCore
package import Postgres

extension PaymentMethodStore {
    /// Makes a method the customer's default in place of the one before; the customer's row is locked.
    /// - Parameter forLater: Whether they have agreed to later charges only: what is unpaid under plans is not tried with it.
    /// - Returns: Whether it can be: it is active and may be charged again.
    package static func makeDefault(
        _ id: PaymentMethodID, of customer: CustomerID, forLater: Bool = false, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.enqueue(
            """
            UPDATE payment_methods SET is_default = false
            WHERE customer_id = \(customer) AND is_default AND EXISTS (
                SELECT FROM payment_methods n
                WHERE n.id = \(id) AND n.customer_id = \(customer) AND n.status = 'active' AND NOT n.single_use)
            """)
        return try db.execute(
            """
            UPDATE payment_methods SET is_default = true, default_since = \(now), default_for_later = \(forLater)
            WHERE id = \(id) AND customer_id = \(customer) AND status = 'active' AND NOT single_use
            """) == 1
    }

    /// Whether a method is the default for later charges only.
    package static func isDefaultForLater(
        _ id: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.first("SELECT is_default AND default_for_later FROM payment_methods WHERE id = \(id)") { row in
            try row.next()
        } ?? false
    }

    /// Takes back that methods of the customer which are still to be kept become the default: another is it by a later word.
    /// The customer's row is locked; it travels with the statement that follows.
    /// - Parameter end: When that word was given, so that wishes of methods that came after it stand; now when left out.
    package static func forgetWishes(
        of customer: CustomerID, before end: Instant? = nil, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE payment_methods SET wants_default = false
            WHERE customer_id = \(customer) AND wants_default AND status IN ('pending', 'requires_action')
                AND (\(end)::timestamptz IS NULL OR created_at < \(end)::timestamptz)
            """)
    }
}
