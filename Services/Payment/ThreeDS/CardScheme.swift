/// The scheme whose directory server answers, and how it writes its indicator of the authentication (ECI).
package enum CardScheme: String, Sendable, CaseIterable {
    case visa, mastercard, amex, jcb, discover, diners

    /// Reads a card's brand as the payment method names it; `nil` for a brand without 3-D Secure here.
    package init?(brand: String) { self.init(rawValue: brand) }

    /// The values this scheme uses at all. Source: the schemes' integrator tables, as Adyen's reference lists them.
    func knows(_ indicator: String) -> Bool {
        switch self {
        case .mastercard: ["00", "01", "02", "04", "06", "07"].contains(indicator)
        case .visa, .amex, .jcb, .discover, .diners: ["05", "06", "07"].contains(indicator)
        }
    }

    /// The value that goes with proof, and shifts liability to the issuer.
    func provenIndicator(_ status: TransactionStatus) -> String? {
        switch (self, status) {
        case (.mastercard, .authenticated): "02"
        case (.mastercard, .attempted): "01"
        case (_, .authenticated): "05"
        case (_, .attempted): "06"
        default: nil
        }
    }
}
