public import BillingCore
import BillingEvents
public import HTTPKit
import Logging
public import Messaging
public import Postgres
public import ServiceKit

/// Builds the invoice service from its parts.
public struct InvoiceAssembly: ServiceAssembly {
    /// The service's name: its database role and schema, and its consumer group.
    public static let name = "invoice"

    private let logger: Logger

    /// - Parameter parts: What every service gets.
    public init(_ parts: ServiceParts) throws { logger = parts.logger }

    /// `/v1/invoices`.
    public var endpoints: [Endpoint] { InvoiceRoutes.endpoints }

    /// Billings and withdrawals, payments and their failures, refunds and disputes, and customers.
    public var consumers: [EventConsumer] {
        [
            EventConsumer(
                name: Self.name, topics: [.subscriptions, .payments, .customers],
                routes: [
                    SubscriptionBilledConsumer(logger: logger).route,
                    BillingWithdrawnConsumer(logger: logger).route,
                    PaymentSucceededConsumer(logger: logger).route,
                    PaymentFailedConsumer(logger: logger).route,
                    PaymentRefundedConsumer(logger: logger).route,
                    PaymentRefundFailedConsumer(logger: logger).route,
                    PaymentDisputeClosedConsumer().route,
                    CustomerCreatedConsumer().route,
                    CustomerUpdatedConsumer().route,
                ])
        ]
    }

    /// None: everything the service does, an event asks for.
    public var loops: [BackgroundLoop] { [] }

    /// What the service answers for in the consistency check.
    public static func consistency(
        _ db: borrowing PostgresTransaction, now: Instant
    ) throws -> ConsistencyFacts {
        ConsistencyFacts(facts: try InvoiceBooks.facts(in: db), violations: try InvoiceBooks.violations(in: db))
    }
}
