package import BillingCore
import PaymentDomain
package import ServiceKit

/// In which currency each provider settles with us; a provider that is not named settles each payment in its own.
package struct SettlementPolicy: Sendable {
    private static let prefix = "payment.settlement_currency."
    private static let spreadPrefix = "payment.exchange_spread_basis_points."
    /// Providers that keep a balance in each currency, settle payments into it as they are, and report what they
    /// exchange between balances beside the payments.
    private static let exchangingBetweenBalances: Set<String> = ["paypal"]

    private let currencies: [String: Currency]
    private let spreads: [String: Int]
    package let rates: RatesInForce

    /// - Parameter spreads: By how many hundredths of a percent a provider makes less of what it takes than its rate does.
    package init(
        _ currencies: [String: Currency] = [:], spreads: [String: Int] = [:], rates: RatesInForce = RatesInForce()
    ) {
        self.currencies = currencies
        self.spreads = spreads
        self.rates = rates
    }

    /// Reads `payment.settlement_currency.<provider>`, `payment.exchange_spread_basis_points.<provider>` and
    /// `payment.exchange_staleness_limit`.
    /// - Throws: As ``init(tunables:rates:)``.
    package init(_ configuration: ServiceConfiguration) throws {
        let limit: Int = configuration.int(
            "payment.exchange_staleness_limit", default: RatesInForce().stalenessLimit)
        try self.init(tunables: configuration.tunables, rates: RatesInForce(stalenessLimit: limit))
    }

    /// Reads `payment.settlement_currency.<provider>` and `payment.exchange_spread_basis_points.<provider>`.
    /// - Throws: `ServiceConfiguration.Invalid` with every text that is no currency, every provider that has no one
    ///   currency of settlement, and every spread that is none or of a provider without a currency of settlement.
    package init(
        tunables: [String: String], rates: RatesInForce = RatesInForce()
    ) throws(ServiceConfiguration.Invalid) {
        var (currencies, faults): ([String: Currency], [String]) = ([:], [])
        for (name, text) in tunables.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Self.prefix) {
            let provider = String(name.dropFirst(Self.prefix.count))
            guard !Self.exchangingBetweenBalances.contains(provider) else {
                faults.append("\(name) must not be set: \(provider) settles each payment in its own currency")
                continue
            }
            guard let currency = Currency(text) else {
                faults.append("\(name) must be a currency code and not \(text)")
                continue
            }
            currencies[provider] = currency
        }
        var spreads: [String: Int] = [:]
        let limit: Int = ExchangeRate.spreadLimitBasisPoints
        for (name, text) in tunables.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Self.spreadPrefix) {
            let provider = String(name.dropFirst(Self.spreadPrefix.count))
            guard let spread = Int(text), (0..<limit).contains(spread) else {
                faults.append("\(name) must be a whole number from 0 to \(limit - 1)")
                continue
            }
            guard spread == 0 || tunables[Self.prefix + provider] != nil else {
                faults.append("\(name) needs \(Self.prefix)\(provider)")
                continue
            }
            spreads[provider] = spread
        }
        guard faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: faults) }
        self.init(currencies, spreads: spreads, rates: rates)
    }

    /// What an amount has to become; `nil` when the provider settles it as it is.
    func target(of amount: Money, at provider: String) -> Currency? {
        currencies[provider].flatMap { $0 == amount.currency ? nil : $0 }
    }

    /// By how many hundredths of a percent a provider makes less of what it takes than its rate does.
    func spread(at provider: String) -> Int { spreads[provider] ?? 0 }
}
