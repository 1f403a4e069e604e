import AnalyticsService
import BillingCore
import BillingEvents
import JSON
import Postgres
import TestKit
import Testing

@Suite("The event history") struct EventHistoryTests {
    private func sample<Body: EventBody>(_ type: Body.Type) -> RawEvent {
        event(Body.sample, key: CustomerID.sample.rawValue, at: .sample)
    }

    private func list(
        _ world: World, customer: String? = nil, type: String? = nil, after: EventID? = nil, limit: Int = 100
    ) async throws -> [RecordedEvent] {
        let customer: CustomerID? = customer.map { CustomerID(unchecked: $0) }
        return try await world.pool.transaction { db in
            try EventHistoryStore.list(customer: customer, type: type, after: after, limit: limit, in: db)
        }
    }

    @Test("keeps every event there is as it was published") func everything() async throws {
        try await withAnalytics { world in
            let events: [RawEvent] = EventCatalog.all.map { sample($0) }
            try await world.record(events)
            let kept: [RecordedEvent] = try await list(world)
            #expect(kept.map(\.id) == events.map(\.id).reversed(), "newest first")
            for (event, recorded) in zip(events, kept.reversed()) where event.type != APIKeyChangedV1.type {
                #expect(recorded.type == event.type)
                #expect(recorded.topic == event.topic)
                #expect(recorded.time == event.time)
                #expect(recorded.body == String(decoding: event.body, as: UTF8.self))
            }
        }
    }

    @Test("does not keep what an API key could be checked with") func redacted() async throws {
        try await withAnalytics { world in
            try await world.record([sample(APIKeyChangedV1.self)])
            let body: String = try #require(try await list(world).first).body
            #expect(!body.contains(APIKeyChangedV1.sample.hash))
            #expect(body.contains("<redacted>"))
        }
    }

    @Test("keeps any text a customer can have") func text() async throws {
        try await withAnalytics { world in
            let name = #"Ζωή "O'Neil" \ {a,b} NULL 日本 🎵"#
            let body = CustomerCreatedV1(
                customerID: .sample, email: "a@example.com", name: name, country: "GR", timeZone: "Europe/Athens")
            try await world.record([event(body, key: CustomerID.sample.rawValue, at: .sample)])
            let kept: String = try #require(try await list(world).first).body
            #expect(kept == encodeString(body))
        }
    }

    @Test("is told page by page") func pages() async throws {
        try await withAnalytics { world in
            var random = Seeded()
            let events: [RawEvent] = (0..<25).map { _ in sample(FraudAssessedV1.self) }
            try await world.record(events, cutBy: &random)
            var seen: [EventID] = []
            while true {
                let page: [RecordedEvent] = try await list(world, after: seen.last, limit: 10)
                if page.isEmpty { break }
                seen += page.map(\.id)
            }
            #expect(seen == events.map(\.id).reversed())
        }
    }

    @Test("is filtered by customer and by type; a plan is not taken for a customer of the same name") func filters()
        async throws
    {
        try await withAnalytics { world in
            let plan = PlanCreatedV1(
                planID: PlanID(unchecked: "premium"), name: "Premium", amount: Money(minor: 999, currency: .usd),
                interval: "month", intervalCount: 1, trialDays: 0)
            let customer = CustomerUpdatedV1(
                customerID: CustomerID(unchecked: "premium"), email: "p@example.com", name: "P")
            try await world.record([
                event(plan, key: "premium", at: .sample), event(customer, key: "premium", at: .sample),
                event(FraudAssessedV1.sample, key: "cus_other", at: .sample),
            ])
            #expect(try await list(world, customer: "premium").map(\.type) == [CustomerUpdatedV1.type])
            #expect(try await list(world, type: PlanCreatedV1.type).map(\.key) == ["premium"])
            #expect(try await list(world, customer: "cus_other", type: CustomerUpdatedV1.type).isEmpty)
        }
    }
}
