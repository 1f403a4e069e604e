package import BillingCore

/// A provider's form for cards, as a part of our pages: its script and its fields come from the provider, who alone sees the
/// number, and what comes here is a token.
package struct CardForm: Sendable, Equatable {
    /// Which of the forms that pages know: `stripe`.
    package let name: String
    /// What the script tells the provider whose account this is by; anybody may see it.
    package let key: String
    /// The address of the script.
    package let script: String
    /// Origins that the script loads parts of itself from, beside its own.
    package let scripts: [String]
    /// Origins that the script's fields are framed from, beside its own.
    package let frames: [String]
    /// Origins that the script asks.
    package let asks: [String]
    /// What Google is told, as the parameters of `PAYMENT_GATEWAY`, so that Google Pay's token is made for the provider; `nil`
    /// where the provider is no gateway of Google's.
    package let googlePay: [String: String]?

    package init(
        name: String, key: String, script: String, scripts: [String], frames: [String], asks: [String],
        googlePay: [String: String]? = nil
    ) {
        self.name = name
        self.key = key
        self.script = script
        self.scripts = scripts
        self.frames = frames
        self.asks = asks
        self.googlePay = googlePay
    }
}

/// A card that was entered on a provider's form.
package struct EnteredCard: Sendable, Equatable {
    /// What charges name it by.
    package let token: String
    /// The provider's name of the customer it may be kept for; `nil` where it pays once.
    package let customer: String?
    package let card: VaultedCard
    /// The same for the same number within the provider's account.
    package let fingerprint: String?

    package init(token: String, customer: String?, card: VaultedCard, fingerprint: String?) {
        self.token = token
        self.customer = customer
        self.card = card
        self.fingerprint = fingerprint
    }
}

/// A provider whose form takes cards inside of our pages.
package protocol ProviderCardForm: ProviderVault {
    /// `nil` where it is not set up.
    var cardForm: CardForm? { get }
    /// The card that the form gave a token for, as a charge with the customer takes it; nothing is charged or kept by it.
    /// - Parameter customer: Made known to the provider, for a charge that keeps the card; `nil` for a card that pays once.
    /// - Returns: `nil` where the provider knows no such card, or it is somebody's already.
    func entered(_ token: String, for customer: CustomerID?) async throws(ProviderFault) -> EnteredCard?
    /// The card that a token of Google Pay's names, which was made for this provider, as a charge with the customer takes it
    /// once; nothing is charged by it. The same token gives the same card, as long as the provider remembers.
    /// - Returns: `nil` where the provider knows no such token.
    /// - Throws: ``ProviderFault``; `rejected` for a token that it does not take, or not any more.
    func entered(googlePay token: String) async throws(ProviderFault) -> EnteredCard?
}

extension PaymentProviders {
    /// The first provider with a form for cards that can do what is wanted; `nil` with none.
    package func cardForm(for wish: ProviderCapabilities.Wish) -> (any ProviderCardForm)? {
        beneath.lazy.compactMap { $0 as? any ProviderCardForm }.first { provider in
            provider.cardForm != nil && provider.capabilities.obstacle(to: wish) == nil
        }
    }

    /// The first provider that Google makes tokens for on pages and that can do what is wanted; `nil` with none.
    package func googleGateway(for wish: ProviderCapabilities.Wish) -> (any ProviderCardForm)? {
        beneath.lazy.compactMap { $0 as? any ProviderCardForm }.first { provider in
            provider.cardForm?.googlePay != nil && provider.capabilities.obstacle(to: wish) == nil
        }
    }
}
