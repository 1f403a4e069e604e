import BillingCore
import HTTPKit
import Logging
import PaymentContract
import PaymentDomain
import PaymentInbound
import PaymentRecords
import PaymentService
import Postgres
import Telemetry
import TestKit

/// The way in for webhooks, listening on loopback for a double's deliveries, over the service on a database of its own.
struct InboundWorld: Sendable {
    static let price = Money(minor: 1_299, currency: .usd)

    let pool: PostgresPool
    let process: ProcessWebhooks

    /// A payment that is with the provider, as it stands when the answer to its charge was lost.
    func lost(_ provider: String, token: String, offSession: Bool) async throws -> ChargeRequest {
        let now: Instant = SystemClock().now
        let customer = CustomerID.new(at: now)
        let method = PaymentMethodRecord(
            id: .new(at: now), customerID: customer, brand: "visa", last4: "4242", expMonth: 12, expYear: 2_040,
            fingerprint: "f", provider: provider, providerToken: token, isDefault: true, createdAt: now)
        let payment = NewPayment(
            id: .new(at: now), attemptID: .new(at: now), customerID: customer,
            method: ChargeableMethod(id: method.id, fingerprint: "f", provider: provider), amount: Self.price,
            description: nil, offSession: offSession, createdAt: now)
        _ = try await pool.transaction { db in
            try db.enqueue(
                """
                INSERT INTO payment_methods (id, customer_id, type, brand, last4, exp_month, exp_year, fingerprint,
                    provider, provider_token, is_default, created_at)
                VALUES (\(method.id), \(customer), 'card', 'visa', '4242', 12, 2040, 'f', \(provider), \(token), true, \(now))
                """)
            _ = try PaymentStore.insert([payment], in: db)
            return try db.execute("UPDATE payments SET status = 'processing' WHERE id = \(payment.id)")
        }
        return ChargeRequest(
            idempotencyKey: payment.attemptID, paymentID: payment.id,
            source: .stored(token: token, providerCustomer: nil), amount: Self.price,
            initiation: offSession ? .merchant(networkTransactionID: nil) : .customer)
    }

    func texts(_ sql: SQL) async throws -> [String] {
        try await pool.transaction { db in try db.query(sql) { row in try row.next() } }
    }

    /// Works off what is stored until nothing waits any more.
    func work() async throws {
        try await eventually(within: .seconds(60), "all webhooks are settled") {
            _ = try await process.pass()
            return try await texts("SELECT event_id FROM inbound_webhooks WHERE state = 'waiting'").isEmpty
        }
    }
}

/// Runs the way in on a port that is known before: the double says by which secret it signs only when it has the address.
func withInbound(
    port: Int, _ source: WebhookSource, provider: any PaymentProvider, _ body: (InboundWorld) async throws -> Void
) async throws {
    try await withMigratedDatabase(service: "Payment", connections: 6) { lent in
        let logger = Logger(label: "test.inbound") { _ in SwiftLogNoOpLogHandler() }
        let pool: PostgresPool = lent.pool
        let work = PaymentUseCases(
            pool: pool, providers: PaymentProviders([provider]), clock: SystemClock(),
            policy: SweepPolicy(silenceSeconds: 60, offSessionSilenceSeconds: 60, lostSeconds: 60, fallback: .review),
            logger: logger)
        let policy = InboundPolicy(
            delaySeconds: 0, leaseSeconds: 0, firstWaitSeconds: 0, longestWaitSeconds: 0, attemptsLimit: 50)
        let receive = ReceiveWebhook(sources: [source], pool: pool, policy: policy)
        let server = HTTPServer(
            endpoints: WebhookRoutes(receive: receive).endpoints,
            configuration: HTTPServerConfiguration(
                port: port, serviceName: "inbound", rateLimit: nil, refusesUndeclaredProblems: true), pool: pool,
            clock: SystemClock(), metrics: Metrics(), logger: logger)
        let running = Task { try await server.run() }
        _ = try await server.listeningPort()
        let process = ProcessWebhooks(
            sources: [source], handler: work.news, pool: pool, policy: policy, logger: logger)
        let result: Result<Void, any Error>
        do { result = .success(try await body(InboundWorld(pool: pool, process: process))) } catch {
            result = .failure(error)
        }
        try await server.shutdown()
        try await running.value
        try result.get()
    }
}
