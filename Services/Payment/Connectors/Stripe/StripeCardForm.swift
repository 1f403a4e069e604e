package import BillingCore
package import PaymentContract

extension StripeAdapter: ProviderCardForm {
    /// Stripe.js, which has to come from Stripe (docs.stripe.com/js/including), without its signals of who visits
    /// (docs.stripe.com/disputes/prevention/advanced-fraud-detection), and what it needs of a page
    /// (docs.stripe.com/security/guide, content security policy); and what Google is told so that its tokens are Stripe's
    /// (developers.google.com/pay/api/web/guides/tutorial, gateways).
    package var cardForm: CardForm? {
        configuration.publishableKey.map { key in
            CardForm(
                name: name, key: key, script: "https://js.stripe.com/v3/?advancedFraudSignals=false",
                scripts: ["https://*.js.stripe.com"],
                frames: ["https://*.js.stripe.com", "https://hooks.stripe.com"], asks: ["https://api.stripe.com"],
                googlePay: [
                    "gateway": "stripe", "stripe:version": StripeConfiguration.apiVersion,
                    "stripe:publishableKey": key,
                ])
        }
    }

    /// Reads the PaymentMethod that Stripe.js has made. It is attached to the customer by the charge that keeps it; one that is
    /// attached already is another's, or was given before.
    package func entered(_ token: String, for customer: CustomerID?) async throws(ProviderFault) -> EnteredCard? {
        guard case .card(let id)? = StripeToken(token), let fields = try await client.get("/v1/payment_methods/\(id)")
        else { return nil }
        guard try fields.id(of: "payment_method") == id else { throw fields.unusable("id", "is another") }
        guard try fields.text("type") == "card", try fields.optionalReference("customer") == nil else { return nil }
        let card: StripeFields = try fields.fields("card")
        let owner: String?
        if let customer { owner = try await createCustomer(customer) } else { owner = nil }
        return EnteredCard(
            token: token, customer: owner, card: try VaultedCard(card),
            fingerprint: try card.optionalText("fingerprint"))
    }

    /// Makes the PaymentMethod of the Token that Google's sheet gave, once under the token's name, and reads it as one of
    /// Stripe.js.
    package func entered(googlePay token: String) async throws(ProviderFault) -> EnteredCard? {
        guard token.hasPrefix("tok_"), isStripeID(token) else { return nil }
        return try await entered(try await cardMethod(of: token, key: "\(token):method"), for: nil)
    }
}

extension VaultedCard {
    /// Reads a PaymentMethod's card.
    init(_ card: StripeFields) throws(ProviderFault) {
        self.init(
            brand: try card.text("brand"), last4: try card.text("last4"),
            expMonth: Int(try card.integer("exp_month")), expYear: Int(try card.integer("exp_year")))
    }
}
