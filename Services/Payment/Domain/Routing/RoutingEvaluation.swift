import BillingCore

extension RoutingRules {
    /// Decides where a payment goes.
    ///
    /// Candidates fall out by what they cannot do, by health, by circuit and by rules, in this order; the rest is
    /// ordered by the first rule that orders, or by the document. The same input always gives the same decision.
    /// - Parameter candidates: Providers, each once.
    public func decide(_ request: RoutingRequest, among candidates: [RoutingCandidate]) -> RoutingDecision {
        var verdicts: [RoutingVerdict?] = candidates.map { Self.obstacle($0, for: request) }
        var order: RoutingOrder = self.order
        var orderedBy: String?
        for rule in rules where rule.when.holds(for: request) {
            switch rule.then {
            case .only(let names):
                for (index, candidate) in candidates.enumerated()
                where verdicts[index] == nil && !names.contains(candidate.provider) {
                    verdicts[index] = .filtered(rule: rule.name)
                }
            case .exclude(let names):
                for (index, candidate) in candidates.enumerated()
                where verdicts[index] == nil && names.contains(candidate.provider) {
                    verdicts[index] = .filtered(rule: rule.name)
                }
            case .order(let wanted) where orderedBy == nil:
                order = wanted
                orderedBy = rule.name
            case .order: break
            }
        }
        let open: [Int] = candidates.indices.filter { verdicts[$0] == nil }
            .sorted { candidates[$0].provider < candidates[$1].provider }
        let ranked: [RankedCandidate] = order.ranked(open, of: candidates, for: request, seed: seed)
        for (place, next) in ranked.enumerated() {
            verdicts[next.index] =
                place < maximumAttempts
                ? .chosen(place: place + 1, next.basis) : .spare(place: place + 1, next.basis)
        }
        return RoutingDecision(
            cascade: ranked.prefix(maximumAttempts).map { candidates[$0.index].provider },
            explanations: zip(candidates, verdicts).compactMap { candidate, verdict in
                verdict.map { RoutingExplanation(provider: candidate.provider, verdict: $0) }
            },
            orderedBy: orderedBy)
    }

    private static func obstacle(_ candidate: RoutingCandidate, for request: RoutingRequest) -> RoutingVerdict? {
        if let gap = candidate.gap(for: request) { return .lacks(gap) }
        if candidate.isDown { return .down }
        if case .refused(let until) = candidate.circuit { return .circuitOpen(until: until) }
        return nil
    }
}
