import AnalyticsService
import BillingCore
import BillingEvents
import Foundation
import JSON
import Messaging
import Postgres
import TestKit
import Testing

extension Paying {
    func captured(_ minor: Int64, at time: String) -> RawEvent {
        event(
            PaymentCapturedV1(
                captureID: .new(at: .sample), paymentID: id, customerID: customer,
                amount: Money(minor: minor, currency: amount.currency), capturedTotal: minor, isFinal: false,
                capturedAt: instant(time)), key: customer.rawValue, at: instant(time))
    }

    func closed(_ dispute: DisputeID, _ outcome: String, _ minor: Int64, at time: String) -> RawEvent {
        event(
            PaymentDisputeClosedV1(
                disputeID: dispute, paymentID: id, customerID: customer, paymentMethodID: nil,
                amount: Money(minor: minor, currency: amount.currency), reason: "fraudulent", outcome: outcome,
                invoiceID: nil, subscriptionID: nil, closedAt: instant(time)),
            key: customer.rawValue, at: instant(time))
    }
}

@Suite("Money that moves beside payments") struct MovementFiguresTests {
    private func revenue(_ world: World, at time: String) async throws -> [String] {
        try await world.summary(at: time).revenue.map { "\($0.paid) \($0.refunded) \($0.disputed)" }
    }

    @Test("what is captured in parts counts on the days of its captures") func captures() async throws {
        try await withAnalytics { world in
            var pay = Paying()
            pay.amount = Money(minor: 1_000, currency: .usd)
            try await world.record([
                pay.created(1, at: "2027-01-29T00:00:00Z"), pay.captured(400, at: "2027-01-30T00:00:00Z"),
            ])
            #expect(try await revenue(world, at: "2027-01-31T00:00:00Z") == ["4.00 USD 0.00 USD 0.00 USD"])
            try await world.record([
                pay.captured(600, at: "2027-02-04T00:00:00Z"), pay.succeeded(1, at: "2027-02-04T00:00:00Z"),
            ])
            #expect(try await revenue(world, at: "2027-01-29T00:00:00Z") == [])
            #expect(try await revenue(world, at: "2027-01-31T00:00:00Z") == ["4.00 USD 0.00 USD 0.00 USD"])
            #expect(try await revenue(world, at: "2027-02-04T00:00:00Z") == ["10.00 USD 0.00 USD 0.00 USD"])
        }
    }

    @Test("of a hold that is released after a part was captured, the part counts, once") func released() async throws {
        try await withAnalytics { world in
            var pay = Paying()
            pay.amount = Money(minor: 1_000, currency: .usd)
            let part: RawEvent = pay.captured(400, at: "2027-01-30T00:00:00Z")
            pay.amount = Money(minor: 400, currency: .usd)
            try await world.record([part, pay.succeeded(1, at: "2027-02-04T00:00:00Z")])
            for time in ["2027-01-31T00:00:00Z", "2027-02-05T00:00:00Z"] {
                #expect(try await revenue(world, at: time) == ["4.00 USD 0.00 USD 0.00 USD"])
            }
        }
    }

    @Test("a capture that is heard of late never changes the total, and in the end the days are right")
    func lateCapture() async throws {
        try await withAnalytics { world in
            var pay = Paying()
            pay.amount = Money(minor: 1_000, currency: .usd)
            try await world.record([
                pay.captured(600, at: "2027-02-04T00:00:00Z"), pay.succeeded(1, at: "2027-02-04T00:00:00Z"),
            ])
            #expect(try await revenue(world, at: "2027-02-05T00:00:00Z") == ["10.00 USD 0.00 USD 0.00 USD"])
            try await world.record([pay.captured(400, at: "2027-01-30T00:00:00Z")])
            #expect(try await revenue(world, at: "2027-01-31T00:00:00Z") == ["4.00 USD 0.00 USD 0.00 USD"])
            #expect(try await revenue(world, at: "2027-02-05T00:00:00Z") == ["10.00 USD 0.00 USD 0.00 USD"])
        }
    }

    @Test("a lost dispute counts from the day it is lost until an appeal turns it") func disputes() async throws {
        try await withAnalytics { world in
            let pay = Paying()
            let (turned, inquiry): (DisputeID, DisputeID) = (.new(at: .sample), .new(at: .sample))
            try await world.record([
                pay.succeeded(1, at: "2027-01-01T00:00:00Z"),
                pay.closed(turned, "lost", 999, at: "2027-02-01T00:00:00Z"),
                pay.closed(inquiry, "closed", 999, at: "2027-02-01T00:00:00Z"),
            ])
            #expect(try await revenue(world, at: "2027-01-31T00:00:00Z") == ["9.99 USD 0.00 USD 0.00 USD"])
            #expect(try await revenue(world, at: "2027-02-01T00:00:00Z") == ["9.99 USD 0.00 USD 9.99 USD"])
            try await world.record([pay.closed(turned, "won", 999, at: "2027-03-01T00:00:00Z")])
            #expect(try await revenue(world, at: "2027-02-01T00:00:00Z") == ["9.99 USD 0.00 USD 9.99 USD"])
            #expect(try await revenue(world, at: "2027-03-01T00:00:00Z") == ["9.99 USD 0.00 USD 0.00 USD"])
        }
    }

