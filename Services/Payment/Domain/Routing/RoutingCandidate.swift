public import BillingCore

/// A provider as routing sees it at one moment.
public struct RoutingCandidate: Sendable {
    /// Its name: `stripe`.
    public let provider: String
    /// The kinds of methods it takes, one entry each.
    public let methods: [MethodFacts]
    /// Whether it never charges an amount, whatever the method: one that it cannot express, or that is below its least.
    public let refuses: @Sendable (Money) -> Bool
    /// What it charges; `nil` where nobody wrote it down: least cost puts it last.
    public let fees: FeeModel?
    /// An operator or a health check took it out.
    public let isDown: Bool
    /// What its circuit breaker says now.
    public let circuit: CircuitBreaker.Admission
    /// How payments of the request's segment ended there lately.
    public let success: SuccessCounts

    /// Gathers the facts.
    public init(
        provider: String, methods: [MethodFacts], refuses: @escaping @Sendable (Money) -> Bool = { _ in false },
        fees: FeeModel? = nil, isDown: Bool = false, circuit: CircuitBreaker.Admission = .allowed,
        success: SuccessCounts = SuccessCounts()
    ) {
        self.provider = provider
        self.methods = methods
        self.refuses = refuses
        self.fees = fees
        self.isDown = isDown
        self.circuit = circuit
        self.success = success
    }

    /// What keeps it from taking a payment; `nil` when nothing does.
    func gap(for request: RoutingRequest) -> RoutingGap? {
        guard let facts = methods.first(where: { $0.type == request.method }) else { return .method }
        if let currencies = facts.currencies, !currencies.contains(request.amount.currency) { return .currency }
        if let countries = facts.countries, let country = request.country, !countries.contains(country) {
            return .country
        }
        if let local = request.country.flatMap({ facts.currencyOf[$0] }), local != request.amount.currency {
            return .currency
        }
        if let range = facts.amounts[request.amount.currency], !range.contains(request.amount.minor) { return .amount }
        if refuses(request.amount) { return .amount }
        if request.offSession, !facts.offSession { return .offSession }
        return nil
    }
}

/// What a provider cannot do for a payment.
public enum RoutingGap: String, Sendable, CaseIterable {
    /// It does not take the method.
    case method
    /// It does not take the method in the currency.
    case currency
    /// It does not take the method from the country.
    case country
    /// The amount is below its least or above its most, or one that it never charges.
    case amount
    /// It cannot charge the method without the customer.
    case offSession = "off_session"
}

/// One kind of method at a provider.
public struct MethodFacts: Sendable, Hashable {
    /// `card`, `sepa_debit`.
    public let type: String
    /// The currencies it takes; `nil` for all.
    public let currencies: Set<Currency>?
    /// ISO 3166 countries of the customer; `nil` for all. A customer whose country is not known passes.
    public let countries: Set<String>?
    /// The only currency that customers of a country pay in, by country; one that is not here has none of its own.
    public let currencyOf: [String: Currency]
    /// The least and the most, in minor units, where there are such limits.
    public let amounts: [Currency: ClosedRange<Int64>]
    /// Whether it can be charged without the customer.
    public let offSession: Bool

    /// Gathers the facts.
    public init(
        type: String, currencies: Set<Currency>? = nil, countries: Set<String>? = nil,
        currencyOf: [String: Currency] = [:], amounts: [Currency: ClosedRange<Int64>] = [:], offSession: Bool = true
    ) {
        self.type = type
        self.currencies = currencies
        self.countries = countries
        self.currencyOf = currencyOf
        self.amounts = amounts
        self.offSession = offSession
    }
}

/// How many payments of a segment went through at a provider, in the span that the caller keeps.
public struct SuccessCounts: Sendable, Hashable {
    /// Payments that were authorized.
    public let succeeded: Int64
    /// All that got an answer, declines included, outages not.
    public let tried: Int64

    /// Makes counts; nonsense (below zero, more successes than tries) is cut down to what can be.
    public init(succeeded: Int64 = 0, tried: Int64 = 0) {
        self.tried = min(max(0, tried), 1 << 61)
        self.succeeded = min(max(0, succeeded), self.tried)
    }

    /// Both together.
    public func merging(_ other: SuccessCounts) -> SuccessCounts {
        SuccessCounts(succeeded: succeeded + other.succeeded, tried: tried + other.tried)
    }

    /// Whether the estimated rate is above another's. The estimate is (successes + 1) / (tries + 2), Laplace's rule of
    /// succession, so that one lucky payment does not beat a thousand; compared exactly.
    func isBetter(than other: SuccessCounts) -> Bool {
        Int128(succeeded + 1) * Int128(other.tried + 2) > Int128(other.succeeded + 1) * Int128(tried + 2)
    }
}
