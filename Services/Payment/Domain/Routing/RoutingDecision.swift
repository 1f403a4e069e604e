public import BillingCore

/// Where a payment goes, and why.
public struct RoutingDecision: Sendable, Hashable {
    /// The providers to try, in order; empty when none can take it.
    public let cascade: [String]
    /// One for each candidate, in the order they were given.
    public let explanations: [RoutingExplanation]
    /// The rule that set the order; `nil` for the document's own.
    public let orderedBy: String?

    package init(cascade: [String], explanations: [RoutingExplanation], orderedBy: String?) {
        self.cascade = cascade
        self.explanations = explanations
        self.orderedBy = orderedBy
    }
}

/// What became of one candidate.
public struct RoutingExplanation: Sendable, Hashable {
    /// The provider.
    public let provider: String
    /// What became of it.
    public let verdict: RoutingVerdict

    package init(provider: String, verdict: RoutingVerdict) {
        self.provider = provider
        self.verdict = verdict
    }
}

/// What became of a candidate.
public enum RoutingVerdict: Sendable, Hashable {
    /// It is tried at this place, the first being 1.
    case chosen(place: Int, RoutingBasis)
    /// It could take the payment, and comes after as many as are tried.
    case spare(place: Int, RoutingBasis)
    /// This rule took it out.
    case filtered(rule: String)
    /// It cannot take such a payment.
    case lacks(RoutingGap)
    /// Its circuit is open until then; `nil` while probes are under way.
    case circuitOpen(until: Instant?)
    /// It was taken out by hand or by a health check.
    case down
}

/// What gave a candidate its place.
public enum RoutingBasis: Sendable, Hashable {
    /// The list, at this place; `nil` for one that is not listed.
    case listed(Int?)
    /// Its weight of the sum of weights.
    case split(weight: Int64, of: Int64)
    /// Its cost; `nil` where it is not known.
    case cost(FeeCost?)
    /// Its successes in the segment; `explored` when the floor put it first.
    case success(SuccessCounts, explored: Bool)
}
