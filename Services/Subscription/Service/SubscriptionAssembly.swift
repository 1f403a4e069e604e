public import ArgumentParser
public import BillingCore
import BillingEvents
public import HTTPKit
public import Messaging
public import Postgres
public import ServiceKit
import SubscriptionDomain

/// The Subscription service: customers, plans, subscriptions and their schedule, billings, dunning, API keys and the
/// sandbox's clock.
public struct SubscriptionAssembly: ServiceAssembly {
    /// Also the database role and schema, the consumer group and the event source.
    public static let name = "subscription"

    /// The other services follow the keys it issues.
    public static let issuesAPIKeys = true

    private let parts: ServiceParts
    private let settings: SubscriptionSettings
    private let waiters = SettlementWaiters()

    /// Wires the service.
    /// - Throws: What is wrong with the tunables, all at once.
    public init(_ parts: ServiceParts) throws {
        self.parts = parts
        settings = try SubscriptionSettings(parts.configuration)
    }

    /// Every route; those of the test clock in the sandbox only.
    public var endpoints: [Endpoint] {
        let signup = SignupRoute(
            signUp: SignUp(
                pool: parts.pool,
                subscribe: SubscribeCustomer(policy: settings.policy, collectable: settings.collectable),
                waiters: waiters))
        let subscriptions = SubscriptionRoutes(changePlan: ChangePlan(collectable: settings.collectable))
        let routes: [Endpoint] =
            CustomerRoutes().endpoints + PlanRoutes().endpoints + signup.endpoints + subscriptions.endpoints
        guard parts.configuration.mode == .sandbox else { return routes }
        return routes + testClock.endpoints
    }

    /// Outcomes of invoices and payments.
    public var consumers: [EventConsumer] {
        let notice = SettlementNotice(waiters: waiters, clock: parts.clock)
        let policy: DunningPolicy = settings.policy
        return [
            EventConsumer(
                name: Self.name, topics: [.invoices, .payments],
                routes: [
                    InvoiceFinalized.route,
                    InvoicePaid(afterCommit: notice).route,
                    InvoicePaymentFailed(policy: policy, afterCommit: notice).route,
                    InvoiceVoided(afterCommit: notice).route,
                    PaymentCreated.route,
                    PaymentRequiresAction(policy: policy, afterCommit: notice).route,
                    PaymentMethodAttached(policy: policy).route,
                    PaymentDisputeClosed.route,
                ] + InvoiceRefunded.routes)
        ]
    }

    /// The workers of the scheduler.
    public var loops: [BackgroundLoop] {
        let scheduler = Scheduler(
            pool: parts.pool, clock: parts.clock,
            runDueWork: RunDueWork(
                policy: settings.policy, collectable: settings.collectable, logger: parts.logger),
            logger: parts.logger)
        return (1...settings.schedulerWorkers).map { number in
            BackgroundLoop(name: "scheduler-\(number)") { try await scheduler.pass() }
        }
    }

    /// `keys`
    public static var commands: [any ParsableCommand.Type] { [KeysCommand.self] }

    /// Callers who wait for a sign-up's first payment hear how it stands.
    public func stopping() { waiters.stop() }

    /// Facts about customers' subscriptions and billings, and the rules they break.
    public static func consistency(_ db: borrowing PostgresTransaction, now: Instant) throws -> ConsistencyFacts {
        ConsistencyFacts(
            facts: try SubscriptionFacts.facts(in: db), violations: try SubscriptionFacts.violations(now: now, in: db))
    }

    private var testClock: TestClockRoutes {
        let pool: PostgresPool = parts.pool
        let coordinator = TestClockCoordinator(parts) { limit in
            try await pool.transaction(readOnly: true) { (db: borrowing PostgresTransaction) in
                try SubscriptionStore.nextDue(upTo: limit, in: db)
            }
        }
        return TestClockRoutes(
            pool: pool, clock: parts.clock, coordinator: coordinator, logger: parts.logger)
    }
}
