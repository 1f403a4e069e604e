import PaymentAuthentication
import PaymentContract
import PaymentDisputes
import PaymentRecords
import PaymentSandbox
import BillingCore
import BillingEvents
import HTTPKit
import JSON
import Kafka
import Logging
import Messaging
import PaymentDomain
import PaymentService
import Postgres
import ServiceKit
import Synchronization
import TestKit

/// Payment's handlers and use cases on a database of their own.
struct PaymentWorld: Sendable {
    static let start = Instant(seconds: 1_800_000_000)
    static let price = Money(minor: 1_299, currency: .usd)

    let database: PostgresPool
    let provider: ScriptedProvider
    let clock: ManualClock
    let work: PaymentUseCases
    let providers: PaymentProviders
    let disputes: Disputes
    let logger: Logger
    private let dispatcher: EventDispatcher
    private let offsets = Counting()

    init(
        _ database: PostgresPool, fallback: FraudFallback = .rules, beside others: [any PaymentProvider] = [],
        wallets: any WalletReader = ConfiguredWallets(), directory: ThreeDSServer? = nil, sca: SCAPolicy = SCAPolicy(),
        risk: RiskPolicy = .standard, clock: ManualClock = ManualClock(PaymentWorld.start)
    ) {
        let logger = Logger(label: "test.payment") { _ in SwiftLogNoOpLogHandler() }
        self.database = database
        self.logger = logger
        provider = ScriptedProvider(database, clock)
        self.clock = clock
        // Nothing is waited for: whatever is under way when the sweeper looks counts as stopped.
        providers = PaymentProviders([provider] + others)
        disputes = Disputes(providers: providers, pool: database, clock: clock, lostSeconds: 0, logger: logger)
        work = PaymentUseCases(
            pool: database, providers: providers, clock: clock,
            policy: SweepPolicy(
                silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 0, fallback: fallback),
            wallets: wallets, directory: directory, pages: ChallengePages(publicURL: "https://pay.test"),
            risk: risk, sca: AssessAuthentication(policy: sca, risk: risk), logger: logger)
        dispatcher = EventDispatcher(work.consumer, pool: database, clock: clock, logger: logger)
    }

    /// Delivers facts as one batch, each in an event of its own.
    func deliver<Body: EventBody>(_ bodies: [Body]) async { await dispatcher.handle(bodies.map { message($0) }) }

    func deliver(_ messages: [KafkaMessage]) async { await dispatcher.handle(messages) }

    func message<Body: EventBody>(_ body: Body) -> KafkaMessage {
        KafkaMessage(
            topic: Body.topic.rawValue, partition: 0, offset: offsets.next(), key: "customer",
            headers: [
                "ce_specversion": "1.0", "ce_id": EventID.new(at: Self.start).rawValue, "ce_type": Body.type,
                "ce_source": "refrain/test", "ce_time": Self.start.rfc3339,
            ], value: encode(body))
    }

    func customer() async -> CustomerID {
        let id = CustomerID.new(at: Self.start)
        await deliver([
            CustomerCreatedV1(customerID: id, email: "a@example.com", name: "Ada", country: "GB", timeZone: "UTC")
        ])
        return id
    }

    @discardableResult
    func attach(_ number: String, to customer: CustomerID) async throws -> JSONValue {
        let input: CreatePaymentMethodInput = try read(
            #"{"customer_id":"\#(customer)","type":"card","card":{"number":"\#(number)","exp_month":12,"exp_year":2030,"cvc":"123"}}"#
        )
        return try parseJSON(try await work.attach(call("/v1/payment_methods"), input).body)
    }

    /// A customer with a card.
    func payer(_ number: String = "4242424242424242") async throws -> CustomerID {
        let id: CustomerID = await customer()
        try await attach(number, to: id)
        return id
    }

    /// - Parameter now: The business time. Where the clock was moved on, an order has to be of its time: of an older one the
    ///   customer has left by the time that it is decided.
    func call(
        _ path: String, key: String? = nil, body: String = "", wait: Duration = .zero,
        at now: Instant = PaymentWorld.start
    ) -> Call {
        Call(
            post: path, body: Array(body.utf8), key: key.flatMap { IdempotencyKey($0) }, preferWait: wait,
            now: now, receivedAt: Self.start)
    }

