import BillingCore
import BillingEvents
import HTTPKit
import JSON
import Logging
import Messaging
import Postgres
import ServiceKit
import SubscriptionDomain
import SubscriptionService
import TestKit

/// The service's use cases and handlers on a database of their own, with a clock that stands still.
struct SubscriptionWorld: Sendable {
    static let start = time("2027-01-15T10:00:00Z")
    static let logger = Logger(label: "test.subscription") { _ in SwiftLogNoOpLogHandler() }

    let database: PostgresPool
    let clock = OffsetClock()
    let ticker = ManualClock(SubscriptionWorld.start)
    let waiters = SettlementWaiters()
    let policy = DunningPolicy.standard
    let collectable = CollectableAmounts.standard

    var now: Instant { ticker.now }
    private var notice: SettlementNotice { SettlementNotice(waiters: waiters, clock: clock) }

    @discardableResult
    func customer(_ id: String = "ada", zone: String = "UTC") async throws -> CustomerID {
        let input: NewCustomerInput = try read(
            #"{"id":"\#(id)","email":"ada@example.com","name":"Ada","country":"GB","time_zone":"\#(zone)"}"#)
        let now: Instant = now
        return try await database.transaction { db in try CreateCustomer()(input, at: now, in: db).id }
    }

    @discardableResult
    func plan(_ id: String = "basic", _ amount: Int64 = 1_000, interval: String = "month", trial: Int = 0) async throws
        -> PlanID
    {
        let input: NewPlanInput = try read(
            #"{"id":"\#(id)","name":"\#(id)","amount":\#(amount),"currency":"USD","interval":"\#(interval)","trial_days":\#(trial)}"#
        )
        let now: Instant = now
        return try await database.transaction { db in try CreatePlan()(input, at: now, in: db).plan.id }
    }

    func setPlan(_ id: String, active: Bool) async throws {
        _ = try await database.transaction { db in
            try ChangePlanActivity()(PlanID(unchecked: id), isActive: active, in: db)
        }
    }

    func request(
        _ plan: String = "basic", customer: String = "ada", key: String? = nil, wait: Duration = .zero,
        id: SubscriptionID? = nil
    ) throws -> SignUp.Request {
        let body = #"{"customer_id":"\#(customer)","plan_id":"\#(plan)"}"#
        let id: SubscriptionID = id ?? .new(at: now)
        let claim: IdempotencyClaim? = key.flatMap { IdempotencyKey($0) }.map { key in
            IdempotencyClaim(
                scope: "key_test", key: key, operation: "POST /v1/subscriptions",
                requestHash: RequestHash(method: "POST", path: "/v1/subscriptions", body: Array(body.utf8)),
                resourceID: id.rawValue, claimedAt: now)
        }
        return SignUp.Request(
            id: id, input: try read(body), claim: claim, now: now, wait: wait,
            deadline: .now.advanced(by: .seconds(30)))
    }

    func signUp(_ request: SignUp.Request) async throws -> Reply<SubscriptionView> {
        try await SignUp(
            pool: database, subscribe: SubscribeCustomer(policy: policy, collectable: collectable), waiters: waiters)(
                request)
    }

    /// Signs up without waiting.
    func subscribe(_ plan: String = "basic", customer: String = "ada") async throws -> Subscription {
        let request: SignUp.Request = try request(plan, customer: customer)
        return try await subscription(id(of: signUp(request)))
    }

    /// Signed up and paid.
    func active(_ plan: String = "basic", customer: String = "ada") async throws -> Subscription {
        try await pay(subscribe(plan, customer: customer))
    }

    func id(of reply: Reply<SubscriptionView>) throws -> SubscriptionID {
        SubscriptionID(unchecked: try json(reply)["id"]?.stringValue ?? "")
    }

    func json(_ reply: Reply<SubscriptionView>) throws -> JSONValue { try parseJSON(reply.body) }

    func subscription(_ id: SubscriptionID) async throws -> Subscription {
        let found: Subscription? = try await database.transaction(readOnly: true) { db in
            try SubscriptionStore.read([id], in: db).first
        }
        guard let found else { throw Absent() }
        return found
    }

    struct Absent: Error {}

    /// Runs due work at a time, as one scheduler would.
    @discardableResult
    func runDue(limit: Int = RunDueWork.batchLimit) async throws -> Int {
        let (work, now) = (RunDueWork(policy: policy, collectable: collectable, logger: Self.logger), now)
        return try await database.transaction { db in try work(at: now, limit: limit, in: db) }
    }

    func change(_ id: SubscriptionID, _ body: String) async throws -> Subscription {
        let (input, now): (SubscriptionChangeInput, Instant) = (try read(body), now)
        let changePlan = ChangePlan(collectable: collectable)
        return try await database.transaction { db in try changePlan(id, input, at: now, in: db) }
    }

    func cancel(_ id: SubscriptionID, atPeriodEnd: Bool) async throws -> Subscription {
        let now: Instant = now
        return try await database.transaction { db in
            try CancelSubscription()(id, atPeriodEnd: atPeriodEnd, at: now, in: db)
        }
    }

    func violations() async throws -> [String] {
        let now: Instant = now
        return try await database.transaction { db in try SubscriptionFacts.violations(now: now, in: db) }
    }

    func facts() async throws -> [String: JSONValue] {
        let found: [(String, JSONValue)] = try await database.transaction { db in try SubscriptionFacts.facts(in: db) }
        return Dictionary(uniqueKeysWithValues: found)
    }

    /// Everything published of one type, in order.
    func published<Body: EventBody>(_ type: Body.Type) async throws -> [Body] {
        let bodies: [String] = try await database.transaction { db in
            try db.query("SELECT body FROM outbox WHERE type = \(Body.type) ORDER BY xid, seq") { row in try row.next()
            }
        }
        return try bodies.map { try decode(Body.self, from: parseJSON($0), unknownFields: .ignore) }
    }

    func read<Input: JSONInput>(_ text: String) throws -> Input { try decode(Input.self, from: parseJSON(text)) }
}

extension SubscriptionWorld {
    private func handle<Body: EventBody>(
        _ bodies: [Body], toldAt: Instant? = nil,
        _ handler: @escaping @Sendable ([Envelope<Body>], borrowing PostgresTransaction, EventContext) throws -> Void
    ) async throws {
        let now: Instant = now
        let events: [Envelope<Body>] = bodies.map {
            Envelope(id: .new(at: now), time: toldAt ?? now, key: "customer", body: $0)
        }
        try await database.transaction { db in try handler(events, db, EventContext(now: now)) }
    }

