import BillingCore
import BillingEvents
import FraudDomain
import FraudService
import JSON
import Redis
import TestKit
import Testing

@Suite("Counting in Redis") struct VelocityTests {
    @Test("cards and customers are counted apart, each attempt up to and with itself") func counts() async throws {
        try await withFraud { world in
            let other = CustomerID.new(at: FraudWorld.start)
            let attempts = [
                Sample.attempt(card: "a"), Sample.attempt(card: "b", after: .seconds(1)),
                Sample.attempt(customer: other, card: "a", after: .seconds(2)),
                Sample.attempt(card: "", after: .seconds(3)),
            ]
            let readings = await world.velocity().count(attempts)
            let found = attempts.map { readings[AttemptKey($0)] }
            #expect(found[0] == VelocityCounts(cardHour: 1, cardDay: 1, customerHour: 1, customerDay: 1))
            #expect(found[1] == VelocityCounts(cardHour: 1, cardDay: 1, customerHour: 2, customerDay: 2))
            #expect(found[2] == VelocityCounts(cardHour: 2, cardDay: 2, customerHour: 1, customerDay: 1))
            #expect(found[3] == VelocityCounts(cardHour: 0, cardDay: 0, customerHour: 3, customerDay: 3))
        }
    }

    @Test("a shared test card is counted for each customer apart in the sandbox") func scope() async throws {
        try await withFraud { world in
            let first = Sample.attempt(card: "a")
            let second = Sample.attempt(customer: .new(at: FraudWorld.start), card: "a")
            let readings = await world.velocity(scope: .perCustomer).count([first, second])
            #expect(readings[AttemptKey(second)]?.cardHour == 1)
        }
    }

    @Test("an attempt told late counts what was before it, and one told twice counts once") func late() async throws {
        try await withFraud { world in
            let attempts = Sample.burst(10)
            _ = await world.velocity().count(Array(attempts.reversed()))
            let readings = await world.velocity().count(attempts)
            #expect(attempts.map { readings[AttemptKey($0)]?.cardHour } == (1...10).map { $0 })
        }
    }

    @Test("windows expire and stay within the highest limit") func bounded() async throws {
        try await withFraud(review: 1, block: 3) { world in
            for _ in 0..<3 { _ = await world.velocity().count(Sample.burst(100)) }
            let key = "\(world.keyPrefix):card:5f2a8c"
            let size = try await world.redis.send(["ZCARD", key]).integer ?? 0
            #expect(size == 31)
            let expiry = try await world.redis.send(["PTTL", key]).integer ?? 0
            #expect(expiry > 24 * 3_600_000 && expiry <= 25 * 3_600_000)
        }
    }
}

@Suite("Without Redis") struct RedisDownTests {
    @Test("attempts are assessed by amount alone, at once, and say so; counting goes on when Redis is back")
    func down() async throws {
        let server = try OwnRedis()
        try await server.start()
        let client = RedisClient(server.configuration)
        try await eventually(within: .seconds(5), "redis connected") { client.isConnected }
        try await withFraud(review: 2, block: 4, redis: client) { world in
            try await world.receive(Sample.burst(3))
            server.kill()
            let started = ContinuousClock.now
            try await world.receive(Sample.burst(5))
            try await world.receive([Sample.attempt(Money(minor: 9_000_00, currency: .usd))])
            #expect(ContinuousClock.now - started < .seconds(2))
            let events = try await world.published()
            #expect(events.count == 9)
            #expect(events[3].decision == "approve")
            #expect(events[3].reasons == ["velocity_unavailable"])
            #expect(events[8].decision == "review")
            #expect(events[8].reasons == ["amount_high", "velocity_unavailable"])
            #expect(try await world.assessments().first?["velocity"] == .null)
            #expect(try await world.violations().isEmpty)
            try await server.start()
            try await eventually(within: .seconds(5), "redis connected") { client.isConnected }
            try await world.receive([Sample.attempt()])
            #expect(try await world.published().last?.reasons.isEmpty == true)
        }
        await client.shutdown()
        server.kill()
    }

    @Test("a Redis that hangs delays a batch by its time limit, no more") func hanging() async throws {
        let server = try OwnRedis()
        try await server.start()
        let client = RedisClient(server.configuration)
        try await eventually(within: .seconds(5), "redis connected") { client.isConnected }
        try await withFraud(redis: client) { world in
            try await world.receive(Sample.burst(1))
            server.suspend()
            let started = ContinuousClock.now
            try await world.receive(Sample.burst(2))
            #expect(ContinuousClock.now - started < .seconds(2), "below the time that ends the connection")
            #expect(try await world.published().last?.reasons == ["velocity_unavailable"])
            server.resume()
        }
        await client.shutdown()
        server.kill()
    }
}

@Suite("Reading assessments") struct AssessmentListTests {
    @Test("lists are newest first, narrowed by payment and customer, and page by id") func lists() async throws {
        try await withFraud { world in
            let other = CustomerID.new(at: FraudWorld.start)
            let attempts = [Sample.attempt(), Sample.attempt(customer: other), Sample.attempt()]
            try await world.receive(attempts)
            func payments(
                _ filter: AssessmentFilter, after: AssessmentID? = nil, limit: Int = 10
            ) async throws -> [String?] {
                try await world.assessments(filter, after: after, limit: limit).map { $0["payment_id"]?.stringValue }
            }
            let ids = attempts.map(\.paymentID)
            #expect(try await payments(AssessmentFilter()) == ids.reversed().map(\.rawValue))
            #expect(try await payments(AssessmentFilter(customerID: other)) == [ids[1].rawValue])
            #expect(try await payments(AssessmentFilter(paymentID: ids[0])) == [ids[0].rawValue])
            #expect(try await payments(AssessmentFilter(), limit: 1) == [ids[2].rawValue])
            let last = try await world.published().last?.assessmentID
            #expect(try await payments(AssessmentFilter(), after: last) == [ids[1].rawValue, ids[0].rawValue])
            #expect(try await world.facts()["assessments"]?["count"]?.intValue == 3)
        }
    }
}
