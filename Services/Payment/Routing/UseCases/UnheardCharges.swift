package import BillingCore
package import Postgres

/// When a charge is made no more of which no provider has heard: an attempt that was never sent, and the next one after
/// another has ended.
package enum UnheardCharges {
    /// How old an attempt is that a customer waits for, before it is too late for another charge.
    private static let customersPatience: Duration = .seconds(120)

    /// Whether the customer of a payment `p` is there, or has just brought the attempt about.
    package static let isAttended: SQL = "(NOT p.off_session OR p.customer_started)"

    /// Whether the payment `p` has stood at its step for that long, by the database's clock: that of whoever began the step may
    /// differ from that of whoever goes on.
    package static let hasWaited: SQL =
        "p.stepped_at <= clock_timestamp() - make_interval(secs => \(Double(customersPatience.components.seconds)))"

    /// Whether the payment `p` is not to be charged, or not by its method `m`: its invoice is withdrawn, the method was taken
    /// off, or is not the default any more that the invoice is collected with. A method that is used once stays active.
    package static let isUnwanted: SQL = """
        (p.invoice_voided OR m.status = 'detached' OR (p.invoice_id IS NOT NULL AND p.off_session AND EXISTS (
            SELECT 1 FROM payment_methods d WHERE d.customer_id = p.customer_id AND d.is_default AND d.id <> m.id)))
        """

    /// Whether a customer has waited long enough for an attempt: who has paid otherwise since, or has left, is not to be
    /// charged.
    package static func isTooLate(for attempt: AttemptID, at now: Instant) -> Bool {
        guard let madeAt: Instant = attempt.madeAt else { return true }
        return now - madeAt >= customersPatience
    }
}
