import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentRouting
import Postgres
import Redis
import Synchronization
import TestKit

let silent = Logger(label: "test.routing") { _ in SwiftLogNoOpLogHandler() }

/// A provider that answers as it is told, and counts what it is asked.
final class ScriptedAcquirer: PaymentProvider {
    typealias Script = @Sendable (ChargeRequest) async throws(ProviderFault) -> ChargeAnswer

    let name: String
    let capabilities: ProviderCapabilities
    private let script: Mutex<Script>
    private let asked = Atomic<Int>(0)
    private let lookedUp = Atomic<Int>(0)

    init(_ name: String, _ script: @escaping Script = { request in captured(request) }) {
        self.name = name
        capabilities = RoutingWorld.capabilities
        self.script = Mutex(script)
    }

    var charges: Int { asked.load(ordering: .relaxed) }
    var lookUps: Int { lookedUp.load(ordering: .relaxed) }
    func turn(_ script: @escaping Script) { self.script.withLock { $0 = script } }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        asked.add(1, ordering: .relaxed)
        return try await script.withLock { $0 }(request)
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        lookedUp.add(1, ordering: .relaxed)
        return try await script.withLock { $0 }(request)
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        .captured(reference: "cp")
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer { .released }
    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer { .refunded(reference: "re") }
}

@Sendable func captured(_ request: ChargeRequest) -> ChargeAnswer {
    .captured(ProviderCharge(reference: "ch_\(request.idempotencyKey)"))
}

/// Routing on a database of its own, with the providers `sandbox`, `sandbox_b` and `sandbox_c`.
struct RoutingWorld: Sendable {
    static let start = Instant(seconds: 1_800_000_000)
    static let capabilities = ProviderCapabilities(
        methods: [
            ProviderCapabilities.Method(
                type: "card", separateCapture: true, partialCapture: true, multipleCapture: true, partialRefund: true,
                offSession: true)
        ], currencies: ["USD", "EUR", "JPY"])

    let database: PostgresPool
    let book: RoutingBook
    let health: ProviderHealth
    let clock: ManualClock
    let route: RoutePayment
    let cascade: CascadePayment

    /// - Parameter capabilities: Those of providers that cannot do what the others can.
    init(
        _ database: PostgresPool, names: [String] = ["sandbox", "sandbox_b", "sandbox_c"],
        capabilities: [String: ProviderCapabilities] = [:]
    ) throws {
        self.database = database
        clock = ManualClock(Self.start)
        let fees: [String: String] = ["sandbox": "0.029", "sandbox_b": "0.019", "sandbox_c": "0.024"]
        let catalogue = ProviderCatalogue(
            try names.map { name in
                ProviderProfile(
                    name: name, capabilities: capabilities[name] ?? Self.capabilities,
                    fees: try fees[name].map {
                        try FeeModel(rate: ExactDecimal(parsing: $0), fixed: [.usd: 30, .eur: 25])
                    })
            })
        health = ProviderHealth(catalogue, redis: nil, instance: "test", clock: clock, logger: silent)
        book = RoutingBook(catalogue: catalogue, health: health, logger: silent)
        route = RoutePayment(book: book)
        cascade = CascadePayment(book: book)
    }

    /// Puts rules in place, written as an operator would.
    @discardableResult
    func rules(_ text: String, replaces: Int64? = nil) async throws -> RoutingVersion {
        let document: RoutingDocument = try decode(RoutingDocumentInput.self, from: parseJSON(text)).document
        let book: RoutingBook = book
        return try await database.transaction { db in
            try book.replace(with: document, replaces: replaces, at: Self.start, by: "key_test", in: db)
        }
    }

    /// A customer with a card, known to `sandbox` and to these providers.
    func payer(
        _ others: [String] = ["sandbox_b", "sandbox_c"], country: String = "DE", groups: [String] = [],
        brand: String = "visa", fingerprint: String = "f1"
    ) async throws -> (customer: CustomerID, method: ChargeableMethod) {
        let customer = CustomerID.new(at: Self.start)
        let method = PaymentMethodRecord(
            id: .new(at: Self.start), customerID: customer, brand: brand, last4: "4242", expMonth: 12, expYear: 2030,
            fingerprint: fingerprint, provider: "sandbox", providerToken: "tok_sandbox_success", isDefault: true,
            createdAt: Self.start)
        try await database.transaction { db in
            _ = try db.execute(
                """
                INSERT INTO customers (id, created_at, country, groups)
                VALUES (\(customer), \(Self.start), \(country), \(groups)::text[])
                """)
            try PaymentMethodStore.insert(method, in: db)
            try MethodTokenStore.insert(
                others.map { MethodToken(provider: $0, token: "tok_\($0)_success") }, of: method.id, at: Self.start,
                in: db)
        }
        return (
            customer, ChargeableMethod(id: method.id, fingerprint: method.fingerprint, provider: method.provider)
        )
    }

