package import JSON
package import PaymentDomain

/// The routing rules as they are read; what is written can be sent again as it is.
package struct RoutingDocumentResource: JSONOutput {
    let document: RoutingDocument

    package init(_ document: RoutingDocument) { self.document = document }

    package func write(to o: inout ObjectWriter) {
        o.field("rules", document.rules.map(RoutingRuleResource.init))
        o.field("order", RoutingOrderResource(order: document.order))
        o.field("maximum_attempts", document.maximumAttempts)
        o.field("seed", Int64(clamping: document.seed))
    }

    package static var sample: Self {
        Self(
            RoutingDocument(
                rules: [
                    RoutingDocument.Rule(
                        name: "euros go to b", when: RoutingDocument.Condition(currencies: ["EUR"]),
                        then: .only(["sandbox_b"]))
                ], order: .leastCost))
    }
}

struct RoutingRuleResource: JSONOutput {
    let rule: RoutingDocument.Rule

    func write(to o: inout ObjectWriter) {
        o.field("name", rule.name)
        o.field("when", RoutingConditionResource(condition: rule.when))
        var only: [String] = []
        var exclude: [String] = []
        var order: RoutingOrderResource?
        switch rule.then {
        case .only(let names): only = names
        case .exclude(let names): exclude = names
        case .order(let wanted): order = RoutingOrderResource(order: wanted)
        }
        o.field("only", only)
        o.field("exclude", exclude)
        o.field("order", order)
    }

    static var sample: Self { Self(rule: RoutingDocumentResource.sample.document.rules[0]) }
}

struct RoutingConditionResource: JSONOutput {
    let condition: RoutingDocument.Condition

    func write(to o: inout ObjectWriter) {
        o.field("methods", condition.methods)
        o.field("currencies", condition.currencies)
        o.field("countries", condition.countries)
        o.field("brands", condition.brands)
        o.field("bins", condition.bins)
        o.field("amounts", condition.amounts.map(RoutingAmountsResource.init))
        o.field("groups", condition.groups)
    }

    static var sample: Self { Self(condition: RoutingDocument.Condition(currencies: ["EUR"])) }
}

struct RoutingAmountsResource: JSONOutput {
    let amounts: RoutingDocument.Amounts

    func write(to o: inout ObjectWriter) {
        o.field("currency", amounts.currency)
        o.field("from", amounts.from)
        o.field("to", amounts.to)
    }

    static var sample: Self { Self(amounts: RoutingDocument.Amounts(currency: "EUR", from: 0, to: 10_000)) }
}

struct RoutingOrderResource: JSONOutput {
    let order: RoutingOrder

    func write(to o: inout ObjectWriter) {
        var basis: RoutingOrderInput.Basis = .leastCost
        var providers: [String] = []
        var shares: [VolumeShare] = []
        var floor: Int64?
        switch order {
        case .listed(let names): (basis, providers) = (.listed, names)
        case .volumeSplit(let split): (basis, shares) = (.volumeSplit, split)
        case .leastCost: break
        case .successRate(let least): (basis, floor) = (.successRate, least)
        }
        o.field("by", basis)
        o.field("providers", providers)
        o.field("shares", shares.map(VolumeShareResource.init))
        o.field("floor", floor)
    }

    static var sample: Self { Self(order: .leastCost) }
}

struct VolumeShareResource: JSONOutput {
    let share: VolumeShare

    func write(to o: inout ObjectWriter) {
        o.field("provider", share.provider)
        o.field("weight", share.weight)
    }

    static var sample: Self { Self(share: VolumeShare(provider: "sandbox_b", weight: 20)) }
}

/// One version of the routing rules.
struct RoutingVersionResource: JSONOutput {
    let version: RoutingVersion

    func write(to o: inout ObjectWriter) {
        o.field("object", "routing_document")
        o.field("version", version.number, doc: "0 when there has never been one")
        o.field(
            "document", version.document.map(RoutingDocumentResource.init),
            doc: "null: every payment goes to the provider of its method, and on to others that keep it")
        o.field(
            "fault", version.fault,
            doc: "Why no rule of the document counts; null where it does. A provider that has gone is no fault")
        o.field("created_at", version.number == 0 ? nil : version.createdAt)
        o.field("created_by", version.number == 0 ? nil : version.createdBy)
    }

    static var sample: Self {
        Self(
            version: RoutingVersion(
                number: 3, document: RoutingDocumentResource.sample.document, createdAt: .sample, createdBy: "key_1"))
    }
}
