import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentRouting
import PaymentSandbox
import PaymentService
import Postgres
import TestKit
import Testing

/// Several sandbox acquirers behind their guards, with routing between them.
private struct Acquirers: Sendable {
    let world: PaymentWorld
    let work: PaymentUseCases
    let book: RoutingBook
    private let providers: PaymentProviders
    private let names: [String]

    init(_ world: PaymentWorld, _ acquirers: [SandboxAcquirer], order: RoutingOrder) async throws {
        let logger = Logger(label: "test.acquirers") { _ in SwiftLogNoOpLogHandler() }
        let sandboxes: [SandboxProvider] = acquirers.map {
            SandboxProvider(pool: world.database, clock: world.clock, acquirer: $0)
        }
        let catalogue = ProviderCatalogue(
            sandboxes.map { ProviderProfile(name: $0.name, capabilities: $0.capabilities) })
        let health = ProviderHealth(
            catalogue, redis: nil, instance: "test", clock: world.clock, logger: logger)
        let providers = PaymentProviders(
            sandboxes.map { GuardedProvider($0, health: health, timeout: .seconds(30)) })
        let book = RoutingBook(catalogue: catalogue, health: health, logger: logger)
        try await world.database.transaction { db in
            _ = try book.replace(
                with: RoutingDocument(order: order), replaces: nil, at: PaymentWorld.start, by: "key_test", in: db)
        }
        self.world = world
        self.book = book
        self.providers = providers
        names = acquirers.map(\.name)
        work = PaymentUseCases(
            pool: world.database, providers: providers, clock: world.clock,
            policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 0, fallback: .review),
            logger: logger)
    }

    /// A payment of a card that every acquirer can charge, from its verdict to its end.
    func pay(_ number: String) async throws -> PaymentRecord {
        let payment: PaymentRecord = try await world.created(world.payer(number))
        guard let method: PaymentMethodID = payment.paymentMethodID, let card = CardNumber(number) else {
            throw PaymentWorld.Absent()
        }
        let route = RoutePayment(book: book)
        let names: [String] = names
        let decided: (route: Route?, own: String, steppedAt: Instant) = try await world.database.transaction { db in
            try MethodTokenStore.insert(
                names.filter { $0 != "sandbox" }.map {
                    MethodToken(provider: $0, token: SandboxProvider.token(of: card, at: $0))
                }, of: method, at: PaymentWorld.start, in: db)
            let row: (String, Instant)? = try db.first(
                """
                UPDATE payments p SET status = 'processing', stepped_at = now() FROM payment_methods m
                WHERE p.id = \(payment.id) AND m.id = p.payment_method_id RETURNING m.provider_token, p.stepped_at
                """
            ) { row in (try row.next(), try row.next()) }
            guard let row else { throw PaymentWorld.Absent() }
            return (try route([payment.id], in: db)[payment.id], row.0, row.1)
        }
        let source: ChargeSource = decided.route?.source ?? .stored(token: decided.own, providerCustomer: nil)
        try await charge(
            attempt(payment, payment.attemptID, decided.route?.provider ?? payment.provider, source),
            steppedAt: decided.steppedAt)
        return try await world.payment(payment.id)
    }

    /// Asks one acquirer after the other; what is not known stays for the sweeper.
    private func charge(_ first: Asked, steppedAt: Instant) async throws {
        var asked: Asked = first
        var steppedAt: Instant = steppedAt
        while true {
            let word: Result<ChargeAnswer, ProviderFault>
            do throws(ProviderFault) {
                word = .success(try await providers.named(asked.provider).charge(asked.request))
            } catch { word = .failure(error) }
            let end: EndedAttempt.End
            switch word {
            case .success(.declined(let decline)):
                end = .declined(
                    DeclineReading(Decline(code: decline.code)), networkCode: decline.networkCode, advice: nil)
            case .success(let answer):
                return try await work.outcomes(Outcome(attempt: asked.approved, answer: answer))
            case .failure(let fault):
                guard CascadeOutcome(fault) == .outage else { return }
                end = .outage(steppedAt: steppedAt)
            }
            let ended = EndedAttempt(
                paymentID: asked.request.paymentID, attemptID: asked.request.idempotencyKey, end: end)
            let cascade = CascadePayment(book: book)
            let now: Instant = world.clock.now
            let next: FollowingAttempt? = try await world.database.transaction { db in
                try cascade([ended], at: now, in: db)[ended.attemptID]
            }
            guard let next else {
                if case .success(let answer) = word {
                    try await work.outcomes(Outcome(attempt: asked.approved, answer: answer))
                }
                return
            }
            asked = Asked(asked, next)
            steppedAt = next.steppedAt
        }
    }

    private func attempt(
        _ payment: PaymentRecord, _ id: AttemptID, _ provider: String, _ source: ChargeSource
    ) -> Asked {
        Asked(
            provider: provider,
            request: ChargeRequest(
                idempotencyKey: id, paymentID: payment.id, source: source, amount: payment.amount))
    }

    struct Asked {
        let provider: String
        let request: ChargeRequest

        init(provider: String, request: ChargeRequest) {
            self.provider = provider
            self.request = request
        }

        init(_ before: Asked, _ next: FollowingAttempt) {
            provider = next.route.provider
            request = ChargeRequest(
                idempotencyKey: next.attemptID, paymentID: next.paymentID, source: next.route.source,
                amount: before.request.amount)
        }

        var approved: ApprovedAttempt {
            ApprovedAttempt(paymentID: request.paymentID, provider: provider, request: request)
        }
    }
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
            let waiting: PaymentRecord = try await mute.pay("4242424242424242")
            #expect(waiting.status == .processing && waiting.attempts == 1)
            #expect(try await world.texts("SELECT 'x' FROM sandbox_charges WHERE provider = 'sandbox_b'").count == 1)
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
