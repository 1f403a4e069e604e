import BillingCore
import PaymentDomain

/// Shorthand for payments under the law.
enum Law {
    static func eur(_ minor: Int64) -> Money { Money(minor: minor, currency: .eur) }
    static func gbp(_ minor: Int64) -> Money { Money(minor: minor, currency: .gbp) }

    /// A payment from Germany to France, changed by the closure.
    static func payment(
        _ amount: Money = eur(60_000), from customer: String? = "DE", to merchant: String = "FR",
        _ change: (inout SCAPayment) throws -> Void = { _ in }
    ) rethrows -> SCAPayment {
        var payment = SCAPayment(amount: amount, customerCountry: customer, merchantCountry: merchant)
        try change(&payment)
        return payment
    }

    static func counters(_ total: Money, _ payments: Int) -> SCAPayment.Counters {
        SCAPayment.Counters(total: total, payments: payments)
    }

    static func outcome(_ payment: SCAPayment, _ engine: SCAEngine = SCAEngine()) throws -> SCAOutcome {
        try engine.assess(payment).outcome
    }
}
