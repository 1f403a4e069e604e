public import BillingCore

/// What the question whether a payment needs strong customer authentication depends on.
public struct SCAPayment: Sendable, Hashable {
    /// Who sets the payment off, and how.
    public enum Initiation: Sendable, Hashable {
        /// The customer, online.
        case customer
        /// The merchant, under an agreement: whether the customer authenticated when making it, and the network's id of
        /// that first payment, which the issuer recognizes it by.
        case merchant(agreementAuthenticated: Bool, networkTransactionID: String?)
    }

    /// Its place in a series that the customer sets up.
    public enum Series: Sendable, Hashable {
        /// No series.
        case none
        /// It sets up or changes a series or an agreement, for later payments of either side.
        case setUp
        /// A later payment to the same payee: the amount the customer authenticated for it.
        case following(authenticated: Money)
    }

    /// Payments without authentication since the last one, all of them from the payer's means; the issuer keeps the
    /// count that decides, ours is a guess at it.
    public struct Counters: Sendable, Hashable {
        /// What they add up to, in the regime's currency.
        public let total: Money
        /// How many.
        public let payments: Int

        /// Makes counters.
        public init(total: Money, payments: Int) {
            self.total = total
            self.payments = payments
        }
    }

    /// A rate into a regime's currency, as the caller trusts it.
    public struct Rate: Sendable, Hashable {
        /// What one unit is bought for.
        public let from: Currency
        /// The currency of the regime.
        public let to: Currency
        /// Major units of `to` for one major unit of `from`; one that is not above zero is not used.
        public let rate: ExactDecimal

        /// Makes a rate.
        public init(from: Currency, to: Currency, rate: ExactDecimal) {
            self.from = from
            self.to = to
            self.rate = rate
        }
    }

    /// How much is asked for.
    public var amount: Money
    /// Of the card's issuer; `nil` where not known: taken to be in the merchant's region.
    public var customerCountry: String?
    /// Of the merchant's acquirer.
    public var merchantCountry: String
    /// Who sets it off.
    public var initiation: Initiation = .customer
    /// Its place in a series.
    public var series: Series = .none
    /// Between 0 and 1; `nil` when nobody assessed it: then there is no risk analysis to rely on.
    public var riskScore: ExactDecimal?
    /// Payments since the last authentication; `nil` when not known: then low value is not claimed.
    public var counters: Counters?
    /// The acquirer's overall fraud rate over 90 days in basis points; `nil` when not known.
    public var acquirerFraudRate: ExactDecimal?
    /// The payer has put the merchant on the issuer's list.
    public var isTrustedBeneficiary = false
    /// Rates into the regimes' currencies; without the one needed no threshold is claimed to be kept.
    public var rates: [Rate] = []

    /// A payment that the customer sets off, with nothing else known.
    public init(amount: Money, customerCountry: String?, merchantCountry: String) {
        self.amount = amount
        self.customerCountry = customerCountry
        self.merchantCountry = merchantCountry
    }
}
