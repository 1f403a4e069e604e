import BillingCore
import PaymentDomain

/// Shorthand for routing tests.
enum Given {
    static let providers: Set<String> = ["a", "b", "c", "d"]
    static let card = MethodFacts(type: "card")

    static func request(
        _ minor: Int64 = 5_000, _ currency: Currency = .eur, number: Int64 = 1, method: String = "card",
        country: String? = "DE", brand: String? = "visa", bin: String? = "424242", groups: Set<String> = [],
        offSession: Bool = false
    ) -> RoutingRequest {
        RoutingRequest(
            paymentID: PaymentID(unchecked: "pay_\(number)"), amount: Money(minor: minor, currency: currency),
            method: method, country: country, brand: brand, bin: bin.flatMap(BINRange.init), groups: groups,
            offSession: offSession)
    }

    static func candidate(
        _ provider: String, facts: MethodFacts = card, fees: FeeModel? = nil, isDown: Bool = false,
        circuit: CircuitBreaker.Admission = .allowed, success: SuccessCounts = SuccessCounts()
    ) -> RoutingCandidate {
        RoutingCandidate(
            provider: provider, methods: [facts], fees: fees, isDown: isDown, circuit: circuit, success: success)
    }

    static func candidates(_ names: String) -> [RoutingCandidate] { names.map { candidate(String($0)) } }

    static func rules(
        _ rules: [RoutingDocument.Rule] = [], order: RoutingOrder = .listed(["a", "b", "c", "d"]), attempts: Int = 3,
        seed: UInt64 = 0
    ) throws -> RoutingRules {
        try RoutingRules(
            RoutingDocument(rules: rules, order: order, maximumAttempts: attempts, seed: seed), providers: providers)
    }

    static func verdict(_ decision: RoutingDecision, _ provider: String) -> RoutingVerdict? {
        decision.explanations.first { $0.provider == provider }?.verdict
    }
}
