public import BillingCore

/// A body of law on strong customer authentication and its thresholds.
///
/// Sources: for the EEA, Delegated Regulation (EU) 2018/389, articles 16 and 18 and its annex; for the UK, the FCA's
/// technical standards on strong customer authentication (SCA-RTS), article 16, and the thresholds in its form NOT004.
public struct SCARegime: Sendable, Hashable {
    /// Up to this amount, the payee's provider may skip authentication after a risk analysis, if its fraud rate is low.
    public struct Band: Sendable, Hashable {
        /// The largest amount, in major units of the regime's currency.
        public let upTo: ExactDecimal
        /// The largest fraud rate of the provider over 90 days, in basis points (article 19).
        public let fraudRate: ExactDecimal
    }

    /// Thresholds are in this currency.
    public let currency: Currency
    /// The largest payment of low value, in major units (article 16 a).
    public let lowValue: ExactDecimal
    /// The most that payments since the last authentication may add up to, in major units (article 16 b).
    public let lowValueTotal: ExactDecimal
    /// The most payments since the last authentication (article 16 c).
    public let lowValueCount: Int
    /// For card payments, lowest amount first.
    public let riskAnalysis: [Band]

    /// The European Economic Area.
    public static let eea = SCARegime(
        currency: .eur, lowValue: ExactDecimal(30), lowValueTotal: ExactDecimal(100), lowValueCount: 5,
        riskAnalysis: bands(100, 250, 500))

    /// The United Kingdom and Gibraltar.
    public static let uk = SCARegime(
        currency: .gbp, lowValue: ExactDecimal(25), lowValueTotal: ExactDecimal(85), lowValueCount: 5,
        riskAnalysis: bands(85, 220, 440))

    private static func bands(_ low: Int64, _ middle: Int64, _ high: Int64) -> [Band] {
        [
            Band(upTo: ExactDecimal(low), fraudRate: ExactDecimal(13)),
            Band(upTo: ExactDecimal(middle), fraudRate: ExactDecimal(6)),
            Band(upTo: ExactDecimal(high), fraudRate: ExactDecimal(1)),
        ]
    }
}

/// Where a payer's or a payee's payment service provider is, as far as strong customer authentication goes.
public enum SCARegion: String, Sendable, CaseIterable {
    /// The European Economic Area.
    case eea
    /// The United Kingdom and Gibraltar.
    case uk
    /// Anywhere else.
    case elsewhere

    /// The region of an ISO 3166 alpha-2 code; what is not one is elsewhere.
    public init(country: String) {
        self = Self.eeaCountries.contains(country) ? .eea : (Self.ukCountries.contains(country) ? .uk : .elsewhere)
    }

    /// The law that holds there; `nil` elsewhere.
    public var regime: SCARegime? {
        switch self {
        case .eea: .eea
        case .uk: .uk
        case .elsewhere: nil
        }
    }

    /// The 27 members of the Union, Iceland, Liechtenstein and Norway, and the Union's territories with codes of their
    /// own: Åland and the French outermost regions (article 355 TFEU).
    private static let eeaCountries: Set<String> = [
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU",
        "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "IS", "LI", "NO", "AX", "GF", "GP", "MF", "MQ", "RE",
        "YT",
    ]
    private static let ukCountries: Set<String> = ["GB", "GI"]
}
