import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRouting
import Synchronization
import TestKit
import Testing

@Suite("A provider behind its guard") struct GuardedProviderTests {
    private struct World {
        let acquirer: ScriptedAcquirer
        let health: ProviderHealth
        let guarded: GuardedProvider
        let clock = ManualClock(RoutingWorld.start)

        init(timeout: Duration = .seconds(30), inFlight: Int = 100, script: @escaping ScriptedAcquirer.Script) {
            acquirer = ScriptedAcquirer("a", script)
            let profile = ProviderProfile(
                name: "a", capabilities: acquirer.capabilities,
                limits: ProviderProfile.Limits(timeout: timeout, inFlight: inFlight))
            health = ProviderHealth(
                ProviderCatalogue([profile]), redis: nil, instance: "test", clock: clock, logger: silent)
            guarded = GuardedProvider(acquirer, health: health, timeout: timeout)
        }

        func charge(
            _ initiation: ChargeRequest.Initiation = .customer
        ) async throws(ProviderFault) -> ChargeAnswer { try await guarded.charge(request(initiation)) }

        func request(_ initiation: ChargeRequest.Initiation = .customer) -> ChargeRequest {
            ChargeRequest(
                idempotencyKey: .new(at: RoutingWorld.start), paymentID: .new(at: RoutingWorld.start),
                source: .stored(token: "tok", providerCustomer: nil), amount: Money(minor: 100, currency: .eur),
                initiation: initiation)
        }
    }

    private static func open(_ world: World) async {
        world.acquirer.turn { _ throws(ProviderFault) in throw .timedOut }
        for _ in 0..<20 { _ = try? await world.charge() }
    }

    @Test("answers and faults pass through as they are") func transparent() async throws {
        let world = World { request in captured(request) }
        let request: ChargeRequest = world.request()
        #expect(try await world.guarded.charge(request) == captured(request))
        for fault in [
            ProviderFault.notSent("x"), .timedOut, .unavailable(500), .rateLimited(retryAfter: 3), .unusable("y"),
            .rejected(code: "z"), .unauthorized(code: "k"),
        ] {
            world.acquirer.turn { _ throws(ProviderFault) in throw fault }
            await #expect(throws: fault) { try await world.charge() }
        }
    }