    @Test("an outcome nobody knows is parked, and nothing of it is stored") func unknown() async throws {
        try await withAnalytics { world in
            let event: RawEvent = Paying().closed(.sample, "drawn", 999, at: "2027-02-01T00:00:00Z")
            await #expect(throws: Refusal.park(reason: "unknown outcome drawn")) { try await world.record([event]) }
            let kept: Int = try await world.count("event_history")
            #expect(kept == 0)
        }
    }

    /// When, and what is paid, refunded and lost by then.
    private static let days: [(String, Int64, Int64, Int64)] = [
        ("2027-01-29T00:00:00Z", 0, 0, 0), ("2027-01-30T00:00:00Z", 400, 0, 0), ("2027-02-03T00:00:00Z", 400, 0, 0),
        ("2027-02-04T00:00:00Z", 1_000, 0, 0), ("2027-02-05T00:00:00Z", 1_000, 100, 0),
        ("2027-02-06T00:00:00Z", 1_000, 130, 0), ("2027-02-10T00:00:00Z", 1_000, 30, 0),
        ("2027-02-12T00:00:00Z", 1_000, 30, 200), ("2027-03-01T00:00:00Z", 1_000, 30, 0),
        ("2027-04-01T00:00:00Z", 1_000, 30, 150),
    ]

    /// One payment's whole story, as ``days`` tells it.
    private static func story(in currency: Currency) -> [RawEvent] {
        var pay = Paying()
        pay.amount = Money(minor: 1_000, currency: currency)
        let (refund, dispute): (RefundID, DisputeID) = (.new(at: .sample), .new(at: .sample))
        return [
            pay.created(1, at: "2027-01-29T00:00:00Z"), pay.captured(400, at: "2027-01-30T00:00:00Z"),
            pay.captured(600, at: "2027-02-04T00:00:00Z"), pay.succeeded(1, at: "2027-02-04T00:00:00Z"),
            pay.refunded(100, at: "2027-02-05T00:00:00Z", id: refund),
            pay.refunded(30, at: "2027-02-06T00:00:00Z"),
            pay.refundFailed(refund, 100, at: "2027-02-10T00:00:00Z"),
            pay.closed(dispute, "lost", 200, at: "2027-02-12T00:00:00Z"),
            pay.closed(dispute, "won", 200, at: "2027-03-01T00:00:00Z"),
            pay.closed(dispute, "lost", 150, at: "2027-04-01T00:00:00Z"),
        ]
    }

    @Test("in whatever order and batches events come, every day's figures end the same") func anyOrder() async throws {
        var random = Seeded()
        let currencies: [Currency] = Array(Currency.all.shuffled(using: &random).prefix(40))
        let events: [RawEvent] = currencies.flatMap { Self.story(in: $0) }.shuffled(using: &random)
        try await withAnalytics { world in
            try await world.record(events, cutBy: &random)
            for (time, paid, refunded, disputed) in Self.days {
                let told = try await world.summary(at: time).revenue
                #expect(told.count == (paid == 0 ? 0 : currencies.count))
                for one in told {
                    #expect(
                        [one.paid.minor, one.refunded.minor, one.disputed.minor] == [paid, refunded, disputed],
                        "\(one.paid.currency) at \(time)")
                }
            }
            #expect(try await world.facts().violations == [])
        }
    }

    @Test("the migration fills the tables from what the history has kept") func fill() async throws {
        var random = Seeded()
        try await withAnalytics { world in
            try await world.record(Self.story(in: .usd).shuffled(using: &random), cutBy: &random)
            func figures() async throws -> [[String]] {
                var all: [[String]] = []
                for day in Self.days { all.append(try await revenue(world, at: day.0)) }
                return all
            }
            let before: [[String]] = try await figures()
            try await world.pool.transaction { db in
                _ = try db.pipeline([
                    "DELETE FROM captures", "DELETE FROM dispute_outcomes",
                    "UPDATE refunds SET refunded_at = failed_at WHERE failed_at IS NOT NULL",
                ])
            }
            #expect(try await figures() != before)
            let file = "/Tests/AnalyticsServiceTests/MovementFiguresTests.swift"
            let migration: String =
                #filePath.dropLast(file.count)
                + "/Services/Analytics/Migrations/0005_fill_captures_and_disputes.sql"
            let text = try String(contentsOfFile: migration, encoding: .utf8)
            let statements: [String] = text.split(separator: ";\n").map(String.init)
            #expect(statements.count == 3)
            for _ in 0..<2 {
                for statement in statements {
                    _ = try await world.pool.transaction { db in try db.execute(SQL(stringLiteral: statement)) }
                }
                #expect(try await figures() == before, "also when it runs again")
            }
        }
    }
}
