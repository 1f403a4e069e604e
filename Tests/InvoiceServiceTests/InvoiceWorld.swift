import BillingCore
import BillingEvents
import InvoiceDomain
import InvoiceService
import JSON
import Logging
import Postgres
import ServiceKit
import TestKit

/// The service's handlers on a database of their own.
struct InvoiceWorld: Sendable {
    static let start = Instant(seconds: 1_800_000_000)

    let database: PostgresPool
    let logger = Logger(label: "test.invoice") { _ in SwiftLogNoOpLogHandler() }
    let now: Instant = Self.start.adding(.seconds(60))

    /// Wraps bodies as they arrive, each in an event of its own.
    func envelopes<Body: EventBody>(_ bodies: [Body]) -> [Envelope<Body>] {
        bodies.map { Envelope(id: EventID.new(at: now), time: now, key: "customer", body: $0) }
    }

    func receive(_ bodies: SubscriptionBilledV1...) async throws { try await bill(bodies) }

    func bill(_ bodies: [SubscriptionBilledV1]) async throws {
        let (consumer, events, now) = (SubscriptionBilledConsumer(logger: logger), envelopes(bodies), now)
        try await database.transaction { db in try consumer.handle(events, in: db, at: now) }
    }

    func receive(_ bodies: PaymentSucceededV1...) async throws {
        let (consumer, events, now) = (PaymentSucceededConsumer(logger: logger), envelopes(bodies), now)
        try await database.transaction { db in try consumer.handle(events, in: db, at: now) }
    }

    func receive(_ bodies: PaymentFailedV1...) async throws {
        let (consumer, events, now) = (PaymentFailedConsumer(logger: logger), envelopes(bodies), now)
        try await database.transaction { db in try consumer.handle(events, in: db, at: now) }
    }

    func receive(_ bodies: PaymentRefundedV1...) async throws {
        let (consumer, events, now) = (PaymentRefundedConsumer(logger: logger), envelopes(bodies), now)
        try await database.transaction { db in try consumer.handle(events, in: db, at: now) }
    }

    func receive(_ body: PaymentRefundFailedV1) async throws {
        let (consumer, now) = (PaymentRefundFailedConsumer(logger: logger), now)
        try await database.transaction { db in try consumer.handle(body, in: db, at: now) }
    }

    func receive(_ body: PaymentDisputeClosedV1) async throws {
        try await database.transaction { db in try PaymentDisputeClosedConsumer().handle(body, in: db) }
    }

    /// The failure of a refund.
    func failure(of refund: PaymentRefundedV1) -> PaymentRefundFailedV1 {
        PaymentRefundFailedV1(
            refundID: refund.refundID, paymentID: refund.paymentID, customerID: refund.customerID,
            amount: refund.amount, refundedTotal: 0, invoiceID: refund.invoiceID, failureCode: "account_closed",
            failedAt: now)
    }

    func receive(_ bodies: SubscriptionBillingWithdrawnV1...) async throws {
        let (consumer, events, now) = (BillingWithdrawnConsumer(logger: logger), envelopes(bodies), now)
        try await database.transaction { db in try consumer.handle(events, in: db, at: now) }
    }

    func receive(_ bodies: CustomerCreatedV1...) async throws {
        let (events, now) = (envelopes(bodies), now)
        try await database.transaction { db in try CustomerCreatedConsumer().handle(events, in: db, at: now) }
    }

    func receive(_ bodies: CustomerUpdatedV1...) async throws {
        let (events, now) = (envelopes(bodies), now)
        try await database.transaction { db in try CustomerUpdatedConsumer().handle(events, in: db, at: now) }
    }

    /// Everything published of one type, in order.
    func published<Body: EventBody>(_ type: Body.Type) async throws -> [Body] {
        let bodies: [String] = try await database.transaction { db in
            try db.query("SELECT body FROM outbox WHERE type = \(Body.type) ORDER BY xid, seq") { try $0.next() }
        }
        return try bodies.map { try decode(Body.self, from: parseJSON(Array($0.utf8), limits: JSONLimits())) }
    }

    /// The types of everything published, in order.
    func publishedTypes() async throws -> [String] {
        try await database.transaction { db in
            try db.query("SELECT type FROM outbox ORDER BY xid, seq") { try $0.next() }
        }
    }

