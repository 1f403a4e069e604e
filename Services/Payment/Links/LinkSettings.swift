package import BillingCore
package import PaymentContract
import PaymentDomain
package import PaymentInstalments
package import Postgres

/// What links and their pages are configured with.
package struct LinkSettings: Sendable {
    /// A crypto asset as a way to pay.
    package struct Asset: Sendable {
        /// The provider's name, which is the method's type, too.
        package let type: String
        /// `BTC`, `USDC`.
        package let symbol: String
        /// Digits after the point.
        package let decimals: Int
        /// Whether it has a rate in a currency now, so that a price can be quoted.
        let isPriced: IsPriced

        /// Asks for that.
        package typealias IsPriced =
            @Sendable (Currency, _ now: Instant, borrowing PostgresTransaction) throws -> Bool

        package init(type: String, symbol: String, decimals: Int, isPriced: @escaping IsPriced) {
            self.type = type
            self.symbol = symbol
            self.decimals = decimals
            self.isPriced = isPriced
        }
    }

    /// Whether coins that have come for a payment, or are on their way, have neither paid it nor gone back.
    package typealias HasCoins = @Sendable (PaymentID, borrowing PostgresTransaction) throws -> Bool

    /// Scheme, host and port customers reach the pages under, without a slash at their end.
    package let publicURL: String
    /// Whether return addresses may lead to this machine, without TLS.
    package let isSandbox: Bool
    /// The ways to pay that pages may offer, as far as a provider can carry them out.
    package let offered: [LinkMethod]
    /// Who carries them out.
    package let providers: PaymentProviders
    /// What `crypto` stands for.
    package let assets: [Asset]
    /// `nil`: no coins are taken.
    let hasCoins: HasCoins?
    /// `nil`: no page offers a wallet.
    package let wallets: LinkWallets?
    /// Who collects by bank debit; `nil`: no page offers one.
    package let creditor: LinkCreditor?
    /// The terms under which pages offer own instalments.
    package let instalments: InstalmentSettings?
    /// Apple's proof that the pages' domain is ours; `nil`: none is served.
    package let appleAssociation: [UInt8]?
    /// The QR image of a text as SVG; without it links have no image.
    package let qr: (@Sendable (String) throws -> String)?

    package init(
        publicURL: String, isSandbox: Bool, offered: [LinkMethod], providers: PaymentProviders,
        assets: [Asset] = [], hasCoins: HasCoins? = nil, wallets: LinkWallets? = nil, creditor: LinkCreditor? = nil,
        instalments: InstalmentSettings? = nil, appleAssociation: [UInt8]? = nil,
        qr: (@Sendable (String) throws -> String)? = nil
    ) {
        self.publicURL = publicURL
        self.isSandbox = isSandbox
        self.offered = offered
        self.providers = providers
        self.assets = assets
        self.hasCoins = hasCoins
        self.wallets = wallets
        self.creditor = creditor
        self.instalments = instalments
        self.appleAssociation = appleAssociation
        self.qr = qr
    }

    /// What can be paid with through a link, in the link's order: what the link allows, what may be offered, and what a
    /// provider can do for the amount and the customer's country.
    /// - Parameter country: ISO 3166; `nil` where it is not known.
    package func offers(of methods: [LinkMethod], _ amount: Money, country: String?) -> [LinkOffer] {
        methods.filter(offered.contains).flatMap { method -> [LinkOffer] in
            switch method {
            case .sepaDebit:
                creditor == nil || !takesAccounts(amount, country) ? [] : [LinkOffer(type: method.rawValue)]
            case .card: takesCards(amount, country) ? [LinkOffer(type: method.rawValue)] : []
            case .applePay:
                wallets?.apple != nil && takes(.applePay, amount, country) ? [LinkOffer(type: method.rawValue)] : []
            case .googlePay:
                googlePay(amount, country: country) == nil ? [] : [LinkOffer(type: method.rawValue)]
            case .instalments:
                methods.contains(.card) && takesInstalments(amount) && takesCards(amount, country)
                    ? [LinkOffer(type: method.rawValue)] : []
            case .crypto: assets.compactMap { offer(of: $0.type, amount, country) }
            default: offer(of: method.rawValue, amount, country).map { [$0] } ?? []
            }
        }
    }

    /// What a link's page offers now: of that, no coin without a rate.
    package func offers(
        on link: LinkRecord, country: String?, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [LinkOffer] {
        try offers(of: link.methods, link.amount, country: country).filter { offer in
            try assets.first { $0.type == offer.type }?.isPriced(link.amount.currency, now, db) ?? true
        }
    }

    /// Whether somebody charges the wallet's card once it was opened here.
    private func takes(_ wallet: Wallet, _ amount: Money, _ country: String?) -> Bool {
        let wish = Self.wish(LinkMethod.card.rawValue, amount, country)
        return providers.opening(wallet).contains { $0.capabilities.obstacle(to: wish) == nil }
    }

    /// Google Pay on a page: with tokens that are opened here where somebody charges those, else with those of a provider that
    /// is a gateway of Google's; `nil`: not at all. Google takes prices of two decimals at most.
    package func googlePay(_ amount: Money, country: String?) -> LinkWallets.GooglePay? {
        guard Self.hasTwoDecimals(amount) else { return nil }
        if opensGooglePay(amount, country) { return wallets?.google }
        guard let merchant = wallets?.googleMerchant,
            let parameters: [String: String] = googleGateway(amount, country: country)?.cardForm?.googlePay
        else { return nil }
        return LinkWallets.GooglePay(
            merchantID: merchant.id, recipient: .provider(parameters), isTest: merchant.isTest)
    }

    /// Who takes Google Pay's tokens of a page as their gateway; `nil`: nobody, or they are opened here.
    package func googleGateway(_ amount: Money, country: String?) -> (any ProviderCardForm)? {
        guard wallets?.googleMerchant != nil, Self.hasTwoDecimals(amount), !opensGooglePay(amount, country) else {
            return nil
        }
        return providers.googleGateway(for: Self.wish(LinkMethod.googlePay.rawValue, amount, country))
    }

    /// Whether nothing but zeros stands after an amount's second decimal: 4.500 KWD, but not 4.505.
    private static func hasTwoDecimals(_ amount: Money) -> Bool {
        let unit: Int64 = (2..<max(2, amount.currency.exponent)).reduce(1) { unit, _ in unit * 10 }
        return amount.minor.isMultiple(of: unit)
    }

    private func opensGooglePay(_ amount: Money, _ country: String?) -> Bool {
        wallets?.google != nil && takes(.googlePay, amount, country)
    }

    /// Numbers are taken by the sandbox only; other providers have cards entered on their own form.
    private func takesCards(_ amount: Money, _ country: String?) -> Bool {
        let wish = Self.wish(LinkMethod.card.rawValue, amount, country)
        return cardForm(amount, country: country) != nil
            || providers.capabilities(of: "sandbox").map { $0.obstacle(to: wish) == nil } ?? false
    }

    /// Whose form pages have cards entered on; `nil`: their own, for the sandbox's cards.
    package func cardForm(_ amount: Money, country: String?) -> (any ProviderCardForm)? {
        providers.cardForm(for: Self.wish(LinkMethod.card.rawValue, amount, country))
    }

    private func takesInstalments(_ amount: Money) -> Bool {
        instalments?.products.contains { $0.takesAtOnce(of: amount) } ?? false
    }

    private func takesAccounts(_ amount: Money, _ country: String?) -> Bool {
        let provider = providers.first(that: Self.wish(LinkMethod.sepaDebit.rawValue, amount, country))
        return provider.flatMap { providers.bankAccounts($0.name) } != nil
    }

    private func offer(of type: String, _ amount: Money, _ country: String?) -> LinkOffer? {
        guard let provider = providers.first(that: Self.wish(type, amount, country)),
            let method = provider.capabilities.methods.first(where: { $0.type == type })
        else { return nil }
        return LinkOffer(type: type, payer: method.payer, countries: method.countries(payingIn: amount.currency))
    }

    /// What a payment of a link asks of a provider.
    package static func wish(_ type: String, _ amount: Money, _ country: String?) -> ProviderCapabilities.Wish {
        ProviderCapabilities.Wish(
            type: type, currency: amount.currency.code, amount: amount.minor, country: country)
    }

    /// The host customers reach the pages under, without its port.
    var publicHost: String {
        let authority: Substring = publicURL.split(separator: "/").last ?? ""
        return String(authority.prefix { $0 != ":" })
    }

    /// The address of a link's page.
    package func address(of code: LinkCode) -> String { "\(publicURL)/pay/\(code.text)" }

    /// Where a provider leads back to whoever paid there, maybe in another tab or browser: the page, and which payment it is
    /// to show. The payment's id lets nobody do more than see how it stands; the provider knows it anyway.
    package func returnAddress(of code: LinkCode, from payment: PaymentID) -> String {
        "\(address(of: code))?payment_id=\(payment.rawValue)"
    }
}