    static func invoice(of billing: BillingID) -> InvoiceID {
        InvoiceID(unchecked: "inv_\(billing.rawValue.dropFirst(4))")
    }

    /// Invoice says that the open billings are paid.
    func pay(_ subscriptions: [Subscription]) async throws {
        let now: Instant = now
        let bodies: [InvoicePaidV1] = subscriptions.compactMap { subscription in
            subscription.open.map { billing in
                InvoicePaidV1(
                    invoiceID: Self.invoice(of: billing.id), billingID: billing.id, subscriptionID: subscription.id,
                    customerID: subscription.customerID, amount: billing.amount, paymentID: nil, paidAt: now)
            }
        }
        let handler = InvoicePaid(afterCommit: notice)
        try await handle(bodies) { events, db, context in try handler.handle(events, in: db, context) }
    }

    @discardableResult
    func pay(_ subscription: Subscription) async throws -> Subscription {
        try await pay([subscription])
        return try await self.subscription(subscription.id)
    }

    /// Invoice says that an attempt failed, the latest that is known of unless another is named.
    @discardableResult
    func fail(
        _ subscription: Subscription, _ decline: String, attempt: Int64? = nil, with method: PaymentMethodID? = nil,
        retryAt: Instant? = nil
    ) async throws -> Subscription {
        guard let billing = subscription.open else { throw Absent() }
        let body = InvoicePaymentFailedV1(
            invoiceID: Self.invoice(of: billing.id), billingID: billing.id, subscriptionID: subscription.id,
            customerID: subscription.customerID, paymentID: .new(at: now), attempt: attempt ?? billing.attempts,
            declineCode: "declined", declineClass: decline, paymentMethodID: method, retryAt: retryAt, failedAt: now)
        let handler = InvoicePaymentFailed(policy: policy, afterCommit: notice)
        try await handle([body]) { events, db, context in try handler.handle(events, in: db, context) }
        return try await self.subscription(subscription.id)
    }

    /// Payment says that an attempt has begun.
    @discardableResult
    func begin(
        _ subscription: Subscription, attempt: Int64,
        with method: PaymentMethodID = PaymentMethodID(unchecked: "pm_own"), offSession: Bool = false
    ) async throws -> Subscription {
        guard let billing = subscription.open else { throw Absent() }
        let body = PaymentCreatedV1(
            paymentID: .new(at: now), attemptID: .new(at: now), attempt: attempt, customerID: subscription.customerID,
            paymentMethodID: method, fingerprint: "f", amount: billing.amount,
            invoiceID: Self.invoice(of: billing.id), subscriptionID: subscription.id, offSession: offSession,
            createdAt: now)
        try await handle([body]) { events, db, context in try PaymentCreated.handle(events, in: db, context) }
        return try await self.subscription(subscription.id)
    }

