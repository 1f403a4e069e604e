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
                Method(
                    type: "sepa_debit", currencies: ["EUR"], countries: sepaCountries, separateCapture: false,
                    partialCapture: false, multipleCapture: false, partialRefund: true, offSession: true,
                    tokenOnly: true),
                redirect("ideal", ["NL": "EUR"], separateCapture: false),
                redirect("klarna", klarnaCurrencies, payer: [.country], separateCapture: true),
                redirect(
                    "afterpay_clearpay", ["AU": "AUD", "CA": "CAD", "GB": "GBP", "NZ": "NZD", "US": "USD"],
                    amounts: afterpayAmounts, payer: PayerDetail.allCases, separateCapture: true),
                redirect("affirm", ["CA": "CAD", "US": "USD"], amounts: affirmAmounts, separateCapture: true),
            ],
            currencies: Set(StripeAmount.currencies.map(\.code)),
            // An exemption goes with an authentication only, as what its issuer has agreed to; without one Stripe claims
            // what it sees fit (docs.stripe.com/payments/3d-secure/strong-customer-authentication-exemptions).
            authentication: Authentication(exemptions: nil, takesProof: true),
            refusal: { amount in
                do throws(UnitRefusal) { _ = try StripeAmount.units(of: amount) } catch { return error }
                return nil
            })
    }

    /// A card, or what a wallet gave in its place for Stripe, which is a card there.
    private static func card(_ type: String, _ multipleCapture: Bool) -> Method {
        Method(
            type: type, separateCapture: true, partialCapture: true, multipleCapture: multipleCapture,
            partialRefund: true, offSession: true, tokenOnly: true)
    }

    /// A method on a page of its own, which cannot be charged again without the customer.
    /// - Parameter local: The countries it is for, each with the currency that its customers pay in.
    private static func redirect(
        _ type: String, _ local: [String: String], amounts: [String: ClosedRange<Int64>] = [:],
        payer: [PayerDetail] = [], separateCapture: Bool
    ) -> Method {
        Method(
            type: type, currencies: Set(local.values), countries: Set(local.keys), currencyOf: local, amounts: amounts,
            payer: payer, separateCapture: separateCapture, partialCapture: separateCapture, multipleCapture: false,
            partialRefund: true, offSession: false)
    }

    /// The countries of the SEPA schemes that Stripe takes accounts of: European Economic Area, Switzerland, the United
    /// Kingdom and the small states (EPC409-09).
    private static let sepaCountries: Set<String> = [
        "AD", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GI", "GR", "HR", "HU",
        "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK", "SM",
        "VA",
    ]
    /// docs.stripe.com/payments/afterpay-clearpay, transaction limits.
    private static let afterpayAmounts: [String: ClosedRange<Int64>] = [
        "AUD": 100...200_000, "CAD": 100...200_000, "GBP": 100...120_000, "NZD": 100...200_000, "USD": 100...400_000,
    ]
    /// docs.stripe.com/payments/affirm, transaction limits.
    private static let affirmAmounts: [String: ClosedRange<Int64>] = [
        "CAD": 5_000...3_000_000, "USD": 5_000...3_000_000,
    ]
    /// Stripe's customer locations (docs.stripe.com/payments/klarna), each with its local currency, the only one that
    /// Klarna takes there (docs.klarna.com/klarna-payments, purchase countries and currencies).
    private static let klarnaCurrencies: [String: String] = [
        "AT": "EUR", "AU": "AUD", "BE": "EUR", "CA": "CAD", "CH": "CHF", "CZ": "CZK", "DE": "EUR", "DK": "DKK",
        "ES": "EUR", "FI": "EUR", "FR": "EUR", "GB": "GBP", "GR": "EUR", "IE": "EUR", "IT": "EUR", "NL": "EUR",
        "NO": "NOK", "NZ": "NZD", "PL": "PLN", "PT": "EUR", "RO": "RON", "SE": "SEK", "US": "USD",
    ]
}
