import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRouting
import Redis
import TestKit
import Testing

@Suite("Providers' health, shared by instances") struct SharedHealthTests {
    private struct Instance {
        let acquirer = ScriptedAcquirer("a")
        let health: ProviderHealth
        let guarded: GuardedProvider

        init(_ name: String, _ redis: RedisClient, _ prefix: String, _ clock: ManualClock) {
            let profile = ProviderProfile(
                name: "a", capabilities: RoutingWorld.capabilities, limits: ProviderProfile.Limits(inFlight: 10))
            health = ProviderHealth(
                ProviderCatalogue([profile]), redis: redis, prefix: prefix, instance: name, clock: clock,
                logger: silent)
            guarded = GuardedProvider(acquirer, health: health, timeout: .seconds(30))
        }

        var phase: CircuitBreaker.Phase? { health.snapshot("a")?.phase }

        @discardableResult
        func charge(_ segment: RoutingSegment? = nil) async -> Bool {
            let request = ChargeRequest(
                idempotencyKey: .new(at: RoutingWorld.start), paymentID: .new(at: RoutingWorld.start),
                source: .stored(token: "tok", providerCustomer: nil), amount: Money(minor: 100, currency: .eur))
            if let segment { health.remember(request.idempotencyKey, segment) }
            do throws(ProviderFault) {
                _ = try await guarded.charge(request)
                return true
            } catch { return false }
        }

        func lookUp() async -> Bool {
            let request = ChargeRequest(
                idempotencyKey: .new(at: RoutingWorld.start), paymentID: .new(at: RoutingWorld.start),
                source: .stored(token: "tok", providerCustomer: nil), amount: Money(minor: 100, currency: .eur))
            do throws(ProviderFault) {
                _ = try await guarded.outcome(of: request)
                return true
            } catch { return false }
        }

        func goSilent() { acquirer.turn { _ throws(ProviderFault) in throw .timedOut } }
    }

    private func pair(
        _ body: (Instance, Instance, ManualClock) async throws -> Void
    ) async throws {
        let redis: RedisClient = try await TestRedis.client()
        let prefix: String = TestRedis.uniqueKey("routing")
        let clock = ManualClock(RoutingWorld.start)
        try await body(
            Instance("one", redis, prefix, clock), Instance("two", redis, prefix, clock), clock)
        await redis.shutdown()
    }

    @Test("failures of two instances add up: together they open the circuit of both") func together() async throws {
        try await pair { one, two, _ in
            one.goSilent()
            two.goSilent()
            for _ in 0..<12 { await one.charge() }
            for _ in 0..<12 { await two.charge() }
            #expect(one.phase == .closed && two.phase == .closed)
            await one.health.exchange()
            await two.health.exchange()
            await one.health.exchange()
            guard case .open = one.phase, case .open = two.phase else {
                Issue.record("\(String(describing: one.phase)), \(String(describing: two.phase))")
                return
            }
            let asked: Int = one.acquirer.charges
            #expect(await !one.charge())
            #expect(one.acquirer.charges == asked)
        }
    }

