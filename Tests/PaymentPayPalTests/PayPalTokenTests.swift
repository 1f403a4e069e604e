import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import Telemetry
import TestKit
import Testing

@Suite("PayPal access tokens") struct TokenTests {
    private let order = FakePayPal.Step.answer(201, Say.order("PAYER_ACTION_REQUIRED"))

    @Test("are asked for with the client's credentials and sent as a bearer") func credentials() async throws {
        let world = FakeWorld([order])
        _ = try await world.adapter.charge(Ask.charge())
        let asked = try #require(world.fake.tokenRequests.first)
        #expect(asked.line == "POST /v1/oauth2/token")
        #expect(asked.headers["Authorization"] == "Basic Y2xpZW50OnMzY3JldA==")
        #expect(asked.headers["Content-Type"] == "application/x-www-form-urlencoded")
        #expect(asked.body == Array("grant_type=client_credentials".utf8))
        #expect(world.fake.sent.first?.headers["Authorization"] == "Bearer T1")
    }

    @Test("are fetched once however many calls wait") func singleFlight() async throws {
        let world = FakeWorld(Array(repeating: order, count: 100))
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 { group.addTask { (try? await world.adapter.charge(Ask.charge())) != nil } }
            #expect(await group.allSatisfy { $0 })
        }
        #expect(world.fake.tokenRequests.count == 1)
        #expect(world.fake.sent.count == 100)
    }

    @Test("are renewed ahead of their end, and not before") func renewal() async throws {
        let world = FakeWorld([order, order, order], tokens: [FakePayPal.token("T1", life: 1_000)])
        _ = try await world.adapter.charge(Ask.charge())
        world.clock.advance(by: .seconds(879))
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.fake.tokenRequests.count == 1)
        world.clock.advance(by: .seconds(1))
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.fake.tokenRequests.count == 2)
        #expect(world.fake.sent.map { $0.headers["Authorization"] } == ["Bearer T1", "Bearer T1", "Bearer T2"])
    }

    @Test("with short lives are renewed half-way") func shortLife() async throws {
        let world = FakeWorld([order, order, order], tokens: [FakePayPal.token("T1", life: 10)])
        _ = try await world.adapter.charge(Ask.charge())
        world.clock.advance(by: .seconds(4))
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.fake.tokenRequests.count == 1)
        world.clock.advance(by: .seconds(1))
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.fake.tokenRequests.count == 2)
    }

    @Test("are used to their end when renewal fails") func failedRenewal() async throws {
        let down = FakePayPal.Step.text(503)
        let world = FakeWorld(
            [order, order], tokens: [FakePayPal.token("T1", life: 1_000)] + Array(repeating: down, count: 5))
        _ = try await world.adapter.charge(Ask.charge())
        world.clock.advance(by: .seconds(990))
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.fake.sent.last?.headers["Authorization"] == "Bearer T1")
        world.clock.advance(by: .seconds(10))
        await #expect(throws: ProviderFault.notSent("no access token: status 503")) {
            try await world.adapter.charge(Ask.charge())
        }
        #expect(world.fake.sent.count == 2)
    }

    @Test("that PayPal no longer takes are replaced once") func unauthorized() async throws {
        let stale = FakePayPal.Step.answer(401, ["error": "invalid_token"])
        let world = FakeWorld([stale, order])
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.fake.sent.map { $0.headers["Authorization"] } == ["Bearer T1", "Bearer T2"])
        let hopeless = FakeWorld([stale, stale])
        await #expect(throws: ProviderFault.unauthorized(code: "invalid_token")) {
            try await hopeless.adapter.charge(Ask.charge())
        }
        #expect(hopeless.fake.isOver && hopeless.fake.tokenRequests.count == 2 && hopeless.waits.all.isEmpty)
    }

    @Test("are replaced once per call, not once per try") func oncePerCall() async {
        let stale = FakePayPal.Step.answer(401, ["error": "invalid_token"])
        let world = FakeWorld([stale, .text(429), stale])
        await #expect(throws: ProviderFault.unauthorized(code: "invalid_token")) {
            try await world.adapter.charge(Ask.charge())
        }
        #expect(world.fake.isOver)
    }

    @Test("that die under many calls are replaced by one") func deathUnderLoad() async throws {
        let world = FakeWorld(Array(repeating: order, count: 101))
        _ = try await world.adapter.charge(Ask.charge())
        world.fake.kill(token: "T1")
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 { group.addTask { (try? await world.adapter.charge(Ask.charge())) != nil } }
            #expect(await group.allSatisfy { $0 })
        }
        #expect(world.fake.tokenRequests.count == 2 && world.fake.isOver)
    }

    @Test("survive the late news of an older one's death") func lateNews() async throws {
        let fake = FakePayPal([])
        let configuration = PayPalConfiguration(
            baseURL: FakePayPal.base, clientID: "c", clientSecret: Secret("s"), returnURL: "https://pay.test/back/")
        let surroundings = PayPalSurroundings(transport: fake, clock: ManualClock())
        let exchange = PayPalExchange(retry: configuration.retry, surroundings: surroundings)
        let tokens = PayPalTokens(configuration: configuration, exchange: exchange)
        let first: Secret = try await tokens.token()
        await tokens.discard(first)
        let second: Secret = try await tokens.token()
        await tokens.discard(first)
        #expect(try await tokens.token() == second && first != second)
        #expect(fake.tokenRequests.count == 2)
    }

    @Test(
        "that cannot be had leave the call unsent",
        arguments: [
            ([.fault(.timedOut)], .notSent("no access token: no answer in time")),
            ([.fault(.notSent("refused"))], .notSent("refused")),
            ([.text(500)], .notSent("no access token: status 500")),
            ([.text(429)], .rateLimited(retryAfter: nil)),
        ] as [([FakePayPal.Step], ProviderFault)])
    func unreachable(step: [FakePayPal.Step], fault: ProviderFault) async {
        let world = FakeWorld([], tokens: Array(repeating: step, count: 4).flatMap { $0 })
        await #expect(throws: fault) { try await world.adapter.charge(Ask.charge()) }
        #expect(world.fake.sent.isEmpty && world.fake.tokenRequests.count == 4 && world.waits.all.count == 3)
    }

    @Test("that fail once are asked for again") func secondTry() async throws {
        let world = FakeWorld([order], tokens: [.fault(.timedOut)])
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.fake.tokenRequests.count == 2 && world.fake.sent.count == 1)
    }

    @Test("are refused with our credentials: nothing is sent or repeated") func refused() async {
        let world = FakeWorld([], tokens: [.answer(401, ["error": "invalid_client"])])
        await #expect(throws: ProviderFault.unauthorized(code: "invalid_client")) {
            try await world.adapter.charge(Ask.charge())
        }
        #expect(world.fake.sent.isEmpty && world.waits.all.isEmpty)
    }

    @Test(
        "in answers that make no sense are not used",
        arguments: [
            .text(200, "<html/>"), .answer(200, []), .answer(200, ["access_token": "x", "token_type": "Bearer"]),
            FakePayPal.token("a\r\nX-Evil: 1"), FakePayPal.token(""), FakePayPal.token("x", life: 0),
            .answer(200, ["access_token": "x", "token_type": "mac", "expires_in": 9]),
        ] as [FakePayPal.Step])
    func unusable(step: FakePayPal.Step) async {
        let world = FakeWorld([order], tokens: Array(repeating: step, count: 4))
        do throws(ProviderFault) {
            _ = try await world.adapter.charge(Ask.charge())
            Issue.record("the token was used")
        } catch {
            #expect(error.isNotSent)
        }
        #expect(world.fake.sent.isEmpty)
    }

    @Test("and secrets are never printed") func silence() {
        let configuration = PayPalConfiguration(
            baseURL: "https://api-m.paypal.com/", clientID: "client", clientSecret: Secret("s3cret"),
            returnURL: "https://pay.test/back/")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!"\(configuration)\(String(reflecting: configuration))\(dumped)".contains("s3cret"))
        #expect(configuration.baseURL == "https://api-m.paypal.com")
    }
}
