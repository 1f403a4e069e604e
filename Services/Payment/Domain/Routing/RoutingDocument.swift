/// Routing rules as an operator writes them; ``RoutingRules`` checks them and makes them fast.
public struct RoutingDocument: Sendable, Hashable {
    /// Looked at in order.
    public var rules: [Rule]
    /// How candidates are ordered when no rule says so.
    public var order: RoutingOrder
    /// How many providers a payment is tried at, at most.
    public var maximumAttempts: Int
    /// Draws follow from it and the payment's id; another seed deals the payments anew.
    public var seed: UInt64

    /// Makes a document.
    public init(rules: [Rule] = [], order: RoutingOrder = .leastCost, maximumAttempts: Int = 3, seed: UInt64 = 0) {
        self.rules = rules
        self.order = order
        self.maximumAttempts = maximumAttempts
        self.seed = seed
    }

    /// One rule.
    public struct Rule: Sendable, Hashable {
        /// Explanations name it.
        public var name: String
        /// When it applies.
        public var when: Condition
        /// What it does then.
        public var then: Effect

        /// Makes a rule.
        public init(name: String, when: Condition = Condition(), then: Effect) {
            self.name = name
            self.when = when
            self.then = then
        }
    }

    /// What a rule does.
    public enum Effect: Sendable, Hashable {
        /// Only these providers remain.
        case only([String])
        /// These providers fall out.
        case exclude([String])
        /// Candidates are ordered so; the first rule that applies decides.
        case order(RoutingOrder)
    }

    /// When a rule applies: every list that is not empty must have the payment's value. A value that is not known is in
    /// no list.
    public struct Condition: Sendable, Hashable {
        /// `card`.
        public var methods: [String]
        /// ISO 4217 codes.
        public var currencies: [String]
        /// ISO 3166 alpha-2 codes.
        public var countries: [String]
        /// By the names of ``CardNumber/brand``.
        public var brands: [String]
        /// Prefixes (`411111`) and ranges (`400000-403999`), see ``BINRange``.
        public var bins: [String]
        /// Spans of amounts.
        public var amounts: [Amounts]
        /// One of the customer's groups must be here.
        public var groups: [String]

        /// Makes a condition; without lists it applies to every payment.
        public init(
            methods: [String] = [], currencies: [String] = [], countries: [String] = [], brands: [String] = [],
            bins: [String] = [], amounts: [Amounts] = [], groups: [String] = []
        ) {
            self.methods = methods
            self.currencies = currencies
            self.countries = countries
            self.brands = brands
            self.bins = bins
            self.amounts = amounts
            self.groups = groups
        }
    }

    /// Amounts in one currency.
    public struct Amounts: Sendable, Hashable {
        /// ISO 4217 code; amounts in others are outside.
        public var currency: String
        /// The least, in minor units; `nil` for any.
        public var from: Int64?
        /// The most, in minor units, included; `nil` for any.
        public var to: Int64?

        /// Makes a span.
        public init(currency: String, from: Int64? = nil, to: Int64? = nil) {
            self.currency = currency
            self.from = from
            self.to = to
        }
    }
}

/// How candidates that remain are ordered. Providers that an order does not name come last, by name.
public enum RoutingOrder: Sendable, Hashable {
    /// As listed.
    case listed([String])
    /// Each is first for its share of payments; by the payment's id, so the same payment always gets the same.
    case volumeSplit([VolumeShare])
    /// The cheapest first, exactly.
    case leastCost
    /// The one with the best success rate in the segment first; each other is first for this many 10,000ths of
    /// payments, so that its rate stays known. A floor above an equal share is cut to it.
    case successRate(floor: Int64)
}

/// A provider's share of payments.
public struct VolumeShare: Sendable, Hashable {
    /// The provider.
    public let provider: String
    /// Its weight beside the others; zero for one that is only fallen back to.
    public let weight: Int64

    /// Makes a share.
    public init(provider: String, weight: Int64) {
        self.provider = provider
        self.weight = weight
    }
}