    /// `POST /v1/payments`.
    func create(
        _ customer: CustomerID, amount: Int64 = 1_299, key: String? = nil, wait: Duration = .zero
    ) async throws -> Reply<PaymentResource> {
        let body = #"{"amount":\#(amount),"currency":"USD","customer_id":"\#(customer)"}"#
        return try await work.create(
            call("/v1/payments", key: key, body: body, wait: wait, at: clock.now), read(body))
    }

    func id(_ reply: Reply<PaymentResource>) throws -> PaymentID {
        PaymentID(unchecked: try parseJSON(reply.body)["id"]?.stringValue ?? "")
    }

    /// A payment that waits for Fraud.
    func created(_ customer: CustomerID, amount: Int64 = 1_299) async throws -> PaymentRecord {
        try await payment(id(create(customer, amount: amount)))
    }

    /// A payment that went through.
    func paid(_ customer: CustomerID, amount: Int64 = 1_299) async throws -> PaymentRecord {
        let payment: PaymentRecord = try await created(customer, amount: amount)
        await decide(payment)
        return try await settled(payment.id)
    }

    func payment(_ id: PaymentID) async throws -> PaymentRecord {
        let found: PaymentRecord? = try await database.transaction(readOnly: true) { db in
            try PaymentStore.find(id, in: db)
        }
        guard let found else { throw Absent() }
        return found
    }

    struct Absent: Error {}

    /// The payment once it is no longer on its way.
    func settled(_ id: PaymentID) async throws -> PaymentRecord {
        try await eventually(within: .seconds(20), "the payment settles") { try await payment(id).status.isSettled }
        return try await payment(id)
    }

    func payment(of invoice: InvoiceID) async throws -> PaymentRecord {
        let ids: [String] = try await texts("SELECT id FROM payments WHERE invoice_id = \(invoice)")
        guard ids.count == 1 else { throw Absent() }
        return try await payment(PaymentID(unchecked: ids[0]))
    }

    func verdict(
        _ payment: PaymentRecord, _ decision: String = "approve", score: String = "0.1000",
        reasons: [String] = ["amount_high"]
    ) -> FraudAssessedV1 {
        FraudAssessedV1(
            assessmentID: .new(at: Self.start), paymentID: payment.id, attemptID: payment.attemptID,
            attempt: Int64(payment.attempts), customerID: payment.customerID, score: score, decision: decision,
            reasons: reasons, model: "rules-1")
    }

    /// Fraud's word.
    func decide(_ payment: PaymentRecord, _ decision: String = "approve", score: String = "0.1000") async {
        await deliver([verdict(payment, decision, score: score)])
    }

    func finalized(
        _ invoice: InvoiceID, _ customer: CustomerID, amount: Money = price, reason: String? = nil
    ) -> InvoiceFinalizedV1 {
        InvoiceFinalizedV1(
            invoiceID: invoice, number: "INV-000001", billingID: .new(at: Self.start),
            subscriptionID: .new(at: Self.start), customerID: customer, reason: reason, amount: amount,
            periodStart: Self.start, periodEnd: Self.start, issuedAt: Self.start)
    }

    func due(_ invoice: InvoiceID, _ customer: CustomerID, reason: String = "retry") -> SubscriptionCollectionDueV1 {
        SubscriptionCollectionDueV1(
            subscriptionID: .new(at: Self.start), customerID: customer, billingID: .new(at: Self.start),
            invoiceID: invoice, attempt: 2, reason: reason)
    }

    func voided(_ invoice: InvoiceID, _ customer: CustomerID) -> InvoiceVoidedV1 {
        InvoiceVoidedV1(
            invoiceID: invoice, billingID: .new(at: Self.start), subscriptionID: .new(at: Self.start),
            customerID: customer, amount: Self.price, reason: "withdrawn")
    }

