package import JSON
package import PaymentDomain

/// The routing rules as an operator writes them, and as they are stored.
package struct RoutingDocumentInput: JSONInput {
    package let document: RoutingDocument

    package init(_ f: inout InputFields) {
        let rules: [RoutingRuleInput] =
            f.optionalList("rules", of: RoutingRuleInput.self, count: 0...200, doc: "Looked at in order") ?? []
        let order: RoutingOrderInput = f.object(
            "order", as: RoutingOrderInput.self, doc: "How providers are ordered where no rule says so")
        let attempts: Int64? = f.optionalInt(
            "maximum_attempts", range: 1...10, doc: "How many providers a payment is tried at; 3 when left out")
        let seed: Int64? = f.optionalInt(
            "seed", range: 0...Int64.max, doc: "Splits and exploration draw by it and the payment's id")
        document = RoutingDocument(
            rules: rules.map(\.rule), order: order.order, maximumAttempts: Int(attempts ?? 3),
            seed: UInt64(seed ?? 0))
    }
}

/// `PUT /v1/payments/routing`.
struct PutRoutingInput: JSONInput {
    let document: RoutingDocument
    let replaces: Int64?

    init(_ f: inout InputFields) {
        document = RoutingDocumentInput(&f).document
        replaces = f.optionalInt(
            "replaces", range: 0...Int64.max, doc: "The version you have seen; another one is a 409. 0 for none")
    }
}

/// One rule: a condition and exactly one effect.
struct RoutingRuleInput: JSONInput {
    let rule: RoutingDocument.Rule

    init(_ f: inout InputFields) {
        let name: String = f.string("name", min: 1, max: 64, doc: "Explanations name it")
        let when: RoutingConditionInput? = f.optionalObject(
            "when", as: RoutingConditionInput.self, doc: "When it applies; always when left out")
        let only: [String] = f.strings("only", count: 0...100, doc: "Only these providers remain")
        let exclude: [String] = f.strings("exclude", count: 0...100, doc: "These providers fall out")
        let order: RoutingOrderInput? = f.optionalObject(
            "order", as: RoutingOrderInput.self, doc: "How providers are ordered; the first rule that applies decides")
        let effects: [RoutingDocument.Effect] =
            (only.isEmpty ? [] : [.only(only)]) + (exclude.isEmpty ? [] : [.exclude(exclude)])
            + (order.map { [.order($0.order)] } ?? [])
        let isReadable: Bool = !["only", "exclude", "order"].contains { f.isFaulty($0) }
        if !f.isDescribing, isReadable, effects.count != 1 {
            f.refuse("", code: "one_effect", message: "must have exactly one of only, exclude and order")
        }
        rule = RoutingDocument.Rule(
            name: name, when: when?.condition ?? RoutingDocument.Condition(), then: effects.first ?? .only([]))
    }
}

/// When a rule applies: every list that is there must have the payment's value.
struct RoutingConditionInput: JSONInput {
    let condition: RoutingDocument.Condition

    init(_ f: inout InputFields) {
        condition = RoutingDocument.Condition(
            methods: f.strings("methods", doc: "card, sepa_debit"),
            currencies: f.strings("currencies", doc: "ISO 4217"),
            countries: f.strings("countries", doc: "ISO 3166 alpha-2, of the customer"),
            brands: f.strings("brands", doc: "visa, mastercard"),
            bins: f.strings("bins", doc: "Leading digits (411111) and ranges (400000-403999)"),
            amounts: (f.optionalList("amounts", of: RoutingAmountsInput.self) ?? []).map(\.amounts),
            groups: f.strings("groups", doc: "One of the customer's groups"))
    }
}

/// A span of amounts.
struct RoutingAmountsInput: JSONInput {
    let amounts: RoutingDocument.Amounts

    init(_ f: inout InputFields) {
        amounts = RoutingDocument.Amounts(
            currency: f.string("currency", max: 8, doc: "ISO 4217"),
            from: f.optionalInt("from", doc: "Minor units; any when left out"),
            to: f.optionalInt("to", doc: "Minor units, included; any when left out"))
    }
}

/// How providers are ordered.
struct RoutingOrderInput: JSONInput {
    enum Basis: String, CaseIterable, Sendable {
        case listed
        case volumeSplit = "volume_split"
        case leastCost = "least_cost"
        case successRate = "success_rate"
    }

    let order: RoutingOrder

    init(_ f: inout InputFields) {
        let basis: Basis = f.enumeration("by", of: Basis.self, doc: "What gives a provider its place")
        let providers: [String] = f.strings("providers", count: 0...100, doc: "For listed: in this order")
        let shares: [VolumeShareInput] =
            f.optionalList("shares", of: VolumeShareInput.self, count: 0...100, doc: "For volume_split") ?? []
        let floor: Int64? = f.optionalInt(
            "floor", doc: "For success_rate: each other provider is first for this many 10,000ths; 500 when left out")
        switch basis {
        case .listed: order = .listed(providers)
        case .volumeSplit: order = .volumeSplit(shares.map(\.share))
        case .leastCost: order = .leastCost
        case .successRate: order = .successRate(floor: floor ?? 500)
        }
        for (name, isGiven, owner) in [
            ("providers", !providers.isEmpty, Basis.listed), ("shares", !shares.isEmpty, .volumeSplit),
            ("floor", floor != nil, .successRate),
        ] where isGiven && basis != owner && !f.isDescribing && !f.isFaulty("by") {
            f.refuse(name, code: "not_for_this_order", message: "goes with \(owner.rawValue) only")
        }
    }
}

/// A provider's share of payments.
struct VolumeShareInput: JSONInput {
    let share: VolumeShare

    init(_ f: inout InputFields) {
        share = VolumeShare(
            provider: f.string("provider", max: 64),
            weight: f.int("weight", doc: "Beside the others; 0 to fall back to"))
    }
}
