public import BillingCore
public import HTTPKit
public import Messaging
public import Postgres
public import ServiceKit

/// Builds the service: everything it serves and listens to.
public struct AnalyticsAssembly: ServiceAssembly {
    /// Also its database role and schema.
    public static let name = "analytics"

    private let limit: ReportLimit

    /// - Parameter parts: Of these the configuration: `analytics.report_seconds`.
    public init(_ parts: ServiceParts) throws {
        let seconds: Int = parts.configuration.int("analytics.report_seconds", default: ReportLimit.defaultSeconds)
        limit = ReportLimit(.seconds(seconds))
    }

    /// Routes, with nothing but the database behind them.
    public var endpoints: [Endpoint] {
        SummaryRoutes(summarize: SummarizeBusiness(limit: limit)).endpoints
            + MRRRoutes(months: ListMRRMonths(limit: limit)).endpoints + EventRoutes().endpoints
    }

    /// The one consumer of everything.
    public var consumers: [EventConsumer] { [RecordEvents().consumer] }

    /// Nothing runs by itself.
    public var loops: [BackgroundLoop] { [] }

    /// The figures the owners can be held against; see ``CheckConsistency``.
    public static func consistency(
        _ db: borrowing PostgresTransaction, now: Instant
    ) throws -> ConsistencyFacts {
        try CheckConsistency()(in: db)
    }
}