    func finalize(_ subscription: Subscription, billing: BillingID) async throws {
        let now: Instant = now
        let body = InvoiceFinalizedV1(
            invoiceID: Self.invoice(of: billing), number: "INV-000001", billingID: billing,
            subscriptionID: subscription.id, customerID: subscription.customerID, amount: subscription.plan.price,
            periodStart: now, periodEnd: now, issuedAt: now)
        try await handle([body]) { events, db, _ in try InvoiceFinalized.handle(events, in: db) }
    }

    /// Payment says that an attempt waits for the customer, the latest that is known of unless another is named.
    @discardableResult
    func requireAction(_ subscription: Subscription, attempt: Int64? = nil) async throws -> Subscription {
        guard let billing = subscription.open else { throw Absent() }
        let body = PaymentRequiresActionV1(
            paymentID: .new(at: now), attempt: attempt ?? billing.attempts, customerID: subscription.customerID,
            amount: billing.amount, invoiceID: Self.invoice(of: billing.id), subscriptionID: subscription.id)
        let handler = PaymentRequiresAction(policy: policy, afterCommit: notice)
        try await handle([body]) { events, db, context in try handler.handle(events, in: db, context) }
        return try await self.subscription(subscription.id)
    }

    /// Payment says that a card is there, as of `toldAt` by its clock.
    func attachCard(
        _ customer: CustomerID, _ id: PaymentMethodID? = nil, isDefault: Bool = true, isForLater: Bool? = nil,
        toldAt: Instant? = nil
    ) async throws {
        let body = PaymentMethodAttachedV1(
            paymentMethodID: id ?? .new(at: now), customerID: customer, brand: "visa", last4: "4242", expMonth: 12,
            expYear: 2030, fingerprint: "f", isDefault: isDefault, isForLater: isForLater)
        let handler = PaymentMethodAttached(policy: policy)
        try await handle([body], toldAt: toldAt) { events, db, context in
            try handler.handle(events, in: db, context)
        }
    }

    /// Invoice says that so much of a billing's invoice was given back, `total` so far.
    func refunded(_ billing: BillingID, _ customer: CustomerID, _ amount: Int64, total: Int64) async throws {
        let body = InvoiceRefundedV1(
            invoiceID: Self.invoice(of: billing), customerID: customer, paymentID: .new(at: now),
            refundID: .new(at: now), amount: Money(minor: amount, currency: .usd), refundedTotal: total)
        try await handle([body]) { events, db, context in try InvoiceRefunded.handle(events, in: db, context) }
    }

    /// Invoice says that a refund did not arrive, and what is left of all.
    func refundFailed(_ billing: BillingID, _ customer: CustomerID, _ amount: Int64, left: Int64) async throws {
        let body = InvoiceRefundFailedV1(
            invoiceID: Self.invoice(of: billing), customerID: customer, paymentID: .new(at: now),
            refundID: .new(at: now), amount: Money(minor: amount, currency: .usd), refundedTotal: left)
        try await handle([body]) { events, db, context in try InvoiceRefunded.handle(events, in: db, context) }
    }

    /// Payment says how a dispute over a billing's payment ended.
    func disputeClosed(
        _ dispute: DisputeID, _ billing: BillingID, _ customer: CustomerID, _ amount: Int64, _ outcome: String,
        at closedAt: Instant
    ) async throws {
        let body = PaymentDisputeClosedV1(
            disputeID: dispute, paymentID: .new(at: now), customerID: customer, paymentMethodID: nil,
            amount: Money(minor: amount, currency: .usd), reason: "fraudulent", outcome: outcome,
            invoiceID: Self.invoice(of: billing), subscriptionID: nil, closedAt: closedAt)
        try await handle([body]) { events, db, context in try PaymentDisputeClosed.handle(events, in: db, context) }
    }

    func execute(_ sql: SQL) async throws {
        try await database.transaction { db in _ = try db.execute(sql) }
    }
}

func time(_ text: String) -> Instant {
    guard let instant = Instant(rfc3339: text) else { preconditionFailure("\(text) is not a time") }
    return instant
}

/// Lends a migrated schema and the service on it.
func withSubscriptions(connections: Int = 4, _ body: (SubscriptionWorld) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Subscription", connections: connections) { lent in
        try await body(SubscriptionWorld(database: lent.pool))
    }
}
