package import BillingCore
package import PaymentDomain

/// What cards have used up of low value, by card and by the currency of the law that counts.
package struct SCACounters: Sendable {
    private struct Key: Hashable {
        let fingerprint: String
        let currency: Currency
    }

    private var used: [Key: SCAPayment.Counters]

    /// - Parameter used: By the card's fingerprint; once for each currency.
    package init(_ used: [(fingerprint: String, counters: SCAPayment.Counters)] = []) {
        self.used = Dictionary(
            used.map { (Key(fingerprint: $0.fingerprint, currency: $0.counters.total.currency), $0.counters) }
        ) { first, _ in first }
    }

    /// What a card has used up; nothing where nothing is known.
    package func of(_ fingerprint: String, in currency: Currency) -> SCAPayment.Counters {
        used[Key(fingerprint: fingerprint, currency: currency)]
            ?? SCAPayment.Counters(total: Money(minor: 0, currency: currency), payments: 0)
    }

    /// Counts one more payment of a card.
    /// - Throws: ``MoneyError/overflow``.
    package mutating func add(_ amount: Money, of fingerprint: String) throws(MoneyError) {
        let standing: SCAPayment.Counters = of(fingerprint, in: amount.currency)
        used[Key(fingerprint: fingerprint, currency: amount.currency)] = SCAPayment.Counters(
            total: try standing.total.adding(amount), payments: standing.payments + 1)
    }
}
