package import BillingCore
package import ServiceKit

/// In which currency each provider settles with us; a provider that is not named settles each payment in its own.
package struct SettlementPolicy: Sendable {
    private static let prefix = "payment.settlement_currency."

    private let currencies: [String: Currency]
    package let rates: RatesInForce

    package init(_ currencies: [String: Currency] = [:], rates: RatesInForce = RatesInForce()) {
        self.currencies = currencies
        self.rates = rates
    }

    /// Reads `payment.settlement_currency.<provider>` and `payment.exchange_staleness_limit`.
    /// - Throws: `ServiceConfiguration.Invalid` with every text that is no currency.
    package init(_ configuration: ServiceConfiguration) throws {
        var (currencies, faults): ([String: Currency], [String]) = ([:], [])
        for (name, text) in configuration.tunables.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Self.prefix) {
            guard let currency = Currency(text) else {
                faults.append("\(name) must be a currency code and not \(text)")
                continue
            }
            currencies[String(name.dropFirst(Self.prefix.count))] = currency
        }
        guard faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: faults) }
        let limit: Int = configuration.int(
            "payment.exchange_staleness_limit", default: RatesInForce().stalenessLimit)
        self.init(currencies, rates: RatesInForce(stalenessLimit: limit))
    }

    /// What an amount has to become; `nil` when the provider settles it as it is.
    func target(of amount: Money, at provider: String) -> Currency? {
        currencies[provider].flatMap { $0 == amount.currency ? nil : $0 }
    }
}
