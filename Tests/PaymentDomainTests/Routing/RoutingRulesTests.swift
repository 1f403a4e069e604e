import BillingCore
import PaymentDomain
import Testing

@Suite("Filtering and explaining") struct RoutingRulesTests {
    /// A condition, a payment it holds for, and one it does not.
    private static let conditions: [(RoutingDocument.Condition, RoutingRequest, RoutingRequest)] = [
        (.init(currencies: ["EUR"]), Given.request(), Given.request(1, .usd)),
        (.init(countries: ["DE", "FR"]), Given.request(country: "FR"), Given.request(country: "US")),
        (.init(countries: ["DE"]), Given.request(), Given.request(country: nil)),
        (.init(brands: ["visa"]), Given.request(), Given.request(brand: "amex")),
        (.init(brands: ["visa"]), Given.request(), Given.request(brand: nil)),
        (.init(bins: ["4242"]), Given.request(), Given.request(bin: "424300")),
        (.init(bins: ["424200-424299"]), Given.request(bin: "424299"), Given.request(bin: "424300")),
        (.init(bins: ["424200-424299"]), Given.request(bin: "42429999"), Given.request(bin: "4241")),
        (.init(bins: ["42424200"]), Given.request(bin: "42424200"), Given.request(bin: "424242")),
        (.init(bins: ["4"]), Given.request(), Given.request(bin: nil)),
        (.init(groups: ["gold"]), Given.request(groups: ["x", "gold"]), Given.request(groups: ["x"])),
        (.init(methods: ["card"]), Given.request(), Given.request(method: "klarna")),
        (
            .init(amounts: [.init(currency: "EUR", from: 100, to: 200)]), Given.request(100), Given.request(99)
        ),
        (
            .init(amounts: [.init(currency: "EUR", from: 100, to: 200)]), Given.request(200), Given.request(201)
        ),
        (.init(amounts: [.init(currency: "EUR", from: 100)]), Given.request(.max), Given.request(100, .usd)),
        (
            .init(amounts: [.init(currency: "USD"), .init(currency: "EUR", to: 9)]), Given.request(9),
            Given.request(10)
        ),
        (
            .init(currencies: ["EUR"], countries: ["DE"], brands: ["visa"]), Given.request(),
            Given.request(country: "FR")
        ),
    ]

    @Test("every kind of condition holds and does not hold", arguments: 0..<conditions.count)
    func condition(index: Int) throws {
        let (condition, inside, outside) = Self.conditions[index]
        let rules = try Given.rules([.init(name: "r", when: condition, then: .exclude(["a"]))])
        let every = MethodFacts(type: "klarna")
        let candidates: [RoutingCandidate] = ["a", "b"].map {
            RoutingCandidate(provider: $0, methods: [Given.card, every])
        }
        #expect(rules.decide(inside, among: candidates).cascade == ["b"])
        #expect(Given.verdict(rules.decide(inside, among: candidates), "a") == .filtered(rule: "r"))
        #expect(rules.decide(outside, among: candidates).cascade == ["a", "b"])
    }

    @Test("what a provider cannot do is named")
    func gaps() throws {
        let rules = try Given.rules()
        let facts = MethodFacts(
            type: "card", currencies: [.eur], countries: ["DE"], amounts: [.eur: 50...1_000], offSession: false)
        let cases: [(RoutingRequest, RoutingGap?)] = [
            (Given.request(50), nil), (Given.request(1_000), nil), (Given.request(49), .amount),
            (Given.request(1_001), .amount), (Given.request(100, .usd), .currency),
            (Given.request(100, country: "FR"), .country), (Given.request(100, country: nil), nil),
            (Given.request(100, method: "ideal"), .method), (Given.request(100, offSession: true), .offSession),
        ]
        for (request, gap) in cases {
            let decision = rules.decide(request, among: [Given.candidate("a", facts: facts)])
            let expected: RoutingVerdict = gap.map(RoutingVerdict.lacks) ?? .chosen(place: 1, .listed(1))
            #expect(decision.explanations.map(\.verdict) == [expected], "\(request.amount)")
            #expect(decision.cascade == (gap == nil ? ["a"] : []))
        }
        let choosy = RoutingCandidate(provider: "a", methods: [Given.card], refuses: { $0.minor < 50 })
        #expect(rules.decide(Given.request(49), among: [choosy]).explanations.map(\.verdict) == [.lacks(.amount)])
        #expect(rules.decide(Given.request(50), among: [choosy]).cascade == ["a"])
    }

    @Test("health and circuits take candidates out, a probe lets one in") func health() throws {
        let until = Instant(seconds: 9)
        let decision = try Given.rules().decide(
            Given.request(),
            among: [
                Given.candidate("a", isDown: true), Given.candidate("b", circuit: .refused(until: until)),
                Given.candidate("c", circuit: .probe), Given.candidate("d", circuit: .refused(until: nil)),
            ])
        #expect(decision.cascade == ["c"])
        #expect(
            decision.explanations.map(\.verdict) == [
                .down, .circuitOpen(until: until), .chosen(place: 1, .listed(3)), .circuitOpen(until: nil),
            ])
    }

    @Test("rules work in order: the first that filters is named, the first that orders decides") func ordering() throws
    {
        let rules = try Given.rules([
            .init(name: "not d", then: .exclude(["d"])),
            .init(name: "only bcd", then: .only(["b", "c", "d"])),
            .init(name: "elsewhere", when: .init(countries: ["US"]), then: .order(.listed(["b"]))),
            .init(name: "c first", then: .order(.listed(["c", "b"]))),
            .init(name: "b first", then: .order(.listed(["b", "c"]))),
            .init(name: "again", then: .exclude(["a"])),
        ])
        let decision = rules.decide(Given.request(), among: Given.candidates("abcd"))
        #expect(decision.cascade == ["c", "b"])
        #expect(decision.orderedBy == "c first")
        #expect(
            decision.explanations.map(\.verdict) == [
                .filtered(rule: "only bcd"), .chosen(place: 2, .listed(2)), .chosen(place: 1, .listed(1)),
                .filtered(rule: "not d"),
            ])
    }

    @Test("more candidates than attempts are spare, and nothing at all is an empty cascade") func spare() throws {
        let decision = try Given.rules(order: .listed(["d"]), attempts: 2)
            .decide(Given.request(), among: Given.candidates("bacd"))
        #expect(decision.cascade == ["d", "a"])
        #expect(Given.verdict(decision, "b") == .spare(place: 3, .listed(nil)))
        #expect(decision.orderedBy == nil)
        #expect(try Given.rules().decide(Given.request(), among: []).cascade.isEmpty)
    }

    @Test(
        "bank numbers are read strictly",
        arguments: ["", "-", "4-", "-4", "42x", "４２", "123456789", "5-4", "40-4", "1-2-3", "4 2", "+42"])
    func badBins(text: String) {
        #expect(BINRange(text) == nil)
    }

    @Test("bank numbers are spans of eight digits") func bins() {
        #expect(BINRange("4")?.description == "40000000-49999999")
        #expect(BINRange("400000-403999")?.description == "40000000-40399999")
        #expect(BINRange("00000000")?.description == "00000000-00000000")
        #expect(BINRange("0-9")?.description == "00000000-99999999")
    }
}
