import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentRouting
import Postgres
import Testing

@Suite("Routing stored payments") struct RoutePaymentTests {
    @Test("without rules nothing is decided and nothing is stored while the method's own provider is well")
    func noRules() async throws {
        try await withRouting { world in
            let payment: PaymentRecord = try await world.approved(world.payer())[0]
            #expect(try await world.routed([payment]).isEmpty)
            #expect(
                try await world.texts("SELECT id FROM payment_attempts WHERE routing IS NOT NULL").isEmpty)
        }
    }

    @Test("the cheapest provider that can charge the card is asked, under its own token, and the record says why")
    func leastCost() async throws {
        try await withRouting { world in
            try await world.rules(#"{"order":{"by":"least_cost"}}"#)
            let payment: PaymentRecord = try await world.approved(world.payer())[0]
            let route: Route = try #require(try await world.routed([payment])[payment.id])
            #expect(route.provider == "sandbox_b")
            #expect(route.source == .stored(token: "tok_sandbox_b_success", providerCustomer: nil))
            #expect(try await world.payment(payment.id).provider == "sandbox_b")
            #expect(try await world.attempts(payment.id) == ["1 sandbox_b started"])
            let why: JSONValue = try parseJSON(
                try await world.texts("SELECT routing::text FROM payment_attempts WHERE routing IS NOT NULL")[0])
            #expect(why["version"]?.intValue == 1)
            #expect(why["cascade"]?.arrayValue?.map(\.stringValue) == ["sandbox_b", "sandbox_c", "sandbox"])
            let reasons: [String?] = (why["candidates"]?.arrayValue ?? []).map { $0["reason"]?.stringValue }
            #expect(
                reasons == ["costs 170 minor units", "costs 120 minor units", "costs 145 minor units"],
                "fees of 2.9 %, 1.9 % and 2.4 % of 50.00 and 0.25 each")
        }
    }

    @Test("a provider without a token for the card is no candidate") func tokens() async throws {
        try await withRouting { world in
            try await world.rules(#"{"order":{"by":"least_cost"}}"#)
            let known: PaymentRecord = try await world.approved(world.payer(["sandbox_c"]))[0]
            let alone: PaymentRecord = try await world.approved(world.payer([]))[0]
            #expect(try await world.routed(known) == "sandbox_c")
            #expect(try await world.routed([alone]).isEmpty)
            #expect(try await world.payment(alone.id).provider == "sandbox")
        }
    }

    @Test("rules go by country, group, currency and brand") func rules() async throws {
        try await withRouting { world in
            try await world.rules(
                #"""
                {"rules":[
                  {"name":"french cards","when":{"countries":["FR"]},"only":["sandbox_c"]},
                  {"name":"good customers","when":{"groups":["vip"]},"only":["sandbox"]},
                  {"name":"amex","when":{"brands":["amex"],"currencies":["EUR"]},"exclude":["sandbox_b"]}],
                 "order":{"by":"listed","providers":["sandbox_b","sandbox_c","sandbox"]}}
                """#)
            let table: [(String, [String], String, String)] = [
                ("DE", [], "visa", "sandbox_b"), ("FR", [], "visa", "sandbox_c"), ("DE", ["vip"], "visa", "sandbox"),
                ("DE", [], "amex", "sandbox_c"),
            ]
            for (country, groups, brand, provider) in table {
                let payer = try await world.payer(country: country, groups: groups, brand: brand)
                let payment: PaymentRecord = try await world.approved(payer)[0]
                #expect(try await world.routed(payment) == provider, "\(country) \(groups) \(brand)")
            }
        }
    }

    @Test("where rules leave no provider the payment stays with the provider of its method, and the record says so")
    func nothingLeft() async throws {
        try await withRouting { world in
            try await world.rules(
                #"{"rules":[{"name":"none","only":["sandbox_c"]}],"order":{"by":"least_cost"}}"#)
            let payment: PaymentRecord = try await world.approved(world.payer(["sandbox_b"]))[0]
            #expect(try await world.routed(payment) == "sandbox")
            #expect(
                try await world.texts("SELECT routing ->> 'cascade' FROM payment_attempts") == ["[]"])
        }
    }

    @Test("a volume split deals the payments of one batch as it is written") func split() async throws {
        try await withRouting { world in
            try await world.rules(
                #"""
                {"order":{"by":"volume_split","shares":[{"provider":"sandbox_b","weight":80},
                  {"provider":"sandbox_c","weight":20},{"provider":"sandbox","weight":0}]}}
                """#)
            let payments: [PaymentRecord] = try await world.approved(world.payer(), 400)
            let routes: [PaymentID: Route] = try await world.routed(payments)
            #expect(routes.count == 400)
            let first: Int = routes.values.count { $0.provider == "sandbox_b" }
            // 320 expected; seven standard deviations of 8 to each side.
            #expect((264...376).contains(first), "\(first) of 400")
            #expect(!routes.values.contains { $0.provider == "sandbox" })
        }
    }

    @Test("an operator takes a provider out and in again") func down() async throws {
        try await withRouting { world in
            try await world.rules(#"{"order":{"by":"least_cost"}}"#)
            let payer = try await world.payer()
            try await takeOut("sandbox_b", of: world)
            try await world.book.refresh(world.database)
            #expect(try await world.routed(world.approved(payer)[0]) == "sandbox_c")
            try await world.execute("DELETE FROM providers_down")
            try await world.book.refresh(world.database)
            #expect(try await world.routed(world.approved(payer)[0]) == "sandbox_b")
        }
    }

    /// What stands with the one attempt that was decided about.
    private func decided(_ world: RoutingWorld) async throws -> JSONValue {
        let found: [String] = try await world.texts(
            "SELECT routing::text FROM payment_attempts WHERE routing IS NOT NULL")
        #expect(found.count == 1)
        return try parseJSON(found.first ?? "null")
    }

    @Test("without rules a card that others keep goes to them while its own provider is taken out, and it is said why")
    func downWithoutRules() async throws {
        try await withRouting { world in
            let payer = try await world.payer()
            let alone = try await world.payer([])
            try await takeOut("sandbox", of: world)
            try await world.book.refresh(world.database)
            #expect(try await world.routed(world.approved(payer)[0]) == "sandbox_b")
            #expect(try await world.routed(world.approved(alone)).isEmpty)
            let why: JSONValue = try await decided(world)
            #expect(why["version"]?.intValue == 0)
            #expect(why["ordered_by"]?.stringValue == "no rules: the method's own provider first")
            #expect(why["cascade"]?.arrayValue?.map(\.stringValue) == ["sandbox_b", "sandbox_c"])
            let reasons: [String?] = (why["candidates"]?.arrayValue ?? []).map { $0["reason"]?.stringValue }
            #expect(reasons == ["taken out by an operator", "listed at place 2", "listed at place 3"])
            try await world.execute("DELETE FROM providers_down")
            try await world.book.refresh(world.database)
            #expect(try await world.routed(world.approved(payer)).isEmpty)
        }
    }

    @Test("without rules an open circuit sends a card to the others that keep it; where none is left it stays")
    func openWithoutRules() async throws {
        try await withRouting { world in
            let payer = try await world.payer(["sandbox_c"])
            for name in ["sandbox", "sandbox_c"] {
                let away = ScriptedAcquirer(name) { _ throws(ProviderFault) in throw .timedOut }
                let guarded = GuardedProvider(away, health: world.health, timeout: .seconds(30))
                for _ in 0..<20 {
                    let request = ChargeRequest(
                        idempotencyKey: .new(at: RoutingWorld.start), paymentID: .new(at: RoutingWorld.start),
                        source: .stored(token: "tok", providerCustomer: nil), amount: Money(minor: 100, currency: .eur))
                    await #expect(throws: ProviderFault.timedOut) { try await guarded.charge(request) }
                }
                let next: String = try await world.routed(world.approved(payer)[0])
                #expect(next == (name == "sandbox" ? "sandbox_c" : "sandbox"))
            }
        }
    }

    @Test("without rules nothing is decided while nobody is well: who is well later follows") func nobodyWell()
        async throws
    {
        try await withRouting { world in
            let payer = try await world.payer(["sandbox_c"])
            for name in ["sandbox", "sandbox_c"] { try await takeOut(name, of: world) }
            try await world.book.refresh(world.database)
            let payment: PaymentRecord = try await world.approved(payer)[0]
            #expect(try await world.routed(payment) == "sandbox")
            #expect(try await world.texts("SELECT id FROM payment_attempts WHERE routing IS NOT NULL").isEmpty)
            try await world.execute("DELETE FROM providers_down")
            try await world.book.refresh(world.database)
            let next: FollowingAttempt? = try await world.ended(payment.id, RoutingWorld.declined("do_not_honor"))
            #expect(next?.route.provider == "sandbox_c")
        }
    }

    @Test("a page goes to a provider that is not taken out where one can do it, and to one that is where none can")
    func pages() async throws {
        try await withRouting { world in
            let book: RoutingBook = world.book
            let providers = PaymentProviders(
                guarding: [ScriptedAcquirer("sandbox"), ScriptedAcquirer("sandbox_b")], as: book.catalogue,
                health: world.health, isTakenOut: { book.isTakenOut($0) })
            let wish = ProviderCapabilities.Wish(type: "card", currency: "EUR")
            #expect(providers.first(that: wish)?.name == "sandbox")
            for (taken, asked) in [("sandbox", "sandbox_b"), ("sandbox_b", "sandbox")] {
                try await takeOut(taken, of: world)
                try await world.book.refresh(world.database)
                #expect(providers.first(that: wish)?.name == asked)
            }
        }
    }

    private func takeOut(_ provider: String, of world: RoutingWorld) async throws {
        try await world.execute(
            """
            INSERT INTO providers_down (provider, since, taken_out_by)
            VALUES (\(provider), \(RoutingWorld.start), 'key_test')
            """)
    }

    @Test("an instance that has just started goes by the rules and by what is taken out before it has kept up once")
    func started() async throws {
        try await withRouting { world in
            try await world.rules(#"{"order":{"by":"least_cost"}}"#)
            try await takeOut("sandbox_b", of: world)
            let started = try RoutingWorld(world.database)
            let payment: PaymentRecord = try await started.approved(started.payer())[0]
            #expect(try await started.routed(payment) == "sandbox_c")
            try await takeOut("sandbox", of: world)
            let another = try RoutingWorld(world.database)
            #expect(try await another.ended(payment.id, RoutingWorld.declined("do_not_honor")) == nil)
            #expect(try await world.stopped(payment.id) == "exhausted")
        }
    }

    @Test("rules that name a provider that has gone count for those that are left") func gone() async throws {
        try await withRouting { world in
            try await world.rules(
                #"""
                {"rules":[{"name":"french cards","when":{"countries":["FR"]},"only":["sandbox_c"]},
                          {"name":"german cards","when":{"countries":["DE"]},"exclude":["sandbox_c","sandbox_b"]},
                          {"name":"amex","when":{"brands":["amex"]},"order":{"by":"volume_split","shares":[
                            {"provider":"sandbox_c","weight":9},{"provider":"sandbox_b","weight":1}]}}],
                 "order":{"by":"listed","providers":["sandbox_c","sandbox_b","sandbox"]}}
                """#)
            let left = try RoutingWorld(world.database, names: ["sandbox", "sandbox_b"])
            let table: [(String, String, String)] = [
                ("GB", "visa", "sandbox_b"), ("GB", "amex", "sandbox_b"), ("DE", "visa", "sandbox"),
                ("FR", "visa", "sandbox"),
            ]
            for (country, brand, provider) in table {
                let payment: PaymentRecord = try await left.approved(left.payer(country: country, brand: brand))[0]
                #expect(try await left.routed(payment) == provider, "\(country) \(brand)")
            }
            // New rules name those that there are.
            await #expect(throws: Problem.self) {
                try await left.rules(#"{"order":{"by":"listed","providers":["sandbox_c","sandbox"]}}"#)
            }
        }
    }

    @Test("every fault of a document is named, and nothing is stored") func faults() async throws {
        try await withRouting { world in
            let problem: Problem = try await #require(throws: Problem.self) {
                try await world.rules(
                    #"""
                    {"rules":[
                      {"name":"a","when":{"bins":["41x"],"currencies":["EUR","XXX"],"countries":["de"]},
                       "only":["sandbox","nobody"]},
                      {"name":"a","when":{"amounts":[{"currency":"EUR","from":9,"to":1}]},
                       "order":{"by":"volume_split","shares":[{"provider":"sandbox","weight":-1}]}}],
                     "order":{"by":"listed","providers":["sandbox","sandbox"]}}
                    """#)
            }
            #expect(
                problem.errors.map(\.param) == [
                    "rules[0].when.currencies[1]", "rules[0].when.countries[0]", "rules[0].when.bins[0]",
                    "rules[0].only[1]", "rules[1].name", "rules[1].when.amounts[0].to",
                    "rules[1].order.shares[0].weight", "order.providers[1]",
                ])
            #expect(try await world.texts("SELECT version::text FROM routing_documents").isEmpty)
        }
    }

    @Test("a rule has exactly one effect, and an order only what goes with it") func shapes() throws {
        for (text, param) in [
            (#"{"rules":[{"name":"a"}],"order":{"by":"least_cost"}}"#, "rules[0]"),
            (#"{"rules":[{"name":"a","only":["x"],"exclude":["y"]}],"order":{"by":"least_cost"}}"#, "rules[0]"),
            (#"{"order":{"by":"least_cost","floor":5}}"#, "order.floor"),
            (#"{"order":{"by":"listed","providers":["a"],"shares":[{"provider":"a","weight":1}]}}"#, "order.shares"),
            (#"{"order":{"by":"nothing"}}"#, "order.by"), (#"{}"#, "order"),
            (#"{"order":{"by":"least_cost"},"maximum_attempts":11}"#, "maximum_attempts"),
        ] {
            let invalid: InvalidInput? = #expect(throws: InvalidInput.self) {
                try decode(RoutingDocumentInput.self, from: parseJSON(text))
            }
            #expect(invalid?.faults.map(\.param) == [param], "\(text)")
        }
    }

    @Test("a document is read back as it was written, version after version") func versions() async throws {
        try await withRouting { world in
            let text = #"""
                {"rules":[
                  {"name":"a","when":{"methods":["card"],"bins":["400000-403999"],"amounts":[{"currency":"EUR","from":1,"to":9}]},
                   "order":{"by":"success_rate","floor":300}},
                  {"name":"b","exclude":["sandbox_c"]}],
                 "order":{"by":"volume_split","shares":[{"provider":"sandbox","weight":3}]},
                 "maximum_attempts":2,"seed":7}
                """#
            let written: RoutingDocument = try decode(RoutingDocumentInput.self, from: parseJSON(text)).document
            #expect(try await world.rules(text).number == 1)
            let read: RoutingVersion? = try await world.database.transaction { db in
                try RoutingDocumentStore.current(in: db)
            }
            #expect(read?.document == written)
            #expect(read?.createdBy == "key_test")
            #expect(try await world.rules(text, replaces: 1).number == 2)
            await #expect(throws: Problem.self) { try await world.rules(text, replaces: 1) }
            let numbers: [Int64] = try await world.database.transaction { db in
                try RoutingDocumentStore.list(below: nil, limit: 10, in: db).map(\.number)
            }
            #expect(numbers == [2, 1])
        }
    }

    @Test("operators who write at the same moment get versions of their own") func writers() async throws {
        try await withRouting(connections: 8) { world in
            try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await world.rules(#"{"order":{"by":"least_cost"}}"#).number }
                }
                var numbers: [Int64] = []
                for try await number in group { numbers.append(number) }
                #expect(numbers.sorted() == Array(1...8))
            }
        }
    }
}