    @Test("declines are good answers; outages open the circuit, and then nobody is asked") func circuit() async throws {
        let world = World { _ in .declined(ProviderDecline(code: "do_not_honor")) }
        for _ in 0..<100 { _ = try await world.charge() }
        #expect(world.health.snapshot("a")?.phase == .closed)
        // 100 good answers are in the window; they fall out of it.
        world.clock.advance(by: .seconds(120))
        await Self.open(world)
        #expect(world.health.snapshot("a")?.phase == .open(until: world.clock.now.adding(.seconds(30))))
        let asked: Int = world.acquirer.charges
        world.acquirer.turn { request in captured(request) }
        await #expect(throws: ProviderFault.notSent("the circuit of a is open")) { try await world.charge() }
        await #expect(throws: ProviderFault.notSent("the circuit of a is open")) {
            try await world.guarded.outcome(of: world.request())
        }
        await #expect(throws: ProviderFault.notSent("the circuit of a is open")) {
            try await world.guarded.release(
                ReleaseRequest(idempotencyKey: .new(at: RoutingWorld.start), reference: "ch"))
        }
        #expect(world.acquirer.charges == asked && world.acquirer.lookUps == 0)
        #expect(world.guarded.name == "a" && world.guarded.capabilities.methods.count == 1)
    }

    @Test("what is rejected, and look-ups of one charge that fail, say nothing of it; new charges do")
    func noOutages() async throws {
        let world = World { _ throws(ProviderFault) in throw .rejected(code: "token_unknown") }
        for _ in 0..<30 { _ = try? await world.charge() }
        let stuck: ChargeRequest = world.request()
        for fault in [
            ProviderFault.unusable("another amount"), .unavailable(500), .timedOut, .rateLimited(retryAfter: nil),
        ] {
            world.acquirer.turn { _ throws(ProviderFault) in throw fault }
            for _ in 0..<30 { _ = try? await world.guarded.outcome(of: stuck) }
            #expect(world.health.snapshot("a")?.phase == .closed, "\(fault)")
        }
        world.acquirer.turn { _ throws(ProviderFault) in throw .unusable("another amount") }
        world.clock.advance(by: .seconds(120))
        for _ in 0..<30 { _ = try? await world.charge() }
        #expect(world.health.snapshot("a")?.phase != .closed)
    }

    @Test("a provider that refuses our credentials is left alone until a probe finds them good") func credentials()
        async throws
    {
        let world = World { _ throws(ProviderFault) in throw .unauthorized(code: "api_key_expired") }
        for _ in 0..<20 { _ = try? await world.charge() }
        #expect(world.acquirer.charges == 20)
        // A charge is told at once, and does not wait for them; what was asked before does.
        await #expect(throws: ProviderFault.unauthorized(code: "api_key_expired")) { try await world.charge() }
        await #expect(throws: ProviderFault.notSent("the circuit of a is open")) {
            try await world.guarded.outcome(of: world.request())
        }
        #expect(world.acquirer.charges == 20 && world.acquirer.lookUps == 0)
        // Where nobody is there the charge waits until they are seen to.
        await #expect(throws: ProviderFault.notSent("the circuit of a is open")) {
            try await world.charge(.merchant(networkTransactionID: nil))
        }
        world.acquirer.turn { request in captured(request) }
        world.clock.advance(by: .seconds(31))
        for _ in 0..<3 { _ = try await world.charge() }
        #expect(world.health.snapshot("a")?.phase == .closed)
        await Self.open(world)
        await #expect(throws: ProviderFault.notSent("the circuit of a is open")) { try await world.charge() }
    }

    @Test("attempts that never end here do not keep later ones from being counted") func forgotten() async throws {
        let world = World { request in captured(request) }
        let segment = RoutingSegment(method: "card", brand: "visa", country: "DE", currency: .eur)
        for _ in 0..<25_000 { world.health.remember(.new(at: RoutingWorld.start), segment) }
        let request: ChargeRequest = world.request()
        world.health.remember(request.idempotencyKey, segment)
        _ = try await world.guarded.charge(request)
        #expect(world.health.successes(of: segment, at: "a").succeeded == 1)
    }

    @Test("after its time the circuit is probed: three good answers close it, a bad one opens it again")
    func probes() async throws {
        let world = World { request in captured(request) }
        await Self.open(world)
        world.clock.advance(by: .seconds(31))
        await #expect(throws: ProviderFault.timedOut) { try await world.charge() }
        await #expect(throws: ProviderFault.notSent("the circuit of a is open")) { try await world.charge() }
        world.clock.advance(by: .seconds(31))
        world.acquirer.turn { request in captured(request) }
        for _ in 0..<3 { _ = try await world.charge() }
        #expect(world.health.snapshot("a")?.phase == .closed)
        _ = try await world.charge()
    }

    @Test("a probe that is rejected says nothing: it neither closes the circuit nor opens it, and another may go")
    func rejectedProbes() async throws {
        let world = World { request in captured(request) }
        await Self.open(world)
        world.clock.advance(by: .seconds(31))
        world.acquirer.turn { _ throws(ProviderFault) in throw .rejected(code: "method_unsupported") }
        for _ in 0..<7 {
            await #expect(throws: ProviderFault.rejected(code: "method_unsupported")) { try await world.charge() }
        }
        #expect(world.health.snapshot("a")?.phase == .halfOpen(good: 0, underWay: []))
        world.acquirer.turn { request in captured(request) }
        for _ in 0..<2 { _ = try await world.charge() }
        #expect(world.health.snapshot("a")?.phase == .halfOpen(good: 2, underWay: []))
        _ = try await world.charge()
        #expect(world.health.snapshot("a")?.phase == .closed)
    }

    @Test(
        "good look-ups do not keep the circuit closed over charges that fail, nor close it, until nobody charges any more"
    )
    func goodLookUps() async throws {
        let world = World { request in captured(request) }
        func lookUp(_ count: Int) async throws {
            world.acquirer.turn { request in captured(request) }
            for _ in 0..<count { _ = try await world.guarded.outcome(of: world.request()) }
        }
        for failed in 1...20 {
            #expect(world.health.snapshot("a")?.phase == .closed, "after \(failed - 1)")
            world.acquirer.turn { _ throws(ProviderFault) in throw .timedOut }
            _ = try? await world.charge()
            if failed < 20 { try await lookUp(2) }
        }
        #expect(world.health.snapshot("a")?.phase == .open(until: world.clock.now.adding(.seconds(30))))
        world.clock.advance(by: .seconds(31))
        // They go out, and the next charge is a probe all the same.
        try await lookUp(6)
        #expect(world.health.snapshot("a")?.phase != .closed)
        world.acquirer.turn { _ throws(ProviderFault) in throw .timedOut }
        await #expect(throws: ProviderFault.timedOut) { try await world.charge() }
        #expect(world.health.snapshot("a")?.phase == .open(until: world.clock.now.adding(.seconds(30))))
        // Nobody charges there any more.
        world.clock.advance(by: .seconds(149))
        try await lookUp(6)
        #expect(world.health.snapshot("a")?.phase != .closed)
        world.clock.advance(by: .seconds(1))
        try await lookUp(3)
        #expect(world.health.snapshot("a")?.phase == .closed)
    }

    @Test(
        "a look-up that fails says nothing while charges are what failed: good charges close the circuit all the same")
    func failedLookUps() async throws {
        let world = World { request in captured(request) }
        await Self.open(world)
        world.clock.advance(by: .seconds(31))
        world.acquirer.turn { _ throws(ProviderFault) in throw .unavailable(500) }
        await #expect(throws: ProviderFault.unavailable(500)) { try await world.guarded.outcome(of: world.request()) }
        #expect(world.health.snapshot("a")?.phase != .closed)
        world.acquirer.turn { request in captured(request) }
        for _ in 0..<3 { _ = try await world.charge() }
        #expect(world.health.snapshot("a")?.phase == .closed)
    }

    @Test("look-ups that do not reach the provider open the circuit") func unreachable() async throws {
        let world = World { _ throws(ProviderFault) in throw .notSent("connection refused") }
        for _ in 0..<20 { _ = try? await world.guarded.outcome(of: world.request()) }
        #expect(world.health.snapshot("a")?.phase != .closed)
        // Where it can be reached again, they close it.
        world.clock.advance(by: .seconds(31))
        world.acquirer.turn { request in captured(request) }
        for _ in 0..<3 { _ = try await world.guarded.outcome(of: world.request()) }
        #expect(world.health.snapshot("a")?.phase == .closed)
    }

    @Test("a call without an answer is given up in time, its outcome unknown, and keeps its place until it ends")
    func timeout() async throws {
        let gate = Gate()
        let world = World(timeout: .milliseconds(50), inFlight: 1) { request in
            await gate.wait()
            return captured(request)
        }
        await #expect(throws: ProviderFault.timedOut) { try await world.charge() }
        #expect(world.health.snapshot("a")?.inFlight == 1)
        await #expect(throws: ProviderFault.notSent("a has as many calls under way as it is trusted with")) {
            try await world.charge()
        }
        gate.open()
        try await eventually(within: .seconds(5), "the late call ends") { world.health.snapshot("a")?.inFlight == 0 }
        world.acquirer.turn { request in captured(request) }
        _ = try await world.charge()
    }

    @Test("a caller who is cancelled is told that the outcome is not known") func cancelled() async throws {
        let gate = Gate()
        let world = World { request in
            await gate.wait()
            return captured(request)
        }
        let call = Task { try await world.charge() }
        try await eventually(within: .seconds(5), "the call is under way") { world.acquirer.charges == 1 }
        call.cancel()
        await #expect(throws: ProviderFault.timedOut) { try await call.value }
        gate.open()
        try await eventually(within: .seconds(5), "its place is free again") {
            world.health.snapshot("a")?.inFlight == 0
        }
    }

    @Test("the bulkhead lets so many calls through at once, and no more") func bulkhead() async throws {
        let gate = Gate()
        let world = World(inFlight: 5) { request in
            await gate.wait()
            return captured(request)
        }
        let calls: [Task<Bool, Never>] = (0..<20).map { _ in
            Task {
                do throws(ProviderFault) {
                    _ = try await world.charge()
                    return true
                } catch { return false }
            }
        }
        try await eventually(within: .seconds(5), "five are under way") { world.acquirer.charges == 5 }
        try await eventually(within: .seconds(5), "and stay five") { world.health.snapshot("a")?.inFlight == 5 }
        gate.open()
        var through = 0
        for call in calls where await call.value { through += 1 }
        #expect(through >= 5 && world.acquirer.charges == through)
    }

    @Test("outcomes count for the segment of the attempt, and only once") func success() async throws {
        let world = World { request in captured(request) }
        let segment = RoutingSegment(method: "card", brand: "visa", country: "DE", currency: .eur)
        for succeeds in [true, true, false] {
            let request: ChargeRequest = world.request()
            world.health.remember(request.idempotencyKey, segment)
            if !succeeds { world.acquirer.turn { _ in .declined(ProviderDecline(code: "x")) } }
            _ = try await world.guarded.charge(request)
            _ = try await world.guarded.outcome(of: request)
        }
        #expect(world.health.successes(of: segment, at: "a") == SuccessCounts(succeeded: 2, tried: 3))
        let other = RoutingSegment(method: "card", brand: "visa", country: "FR", currency: .eur)
        #expect(world.health.successes(of: other, at: "a") == SuccessCounts())
    }
}

/// Holds callers back until it is opened.
final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen: Bool = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting: [CheckedContinuation<Void, Never>] = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
