import BillingCore

/// Checked routing rules.
public struct RoutingRules: Sendable {
    let rules: [Rule]
    let order: RoutingOrder
    let maximumAttempts: Int
    let seed: UInt64

    /// Checks a document.
    /// - Parameters:
    ///   - document: The rules as written.
    ///   - providers: The providers there are. `nil` for rules that were checked when they were written: they may name
    ///     one that has gone since, which is no candidate any more, and everything else that they say still counts.
    /// - Throws: ``RoutingFaults`` with every fault.
    public init(_ document: RoutingDocument, providers: Set<String>?) throws(RoutingFaults) {
        var check = RoutingCheck(providers: providers)
        rules = check.rules(document.rules)
        check.order(document.order, at: "order")
        check.attempts(document.maximumAttempts)
        guard check.faults.isEmpty else { throw RoutingFaults(faults: check.faults) }
        order = document.order
        maximumAttempts = document.maximumAttempts
        seed = document.seed
    }

    struct Rule: Sendable {
        let name: String
        let when: Condition
        let then: Effect
    }

    enum Effect: Sendable {
        case only(Set<String>)
        case exclude(Set<String>)
        case order(RoutingOrder)
    }

    struct Condition: Sendable {
        var methods: Set<String> = []
        var currencies: Set<Currency> = []
        var countries: Set<String> = []
        var brands: Set<String> = []
        var bins: [BINRange] = []
        var amounts: [(currency: Currency, range: ClosedRange<Int64>)] = []
        var groups: Set<String> = []

        /// Whether every list that is not empty has the payment's value.
        func holds(for request: RoutingRequest) -> Bool {
            guard currencies.isEmpty || currencies.contains(request.amount.currency) else { return false }
            guard methods.isEmpty || methods.contains(request.method) else { return false }
            guard countries.isEmpty || request.country.map(countries.contains) == true else { return false }
            guard brands.isEmpty || request.brand.map(brands.contains) == true else { return false }
            guard bins.isEmpty || request.bin.map({ bin in bins.contains { $0.contains(bin) } }) == true else {
                return false
            }
            guard groups.isEmpty || !groups.isDisjoint(with: request.groups) else { return false }
            return amounts.isEmpty
                || amounts.contains {
                    $0.currency == request.amount.currency && $0.range.contains(request.amount.minor)
                }
        }
    }
}

/// What is wrong with a document: everything at once.
public struct RoutingFaults: Error, Sendable, Hashable {
    /// One fault.
    public struct Fault: Sendable, Hashable {
        /// Where: `rules[2].when.bins[0]`.
        public let path: String
        /// What.
        public let reason: String
    }

    /// In the order of the document; at least one.
    public let faults: [Fault]
}
