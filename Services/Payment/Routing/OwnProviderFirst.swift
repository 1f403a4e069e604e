import PaymentDomain

/// What is gone by where there are no rules: a method's own provider first, then the others that keep it, by name.
enum OwnProviderFirst {
    /// What explanations name it by.
    static let name = "no rules: the method's own provider first"

    /// - Parameters:
    ///   - own: The method's provider.
    ///   - names: Every provider that keeps the method.
    /// - Returns: `nil` where no other keeps it: there is nothing to decide.
    static func rules(from own: String, among names: Set<String>) -> RoutingRules? {
        let others: [String] = names.subtracting([own]).sorted()
        guard !others.isEmpty else { return nil }
        let first = RoutingDocument.Rule(name: name, then: .order(.listed([own] + others)))
        do { return try RoutingRules(RoutingDocument(rules: [first]), providers: nil) } catch {
            preconditionFailure("a list of different names has no faults: \(error)")
        }
    }

    /// The order that an attempt which was asked of the method's own provider goes on in.
    /// - Parameters:
    ///   - asked: That provider. How it is by now does not count: it has had its turn.
    ///   - names: Every provider that keeps the method.
    ///   - down: Those that an operator took out.
    /// - Returns: `nil` where no other keeps it.
    static func decision(
        on request: RoutingRequest, asked: String, among names: Set<String>, down: Set<String>, in book: RoutingBook
    ) -> RoutingDecision? {
        let candidates: [RoutingCandidate] = book.candidates(for: request, among: names, down: down)
        return rules(from: asked, among: names)?
            .decide(request, among: candidates.map { $0.provider == asked ? $0.asked : $0 })
    }
}

extension RoutingCandidate {
    /// As it was when it was asked.
    fileprivate var asked: RoutingCandidate {
        RoutingCandidate(provider: provider, methods: methods, refuses: refuses, fees: fees, success: success)
    }
}
