import BillingCore
import HTTPKit
import JSON
import Logging
import Messaging
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentRouting
import PaymentService
import Postgres
import Testing

/// The service with two providers that keep cards and bank accounts, and routing between them.
struct Vaults: Sendable {
    static let card = VaultedCard(brand: "visa", last4: "4242", expMonth: 12, expYear: 2030)

    let world: PaymentWorld
    let first: PagesProvider
    let second: PagesProvider
    let work: PaymentUseCases
    private let book: RoutingBook
    private let dispatcher: EventDispatcher

    init(_ world: PaymentWorld) {
        let logger = Logger(label: "test.vaults") { _ in SwiftLogNoOpLogHandler() }
        let methods: [ProviderCapabilities.Method] = ["card", "sepa_debit"].map { type in
            ProviderCapabilities.Method(
                type: type, separateCapture: true, partialCapture: true, multipleCapture: false, partialRefund: true,
                offSession: true)
        }
        self.world = world
        first = PagesProvider(name: "first", methods: methods)
        second = PagesProvider(name: "second", methods: methods)
        let providers: [any PaymentProvider] = [first, second]
        let catalogue = ProviderCatalogue(
            providers.map { ProviderProfile(name: $0.name, capabilities: $0.capabilities) })
        book = RoutingBook(
            catalogue: catalogue,
            health: ProviderHealth(catalogue, redis: nil, instance: "test", clock: world.clock, logger: logger),
            logger: logger)
        work = PaymentUseCases(
            pool: world.database, providers: PaymentProviders(providers), clock: world.clock,
            policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 0, fallback: .review),
            route: RoutePayment(book: book), cascade: CascadePayment(book: book), logger: logger)
        dispatcher = EventDispatcher(work.consumer, pool: world.database, clock: world.clock, logger: logger)
        // What each gives and names the card by.
        first.save(as: Self.saved("pm_1", Self.card))
        first.begin(with: .captured(ProviderCharge(reference: "ch_first")))
        second.save(as: Self.saved("pm_2", Self.card))
        second.begin(with: .captured(ProviderCharge(reference: "ch_second")))
        second.name(VaultedMethod(type: "card", card: Self.card), as: "pm_2")
    }

    /// A provider's word on keeping a card, of which it may say nothing.
    static func saved(_ token: String, _ card: VaultedCard?) -> SaveMethodAnswer {
        .saved(
            SavedMethod(
                token: token, customer: "cus_\(token)", brand: card?.brand ?? "card", last4: card?.last4,
                expMonth: card?.expMonth, expYear: card?.expYear, fingerprint: nil))
    }

    /// Charges go to these, in this order.
    func order(_ names: String...) async throws {
        let book: RoutingBook = book
        try await world.database.transaction { db in
            _ = try book.replace(
                with: RoutingDocument(order: .listed(names)), replaces: nil, at: PaymentWorld.start, by: "key_test",
                in: db)
        }
    }

    /// A customer's method, kept at the first; `more` are further members of the body.
    func kept(
        _ type: String = "card", _ more: String = ""
    ) async throws -> (customer: CustomerID, method: PaymentMethodID) {
        let customer: CustomerID = await world.customer()
        let body = #"{"customer_id":"\#(customer)","type":"\#(type)","provider":"first","token":"pm_1"\#(more)}"#
        let reply: Reply<PaymentMethodResource> = try await work.attach(
            world.call("/v1/payment_methods", body: body), world.read(body))
        return (customer, PaymentMethodID(unchecked: try parseJSON(reply.body)["id"]?.stringValue ?? ""))
    }

    /// `POST /v1/payment_methods/{id}/tokens`.
    @discardableResult
    func keep(
        _ id: PaymentMethodID, _ token: String = "pm_2", at provider: String = "second"
    ) async throws -> Reply<MethodTokenResource> {
        let body = #"{"provider":"\#(provider)","token":"\#(token)"}"#
        return try await work.keepToken(
            world.call("/v1/payment_methods/\(id)/tokens", body: body), id, world.read(body))
    }

    /// What a further token is refused with.
    func refusal(_ id: PaymentMethodID, _ token: String = "pm_2", at provider: String = "second") async -> Problem? {
        await #expect(throws: Problem.self) { try await keep(id, token, at: provider) }
    }

    /// `DELETE /v1/payment_methods/{id}/tokens/{provider}`.
    @discardableResult
    func detach(_ id: PaymentMethodID, from provider: String) async throws -> [String] {
        try await world.database.transaction { db in
            try work.remove.detach(id, from: provider, at: PaymentWorld.start, in: db).providers
        }
    }

    /// Who can charge a method.
    func providers(_ id: PaymentMethodID) async throws -> [String]? {
        try await world.database.transaction { db in try PaymentMethodStore.find(id, in: db)?.providers }
    }

    /// A payment with the customer's default that waits for Fraud.
    func created(_ customer: CustomerID) async throws -> PaymentRecord {
        let body = #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)"}"#
        let reply: Reply<PaymentResource> = try await work.create(
            world.call("/v1/payments", body: body), world.read(body))
        return try await world.payment(world.id(reply))
    }

    /// A payment with the customer's default, from its verdict to its end.
    func pay(_ customer: CustomerID) async throws -> PaymentRecord {
        let payment: PaymentRecord = try await created(customer)
        await dispatcher.handle([world.message(world.verdict(payment))])
        return try await world.settled(payment.id)
    }

    /// How the removals at providers stand.
    func removals() async throws -> [String] {
        try await world.texts("SELECT concat_ws(' ', status, failure_code) FROM method_removals ORDER BY created_at")
    }

    /// The next time of every removal has come.
    func removeAgain() async throws {
        try await world.execute("UPDATE method_removals SET due_at = now()")
        try await work.remove.pass()
    }
}

