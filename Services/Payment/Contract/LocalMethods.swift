import BillingCore
import PaymentDomain

/// Methods beside cards as their schemes have them, whichever provider carries them out: currencies, countries, limits, and
/// what the scheme must be told of who pays.
extension ProviderCapabilities.Method {
    /// A debit of a bank account in euros, entered on the provider's own form.
    package static let sepaDebit = Self(
        type: "sepa_debit", currencies: ["EUR"], countries: sepaCountries, separateCapture: false,
        partialCapture: false, multipleCapture: false, partialRefund: true, offSession: true, tokenOnly: true)
    /// A transfer from a Dutch bank's page.
    package static let ideal = page("ideal", ["NL": "EUR"], separateCapture: false)
    /// A lender that wants the country.
    package static let klarna = page("klarna", klarnaCurrencies, payer: [.country], separateCapture: true)
    /// A lender that wants name, e-mail and address.
    package static let afterpay = page(
        "afterpay_clearpay", ["AU": "AUD", "CA": "CAD", "GB": "GBP", "NZ": "NZD", "US": "USD"],
        amounts: afterpayAmounts, payer: PayerDetail.allCases, separateCapture: true)
    /// A lender in North America.
    package static let affirm = page(
        "affirm", ["CA": "CAD", "US": "USD"], amounts: affirmAmounts, separateCapture: true)

    /// PayPal's wallet: its 24 currencies; an authorization can be captured in up to ten parts (Payments v2,
    /// `MAX_CAPTURE_COUNT_EXCEEDED`).
    /// - Parameter offSession: Whether it can be kept there, and charged without the customer.
    package static func payPal(offSession: Bool) -> Self {
        Self(
            type: "paypal", currencies: Set(PayPalAmount.currencies.map(\.code)), separateCapture: true,
            partialCapture: true, multipleCapture: true, partialRefund: true, offSession: offSession)
    }

    /// Venmo's wallet, of PayPal's: for customers in the United States, in dollars. That an authorization can be captured in
    /// several parts is known of PayPal's own wallet only.
    /// - Parameter offSession: Whether it can be kept there, and charged without the customer.
    package static func venmo(offSession: Bool) -> Self {
        Self(
            type: "venmo", currencies: ["USD"], countries: ["US"], separateCapture: true, partialCapture: true,
            multipleCapture: false, partialRefund: true, offSession: offSession)
    }

    /// A method on a page of its own, which cannot be charged again without the customer.
    /// - Parameter local: The countries it is for, each with the currency that its customers pay in.
    private static func page(
        _ type: String, _ local: [String: String], amounts: [String: ClosedRange<Int64>] = [:],
        payer: [PayerDetail] = [], separateCapture: Bool
    ) -> Self {
        Self(
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
