import AnalyticsDomain
import AnalyticsService
import BillingCore
import BillingEvents
import JSON
import Messaging
import Testing

@Suite("Subscriptions as Analytics sees them") struct SubscriptionHistoryTests {
    private func life() -> [RawEvent] {
        var sub = Told("a")
        return [
            sub.created("trialing", at: "2027-01-01T00:00:00Z"),
            sub.moved("active", at: "2027-01-15T00:00:00Z"),
            sub.changed("premium", 1_999, at: "2027-02-10T00:00:00Z"),
            sub.moved("past_due", at: "2027-03-15T00:00:00Z"),
            sub.moved("active", at: "2027-03-18T00:00:00Z"),
            sub.moved("canceled", at: "2027-04-15T00:00:00Z"),
        ]
    }

    private func expectLife(_ world: World) async throws {
        for (time, mrr) in [
            ("2026-12-31T23:59:59Z", ""), ("2027-01-10T00:00:00Z", ""), ("2027-01-15T00:00:00Z", "9.99 USD"),
            ("2027-02-09T23:59:59.999999Z", "9.99 USD"), ("2027-02-10T00:00:00Z", "19.99 USD"),
            ("2027-03-16T00:00:00Z", "19.99 USD"), ("2027-04-14T00:00:00Z", "19.99 USD"), ("2027-04-15T00:00:00Z", ""),
            ("2030-01-01T00:00:00Z", ""),
        ] {
            #expect(try await world.mrr(at: time) == mrr, "at \(time)")
        }
        #expect(try await world.summary(at: "2027-01-10T00:00:00Z").trialing == 1)
        #expect(try await world.summary(at: "2027-02-01T00:00:00Z").active == 1)
        #expect(try await world.summary(at: "2027-03-16T00:00:00Z").pastDue == 1)
        #expect(try await world.summary(at: "2027-03-16T00:00:00Z").active == 0)
    }

    @Test("recurring revenue follows a life in one batch") func inOneBatch() async throws {
        try await withAnalytics { world in
            try await world.record(life())
            try await expectLife(world)
        }
    }

    @Test("and event by event") func oneByOne() async throws {
        try await withAnalytics { world in
            for event in life() { try await world.record([event]) }
            try await expectLife(world)
        }
    }

    @Test("changes at one instant end in the last one") func sameInstant() async throws {
        try await withAnalytics { world in
            var sub = Told("a")
            let time = "2027-01-01T00:00:00Z"
            try await world.record([sub.created("incomplete", at: time), sub.moved("active", at: time)])
            try await world.record([sub.moved("past_due", at: time)])
            try await world.record([sub.moved("active", at: time), sub.changed("premium", 1_999, at: time)])
            #expect(try await world.state(sub.id) == "active premium")
            #expect(try await world.mrr(at: time) == "19.99 USD")
            #expect(try await world.count("subscription_values") == 5)
        }
    }

    @Test("what was due earlier than it was done holds from when it was due") func doneLate() async throws {
        try await withAnalytics { world in
            var sub = Told("a")
            try await world.record([sub.created("active", at: "2027-01-01T00:00:00Z")])
            try await world.record([
                sub.moved("canceled", at: "2027-02-01T00:00:00Z", told: "2027-02-03T12:00:00Z")
            ])
            #expect(try await world.mrr(at: "2027-01-31T23:59:59Z") == "9.99 USD")
            #expect(try await world.mrr(at: "2027-02-01T00:00:00Z") == "")
        }
    }

    @Test("a change due before the one it follows does not undo it, and is the state now") func dueBeforeRecovery()
        async throws
    {
        try await withAnalytics { world in
            var sub = Told("a", interval: "week")
            try await world.record([
                sub.created("active", at: "2027-01-01T00:00:00Z"), sub.moved("past_due", at: "2027-01-08T00:00:00Z"),
                sub.moved("active", at: "2027-01-17T00:00:00Z"),
                sub.moved("canceled", at: "2027-01-15T00:00:00Z", told: "2027-01-17T00:00:01Z"),
            ])
            #expect(try await world.state(sub.id) == "canceled basic")
            #expect(try await world.summary(at: "2027-01-16T00:00:00Z").pastDue == 1)
            #expect(try await world.mrr(at: "2027-01-17T00:00:00Z") == "")
        }
    }