    /// Payments that are assessed and about to be asked for: `processing`.
    func approved(
        _ payer: (customer: CustomerID, method: ChargeableMethod), _ count: Int = 1,
        amount: Money = Money(minor: 5_000, currency: .eur)
    ) async throws -> [PaymentRecord] {
        let payments: [NewPayment] = (0..<count).map { _ in
            NewPayment(
                id: .new(at: Self.start), attemptID: .new(at: Self.start), customerID: payer.customer,
                method: payer.method, amount: amount, description: nil, offSession: false, createdAt: Self.start)
        }
        return try await database.transaction { db in
            _ = try PaymentStore.insert(payments, in: db)
            return try db.query(
                """
                UPDATE payments p SET status = 'processing' WHERE id = ANY(\(payments.map(\.id.rawValue))::text[])
                RETURNING \(PaymentRecord.columns)
                """, as: PaymentRecord.self)
        }
    }

    /// The decision, as it would be made in the transaction of the verdict.
    func routed(_ payments: [PaymentRecord]) async throws -> [PaymentID: Route] {
        let route: RoutePayment = route
        let asked: [PaymentID: String] = Dictionary(payments.map { ($0.id, $0.provider) }) { first, _ in first }
        return try await database.transaction { db in try route(asked, in: db) }
    }

    func routed(_ payment: PaymentRecord) async throws -> String {
        try await routed([payment])[payment.id]?.provider ?? payment.provider
    }

    /// Ends the current attempt of a payment.
    func ended(_ id: PaymentID, _ end: EndedAttempt.End) async throws -> FollowingAttempt? {
        let payment: PaymentRecord = try await payment(id)
        return try await ended([EndedAttempt(paymentID: id, attemptID: payment.attemptID, end: end)]).first?.value
    }

    func ended(_ ends: [EndedAttempt]) async throws -> [AttemptID: FollowingAttempt] {
        let cascade: CascadePayment = cascade
        let now: Instant = clock.now
        return try await database.transaction { db in try cascade(ends, at: now, in: db) }
    }

    static func declined(
        _ code: String, network: String? = nil, advice: String? = nil, brand: String? = nil
    ) -> EndedAttempt.End {
        let refusal = ProviderDecline(code: code, networkCode: network, networkAdvice: advice, brand: brand)
        return .declined(DeclineReading(Decline(code: code), advice: refusal.advice), refusal)
    }

    func payment(_ id: PaymentID) async throws -> PaymentRecord {
        let found: PaymentRecord? = try await database.transaction { db in try PaymentStore.find(id, in: db) }
        guard let found else { throw Absent() }
        return found
    }

    struct Absent: Error {}

    func texts(_ sql: SQL) async throws -> [String] {
        try await database.transaction { db in try db.query(sql) { row in try row.next() } }
    }

    func execute(_ sql: SQL) async throws { try await database.transaction { db in _ = try db.execute(sql) } }

    /// `number provider status code` of every attempt.
    func attempts(_ id: PaymentID) async throws -> [String] {
        try await texts(
            """
            SELECT concat_ws(' ', number, provider, status, decline_code) FROM payment_attempts
            WHERE payment_id = \(id) ORDER BY number
            """)
    }

    func stopped(_ id: PaymentID) async throws -> String? {
        try await texts(
            """
            SELECT coalesce(a.routing ->> 'stopped', '') FROM payments p JOIN payment_attempts a ON a.id = p.attempt_id
            WHERE p.id = \(id)
            """
        ).first
    }
}

/// Lends a migrated schema.
func withRouting(connections: Int = 4, _ body: (RoutingWorld) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Payment", connections: connections) { lent in
        try await body(RoutingWorld(lent.pool))
    }
}
