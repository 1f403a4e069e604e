package import PaymentContract
import BillingCore
package import PaymentDomain

/// What PayPal can do through this connector.
///
/// Source: PayPal's REST currency codes (24 currencies); authorizations can be captured in up to ten parts (Payments
/// v2, `MAX_CAPTURE_COUNT_EXCEEDED`). Cards are listed without captures in several parts, which is known of PayPal's own
/// wallet only. `venmo` and `card` as stored methods are named by a prefix of the token, see `PayPalSource`.
package enum PayPalCapabilities {
    /// The capability matrix.
    /// - Parameter wallets: Whose opened tokens the account may be charged with.
    package static func all(wallets: Set<Wallet> = []) -> ProviderCapabilities {
        ProviderCapabilities(
            methods: methods, currencies: Set(PayPalAmount.currencies.map(\.code)), wallets: wallets,
            refusal: PayPalAmount.refusal, refusalOfPart: PayPalAmount.refusal)
    }

    private static let methods: [ProviderCapabilities.Method] = [
        .payPal(offSession: true), .venmo(offSession: true),
        ProviderCapabilities.Method(
            type: "card", separateCapture: true, partialCapture: true, multipleCapture: false,
            partialRefund: true, offSession: true, tokenOnly: true),
    ]
}
