import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentRouting
import Postgres
import Testing

@Suite("Explaining a route without taking it") struct EvaluateRoutingTests {
    private func evaluate(_ world: RoutingWorld, _ text: String) async throws -> JSONValue {
        let input: EvaluateRoutingInput = try decode(EvaluateRoutingInput.self, from: parseJSON(text))
        let call = Call(
            post: "/v1/payments/routing/evaluate", body: Array(text.utf8), key: nil, now: RoutingWorld.start,
            receivedAt: RoutingWorld.start)
        let evaluate = EvaluateRouting(book: world.book, pool: world.database)
        return try parseJSON(try await evaluate(call, input).body)
    }

    @Test("it names the order, and of each provider what became of it and why") func explains() async throws {
        try await withRouting { world in
            try await world.rules(
                #"""
                {"rules":[{"name":"no c for visa","when":{"brands":["visa"]},"exclude":["sandbox_c"]}],
                 "order":{"by":"least_cost"},"maximum_attempts":1}
                """#)
            let answer: JSONValue = try await evaluate(
                world, #"{"amount":5000,"currency":"EUR","brand":"visa","country":"DE"}"#)
            #expect(answer["provider"]?.stringValue == "sandbox_b")
            #expect(answer["needs_token"]?.boolValue == true, "a stored method is charged only where it is kept")
            #expect(answer["routing"]?["version"]?.intValue == 1)
            #expect(answer["routing"]?["cascade"]?.arrayValue == ["sandbox_b"])
            let candidates: [JSONValue] = answer["routing"]?["candidates"]?.arrayValue ?? []
            #expect(
                candidates.map { $0["verdict"]?.stringValue } == ["spare", "chosen", "filtered"])
            #expect(
                candidates.map { $0["reason"]?.stringValue } == [
                    "not tried, as many others come before: costs 170 minor units", "costs 120 minor units",
                    "taken out by the rule “no c for visa”",
                ])
            #expect(try await world.texts("SELECT id FROM payment_attempts").isEmpty, "nothing is stored")
        }
    }

    @Test("without rules a stored method goes to its own provider, and on to those that keep it, if any; it says so")
    func noRules() async throws {
        try await withRouting { world in
            for (others, cascade) in [([], nil), (["sandbox_c"], ["sandbox", "sandbox_c"])] as [([String], [String]?)] {
                let payer = try await world.payer(others)
                let answer: JSONValue = try await evaluate(
                    world, #"{"amount":5000,"currency":"EUR","payment_method_id":"\#(payer.method.id)"}"#)
                #expect(answer["provider"]?.stringValue == "sandbox")
                #expect(answer["needs_token"]?.boolValue == false)
                #expect(answer["routing"]?["cascade"]?.arrayValue?.compactMap(\.stringValue) == cascade)
                let decided: String? = answer["routing"]?["ordered_by"]?.stringValue
                #expect(decided == (cascade == nil ? nil : "no rules: the method's own provider first"))
            }
        }
    }

    @Test("a draft can be tried before it counts, on a stored method and what is known of it") func draft() async throws
    {
        try await withRouting { world in
            let payer = try await world.payer(["sandbox_c"], country: "FR", groups: ["vip"])
            let answer: JSONValue = try await evaluate(
                world,
                #"""
                {"amount":5000,"currency":"EUR","payment_method_id":"\#(payer.method.id)",
                 "document":{"rules":[{"name":"vip","when":{"groups":["vip"],"countries":["FR"]},"only":["sandbox_c"]}],
                             "order":{"by":"least_cost"}}}
                """#)
            #expect(answer["provider"]?.stringValue == "sandbox_c")
            #expect(answer["routing"]?["candidates"]?.arrayValue?.count == 2, "b has no token for the card")
            #expect(try await world.texts("SELECT version::text FROM routing_documents").isEmpty)
        }
    }

    @Test("a draft's faults are named where they are, and an unknown method is one") func faults() async throws {
        try await withRouting { world in
            let problem: Problem = try await #require(throws: Problem.self) {
                try await evaluate(
                    world,
                    #"""
                    {"amount":1,"currency":"EUR","document":{"rules":[{"name":"x","only":["nobody"]}],
                     "order":{"by":"success_rate","floor":9999}}}
                    """#)
            }
            #expect(problem.errors.map(\.param) == ["document.rules[0].only[0]", "document.order.floor"])
            let unknown: Problem = try await #require(throws: Problem.self) {
                try await evaluate(
                    world,
                    #"{"amount":1,"currency":"EUR","payment_method_id":"\#(PaymentMethodID.new(at: RoutingWorld.start))"}"#
                )
            }
            #expect(unknown.errors.map(\.param) == ["payment_method_id"])
        }
    }

    @Test("a provider that does not take the amount is passed over, and it is said") func amounts() async throws {
        try await withRouting { unlimited in
            let card = ProviderCapabilities.Method(
                type: "card", amounts: ["EUR": 100...10_000], separateCapture: true, partialCapture: true,
                multipleCapture: true, partialRefund: true, offSession: true)
            let world = try RoutingWorld(
                unlimited.database,
                capabilities: [
                    "sandbox_b": ProviderCapabilities(
                        methods: RoutingWorld.capabilities.methods, currencies: RoutingWorld.capabilities.currencies,
                        refusal: { $0.minor < 50 ? .notPositive : nil }),
                    "sandbox_c": ProviderCapabilities(methods: [card], currencies: ["EUR"]),
                ])
            try await world.rules(#"{"order":{"by":"listed","providers":["sandbox_b","sandbox_c","sandbox"]}}"#)
            let payer = try await world.payer()
            for (amount, provider) in [(49, "sandbox"), (50, "sandbox_b")] as [(Int64, String)] {
                let answer: JSONValue = try await evaluate(world, #"{"amount":\#(amount),"currency":"EUR"}"#)
                #expect(answer["provider"]?.stringValue == provider)
                let gaps: [String?] = (answer["routing"]?["candidates"]?.arrayValue ?? [])
                    .filter { $0["verdict"]?.stringValue == "lacks" }.map { $0["reason"]?.stringValue }
                #expect(gaps == Array(repeating: "does not take such an amount", count: amount < 50 ? 2 : 1))
                let money = Money(minor: amount, currency: .eur)
                #expect(try await world.routed(world.approved(payer, amount: money)[0]) == provider)
            }
        }
    }

    /// Documents that this release does not write, and what is said of them.
    private static let foreign: [(String, String)] = [
        (#"{"order":{"by":"nothing"}}"#, "order.by "),
        (#"{"order":{"by":"success_rate","floor":9999}}"#, "order.floor must be 0 to 5000"),
    ]

    @Test("rules that cannot be gone by are told to who reads them and to who asks", arguments: 0..<foreign.count)
    func unreadable(index: Int) async throws {
        let (text, sentence) = Self.foreign[index]
        try await withRouting { world in
            try await world.execute(
                """
                INSERT INTO routing_documents (version, document, created_at, created_by)
                VALUES (1, \(text)::jsonb, \(RoutingWorld.start), 'key_test')
                """)
            let answer: JSONValue = try await evaluate(world, #"{"amount":5000,"currency":"EUR"}"#)
            #expect(answer["routing"] == .null)
            #expect(answer["fault"]?.stringValue?.hasPrefix(sentence) == true, "\(answer)")
            let version: RoutingVersion? = try await world.database.transaction { db in
                try RoutingDocumentStore.current(in: db)
            }
            #expect(version?.fault == answer["fault"]?.stringValue)
            let draft: JSONValue = try await evaluate(
                world, #"{"amount":5000,"currency":"EUR","document":{"order":{"by":"least_cost"}}}"#)
            #expect(draft["fault"] == .null && draft["provider"]?.stringValue == "sandbox_b")
            // Payments go to the providers of their methods until others are in place.
            #expect(try await world.routed(world.approved(world.payer())).isEmpty)
            try await world.rules(#"{"order":{"by":"least_cost"}}"#)
            #expect(try await world.routed(world.approved(world.payer())[0]) == "sandbox_b")
        }
    }

    @Test("every malformed field is named") func fields() throws {
        let invalid: InvalidInput? = #expect(throws: InvalidInput.self) {
            try decode(
                EvaluateRoutingInput.self,
                from: parseJSON(#"{"amount":0,"currency":"XXX","country":"de","bin":"41","nonsense":1}"#))
        }
        #expect(invalid?.faults.map(\.param) == ["amount", "currency", "country", "bin", "nonsense"])
    }

    @Test("a payment's draw is the same every time") func draws() async throws {
        try await withRouting { world in
            try await world.rules(
                #"""
                {"order":{"by":"volume_split","shares":[{"provider":"sandbox","weight":1},
                  {"provider":"sandbox_b","weight":1},{"provider":"sandbox_c","weight":1}]}}
                """#)
            let payment: PaymentRecord = try await world.approved(world.payer())[0]
            let taken: String = try await world.routed(payment)
            for _ in 0..<5 {
                let answer: JSONValue = try await evaluate(
                    world, #"{"amount":5000,"currency":"EUR","payment_id":"\#(payment.id)"}"#)
                #expect(answer["provider"]?.stringValue == taken)
            }
        }
    }
}

@Suite("What routing costs") struct RoutingSpeedTests {
    @Test("a decision over twenty rules and six providers, candidates and explanation included, stays below 50 µs")
    func decision() throws {
        let names: [String] = ["a", "b", "c", "d", "e", "f"]
        let catalogue = ProviderCatalogue(
            try names.map { name in
                ProviderProfile(
                    name: name, capabilities: RoutingWorld.capabilities,
                    fees: try FeeModel(rate: ExactDecimal(parsing: "0.02"), fixed: [.eur: 25]))
            })
        let health = ProviderHealth(catalogue, redis: nil, instance: "speed", logger: silent)
        let rules = try RoutingRules(
            RoutingDocument(
                rules: (0..<20).map { index in
                    RoutingDocument.Rule(
                        name: "rule \(index)",
                        when: RoutingDocument.Condition(
                            currencies: ["EUR"], countries: ["FR", "IT", index == 19 ? "DE" : "ES"],
                            bins: ["400000-403999", "510000"]),
                        then: index.isMultiple(of: 2) ? .exclude(["f"]) : .order(.successRate(floor: 300)))
                }, order: .leastCost), providers: catalogue.names)
        let book = RoutingBook(catalogue: catalogue, health: health, logger: silent)
        let request = RoutingRequest(
            paymentID: .new(at: RoutingWorld.start), amount: Money(minor: 5_000, currency: .eur), method: "card",
            country: "DE", brand: "visa", bin: BINRange("40123456"))
        let rounds = 20_000
        var chosen = 0
        let clock = ContinuousClock()
        var best: Duration = .seconds(1)
        // The best of several runs: others use the machine, too.
        for _ in 0..<5 {
            let taken: Duration = clock.measure {
                for _ in 0..<rounds / 5 {
                    let candidates: [RoutingCandidate] = book.candidates(for: request, down: [])
                    let decision: RoutingDecision = rules.decide(request, among: candidates)
                    chosen += decision.cascade.count
                }
            }
            best = min(best, taken / (rounds / 5))
        }
        #expect(chosen == rounds * 3)
        let nanoseconds: Int64 = best.components.attoseconds / 1_000_000_000
        print("routing_us: \(nanoseconds / 1_000).\(nanoseconds % 1_000 / 100) µs for a decision")
        #expect(best < .microseconds(50))
    }
}