    @Test("a clock that lags does not bring an earlier state back") func lag() async throws {
        try await withAnalytics { world in
            var sub = Told("a")
            try await world.record([sub.created("incomplete", at: "2027-01-01T00:00:10Z")])
            try await world.record([sub.moved("active", at: "2027-01-01T00:00:05Z")])
            #expect(try await world.state(sub.id) == "active basic")
            #expect(try await world.mrr(at: "2027-01-01T00:00:10Z") == "9.99 USD")
        }
    }

    @Test("an event that was parked and comes late takes its place in the past") func requeued() async throws {
        try await withAnalytics { world in
            var sub = Told("a")
            let created = sub.created("trialing", at: "2027-01-01T00:00:00Z")
            let converted = sub.moved("active", at: "2027-01-15T00:00:00Z")
            try await world.record([sub.moved("past_due", at: "2027-02-15T00:00:00Z")])
            try await world.record([converted])
            try await world.record([created])
            #expect(try await world.state(sub.id) == "past_due basic")
            #expect(try await world.mrr(at: "2027-01-14T00:00:00Z") == "")
            #expect(try await world.mrr(at: "2027-01-15T00:00:00Z") == "9.99 USD")
            #expect(try await world.summary(at: "2027-01-02T00:00:00Z").trialing == 1)
        }
    }

    @Test("each subscription is rounded by itself, then added up by currency") func rounding() async throws {
        try await withAnalytics { world in
            var events: [RawEvent] = []
            for index in 0..<3 {
                var sub = Told("y\(index)", amount: 10_006, interval: "year")
                events.append(sub.created("active", at: "2027-01-01T00:00:00Z"))
            }
            var weekly = Told("w", amount: 100, currency: .eur, interval: "week")
            var free = Told("f", amount: 0)
            events += [
                weekly.created("active", at: "2027-01-01T00:00:00Z"),
                free.created("active", at: "2027-01-01T00:00:00Z"),
            ]
            try await world.record(events)
            let summary = try await world.summary(at: "2027-01-01T00:00:00Z")
            #expect(summary.mrr == [Money(minor: 433, currency: .eur), Money(minor: 2_502, currency: .usd)])
            #expect(summary.arr == [Money(minor: 5_196, currency: .eur), Money(minor: 30_024, currency: .usd)])
            #expect(summary.active == 5)
        }
    }
}

@Suite("Events that cannot be understood") struct RefusalTests {
    private func expectParked(_ event: RawEvent, _ reason: String) async throws {
        try await withAnalytics { world in
            do {
                try await world.record([event])
                Issue.record("was accepted")
            } catch Refusal.park(let given) {
                #expect(given.contains(reason), "\(given)")
            }
            #expect(try await world.count("event_history") == 0)
            #expect(try await world.count("inbox") == 0)
        }
    }

    @Test("an unknown status is parked") func status() async throws {
        var sub = Told("a")
        try await expectParked(sub.created("dormant", at: "2027-01-01T00:00:00Z"), "unknown status dormant")
    }

    @Test("an unknown interval is parked") func interval() async throws {
        var sub = Told("a", interval: "fortnight")
        try await expectParked(sub.created("active", at: "2027-01-01T00:00:00Z"), "unknown interval fortnight")
    }

    @Test("a price without a monthly value is parked") func overflow() async throws {
        var sub = Told("a", amount: .max, interval: "day")
        try await expectParked(sub.created("active", at: "2027-01-01T00:00:00Z"), "overflow")
    }

    @Test("an attempt that cannot be is parked") func attempt() async throws {
        let body = PaymentFailedV1(
            paymentID: .sample, attempt: 0, customerID: .sample, amount: Money(minor: 1, currency: .usd),
            invoiceID: nil,
            subscriptionID: nil, declineCode: "x", declineClass: "soft", failedAt: .sample)
        try await expectParked(event(body, key: "cus_1", at: .sample), "attempt 0")
    }

    @Test(
        "a body of the wrong shape is parked, also for a type without a projection",
        arguments: ["{}", "[]", "{\"a\":", "nonsense"])
    func malformed(_ body: String) async throws {
        let raw = RawEvent(
            id: .sample, type: FraudAssessedV1.type, source: "test", time: .sample, key: "cus_1", traceparent: nil,
            topic: FraudAssessedV1.topic.rawValue, body: Array(body.utf8))
        try await expectParked(raw, "malformed")
    }
}
