import PaymentDomain
import Testing

@Suite("Checking routing documents") struct RoutingDocumentTests {
    private func faults(_ document: RoutingDocument) -> [String] {
        do throws(RoutingFaults) {
            _ = try RoutingRules(document, providers: Given.providers)
            return []
        } catch {
            return error.faults.map { "\($0.path): \($0.reason)" }
        }
    }

    private func faults(_ condition: RoutingDocument.Condition) -> [String] {
        faults(RoutingDocument(rules: [.init(name: "r", when: condition, then: .only(["a"]))]))
    }

    private func faults(_ order: RoutingOrder) -> [String] { faults(RoutingDocument(order: order)) }

    @Test("a document without faults is taken") func good() {
        #expect(faults(RoutingDocument()).isEmpty)
        #expect(
            faults(.init(currencies: ["EUR"], countries: ["DE"], brands: ["visa"], bins: ["4", "5-6"], groups: ["g"]))
                .isEmpty)
        #expect(
            faults(.volumeSplit([VolumeShare(provider: "a", weight: 0), VolumeShare(provider: "b", weight: 1)])).isEmpty
        )
        #expect(faults(.successRate(floor: 0)).isEmpty)
        #expect(faults(.successRate(floor: 5_000)).isEmpty)
    }

    @Test("rules of old may name providers that have gone; their other faults are told all the same") func gone() {
        let document = RoutingDocument(
            rules: [
                .init(name: "r", then: .only(["gone"])), .init(name: "s", then: .exclude(["gone"])),
                .init(name: "t", then: .order(.volumeSplit([VolumeShare(provider: "gone", weight: 1)]))),
            ], order: .listed(["gone", "gone"]))
        let faults: RoutingFaults? = #expect(throws: RoutingFaults.self) {
            try RoutingRules(document, providers: nil)
        }
        #expect(faults?.faults.map(\.path) == ["order.listed[1]"])
    }

    @Test("every fault is reported at once, in the order of the document") func all() {
        let document = RoutingDocument(
            rules: [
                .init(name: "", when: .init(currencies: ["eur", "EUR", "XXX"]), then: .only([])),
                .init(
                    name: "x", when: .init(countries: ["de", "DEU"], bins: ["4x"]), then: .exclude(["z", "a", "a"])),
                .init(
                    name: "x",
                    when: .init(amounts: [
                        .init(currency: "EU", from: -1, to: -2), .init(currency: "EUR", from: 2, to: 1),
                    ]),
                    then: .order(.volumeSplit([VolumeShare(provider: "q", weight: -1)]))),
            ],
            order: .successRate(floor: 5_001), maximumAttempts: 0)
        #expect(
            faults(document) == [
                "rules[0].name: must have 1 to 64 bytes",
                "rules[0].when.currencies[0]: is no ISO 4217 code",
                "rules[0].when.currencies[2]: is no ISO 4217 code",
                "rules[0].then.only: must name a provider",
                "rules[1].when.countries[0]: must be two capital letters",
                "rules[1].when.countries[1]: must be two capital letters",
                "rules[1].when.bins[0]: must be 1 to 8 digits, or two such with a hyphen",
                "rules[1].then.exclude[0]: is no provider",
                "rules[1].then.exclude[2]: is named twice",
                "rules[2].name: is the name of an earlier rule",
                "rules[2].when.amounts[0].currency: is no ISO 4217 code",
                "rules[2].when.amounts[0].from: must not be below zero",
                "rules[2].when.amounts[0].to: must not be below from",
                "rules[2].when.amounts[1].to: must not be below from",
                "rules[2].then.order.volumeSplit[0]: is no provider",
                "rules[2].then.order.volumeSplit[0].weight: must be 0 to 1000000",
                "order.successRate.floor: must be 0 to 5000",
                "maximumAttempts: must be 1 to 10",
            ])
    }

    @Test("limits on sizes hold on both sides") func limits() {
        let rules: [RoutingDocument.Rule] = (0..<201).map { .init(name: "r\($0)", then: .only(["a"])) }
        #expect(faults(RoutingDocument(rules: Array(rules.prefix(200)))).isEmpty)
        #expect(faults(RoutingDocument(rules: rules)) == ["rules: more than 200"])
        #expect(faults(.init(bins: Array(repeating: "4", count: 1_000))).isEmpty)
        #expect(faults(.init(bins: Array(repeating: "4", count: 1_001))) == ["rules[0].when.bins: more than 1000"])
        #expect(faults(.init(groups: [String(repeating: "g", count: 64)])).isEmpty)
        #expect(faults(.init(groups: [String(repeating: "g", count: 65)])).count == 1)
        #expect(faults(.listed([])) == ["order.listed: must name a provider"])
        #expect(
            faults(.volumeSplit([VolumeShare(provider: "a", weight: 0)]))
                == ["order.volumeSplit: must have a weight above zero"])
        #expect(faults(.volumeSplit([VolumeShare(provider: "a", weight: 1_000_000)])).isEmpty)
        #expect(faults(.volumeSplit([VolumeShare(provider: "a", weight: 1_000_001)])).count == 1)
        #expect(faults(RoutingDocument(maximumAttempts: 10)).isEmpty)
        #expect(faults(RoutingDocument(maximumAttempts: 11)).count == 1)
    }
}
