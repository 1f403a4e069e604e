package import BillingCore
package import PaymentDomain

/// What is known of the merchant's side for strong customer authentication, and what it wants to claim.
package struct SCAPolicy: Sendable {
    /// Whether payments are assessed at all (`payment.sca`).
    package let isOn: Bool
    /// Which exemptions are claimed (`payment.sca_exemptions`).
    package let engine: SCAEngine
    /// Where the merchant's acquirers are (`payment.sca_countries`): a card of one of their regions is not one leg out.
    package let countries: [String]
    /// The acquirer's fraud rate over 90 days in basis points (`payment.sca_fraud_rate_bps`); without one no risk analysis
    /// is claimed (article 19). Where our own payments' rate is higher, that one counts.
    package let fraudRate: ExactDecimal?

    package init(
        isOn: Bool = true, engine: SCAEngine = SCAEngine(), countries: [String] = ["DE", "GB"],
        fraudRate: ExactDecimal? = nil
    ) {
        self.isOn = isOn
        self.engine = engine
        self.countries = countries
        self.fraudRate = fraudRate
    }

    /// The acquirer's country that a card of a country is local to, else the first.
    func acquirer(for country: String) -> String {
        let region = SCARegion(country: country)
        return countries.first { SCARegion(country: $0) == region } ?? countries.first ?? country
    }
}
