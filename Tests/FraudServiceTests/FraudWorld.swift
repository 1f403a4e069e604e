import BillingCore
import BillingEvents
import FraudDomain
import FraudService
import JSON
import Logging
import Postgres
import Redis
import ServiceKit
import TestKit

/// The service's handler on a database and Redis keys of its own.
struct FraudWorld: Sendable {
    static let start = Instant(seconds: 1_800_000_000)

    let database: PostgresPool
    let redis: RedisClient
    let keyPrefix: String
    let limits: VelocityLimits
    let logger = Logger(label: "test.fraud") { _ in SwiftLogNoOpLogHandler() }
    let now: Instant = Self.start.adding(.seconds(60))

    func velocity(scope: CardScope = .everyone) -> RedisVelocity {
        RedisVelocity(redis: redis, scope: scope, limits: limits, keyPrefix: keyPrefix, logger: logger)
    }

    func consumer(_ counter: (any VelocityCounter)? = nil) -> PaymentCreatedConsumer {
        PaymentCreatedConsumer(velocity: counter ?? velocity(), model: RiskModel(limits: limits), logger: logger)
    }

    /// Handles a batch as the dispatcher does: the look-up first, then one transaction.
    func receive(_ attempts: [PaymentCreatedV1], _ counter: (any VelocityCounter)? = nil) async throws {
        let consumer = consumer(counter)
        let now: Instant = now
        let events = attempts.map {
            Envelope(id: EventID.new(at: now), time: now, key: $0.customerID.rawValue, body: $0)
        }
        let readings: VelocityReadings = await consumer.prepare(events)
        try await database.transaction { db in try consumer.handle(events, readings, in: db, at: now) }
    }

    /// Hears what a person decided.
    func receive(_ reviewed: PaymentReviewedV1) async throws {
        let consumer = PaymentReviewedConsumer(logger: logger)
        try await database.transaction { db in try consumer.handle(reviewed, in: db) }
    }

    /// Everything published, in order.
    func published() async throws -> [FraudAssessedV1] {
        let bodies: [String] = try await database.transaction { db in
            try db.query("SELECT body FROM outbox WHERE type = \(FraudAssessedV1.type) ORDER BY xid, seq") {
                try $0.next()
            }
        }
        return try bodies.map {
            try decode(FraudAssessedV1.self, from: parseJSON(Array($0.utf8), limits: JSONLimits()))
        }
    }

    /// Assessments as the API shows them, newest first.
    func assessments(
        _ filter: AssessmentFilter = AssessmentFilter(), after: AssessmentID? = nil, limit: Int = 1_000
    ) async throws -> [JSONValue] {
        let documents: [[UInt8]] = try await database.transaction(readOnly: true) { db in
            try AssessmentStore.list(filter, after: after, limit: limit, in: db).map { encode(AssessmentDocument($0)) }
        }
        return try documents.map { try parseJSON($0, limits: JSONLimits()) }
    }

    func violations() async throws -> [String] {
        try await database.transaction { db in try FraudBooks.violations(in: db) }
    }

    func facts() async throws -> JSONValue {
        try await database.transaction { db in
            .object(try FraudBooks.facts(in: db).map { JSONMember(name: $0.0, value: $0.1) })
        }
    }
}

/// Lends a migrated schema, a Redis client and the handler on them.
func withFraud(
    review: Int = 60, block: Int = 200, redis own: RedisClient? = nil, _ body: (FraudWorld) async throws -> Void
) async throws {
    try await withMigratedDatabase(service: "Fraud") { lent in
        let redis: RedisClient
        if let own { redis = own } else { redis = try await TestRedis.client() }
        let result: Result<Void, any Error>
        do {
            let world = FraudWorld(
                database: lent.pool, redis: redis, keyPrefix: TestRedis.uniqueKey("velocity"),
                limits: try VelocityLimits(reviewPerHour: review, blockPerHour: block))
            result = .success(try await body(world))
        } catch { result = .failure(error) }
        if own == nil { await redis.shutdown() }
        try result.get()
    }
}

/// Attempts to feed.
enum Sample {
    static let customer = CustomerID.new(at: FraudWorld.start)
    static let price = Money(minor: 1_299, currency: .usd)

    static func attempt(
        _ amount: Money = price, customer: CustomerID = customer, card: String = "5f2a8c", after: Duration = .zero,
        number: Int64 = 1, offSession: Bool = false, customerStarted: Bool? = nil,
        payment: PaymentID = .new(at: FraudWorld.start)
    ) -> PaymentCreatedV1 {
        PaymentCreatedV1(
            paymentID: payment, attemptID: .new(at: FraudWorld.start), attempt: number, customerID: customer,
            paymentMethodID: .new(at: FraudWorld.start), fingerprint: card, amount: amount, invoiceID: nil,
            subscriptionID: nil, offSession: offSession, customerStarted: customerStarted,
            createdAt: FraudWorld.start.adding(after))
    }

    static func burst(
        _ count: Int, card: String = "5f2a8c", offSession: Bool = false, customerStarted: Bool? = nil
    ) -> [PaymentCreatedV1] {
        (0..<count).map {
            attempt(card: card, after: .seconds($0), offSession: offSession, customerStarted: customerStarted)
        }
    }
}
