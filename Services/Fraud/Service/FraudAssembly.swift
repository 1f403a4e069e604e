public import BillingCore
import BillingEvents
import FraudDomain
public import HTTPKit
import Logging
public import Messaging
public import Postgres
import Redis
public import ServiceKit

/// Builds the fraud service from its parts.
public struct FraudAssembly: ServiceAssembly {
    /// The service's name: its database role and schema, and its consumer group.
    public static let name = "fraud"
    /// `fraud.velocity_review_per_hour` unless configured: more attempts of a card or customer in an hour are reviewed.
    static let defaultReviewPerHour = 60
    /// `fraud.velocity_block_per_hour` unless configured: more attempts of a card or customer in an hour are blocked.
    static let defaultBlockPerHour = 200

    private let consumer: PaymentCreatedConsumer
    private let reviews: PaymentReviewedConsumer

    /// - Parameter parts: What every service gets.
    /// - Throws: `VelocityLimits.Invalid` when the configured limits contradict each other.
    public init(_ parts: ServiceParts) throws {
        let limits = try Self.limits(parts.configuration)
        let velocity = RedisVelocity(
            redis: parts.redis, scope: parts.configuration.mode == .live ? .everyone : .perCustomer, limits: limits,
            logger: parts.logger)
        consumer = PaymentCreatedConsumer(velocity: velocity, model: RiskModel(limits: limits), logger: parts.logger)
        reviews = PaymentReviewedConsumer(logger: parts.logger)
    }

    /// The limits an operator has set.
    static func limits(_ configuration: ServiceConfiguration) throws -> VelocityLimits {
        try VelocityLimits(
            reviewPerHour: configuration.int("fraud.velocity_review_per_hour", default: defaultReviewPerHour),
            blockPerHour: configuration.int("fraud.velocity_block_per_hour", default: defaultBlockPerHour))
    }

    /// `/v1/fraud/assessments`.
    public var endpoints: [Endpoint] { AssessmentRoutes.endpoints }

    /// Attempts that ask for an assessment, and what people decided about those sent to review.
    public var consumers: [EventConsumer] {
        [EventConsumer(name: Self.name, topics: [.payments], routes: [consumer.route, reviews.route])]
    }

    /// None: everything the service does, an event asks for.
    public var loops: [BackgroundLoop] { [] }

    /// What the service answers for in the consistency check.
    public static func consistency(
        _ db: borrowing PostgresTransaction, now: Instant
    ) throws -> ConsistencyFacts {
        ConsistencyFacts(facts: try FraudBooks.facts(in: db), violations: try FraudBooks.violations(in: db))
    }
}
