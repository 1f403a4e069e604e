package import BillingCore
package import PaymentDomain

/// What a provider may have to be told of who pays.
package enum PayerDetail: String, Sendable, CaseIterable {
    case name, email, country, line1, city
    case postalCode = "postal_code"
}

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
        /// The one currency that customers of a country pay in; those of a country that is not here pay in any of
        /// ``currencies``.
        package let currencyOf: [String: String]
        /// The smallest and the largest amount in minor units, by currency; a currency that is not here has no limits.
        package let amounts: [String: ClosedRange<Int64>]
        /// What the provider must be told of who pays.
        package let payer: [PayerDetail]
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
        /// Whether only a token of the provider's own form pays: there is no page to send the customer to.
        package let tokenOnly: Bool

        package init(
            type: String, currencies: Set<String>? = nil, countries: Set<String>? = nil,
            currencyOf: [String: String] = [:], amounts: [String: ClosedRange<Int64>] = [:],
            payer: [PayerDetail] = [], separateCapture: Bool, partialCapture: Bool, multipleCapture: Bool,
            partialRefund: Bool, offSession: Bool, tokenOnly: Bool = false
        ) {
            self.type = type
            self.currencies = currencies
            self.countries = countries
            self.currencyOf = currencyOf
            self.amounts = amounts
            self.payer = payer
            self.separateCapture = separateCapture
            self.partialCapture = partialCapture
            self.multipleCapture = multipleCapture
            self.partialRefund = partialRefund
            self.offSession = offSession
            self.tokenOnly = tokenOnly
        }

        /// The countries whose customers may pay with it in a currency, in order; `nil` for all.
        package func countries(payingIn currency: Currency) -> [String]? {
            countries?.filter { currencyOf[$0] ?? currency.code == currency.code }.sorted()
        }

        /// Whether the country of a stored method's customer counts: for whom it is, or what they pay in. A bank account
        /// that the provider has accepted pays from wherever its owner lives.
        package var isLocal: Bool { type != "sepa_debit" && (countries != nil || !currencyOf.isEmpty) }
    }

    /// What the charge of a card can tell of its customer's authentication. What it cannot tell is not claimed here.
    package struct Authentication: Sendable, Equatable {
        /// The exemptions it can name; `nil` where the provider decides by itself which ones it claims.
        package let exemptions: Set<SCAExemption>?
        /// Whether it can hand over an ``AuthenticationProof``.
        package let takesProof: Bool

        /// The provider sees to it alone.
        package static let ofProvider = Authentication(exemptions: nil, takesProof: false)

        package init(exemptions: Set<SCAExemption>?, takesProof: Bool) {
            self.exemptions = exemptions
            self.takesProof = takesProof
        }
    }

    package let methods: [Method]
    /// The currencies the provider takes at all.
    package let currencies: Set<String>
    /// What it can be told of customers' authentication.
    package let authentication: Authentication
    /// The wallets whose tokens it can charge when they were opened here: number, expiry and cryptogram.
    package let wallets: Set<Wallet>
    /// Why it never charges an amount of a currency that it takes, whatever the method and the customer: it is below the
    /// least or above the largest, or has last digits that the provider does not count.
    package let refusal: @Sendable (Money) -> UnitRefusal?
    /// Why it never captures or refunds an amount of a charge that it has made: no least binds these, but the last digits
    /// that the provider does not count.
    package let refusalOfPart: @Sendable (Money) -> UnitRefusal?

    package init(
        methods: [Method], currencies: Set<String>, authentication: Authentication = .ofProvider,
        wallets: Set<Wallet> = [], refusal: @escaping @Sendable (Money) -> UnitRefusal? = { _ in nil },
        refusalOfPart: @escaping @Sendable (Money) -> UnitRefusal? = { _ in nil }
    ) {
        self.methods = methods
        self.currencies = currencies
        self.authentication = authentication
        self.wallets = wallets
        self.refusal = refusal
        self.refusalOfPart = refusalOfPart
    }

    /// What it can do with a kind of method; `nil` for one that it does not take.
    package func method(_ type: String) -> Method? { methods.first { $0.type == type } }

    /// Whether all that a charge says of its customer's authentication reaches the bank.
    package func carries(_ request: ChargeRequest) -> Bool {
        if request.proof != nil, !authentication.takesProof { return false }
        guard case .exemption(let exemption)? = request.claim else { return true }
        return authentication.exemptions?.contains(exemption) ?? false
    }
}

extension ProviderCapabilities {
    /// What a payment asks of a provider, as far as it is known before the provider is asked.
    package struct Wish: Sendable, Equatable {
        /// The kind of payment method.
        package let type: String
        /// ISO 4217.
        package let currency: String
        /// In minor units; `nil` where it is not known.
        package let amount: Int64?
        /// ISO 3166 country of the customer; `nil` where it is not known.
        package let country: String?
        /// Whether authorization and capture are to be apart.
        package let separateCapture: Bool
        /// Whether the customer is away.
        package let offSession: Bool
        /// Whether the customer is to go to a page of the provider's.
        package let onPage: Bool

        package init(
            type: String, currency: String, amount: Int64? = nil, country: String? = nil,
            separateCapture: Bool = false, offSession: Bool = false, onPage: Bool = false
        ) {
            self.type = type
            self.currency = currency
            self.amount = amount
            self.country = country
            self.separateCapture = separateCapture
            self.offSession = offSession
            self.onPage = onPage
        }
    }

    /// Why a provider cannot do what is wanted.
    package enum Obstacle: String, Sendable, Equatable {
        case method = "unsupported_method"
        case currency = "unsupported_currency"
        case amount = "unsupported_amount"
        case country = "unsupported_country"
        case separateCapture = "unsupported_capture_method"
        case offSession = "unsupported_off_session"

        /// The field of a payment that the obstacle lies in.
        package var field: String {
            switch self {
            case .method: "payment_method_type"
            case .currency: "currency"
            case .amount: "amount"
            case .country: "payer.country"
            case .separateCapture: "capture_method"
            case .offSession: "off_session"
            }
        }
    }

    /// The first thing that stands in the way of a wish; `nil` when nothing does.
    package func obstacle(to wish: Wish) -> Obstacle? {
        guard let method: Method = self.method(wish.type), !wish.onPage || !method.tokenOnly else { return .method }
        guard currencies.contains(wish.currency), method.currencies?.contains(wish.currency) ?? true else {
            return .currency
        }
        if let amount: Int64 = wish.amount, !takes(amount, wish.currency, by: method) { return .amount }
        if let country: String = wish.country, let taken: Set<String> = method.countries, !taken.contains(country) {
            return .country
        }
        if let local: String = wish.country.flatMap({ method.currencyOf[$0] }), local != wish.currency {
            return .currency
        }
        if wish.separateCapture, !method.separateCapture { return .separateCapture }
        if wish.offSession, !method.offSession { return .offSession }
        return nil
    }

    private func takes(_ amount: Int64, _ currency: String, by method: Method) -> Bool {
        guard method.amounts[currency]?.contains(amount) ?? true else { return false }
        return Currency(currency).flatMap { refusal(Money(minor: amount, currency: $0)) } == nil
    }
}