    /// `POST /v1/refunds`.
    func refund(_ payment: PaymentID, _ amount: Int64?, key: String? = nil) async throws -> Reply<RefundResource> {
        let body = #"{"payment_id":"\#(payment)"\#(amount.map { #","amount":\#($0)"# } ?? "")}"#
        return try await work.refund(call("/v1/refunds", key: key, body: body), read(body))
    }

    func confirm(_ id: PaymentID, passed: Bool?) async throws -> PaymentRecord {
        let asksIssuers: Bool = work.authenticate != nil
        let now: Instant = clock.now
        return try await database.transaction { db in
            try ContinuePayment.confirm(id, passed: passed, asksIssuers: asksIssuers, at: now, in: db)
        }
    }

    /// `POST /v1/payments/{id}/cancel`.
    @discardableResult
    func cancel(_ id: PaymentID, key: String? = nil) async throws -> PaymentRecord {
        _ = try await work.cancel(call("/v1/payments/\(id)/cancel", key: key), id)
        return try await payment(id)
    }

    /// `POST /v1/payments/{id}/captures`.
    @discardableResult
    func capture(_ id: PaymentID, _ amount: Int64? = nil, final: Bool = true, key: String? = nil) async throws -> Reply<
        CaptureResource
    > {
        let body = #"{"final":\#(final)\#(amount.map { #","amount":\#($0)"# } ?? "")}"#
        return try await work.capture(call("/v1/payments/\(id)/captures", key: key, body: body), id, read(body))
    }

    /// A payment whose money is held.
    func authorized(_ customer: CustomerID, amount: Int64 = 1_299) async throws -> PaymentRecord {
        let body = #"{"amount":\#(amount),"currency":"USD","customer_id":"\#(customer)","capture_method":"manual"}"#
        let reply: Reply<PaymentResource> = try await work.create(
            call("/v1/payments", body: body, at: clock.now), read(body))
        let payment: PaymentRecord = try await payment(id(reply))
        await decide(payment)
        return try await settled(payment.id)
    }

    func read<Input: JSONInput>(_ text: String) throws -> Input { try decode(Input.self, from: parseJSON(text)) }

    func execute(_ sql: SQL) async throws { try await database.transaction { db in _ = try db.execute(sql) } }

    func texts(_ sql: SQL) async throws -> [String] {
        try await database.transaction { db in try db.query(sql) { row in try row.next() } }
    }

    func number(_ sql: SQL) async throws -> Int {
        try await database.transaction { db in try db.first(sql) { row in try row.next() } ?? -1 }
    }

    /// How many events of a type were published.
    func published(_ type: String) async throws -> Int {
        try await number("SELECT count(*) FROM outbox WHERE type = \(type)")
    }

    /// Kinds of the entries booked for a payment.
    func booked(_ id: PaymentID) async throws -> [String] {
        try await texts("SELECT kind FROM journal_entries WHERE payment_id = \(id) ORDER BY id")
    }

    func balances() async throws -> [String] {
        try await texts("SELECT account || ' ' || sum(amount) FROM journal_lines GROUP BY account ORDER BY account")
    }

    func violations() async throws -> [String] {
        try await database.transaction { db in try PaymentConsistency.facts(in: db).violations }
    }
}

/// Numbers without end.
final class Counting: Sendable {
    private let last = Atomic<Int64>(0)
    func next() -> Int64 { last.add(1, ordering: .relaxed).newValue }
}

/// Lends a migrated schema and the service on it.
func withPayments(
    connections: Int = 4, fallback: FraudFallback = .rules, beside others: [any PaymentProvider] = [],
    wallets: any WalletReader = ConfiguredWallets(), directory: ThreeDSServer? = nil, sca: SCAPolicy = SCAPolicy(),
    _ body: (PaymentWorld) async throws -> Void
) async throws {
    try await withMigratedDatabase(service: "Payment", connections: connections) { lent in
        try await body(
            PaymentWorld(
                lent.pool, fallback: fallback, beside: others, wallets: wallets, directory: directory, sca: sca))
    }
}
