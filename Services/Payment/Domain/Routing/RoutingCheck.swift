import BillingCore

/// Walks a document, gathers faults and makes the fast forms.
struct RoutingCheck {
    static let mostRules = 200
    static let mostValues = 1_000
    static let mostAttempts = 10
    static let longestName = 64
    static let largestWeight: Int64 = 1_000_000

    /// `nil` where every name will do.
    let providers: Set<String>?
    private(set) var faults: [RoutingFaults.Fault] = []

    init(providers: Set<String>?) { self.providers = providers }

    private mutating func fault(_ path: String, _ reason: String) {
        faults.append(RoutingFaults.Fault(path: path, reason: reason))
    }

    mutating func rules(_ rules: [RoutingDocument.Rule]) -> [RoutingRules.Rule] {
        if rules.count > Self.mostRules { fault("rules", "more than \(Self.mostRules)") }
        var names: Set<String> = []
        return rules.enumerated().map { index, rule in
            let path = "rules[\(index)]"
            if rule.name.isEmpty || rule.name.utf8.count > Self.longestName {
                fault("\(path).name", "must have 1 to \(Self.longestName) bytes")
            } else if !names.insert(rule.name).inserted {
                fault("\(path).name", "is the name of an earlier rule")
            }
            let when: RoutingRules.Condition = condition(rule.when, at: "\(path).when")
            return RoutingRules.Rule(name: rule.name, when: when, then: effect(rule.then, at: "\(path).then"))
        }
    }

    mutating func attempts(_ count: Int) {
        if !(1...Self.mostAttempts).contains(count) { fault("maximumAttempts", "must be 1 to \(Self.mostAttempts)") }
    }

    mutating func order(_ order: RoutingOrder, at path: String) {
        switch order {
        case .listed(let names): named(names, at: "\(path).listed")
        case .volumeSplit(let shares):
            named(shares.map(\.provider), at: "\(path).volumeSplit")
            for (index, share) in shares.enumerated() where !(0...Self.largestWeight).contains(share.weight) {
                fault("\(path).volumeSplit[\(index)].weight", "must be 0 to \(Self.largestWeight)")
            }
            if !shares.isEmpty, shares.allSatisfy({ $0.weight == 0 }) {
                fault("\(path).volumeSplit", "must have a weight above zero")
            }
        case .leastCost: break
        case .successRate(let floor):
            if !(0...5_000).contains(floor) { fault("\(path).successRate.floor", "must be 0 to 5000") }
        }
    }

    private mutating func effect(_ effect: RoutingDocument.Effect, at path: String) -> RoutingRules.Effect {
        switch effect {
        case .only(let names):
            named(names, at: "\(path).only")
            return .only(Set(names))
        case .exclude(let names):
            named(names, at: "\(path).exclude")
            return .exclude(Set(names))
        case .order(let order):
            self.order(order, at: "\(path).order")
            return .order(order)
        }
    }

    /// Providers: at least one, each known, none twice.
    private mutating func named(_ names: [String], at path: String) {
        if names.isEmpty { fault(path, "must name a provider") }
        var seen: Set<String> = []
        for (index, name) in names.enumerated() {
            if let providers, !providers.contains(name) { fault("\(path)[\(index)]", "is no provider") }
            if !seen.insert(name).inserted { fault("\(path)[\(index)]", "is named twice") }
        }
    }

    private mutating func condition(
        _ condition: RoutingDocument.Condition, at path: String
    ) -> RoutingRules.Condition {
        var checked = RoutingRules.Condition()
        checked.methods = Set(words(condition.methods, at: "\(path).methods"))
        checked.brands = Set(words(condition.brands, at: "\(path).brands"))
        checked.groups = Set(words(condition.groups, at: "\(path).groups"))
        checked.currencies = Set(
            values(condition.currencies, at: "\(path).currencies", "is no ISO 4217 code") { Currency($0) })
        checked.countries = Set(
            values(condition.countries, at: "\(path).countries", "must be two capital letters") { Self.country($0) })
        checked.bins = values(condition.bins, at: "\(path).bins", "must be 1 to 8 digits, or two such with a hyphen") {
            BINRange($0)
        }
        checked.amounts = amounts(condition.amounts, at: "\(path).amounts")
        return checked
    }

    private mutating func words(_ texts: [String], at path: String) -> [String] {
        values(texts, at: path, "must have 1 to \(Self.longestName) bytes") {
            (1...Self.longestName).contains($0.utf8.count) ? $0 : nil
        }
    }

    private mutating func values<Value>(
        _ texts: [String], at path: String, _ reason: String, _ read: (String) -> Value?
    ) -> [Value] {
        if texts.count > Self.mostValues { fault(path, "more than \(Self.mostValues)") }
        var found: [Value] = []
        for (index, text) in texts.enumerated() {
            if let value = read(text) { found.append(value) } else { fault("\(path)[\(index)]", reason) }
        }
        return found
    }

    private mutating func amounts(
        _ amounts: [RoutingDocument.Amounts], at path: String
    ) -> [(currency: Currency, range: ClosedRange<Int64>)] {
        if amounts.count > Self.mostValues { fault(path, "more than \(Self.mostValues)") }
        var checked: [(currency: Currency, range: ClosedRange<Int64>)] = []
        for (index, amount) in amounts.enumerated() {
            let currency = Currency(amount.currency)
            if currency == nil { fault("\(path)[\(index)].currency", "is no ISO 4217 code") }
            let from: Int64 = amount.from ?? 0
            let to: Int64 = amount.to ?? .max
            if from < 0 { fault("\(path)[\(index)].from", "must not be below zero") }
            if to < from { fault("\(path)[\(index)].to", "must not be below from") }
            if let currency, from <= to { checked.append((currency, from...to)) }
        }
        return checked
    }

    private static func country(_ text: String) -> String? {
        text.utf8.count == 2 && text.utf8.allSatisfy { (0x41...0x5A).contains($0) } ? text : nil
    }
}
