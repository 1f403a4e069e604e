import BillingCore
import HTTPKit
import JSON
import Logging
import Messaging
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentRouting
import PaymentSandbox
import PaymentService
import Postgres
import TestKit
import Testing

/// The service with several sandbox acquirers behind their guards, and routing between them.
private struct Acquirers: Sendable {
    let world: PaymentWorld
    let work: PaymentUseCases
    private let names: [String]
    private let dispatcher: EventDispatcher

    init(
        _ world: PaymentWorld, _ acquirers: [SandboxAcquirer], order: RoutingOrder,
        wallets: any WalletReader = ConfiguredWallets(), directory: ThreeDSServer? = nil
    ) async throws {
        let logger = Logger(label: "test.acquirers") { _ in SwiftLogNoOpLogHandler() }
        let sandboxes: [SandboxProvider] = acquirers.map {
            SandboxProvider(pool: world.database, clock: world.clock, acquirer: $0)
        }
        let catalogue = ProviderCatalogue(
            sandboxes.map { ProviderProfile(name: $0.name, capabilities: $0.capabilities) })
        let health = ProviderHealth(
            catalogue, redis: nil, instance: "test", clock: world.clock, logger: logger)
        let book = RoutingBook(catalogue: catalogue, health: health, logger: logger)
        try await world.database.transaction { db in
            _ = try book.replace(
                with: RoutingDocument(order: order), replaces: nil, at: PaymentWorld.start, by: "key_test", in: db)
        }
        self.world = world
        names = acquirers.map(\.name)
        work = PaymentUseCases(
            pool: world.database,
            providers: PaymentProviders(
                sandboxes.map { GuardedProvider($0, health: health, timeout: .seconds(30)) }), clock: world.clock,
            policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 0, fallback: .review),
            wallets: wallets, directory: directory, pages: ChallengePages(publicURL: "https://pay.test"),
            acquirers: acquirers.map(\.name).filter { $0 != "sandbox" },
            route: RoutePayment(book: book), cascade: CascadePayment(book: book), logger: logger)
        dispatcher = EventDispatcher(work.consumer, pool: world.database, clock: world.clock, logger: logger)
    }

    /// A payment of a card that every acquirer can charge, sent on its way.
    func begin(_ number: String) async throws -> PaymentRecord { try await begin(method: Self.card(number)) }

    /// A payment of a method as `POST /v1/payment_methods` takes it, sent on its way.
    func begin(method: String) async throws -> PaymentRecord {
        let (customer, id): (CustomerID, String) = try await attach(method)
        let body =
            #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)","payment_method_id":"\#(id)"}"#
        let reply: Reply<PaymentResource> = try await work.create(
            world.call("/v1/payments", body: body), world.read(body))
        let payment: PaymentRecord = try await world.payment(world.id(reply))
        await decide(payment)
        return payment
    }

    /// The payment of an invoice, issued for a reason, with a card that every acquirer can charge, sent on its way.
    func collect(_ number: String, reason: String = "cycle") async throws -> PaymentRecord {
        let (customer, _): (CustomerID, String) = try await attach(Self.card(number))
        let invoice = InvoiceID.new(at: PaymentWorld.start)
        await dispatcher.handle([world.message(world.finalized(invoice, customer, reason: reason))])
        let payment: PaymentRecord = try await world.payment(of: invoice)
        await decide(payment)
        return payment
    }

    /// Fraud's word.
    func decide(_ payment: PaymentRecord) async { await dispatcher.handle([world.message(world.verdict(payment))]) }

    private static func card(_ number: String) -> String {
        #""card":{"number":"\#(number)","exp_month":12,"exp_year":2030,"cvc":"123"}"#
    }

    /// A customer with a method, and its id.
    private func attach(_ method: String) async throws -> (CustomerID, String) {
        let customer: CustomerID = await world.customer()
        let input: CreatePaymentMethodInput = try world.read(
            #"{"customer_id":"\#(customer)","type":"card",\#(method)}"#)
        let attached: JSONValue = try parseJSON(
            try await work.attach(world.call("/v1/payment_methods"), input).body)
        #expect(attached["providers"]?.arrayValue?.compactMap(\.stringValue) == names)
        return (customer, attached["id"]?.stringValue ?? "")
    }

    /// A payment of a card, from its verdict to its end.
    func pay(_ number: String) async throws -> PaymentRecord { try await world.settled(begin(number).id) }
}

@Suite("Payments over several acquirers") struct AcquirerTests {
    private static let order: RoutingOrder = .listed(["sandbox_b", "sandbox_c", "sandbox"])

    private func providers(_ world: PaymentWorld, of payment: PaymentRecord) async throws -> [String] {
        try await world.texts(
            """
            SELECT concat_ws(' ', provider, status, decline_code) FROM payment_attempts
            WHERE payment_id = \(payment.id) ORDER BY number
            """)
    }

