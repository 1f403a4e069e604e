import PaymentContract
import BillingCore
import PaymentDomain

extension ProviderCapabilities {
    /// What Stripe can do, by its payment method pages (docs.stripe.com/payments/payment-methods).
    /// - Parameter multipleCapture: Whether the account may capture a card authorization in several parts.
    static func stripe(multipleCapture: Bool) -> ProviderCapabilities {
        ProviderCapabilities(
            methods: [
                card("card", multipleCapture), card("google_pay", multipleCapture), card("apple_pay", multipleCapture),
                .sepaDebit, .ideal, .klarna, .afterpay, .affirm,
            ],
            currencies: Set(StripeAmount.currencies.map(\.code)),
            // An exemption goes with an authentication only, as what its issuer has agreed to; without one Stripe claims
            // what it sees fit (docs.stripe.com/payments/3d-secure/strong-customer-authentication-exemptions).
            authentication: Authentication(exemptions: nil, takesProof: true),
            refusal: StripeAmount.refusal, refusalOfPart: { StripeAmount.refusal(of: $0, for: .part) })
    }

    /// A card, or what a wallet gave in its place for Stripe, which is a card there.
    private static func card(_ type: String, _ multipleCapture: Bool) -> Method {
        Method(
            type: type, separateCapture: true, partialCapture: true, multipleCapture: multipleCapture,
            partialRefund: true, offSession: true, tokenOnly: true)
    }
}