    @Test("an instance that has only looked things up does not close the circuit that charges of another opened")
    func lookUps() async throws {
        try await pair { one, two, clock in
            one.goSilent()
            for _ in 0..<20 { await one.charge() }
            await one.health.exchange()
            await two.health.exchange()
            clock.advance(by: .seconds(31))
            for _ in 0..<4 { #expect(await two.lookUp()) }
            #expect(two.phase != .closed)
            #expect(await !one.charge())
            await two.health.exchange()
            #expect(two.phase == .open(until: clock.now.adding(.seconds(30))))
        }
    }

    @Test("exchanging again and again counts nothing twice") func once() async throws {
        try await pair { one, two, _ in
            for _ in 0..<7 { await one.charge() }
            for _ in 0..<5 { await two.charge() }
            for _ in 0..<6 {
                await one.health.exchange()
                await two.health.exchange()
            }
            await one.health.exchange()
            #expect(one.health.snapshot("a")?.answered == 12)
            #expect(two.health.snapshot("a")?.answered == 12)
        }
    }

    @Test("all instances together send no more probes than the policy has, and close the circuit together")
    func probes() async throws {
        try await pair { one, two, clock in
            one.goSilent()
            for _ in 0..<20 { await one.charge() }
            await one.health.exchange()
            await two.health.exchange()
            guard case .open = two.phase else {
                Issue.record("the other instance has not heard of it")
                return
            }
            clock.advance(by: .seconds(31))
            let gate = Gate()
            for instance in [one, two] {
                instance.acquirer.turn { request in
                    await gate.wait()
                    return captured(request)
                }
            }
            let before: Int = one.acquirer.charges + two.acquirer.charges
            let calls: [Task<Bool, Never>] = [one, two, one, two, one, two, one, two].map { instance in
                Task { await instance.charge() }
            }
            try await eventually(within: .seconds(5), "three probes are under way") {
                one.acquirer.charges + two.acquirer.charges - before >= 3
            }
            gate.open()
            var through = 0
            for call in calls where await call.value { through += 1 }
            // Some may have been let out by the circuit that the first three have closed.
            #expect(through >= 3)
            await one.health.exchange()
            await two.health.exchange()
            #expect(one.phase == .closed && two.phase == .closed)
        }
    }

    @Test("success counts of all instances meet") func successes() async throws {
        try await pair { one, two, _ in
            let segment = RoutingSegment(method: "card", brand: "visa", country: nil, currency: .eur)
            for _ in 0..<4 { await one.charge(segment) }
            two.acquirer.turn { _ in .declined(ProviderDecline(code: "do_not_honor")) }
            for _ in 0..<3 { await two.charge(segment) }
            for _ in 0..<3 {
                await one.health.exchange()
                await two.health.exchange()
            }
            await one.health.exchange()
            for instance in [one, two] {
                #expect(
                    instance.health.successes(of: segment, at: "a") == SuccessCounts(succeeded: 4, tried: 7))
            }
        }
    }

    @Test("the bulkhead's limit is dealt out among the instances that are alive") func shares() async throws {
        try await pair { one, two, _ in
            await one.health.exchange()
            #expect(one.health.snapshot("a")?.inFlightLimit == 10)
            await two.health.exchange()
            await one.health.exchange()
            #expect(one.health.snapshot("a")?.inFlightLimit == 5)
            #expect(two.health.snapshot("a")?.inFlightLimit == 5)
        }
    }

    @Test("without Redis an instance goes by what it sees itself, and shares it when Redis is back")
    func away() async throws {
        let own = try OwnRedis()
        try await own.start()
        let client = RedisClient(own.configuration)
        try await eventually(within: .seconds(5), "redis connected") { client.isConnected }
        let clock = ManualClock(RoutingWorld.start)
        let one = Instance("one", client, "away", clock)
        await one.health.exchange()
        own.kill()
        try await eventually(within: .seconds(5), "redis is away") { !client.isConnected }
        let segment = RoutingSegment(method: "card", brand: nil, country: nil, currency: .eur)
        await one.charge(segment)
        await one.health.exchange()
        one.goSilent()
        for _ in 0..<20 { await one.charge() }
        guard case .open = one.phase else {
            Issue.record("its own eyes are not enough: \(String(describing: one.phase))")
            return
        }
        clock.advance(by: .seconds(31))
        one.acquirer.turn { request in captured(request) }
        for _ in 0..<3 { #expect(await one.charge()) }
        #expect(one.phase == .closed)
        try await own.start()
        try await eventually(within: .seconds(10), "redis is back") { client.isConnected }
        await one.health.exchange()
        let two = Instance("two", client, "away", clock)
        await two.health.exchange()
        #expect(two.health.successes(of: segment, at: "a") == SuccessCounts(succeeded: 1, tried: 1))
        await client.shutdown()
    }
}
