package import BillingCore
package import PaymentContract

/// What links and their pages are configured with.
package struct LinkSettings: Sendable {
    /// Google Pay for tokens that are decrypted here.
    package struct GooglePay: Sendable {
        package let merchantID: String
        /// The public half of the key that tokens are encrypted to, base 64.
        package let publicKey: String
        package let isTest: Bool

        package init(merchantID: String, publicKey: String, isTest: Bool) {
            self.merchantID = merchantID
            self.publicKey = publicKey
            self.isTest = isTest
        }
    }

    /// A crypto asset as a way to pay.
    package struct Asset: Sendable {
        /// The provider's name, which is the method's type, too.
        package let type: String
        /// `BTC`, `USDC`.
        package let symbol: String
        /// Digits after the point.
        package let decimals: Int

        package init(type: String, symbol: String, decimals: Int) {
            self.type = type
            self.symbol = symbol
            self.decimals = decimals
        }
    }

    /// Scheme, host and port customers reach the pages under.
    package let publicURL: String
    /// Whether return addresses may lead to this machine, without TLS.
    package let isSandbox: Bool
    /// The ways to pay that pages may offer, as far as a provider can carry them out.
    package let offered: [LinkMethod]
    /// Who carries them out.
    package let providers: PaymentProviders
    /// What `crypto` stands for.
    package let assets: [Asset]
    /// Apple Pay needs a merchant certificate; without one the page does not offer it.
    package let applePay: (any AppleMerchant)?
    /// `nil`: the page does not offer it.
    package let googlePay: GooglePay?
    /// The QR image of a text as SVG; without it links have no image.
    package let qr: (@Sendable (String) throws -> String)?

    package init(
        publicURL: String, isSandbox: Bool, offered: [LinkMethod], providers: PaymentProviders,
        assets: [Asset] = [], applePay: (any AppleMerchant)? = nil,
        googlePay: GooglePay? = nil, qr: (@Sendable (String) throws -> String)? = nil
    ) {
        self.publicURL = publicURL.hasSuffix("/") ? String(publicURL.dropLast()) : publicURL
        self.isSandbox = isSandbox
        self.offered = offered
        self.providers = providers
        self.assets = assets
        self.applePay = applePay
        self.googlePay = googlePay
        self.qr = qr
    }

    /// What can be paid with through a link, by the method's type, in the link's order: what the link allows, what may be
    /// offered, and what a provider can do for the amount's currency and the customer's country.
    /// - Parameter country: ISO 3166; `nil` where it is not known.
    package func types(of methods: [LinkMethod], _ currency: Currency, country: String?) -> [String] {
        methods.filter(offered.contains).flatMap { method -> [String] in
            switch method {
            // These two ask for an account or an address, and the page has no form for them.
            case .sepaDebit, .afterpayClearpay: []
            // Numbers are taken by the sandbox only; other providers have cards entered on their own form.
            case .card: providers.capabilities(of: "sandbox") == nil ? [] : [method.rawValue]
            case .applePay where applePay == nil: []
            case .googlePay where googlePay == nil: []
            case .crypto: assets.map(\.type)
            default: [method.rawValue]
            }
        }.filter { type in
            providers.first(
                that: ProviderCapabilities.Wish(type: type, currency: currency.code, country: country)) != nil
        }
    }

    /// The address of a link's page.
    package func address(of code: LinkCode) -> String { "\(publicURL)/pay/\(code.text)" }
}