@Suite("Methods kept at several providers") struct MethodTokenTests {
    @Test("rules send charges to a further provider that keeps the method, and so does a soft decline")
    func routed() async throws {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (customer, id) = try await vaults.kept()
            try await vaults.order("second", "first")
            #expect(try await vaults.pay(customer).provider == "first", "the other does not know it")
            let reply: Reply<MethodTokenResource> = try await vaults.keep(id)
            let json: JSONValue = try parseJSON(reply.body)
            #expect(reply.status == 201 && json["status"]?.stringValue == "kept" && json["token"] == nil)
            #expect(try await vaults.providers(id) == ["first", "second"])
            let sent: PaymentRecord = try await vaults.pay(customer)
            #expect(sent.status == .succeeded && sent.provider == "second" && sent.attempts == 1)
            #expect(
                vaults.second.charges.map(\.source) == [.stored(token: "pm_2", providerCustomer: "cus_pm_2")])
            try await vaults.order("first", "second")
            vaults.first.begin(with: .declined(ProviderDecline(code: "processing_error")))
            let followed: PaymentRecord = try await vaults.pay(customer)
            #expect(followed.status == .succeeded && followed.provider == "second" && followed.attempts == 2)
        }
    }

    @Test("without rules, too, a soft decline goes on to the further provider that keeps the method")
    func withoutRules() async throws {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (customer, id) = try await vaults.kept()
            vaults.first.begin(with: .declined(ProviderDecline(code: "processing_error")))
            let alone: PaymentRecord = try await vaults.pay(customer)
            #expect(alone.status == .failed && alone.attempts == 1)
            try await vaults.keep(id)
            let followed: PaymentRecord = try await vaults.pay(customer)
            #expect(followed.status == .succeeded && followed.provider == "second" && followed.attempts == 2)
        }
    }

    /// What a token may name, and how it is refused.
    private static let others: [(VaultedMethod?, String)] = [
        (nil, "unknown_token"), (VaultedMethod(type: "paypal"), "another_method"),
        (VaultedMethod(type: "card"), "another_card"),
        (VaultedMethod(type: "card", card: card(brand: "mastercard")), "another_card"),
        (VaultedMethod(type: "card", card: card(last4: "4241")), "another_card"),
        (VaultedMethod(type: "card", card: card(expMonth: 11)), "another_card"),
        (VaultedMethod(type: "card", card: card(expYear: 2031)), "another_card"),
    ]

    private static func card(
        brand: String = "visa", last4: String = "4242", expMonth: Int = 12, expYear: Int = 2030
    ) -> VaultedCard { VaultedCard(brand: brand, last4: last4, expMonth: expMonth, expYear: expYear) }

    @Test("a token of another card is refused by name; nothing is stored, and its provider is asked to keep nothing")
    func anotherCard() async throws {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (_, id) = try await vaults.kept()
            for (index, (named, code)) in Self.others.enumerated() {
                if let named { vaults.second.name(named, as: "pm_x") }
                let problem: Problem? = await vaults.refusal(id, "pm_x")
                #expect(problem?.status == 422 && problem?.errors.map(\.param) == ["token"])
                #expect(problem?.errors.map(\.code) == [code])
                #expect(vaults.second.asked == index + 1, "it is looked at, and no more")
            }
            // What charges name it by is not what a form gives.
            #expect(await vaults.refusal(id, "card/pm_2")?.errors.map(\.code) == ["unknown_token"])
            #expect(try await vaults.providers(id) == ["first"])
            #expect(try await world.number("SELECT count(*) FROM payment_method_tokens") == 0)
        }
    }

    @Test("a card of which its own provider told nothing is compared as that provider shows it") func untold()
        async throws
    {
        try await withPayments { world in
            let vaults = Vaults(world)
            vaults.first.save(as: Vaults.saved("pm_1", nil))
            let (_, id) = try await vaults.kept()
            #expect(await vaults.refusal(id)?.errors.map(\.code) == ["unknown_card"])
            vaults.first.name(VaultedMethod(type: "card", card: Self.card(last4: "1881")), as: "pm_1")
            #expect(await vaults.refusal(id)?.errors.map(\.code) == ["another_card"])
            vaults.first.name(VaultedMethod(type: "card", card: Self.card()), as: "pm_1")
            #expect(try await vaults.keep(id).status == 201)
        }
    }

    @Test("a provider keeps a method once: a repeat changes nothing, another token is refused") func once()
        async throws
    {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (_, id) = try await vaults.kept()
            #expect(try await vaults.keep(id).status == 201)
            let asked: Int = vaults.second.asked
            #expect(try await vaults.keep(id).status == 201)
            #expect(await vaults.refusal(id, "pm_3")?.code == "token_in_place")
            #expect(vaults.second.asked == asked)
            for (provider, code) in [("first", "own_provider"), ("nobody", "unknown_provider")] {
                let problem: Problem? = await vaults.refusal(id, at: provider)
                #expect(problem?.errors.map(\.param) == ["provider"] && problem?.errors.map(\.code) == [code])
            }
            #expect(await vaults.refusal(.new(at: PaymentWorld.start))?.status == 404)
            try await world.database.transaction { db in
                _ = try vaults.work.remove.detach(id, at: PaymentWorld.start, in: db)
            }
            #expect(await vaults.refusal(id)?.code == "payment_method_state")
        }
    }

    @Test("while the provider is silent, or the bank wants the customer, nothing is kept; the same request goes on")
    func goesOn() async throws {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (_, id) = try await vaults.kept()
            vaults.second.goAway(true)
            let silence: Problem? = await #expect(throws: Problem.self) { try await vaults.keep(id) }
            #expect(silence?.status == 503)
            vaults.second.goAway(false)
            vaults.second.save(
                as: .actionRequired(reference: "seti_1", .redirect(url: "https://pages.example/3ds")))
            let waiting: Reply<MethodTokenResource> = try await vaults.keep(id)
            let json: JSONValue = try parseJSON(waiting.body)
            #expect(waiting.status == 202 && json["status"]?.stringValue == "requires_action")
            #expect(json["url"]?.stringValue == "https://pages.example/3ds")
            vaults.second.save(as: .pending(reference: "seti_1"))
            #expect(try await vaults.keep(id).status == 202)
            vaults.second.save(as: .declined(ProviderDecline(code: "card_declined")))
            #expect(await vaults.refusal(id)?.errors.map(\.code) == ["token_refused"])
            #expect(try await vaults.providers(id) == ["first"])
            vaults.second.save(as: Vaults.saved("pm_2", Vaults.card))
            #expect(try await vaults.keep(id).status == 201)
            #expect(try await vaults.providers(id) == ["first", "second"])
        }
    }

    @Test(
        "taken away from a further provider it is charged there no more, and removed there; nothing under way is lost")
    func takenAway() async throws {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (customer, id) = try await vaults.kept()
            try await vaults.keep(id)
            try await vaults.order("second", "first")
            vaults.second.begin(with: nil)
            let open: PaymentRecord = try await vaults.pay(customer)
            #expect(open.status == .requiresAction && open.provider == "second")
            for (provider, code) in [
                ("second", "payment_in_progress"), ("first", "own_provider"), ("nobody", "not_found"),
            ] {
                let problem: Problem? = await #expect(throws: Problem.self) {
                    try await vaults.detach(id, from: provider)
                }
                #expect(problem?.code == code)
            }
            vaults.second.settle(open.attemptID, .captured(ProviderCharge(reference: "ch_open")))
            _ = try await vaults.work.sync(open.id)
            #expect(try await world.settled(open.id).status == .succeeded)
            #expect(try await vaults.detach(id, from: "second") == ["first"])
            #expect(vaults.second.forgotten.isEmpty, "the intent is stored first")
            vaults.second.goAway(true)
            try await vaults.removeAgain()
            #expect(try await vaults.removals() == ["processing"])
            vaults.second.goAway(false)
            #expect(await vaults.refusal(id)?.code == "removal_in_progress")
            try await vaults.removeAgain()
            #expect(try await vaults.removals() == ["succeeded"])
            #expect(vaults.second.forgotten.map(\.token) == ["pm_2", "pm_2"] && vaults.first.forgotten.isEmpty)
            let listed: [PaymentMethodID] = try await world.database.transaction { db in
                try PaymentMethodStore.list(customer: customer, after: nil, limit: 10, in: db).map(\.id)
            }
            #expect(listed == [id])
            #expect(try await vaults.pay(customer).provider == "first")
            #expect(try await vaults.keep(id).status == 201, "it may be kept there again")
        }
    }

    @Test("a further provider keeps what the customer has there as another method, too") func stillWanted()
        async throws
    {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (customer, id) = try await vaults.kept()
            try await vaults.keep(id)
            let body = #"{"customer_id":"\#(customer)","type":"card","provider":"second","token":"pm_2"}"#
            let other: Reply<PaymentMethodResource> = try await vaults.work.attach(
                world.call("/v1/payment_methods", body: body), world.read(body))
            let twin = PaymentMethodID(unchecked: try parseJSON(other.body)["id"]?.stringValue ?? "")
            try await world.database.transaction { db in
                _ = try vaults.work.remove.detach(twin, at: PaymentWorld.start, in: db)
            }
            try await vaults.removeAgain()
            #expect(try await vaults.removals() == ["succeeded"] && vaults.second.forgotten.isEmpty)
        }
    }

    @Test(
        "a provider is shown the proof of an agreement where a debit needs it",
        arguments: [("card", false), ("sepa_debit", true)])
    func proof(type: String, isShown: Bool) async throws {
        try await withPayments { world in
            let vaults = Vaults(world)
            let agreed = #","acceptance":{"ip_address":"192.0.2.7","user_agent":"Mozilla/5.0"}"#
            let (_, id) = try await vaults.kept(type, agreed)
            vaults.second.name(VaultedMethod(type: type, card: Self.card()), as: "pm_2")
            #expect(try await vaults.keep(id).status == 201)
            let address: String? = isShown ? "192.0.2.7" : nil
            #expect(vaults.second.saves.map(\.acceptance?.ipAddress) == [address])
        }
    }

    @Test("a method that is taken off its customer is removed at every provider that keeps it") func removed()
        async throws
    {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (_, id) = try await vaults.kept()
            try await vaults.keep(id)
            try await world.database.transaction { db in
                _ = try vaults.work.remove.detach(id, at: PaymentWorld.start, in: db)
            }
            vaults.first.goAway(true)
            try await vaults.removeAgain()
            #expect(try await vaults.removals() == ["processing"], "one has not answered")
            #expect(try await vaults.providers(id) == ["first"])
            vaults.first.goAway(false)
            try await vaults.removeAgain()
            #expect(try await vaults.removals() == ["succeeded"])
            #expect(vaults.second.forgotten == [ForgetMethodRequest(methodID: id, token: "pm_2")], "asked once")
            #expect(vaults.first.forgotten.last == ForgetMethodRequest(methodID: id, token: "pm_1"))
        }
    }
}