    @Test("a soft decline at one acquirer is a success at the next, booked there once and refunded there")
    func cascade() async throws {
        try await withPayments { world in
            let acquirers = try await Acquirers(
                world,
                [SandboxAcquirer(), SandboxAcquirer("sandbox_b", fault: .declines), SandboxAcquirer("sandbox_c")],
                order: Self.order)
            let payment: PaymentRecord = try await acquirers.pay("4242424242424242")
            #expect(payment.status == .succeeded && payment.provider == "sandbox_c" && payment.attempts == 2)
            #expect(
                try await providers(world, of: payment) == [
                    "sandbox_b failed processing_error", "sandbox_c succeeded",
                ])
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.published("payment.failed.v1") == 0, "the payment has not failed")
            let body = #"{"payment_id":"\#(payment.id)"}"#
            let refund: Reply<RefundResource> = try await acquirers.work.refund(
                world.call("/v1/refunds", body: body), world.read(body))
            #expect(refund.status == 201)
            #expect(try await world.balances().contains("assets:provider:sandbox_c 0"))
            #expect(try await world.violations() == [])
        }
    }

    @Test("an acquirer that cannot be reached is passed over; one that is silent is not, and is read back")
    func faults() async throws {
        try await withPayments { world in
            let away = try await Acquirers(
                world,
                [
                    SandboxAcquirer(), SandboxAcquirer("sandbox_b", fault: .away),
                    SandboxAcquirer("sandbox_c", fault: .away),
                ], order: Self.order)
            let moved: PaymentRecord = try await away.pay("4242424242424242")
            #expect(
                try await providers(world, of: moved) == [
                    "sandbox_b failed outage", "sandbox_c failed outage", "sandbox succeeded",
                ])
            let mute = try await Acquirers(
                world, [SandboxAcquirer(), SandboxAcquirer("sandbox_b", fault: .silent), SandboxAcquirer("sandbox_c")],
                order: Self.order)
            let waiting: PaymentRecord = try await mute.begin("4242424242424242")
            try await eventually(within: .seconds(10), "it is booked") {
                try await world.number("SELECT count(*) FROM sandbox_charges WHERE provider = 'sandbox_b'") == 1
            }
            try await mute.work.sweep.pass()
            let found: PaymentRecord = try await world.settled(waiting.id)
            #expect(found.status == .succeeded && found.provider == "sandbox_b" && found.attempts == 1)
        }
    }

    @Test("a wallet's card goes on with its cryptogram to the next where nobody was asked, and never after a decline")
    func wallets() async throws {
        let tokens = WalletTokens()
        try await withPayments { world in
            for (fault, expected) in [
                (.away, ["sandbox_b failed outage", "sandbox_c succeeded"]),
                (.declines, ["sandbox_b failed processing_error"]),
            ] as [(SandboxAcquirer.Fault, [String])] {
                let acquirers = try await Acquirers(
                    world,
                    [SandboxAcquirer(), SandboxAcquirer("sandbox_b", fault: fault), SandboxAcquirer("sandbox_c")],
                    order: Self.order, wallets: tokens.reader())
                // The number wants 3-D Secure: without its cryptogram nobody takes it.
                let token: JSONValue = try tokens.token(id: "message-\(fault)", number: "4000002500003155")
                let payment: PaymentRecord = try await world.settled(
                    acquirers.begin(method: #""wallet":{"type":"google_pay","token":\#(token)}"#).id)
                #expect(payment.status == (fault == .away ? .succeeded : .failed))
                #expect(try await providers(world, of: payment) == expected)
                #expect(
                    try await world.texts(
                        "SELECT routing->>'stopped' FROM payment_attempts WHERE payment_id = \(payment.id) AND routing ? 'stopped'"
                    ) == (fault == .away ? [] : ["single_use"]))
                #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
            }
            #expect(try await world.violations() == [])
        }
    }

    @Test("an attempt that follows keeps what the issuer has said: the bank is told of it, and it counts")
    func authenticated() async throws {
        let tokens = WalletTokens()
        let directory = DirectoryDouble()
        try await withPayments { world in
            let acquirers = try await Acquirers(
                world, [SandboxAcquirer(), SandboxAcquirer("sandbox_b", fault: .away), SandboxAcquirer("sandbox_c")],
                order: Self.order, wallets: tokens.reader(), directory: directory.server)
            let token: JSONValue = try tokens.token(number: "4000002500003155", isCard: true)
            let begun: PaymentRecord = try await acquirers.begin(
                method: #""wallet":{"type":"google_pay","token":\#(token)}"#)
            #expect(try await world.settled(begun.id).status == .requiresAction)
            #expect(try await world.authenticate(begun.id, by: acquirers.work)["status"] == "challenge")
            _ = try await #require(acquirers.work.authenticate).result(directory.result("Y"))
            await acquirers.decide(try await world.payment(begun.id))
            let paid: PaymentRecord = try await world.settled(begun.id)
            #expect(paid.status == .succeeded)
            #expect(
                try await providers(world, of: paid).suffix(2) == ["sandbox_b failed outage", "sandbox_c succeeded"])
            #expect(paid.authentication?.method == "three_d_secure" && paid.authentication?.indicator == "05")
            #expect(paid.authentication?.liability == "issuer")
            #expect(
                try await world.texts(
                    """
                    SELECT concat_ws(' ', authentication->>'by', authentication->>'eci', authentication->>'liability')
                    FROM payment_attempts WHERE id = \(paid.attemptID)
                    """) == ["three_d_secure 05 issuer"])
            #expect(try await world.violations() == [])
        }
    }

    /// A payment whose first acquirer is not heard as it begins; afterwards that says that it has declined softly.
    private func late(
        _ world: PaymentWorld, _ begin: (Acquirers) async throws -> PaymentRecord
    ) async throws -> (payment: PaymentRecord, after: Acquirers) {
        func acquirers(_ fault: SandboxAcquirer.Fault) async throws -> Acquirers {
            try await Acquirers(
                world, [SandboxAcquirer(), SandboxAcquirer("sandbox_b", fault: fault), SandboxAcquirer("sandbox_c")],
                order: Self.order)
        }
        let payment: PaymentRecord = try await begin(try await acquirers(.broken))
        return (payment, try await acquirers(.declines))
    }

    private func stopped(_ world: PaymentWorld, _ payment: PaymentRecord) async throws -> [String] {
        try await world.texts(
            "SELECT routing->>'stopped' FROM payment_attempts WHERE payment_id = \(payment.id) AND routing ? 'stopped'")
    }

    private func charges(_ world: PaymentWorld, at acquirer: String) async throws -> Int {
        try await world.number("SELECT count(*) FROM sandbox_charges WHERE provider = \(acquirer)")
    }

    @Test(
        "a soft decline that is heard minutes later is followed where nobody waits; who has left is charged by nobody",
        arguments: [nil, "signup", "cycle"] as [String?])
    func heardLate(reason: String?) async throws {
        let goesOn: Bool = reason == "cycle"
        try await withPayments { world in
            let (payment, after): (PaymentRecord, Acquirers) = try await late(world) { acquirers in
                guard let reason else { return try await acquirers.begin("4242424242424242") }
                return try await acquirers.collect("4242424242424242", reason: reason)
            }
            // Ids of a process never go back in time, and this one's have seen other tests.
            let madeAt: Instant = max(PaymentWorld.start, try #require(payment.attemptID.madeAt))
            world.clock.set(madeAt.adding(.seconds(180)))
            try await after.work.sweep.pass()
            let ended: PaymentRecord = try await world.settled(payment.id)
            #expect(ended.status == (goesOn ? .succeeded : .failed))
            #expect(
                try await providers(world, of: ended)
                    == ["sandbox_b failed processing_error"] + (goesOn ? ["sandbox_c succeeded"] : []))
            #expect(try await stopped(world, ended) == (goesOn ? [] : ["customer_left"]))
            #expect(try await charges(world, at: "sandbox_c") == (goesOn ? 1 : 0))
            #expect(try await world.violations() == [])
        }
    }

    @Test("a card that was taken off its customer meanwhile is charged by no other acquirer") func takenOff()
        async throws
    {
        try await withPayments { world in
            let (payment, after): (PaymentRecord, Acquirers) = try await late(world) { acquirers in
                try await acquirers.collect("4242424242424242")
            }
            let method: PaymentMethodID = try #require(payment.paymentMethodID)
            _ = try await world.database.transaction { db in
                try world.work.remove.detach(method, at: PaymentWorld.start, in: db)
            }
            try await after.work.sweep.pass()
            let failed: PaymentRecord = try await world.settled(payment.id)
            #expect(failed.status == .failed && failed.declineCode == "processing_error")
            #expect(try await providers(world, of: failed) == ["sandbox_b failed processing_error"])
            #expect(try await stopped(world, failed) == ["unwanted"])
            #expect(try await charges(world, at: "sandbox_c") == 0)
            #expect(try await world.violations() == [])
        }
    }

    @Test("nor is one in whose place another is the default: that is charged next") func replaced() async throws {
        try await withPayments { world in
            let (payment, after): (PaymentRecord, Acquirers) = try await late(world) { acquirers in
                try await acquirers.collect("4242424242424242")
            }
            let invoice: InvoiceID = try #require(payment.invoiceID)
            try await world.attach("5555555555554444", to: payment.customerID)
            await world.deliver([world.due(invoice, payment.customerID, reason: "new_payment_method")])
            try await after.work.sweep.pass()
            let next: PaymentRecord = try await world.payment(payment.id)
            #expect(next.status == .created && next.paymentMethodID != payment.paymentMethodID)
            await after.decide(next)
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(
                try await providers(world, of: next) == ["sandbox_b failed processing_error", "sandbox succeeded"])
            #expect(try await charges(world, at: "sandbox_c") == 0)
            #expect(try await world.violations() == [])
        }
    }

    @Test("an acquirer's books are its own: another's token, charge or capture means nothing to it") func apart()
        async throws
    {
        try await withPayments { world in
            let b = SandboxProvider(pool: world.database, clock: world.clock, acquirer: SandboxAcquirer("sandbox_b"))
            let c = SandboxProvider(pool: world.database, clock: world.clock, acquirer: SandboxAcquirer("sandbox_c"))
            let card: CardNumber = try #require(CardNumber("4242424242424242"))
            func request(_ name: String) -> ChargeRequest {
                ChargeRequest(
                    idempotencyKey: .new(at: PaymentWorld.start), paymentID: .new(at: PaymentWorld.start),
                    source: .stored(token: SandboxProvider.token(of: card, at: name), providerCustomer: nil),
                    amount: PaymentWorld.price, capture: false)
            }
            #expect(try await b.charge(request("sandbox_c")) == .declined(ProviderDecline(code: "generic_decline")))
            let held: ChargeRequest = request("sandbox_b")
            guard case .authorized(let charge) = try await b.charge(held) else {
                Issue.record("the charge is not held")
                return
            }
            let capture = CaptureRequest(
                idempotencyKey: .new(at: PaymentWorld.start), reference: charge.reference, amount: PaymentWorld.price,
                isFinal: true)
            #expect(try await c.capture(capture) == .refused(code: "charge_not_found"))
            #expect(
                try await c.release(ReleaseRequest(idempotencyKey: held.idempotencyKey, reference: charge.reference))
                    == .refused(code: "charge_not_found"))
            #expect(try await b.capture(capture) != .refused(code: "charge_not_found"))
        }
    }

    @Test("each acquirer reports its own days, and pays out for itself") func settled() async throws {
        try await withPayments { world in
            let acquirers = try await Acquirers(
                world, [SandboxAcquirer(), SandboxAcquirer("sandbox_b")], order: .listed(["sandbox_b", "sandbox"]))
            #expect(try await acquirers.pay("4242424242424242").provider == "sandbox_b")
            _ = try await world.paid(world.payer(), amount: 10_000)
            world.advance(days: 4)
            let b = SandboxProvider(pool: world.database, clock: world.clock, acquirer: SandboxAcquirer("sandbox_b"))
            let reconcile: ReconcileProviders = world.reconciliation([world.provider.sandbox, b])
            try await reconcile.pass()
            #expect(
                try await world.texts("SELECT concat_ws(' ', provider, kind, gross, state) FROM settlement_lines")
                    .sorted()
                    == [
                        "sandbox charge 10000 matched", "sandbox payout -9680 matched", "sandbox_b charge 1299 matched",
                        "sandbox_b payout -1231 matched",
                    ])
            #expect(try await world.cases().isEmpty)
            #expect(try await world.balance("assets:bank") == 9_680 + 1_231)
            #expect(try await world.violations() == [])
        }
    }

    @Test("seeded payments over unsteady acquirers: each charged at most once, all books equal") func seeded()
        async throws
    {
        var random = Seeded()
        let cards = ["4242424242424242", "4000000000009995", "4000000000000002", "4000000000000069"]
        let drawn: [String] = (0..<60).map { _ in cards[Int.random(in: 0..<cards.count, using: &random)] }
        let steady: [Int] = (0..<3).map { _ in Int.random(in: 20...90, using: &random) }
        try await withPayments(connections: 8) { world in
            let acquirers = try await Acquirers(
                world,
                [
                    SandboxAcquirer("sandbox", successPercent: steady[0]),
                    SandboxAcquirer("sandbox_b", successPercent: steady[1]),
                    SandboxAcquirer("sandbox_c", successPercent: steady[2]),
                ], order: .successRate(floor: 2_000))
            for number in drawn {
                let payment: PaymentRecord = try await acquirers.pay(number)
                #expect(payment.status == .succeeded || payment.status == .failed)
                #expect(payment.attempts <= 3)
            }
            #expect(
                try await world.number("SELECT count(*) FROM sandbox_charges WHERE captured > 0")
                    == world.number("SELECT count(*) FROM payments WHERE status = 'succeeded'"))
            #expect(try await world.violations() == [])
        }
    }
}
