package import PaymentContract

/// A way to pay as a page offers it.
package struct LinkOffer: Sendable, Equatable {
    /// `card`, `google_pay`, `klarna`, `bitcoin`.
    package let type: String
    /// What the provider must be told of who pays.
    package let payer: [PayerDetail]
    /// ISO 3166 countries that they may live in, for the currency of the link; `nil` for all.
    package let countries: [String]?

    package init(type: String, payer: [PayerDetail] = [], countries: [String]? = nil) {
        self.type = type
        self.payer = payer
        self.countries = countries
    }

    /// Whether the page hands something over that then pays: a card, a wallet's token, an account. Others are chosen by name.
    package var isHandedOver: Bool {
        ["card", "apple_pay", "google_pay", "sepa_debit", "instalments"].contains(type)
    }

    /// What the page asks for: nothing where the country is all that is wanted, and is known.
    func asked(country: String?) -> [PayerDetail] { payer == [.country] && country != nil ? [] : payer }
}