    /// Invoices as the API shows them, newest first.
    func invoices(
        _ filter: InvoiceFilter = InvoiceFilter(), after: InvoiceID? = nil, limit: Int = 1_000
    ) async throws -> [JSONValue] {
        let documents: [[UInt8]] = try await database.transaction(readOnly: true) { db in
            try InvoiceDocumentStore.list(filter, after: after, limit: limit, in: db).map { encode($0) }
        }
        return try documents.map { try parseJSON($0, limits: JSONLimits()) }
    }

    /// The only invoice there is, as the API shows it.
    func invoice() async throws -> JSONValue {
        let all: [JSONValue] = try await invoices()
        guard let first = all.first, all.count == 1 else { throw NotOne(count: all.count) }
        return first
    }

    struct NotOne: Error { let count: Int }

    func violations() async throws -> [String] {
        try await database.transaction { db in try InvoiceBooks.violations(in: db) }
    }

    func facts() async throws -> JSONValue {
        try await database.transaction { db in
            .object(try InvoiceBooks.facts(in: db).map { JSONMember(name: $0.0, value: $0.1) })
        }
    }

    func execute(_ sql: SQL) async throws {
        _ = try await database.transaction { db in try db.execute(sql) }
    }
}

/// Lends a migrated schema and the handlers on it.
func withInvoices(connections: Int = 2, _ body: (InvoiceWorld) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Invoice", connections: connections) { lent in
        try await body(InvoiceWorld(database: lent.pool))
    }
}

/// Events to feed.
enum Sample {
    static let start = InvoiceWorld.start
    static let end = start.adding(.seconds(30 * 86_400))
    static let price = Money(minor: 1_299, currency: .usd)

    static func line(_ amount: Int64, proration: Bool = false) -> BilledLineV1 {
        BilledLineV1(
            description: "Premium", quantity: 1, unitAmount: amount, amount: amount, periodStart: start, periodEnd: end,
            proration: proration)
    }

    static func billed(
        _ amount: Money = price, lines: [BilledLineV1]? = nil, id: BillingID = .new(at: start),
        customer: CustomerID = .new(at: start), subscription: SubscriptionID = .new(at: start)
    ) -> SubscriptionBilledV1 {
        SubscriptionBilledV1(
            billingID: id, subscriptionID: subscription, customerID: customer, reason: "cycle", amount: amount,
            lines: lines ?? [line(amount.minor)], periodStart: start, periodEnd: end, billedAt: start)
    }

    static func succeeded(
        _ invoice: InvoiceID?, _ amount: Money = price, payment: PaymentID = .new(at: start)
    ) -> PaymentSucceededV1 {
        PaymentSucceededV1(
            paymentID: payment, attempt: 1, customerID: .new(at: start), paymentMethodID: .new(at: start),
            amount: amount, invoiceID: invoice, subscriptionID: nil, provider: "sandbox",
            succeededAt: start.adding(.seconds(5)))
    }

    static func failed(
        _ invoice: InvoiceID?, attempt: Int64 = 1, with method: PaymentMethodID? = nil, retryAt: Instant? = nil
    ) -> PaymentFailedV1 {
        PaymentFailedV1(
            paymentID: .new(at: start), attempt: attempt, customerID: .new(at: start), amount: price,
            invoiceID: invoice, subscriptionID: nil, declineCode: "insufficient_funds", declineClass: "soft",
            paymentMethodID: method, retryAt: retryAt, failedAt: start.adding(.seconds(5)))
    }

    static func refunded(
        _ invoice: InvoiceID?, _ minor: Int64, of payment: PaymentID, id: RefundID = .new(at: start)
    ) -> PaymentRefundedV1 {
        PaymentRefundedV1(
            refundID: id, paymentID: payment, customerID: .new(at: start),
            amount: Money(minor: minor, currency: .usd), refundedTotal: minor, invoiceID: invoice, reason: nil,
            refundedAt: end)
    }

    static func dispute(
        _ outcome: String, of payment: PaymentID, _ invoice: InvoiceID?, _ amount: Money = price,
        id: DisputeID = .new(at: start), at closedAt: Instant = end
    ) -> PaymentDisputeClosedV1 {
        PaymentDisputeClosedV1(
            disputeID: id, paymentID: payment, customerID: .new(at: start), paymentMethodID: nil, amount: amount,
            reason: "fraudulent", outcome: outcome, invoiceID: invoice, subscriptionID: nil, closedAt: closedAt)
    }

    static func withdrawn(_ billing: BillingID) -> SubscriptionBillingWithdrawnV1 {
        SubscriptionBillingWithdrawnV1(
            billingID: billing, subscriptionID: .new(at: start), customerID: .new(at: start), reason: "upgrade_failed")
    }
}
