import AnalyticsDomain
import AnalyticsService
import BillingCore
import BillingEvents
import Foundation
import JSON
import Logging
import Messaging
import Postgres
import ServiceKit
import TestKit

/// Analytics with a database of its own.
struct World: Sendable {
    let database: MigratedDatabase
    var pool: PostgresPool { database.pool }

    /// Hands events over as the consumer does: claimed and recorded in one transaction.
    func record(_ events: [RawEvent]) async throws {
        try await pool.transaction { db in
            try db.execute(
                """
                INSERT INTO inbox (event_id, consumer, type)
                SELECT id, 'analytics', type
                FROM unnest(\(events.map(\.id))::text[], \(events.map(\.type))::text[]) AS e(id, type)
                """)
            try RecordEvents()(events, in: db)
        }
    }

    /// Cuts events into batches of random size, in order.
    func record(_ events: [RawEvent], cutBy random: inout Seeded) async throws {
        var rest: ArraySlice<RawEvent> = events[...]
        while !rest.isEmpty {
            let size = Int.random(in: 1...40, using: &random)
            try await record(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
    }

    func summary(at time: String) async throws -> BusinessSummary {
        let at: Instant = instant(time)
        return try await pool.transaction(snapshot: true) { db in try SummarizeBusiness()(at: at, in: db) }
    }

    /// Recurring revenue at an instant, as text such as `9.99 USD, 5.00 EUR`.
    func mrr(at time: String) async throws -> String {
        try await summary(at: time).mrr.map(\.description).joined(separator: ", ")
    }

    func months(
        _ from: String?, _ to: String?, currency: Currency? = nil, now: String = "2027-12-31T00:00:00Z"
    ) async throws -> [MRRReportMonth] {
        let first: Month? = from.flatMap { Month($0) }
        let last: Month? = to.flatMap { Month($0) }
        let now: Instant = instant(now)
        return try await pool.transaction(snapshot: true) { db in
            try ListMRRMonths()(from: first, through: last, currency: currency, now: now, in: db)
        }
    }

    /// What Analytics tells the consistency check.
    func facts() async throws -> (facts: [String: String], violations: [String]) {
        try await pool.transaction(snapshot: true) { db in
            let answer = try CheckConsistency()(in: db)
            return (
                Dictionary(answer.facts.map { ($0.0, $0.1.description) }) { first, _ in first }, answer.violations
            )
        }
    }

    func count(_ table: String) async throws -> Int {
        try await pool.transaction { db in
            try db.first("SELECT count(*) FROM \(identifier: table)") { row in try row.next() } ?? -1
        }
    }

    /// Status and plan of a subscription now.
    func state(_ id: SubscriptionID) async throws -> String? {
        try await pool.transaction { db in
            try db.first("SELECT status || ' ' || plan_id FROM subscriptions WHERE subscription_id = \(id)") {
                try $0.next()
            }
        }
    }
}

/// Lends a database with the tables of the service.
func withAnalytics(_ body: (World) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Analytics") { lent in try await body(World(database: lent)) }
}

func instant(_ text: String) -> Instant {
    guard let instant = Instant(rfc3339: text) else { preconditionFailure("not a time: \(text)") }
    return instant
}

/// An event as it comes from the broker.
func event<Body: EventBody>(_ body: Body, key: String, at time: Instant) -> RawEvent {
    RawEvent(
        id: EventID.new(at: time), type: Body.type, source: "test", time: time, key: key, traceparent: nil,
        topic: Body.topic.rawValue, body: encode(body))
}

/// A subscription whose changes are told by hand.
struct Told {
    let id: SubscriptionID
    let customer: CustomerID
    var plan = "basic"
    var amount = Money(minor: 999, currency: .usd)
    var interval = "month"
    var count: Int64 = 1
    var status = "incomplete"

    init(
        _ name: String, customer: String? = nil, amount: Int64 = 999, currency: Currency = .usd,
        interval: String = "month"
    ) {
        id = SubscriptionID.new(at: .sample)
        self.customer = CustomerID(unchecked: customer ?? "cus_\(name)")
        self.amount = Money(minor: amount, currency: currency)
        self.interval = interval
    }

    mutating func created(_ status: String, at time: String) -> RawEvent {
        self.status = status
        return event(
            SubscriptionCreatedV1(
                subscriptionID: id, customerID: customer, planID: PlanID(unchecked: plan), amount: amount,
                interval: interval, intervalCount: count, status: status, trialEnd: nil, createdAt: instant(time)),
            key: customer.rawValue, at: instant(time))
    }

    /// - Parameter told: When the owner recorded it, when that is later than when it holds from.
    mutating func moved(_ status: String, at time: String, told: String? = nil) -> RawEvent {
        defer { self.status = status }
        return event(
            SubscriptionStatusChangedV1(
                subscriptionID: id, customerID: customer, planID: PlanID(unchecked: plan), amount: amount,
                interval: interval, intervalCount: count, oldStatus: self.status, newStatus: status, reason: "test",
                effectiveAt: instant(time)),
            key: customer.rawValue, at: instant(told ?? time))
    }

    mutating func changed(_ plan: String, _ amount: Int64, at time: String, told: String? = nil) -> RawEvent {
        defer { self.plan = plan }
        self.amount = Money(minor: amount, currency: self.amount.currency)
        return event(
            SubscriptionPlanChangedV1(
                subscriptionID: id, customerID: customer, oldPlanID: PlanID(unchecked: self.plan),
                newPlanID: PlanID(unchecked: plan), amount: self.amount, interval: interval, intervalCount: count,
                status: status, reason: "upgrade", effectiveAt: instant(time)),
            key: customer.rawValue, at: instant(told ?? time))
    }
}
