import BillingCore
package import JSON
package import PaymentDomain

/// What was decided and why, as it is stored with an attempt and told to people.
package struct RoutingDecisionResource: JSONOutput {
    let version: Int64
    let decision: RoutingDecision

    package init(version: Int64, decision: RoutingDecision) {
        self.version = version
        self.decision = decision
    }

    package func write(to o: inout ObjectWriter) {
        o.field("version", version, doc: "Of the routing rules; 0 for a draft, and where there are none")
        o.field("cascade", decision.cascade, doc: "Providers in the order in which they are tried")
        o.field(
            "ordered_by", decision.orderedBy,
            doc: "The rule that set the order, or that there are no rules; null for the document's own order")
        o.field("candidates", decision.explanations.map(RoutingCandidateResource.init))
    }

    package static var sample: Self {
        Self(
            version: 3,
            decision: RoutingDecision(cascade: ["sandbox_b"], explanations: [.sample], orderedBy: nil))
    }
}

/// What became of one provider.
struct RoutingCandidateResource: JSONOutput {
    let explanation: RoutingExplanation

    func write(to o: inout ObjectWriter) {
        o.field("provider", explanation.provider)
        o.field("verdict", explanation.verdict.word, doc: "chosen, spare, filtered, lacks, circuit_open or down")
        o.field("place", explanation.verdict.place, doc: "1 is tried first")
        o.field("reason", explanation.verdict.sentence, doc: "For people")
    }

    static var sample: Self { Self(explanation: .sample) }
}

extension RoutingExplanation {
    static var sample: RoutingExplanation {
        RoutingExplanation(provider: "sandbox_b", verdict: .chosen(place: 1, .listed(1)))
    }
}

extension RoutingVerdict {
    var word: String {
        switch self {
        case .chosen: "chosen"
        case .spare: "spare"
        case .filtered: "filtered"
        case .lacks: "lacks"
        case .circuitOpen: "circuit_open"
        case .down: "down"
        }
    }

    var place: Int? {
        switch self {
        case .chosen(let place, _), .spare(let place, _): place
        default: nil
        }
    }

    var sentence: String {
        switch self {
        case .chosen(_, let basis): basis.sentence
        case .spare(_, let basis): "not tried, as many others come before: \(basis.sentence)"
        case .filtered(let rule): "taken out by the rule “\(rule)”"
        case .lacks(.method): "does not take the method"
        case .lacks(.currency): "does not take the method in the currency"
        case .lacks(.country): "does not take the method from the country"
        case .lacks(.amount): "does not take such an amount"
        case .lacks(.offSession): "cannot charge the method without the customer"
        case .circuitOpen(let until?): "its circuit is open until \(until.rfc3339)"
        case .circuitOpen(nil): "its circuit is being probed"
        case .down: "taken out by an operator"
        }
    }
}

extension RoutingBasis {
    var sentence: String {
        switch self {
        case .listed(let place?): "listed at place \(place)"
        case .listed(nil): "not listed"
        case .split(let weight, let sum): "drawn with weight \(weight) of \(sum)"
        case .cost(let cost?): "costs \(cost.text) minor units"
        case .cost(nil): "its cost is not known"
        case .success(let counts, false): "\(counts.succeeded) of \(counts.tried) went through in the segment"
        case .success(let counts, true): "tried out, with \(counts.succeeded) of \(counts.tried) through so far"
        }
    }
}

extension FeeCost {
    /// Exact, in minor units.
    var text: String {
        do throws(MoneyError) { return try ExactDecimal(coefficient: billionths, scale: 9).description } catch {
            return "\(billionths)/1000000000"
        }
    }
}
