import BillingCore
import BillingEvents
import HTTPKit
import JSON
import Kafka
import Logging
import Messaging
import NIOHTTP1
import PaymentChains
import PaymentContract
import PaymentCrypto
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

/// A shop that takes bitcoin: the parts of crypto with the whole charge flow on them.
struct CryptoShop: Sendable {
    let server: CryptoServer
    let work: PaymentUseCases
    private let dispatcher: EventDispatcher

    var world: CryptoWorld { server.world }

    /// Nothing is waited for: whatever is under way when the sweeper looks counts as stopped.
    init(_ server: CryptoServer) throws {
        let world: CryptoWorld = server.world
        let logger = Logger(label: "test.crypto") { _ in SwiftLogNoOpLogHandler() }
        self.server = server
        work = PaymentUseCases(
            pool: world.database, providers: PaymentProviders([try world.provider()]), clock: world.clock,
            policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 0, fallback: .review),
            logger: logger)
        dispatcher = EventDispatcher(work.consumer, pool: world.database, clock: world.clock, logger: logger)
    }

    /// The shop as another process of it is, which knows what is stored and nothing else.
    func restarted() throws -> CryptoShop { try CryptoShop(server) }

    private func deliver<Body: EventBody>(_ body: Body) async {
        let now: Instant = world.clock.now
        await dispatcher.handle([
            KafkaMessage(
                topic: Body.topic.rawValue, partition: 0, offset: 0, key: "customer",
                headers: [
                    "ce_specversion": "1.0", "ce_id": EventID.new(at: now).rawValue, "ce_type": Body.type,
                    "ce_source": "refrain/test", "ce_time": now.rfc3339,
                ], value: encode(body))
        ])
    }

    private func call(_ path: String, _ body: String = "") -> Call {
        Call(
            post: path, body: Array(body.utf8), key: nil, preferWait: .zero, now: world.clock.now,
            receivedAt: world.clock.now)
    }

    /// A payment whose customer has been given an address.
    func ordered() async throws -> PaymentRecord {
        try await world.look()
        let customer = CustomerID.new(at: world.clock.now)
        await deliver(
            CustomerCreatedV1(
                customerID: customer, email: "a@example.com", name: "Ada", country: "GB", timeZone: "UTC"))
        let body =
            #"{"amount":10000,"currency":"USD","customer_id":"\#(customer)","payment_method_type":"bitcoin","#
            + #""return_url":"https://shop.test/back"}"#
        let reply = try await work.create(
            call("/v1/payments", body), try decode(CreatePaymentInput.self, from: parseJSON(body)))
        let created: PaymentRecord = try await payment(
            PaymentID(unchecked: try parseJSON(reply.body)["id"]?.stringValue ?? ""))
        await deliver(
            FraudAssessedV1(
                assessmentID: .new(at: world.clock.now), paymentID: created.id, attemptID: created.attemptID,
                attempt: 1, customerID: customer, score: "0.1000", decision: "approve", reasons: [], model: "rules-1"))
        try await eventually(within: .seconds(20), "the customer has an address") {
            try await payment(created.id).status == .requiresAction
        }
        return try await payment(created.id)
    }

    /// A payment that failed because nobody paid in time, and whose price has come since.
    func paidLate() async throws -> PaymentRecord {
        let payment: PaymentRecord = try await ordered()
        world.clock.advance(by: .seconds(2_000))
        try await lookAndTell()
        world.chain.pay(try await charge(payment).address, CryptoWorld.due)
        world.chain.mine(2)
        try await lookAndTell()
        return try await self.payment(payment.id)
    }

    /// The watcher looks, and the charge flow hears of what it finds.
    func lookAndTell() async throws {
        while try await world.watcher().look() == .behind {}
        try await tellNews()
    }

    func tellNews() async throws {
        let news: HandleNews = work.news
        try await world.watcher().tellNews { try await news.follow($0) }
    }

    /// `POST /v1/crypto/held/{attempt_id}/complete`.
    func complete(
        _ payment: PaymentRecord, by secret: String, key: String? = nil
    ) async throws -> (status: Int, json: JSONValue) {
        try await server.send(
            .POST, "/v1/crypto/held/\(payment.attemptID)/complete", #"{"reason":"the goods are still here"}"#,
            by: secret, key: key)
    }

    /// `POST /v1/payments/{id}/cancel`; whether it was done.
    func cancel(_ payment: PaymentRecord) async throws -> Bool {
        do {
            _ = try await work.cancel(call("/v1/payments/\(payment.id)/cancel"), payment.id)
            return true
        } catch let failure as CancelPayment.Failure where failure.problem.code == "payment_state" {
            return false
        }
    }

    /// `POST /v1/refunds`, of all of it.
    func refund(_ payment: PaymentRecord) async throws -> Int {
        let body = #"{"payment_id":"\#(payment.id)"}"#
        return try await work.refund(
            call("/v1/refunds", body), try decode(CreateRefundInput.self, from: parseJSON(body))
        ).status
    }

    func payment(_ id: PaymentID) async throws -> PaymentRecord {
        let found: PaymentRecord? = try await world.database.transaction { db in try PaymentStore.find(id, in: db) }
        return try #require(found)
    }

    func charge(_ payment: PaymentRecord) async throws -> CryptoCharge {
        let found: CryptoCharge? = try await world.database.transaction { db in
            try CryptoChargeStore.find(payment.attemptID, in: db)
        }
        return try #require(found)
    }

    /// Types of the payment's events and kinds of its entries, each in order.
    func told(_ payment: PaymentRecord) async throws -> (events: [String], entries: [String]) {
        try await world.database.transaction { db in
            (
                try db.query("SELECT type FROM outbox WHERE body::json->>'payment_id' = \(payment.id) ORDER BY seq") {
                    row in
                    try row.next()
                },
                try db.query("SELECT kind FROM journal_entries WHERE payment_id = \(payment.id) ORDER BY id") { row in
                    try row.next()
                }
            )
        }
    }

    func violations() async throws -> [String] {
        try await world.database.transaction { db in try PaymentConsistency.facts(in: db).violations }
    }
}

/// Lends a shop of its own, behind a real server.
func withCryptoShop(_ body: (CryptoShop) async throws -> Void) async throws {
    try await withCryptoServer { server in try await body(CryptoShop(server)) }
}
