/// What a provider can do.
package struct ProviderCapabilities: Sendable {
    /// One kind of payment method.
    package struct Method: Sendable {
        /// `card`, `sepa_debit`, `klarna`.
        package let type: String
        /// The currencies it takes; `nil` for all that the provider takes.
        package let currencies: Set<String>?
        /// ISO 3166 countries of the customer; `nil` for all.
        package let countries: Set<String>?
        /// Whether authorization and capture may be apart.
        package let separateCapture: Bool
        /// Whether less than the authorized amount may be captured.
        package let partialCapture: Bool
        /// Whether an authorization may be captured in several parts.
        package let multipleCapture: Bool
        /// Whether a part of a charge can be refunded.
        package let partialRefund: Bool
        /// Whether it can be charged without the customer.
        package let offSession: Bool

        package init(
            type: String, currencies: Set<String>? = nil, countries: Set<String>? = nil, separateCapture: Bool,
            partialCapture: Bool, multipleCapture: Bool, partialRefund: Bool, offSession: Bool
        ) {
            self.type = type
            self.currencies = currencies
            self.countries = countries
            self.separateCapture = separateCapture
            self.partialCapture = partialCapture
            self.multipleCapture = multipleCapture
            self.partialRefund = partialRefund
            self.offSession = offSession
        }
    }

    package let methods: [Method]
    /// The currencies the provider takes at all.
    package let currencies: Set<String>

    package init(methods: [Method], currencies: Set<String>) {
        self.methods = methods
        self.currencies = currencies
    }
}
