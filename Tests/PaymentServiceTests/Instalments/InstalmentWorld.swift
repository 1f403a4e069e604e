import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

/// Instalment plans on a payment service where Fraud approves and outcomes reach the plans.
struct InstalmentWorld: Sendable {
    static let good = "4242424242424242"
    static let poor = "4000000000009995"
    static let expired = "4000000000000069"
    static let challenges = "4000002500003155"

    let payments: PaymentWorld
    let settings: InstalmentSettings

    init(_ payments: PaymentWorld) throws {
        self.payments = payments
        settings = try Self.committed()
    }

    /// What the committed configuration offers.
    static func committed() throws -> InstalmentSettings {
        let path = "/Tests/PaymentServiceTests/Instalments/InstalmentWorld.swift"
        let root: String = String(#filePath.prefix(#filePath.count - path.count))
        let configuration = try ServiceConfiguration(
            service: "payment",
            environment: [
                "BILLING_DB_URL": "postgres://", "KAFKA_BROKERS": "localhost:1",
                "REDIS_BILLING_URL": "redis://127.0.0.1",
                "REFRAIN_CONFIG": "\(root)/deploy/config/refrain.yaml",
            ])
        return try InstalmentSettings(configuration.tunables)
    }

    var database: PostgresPool { payments.database }
    var now: Instant { payments.clock.now }

    // MARK: What callers do

    /// `POST /v1/instalment_plans`.
    func agree(
        _ customer: CustomerID, _ terms: String, _ amount: Int64, currency: String = "EUR", method: String? = nil
    ) async throws -> JSONValue {
        let method: String = method.map { #","payment_method_id":"\#($0)""# } ?? ""
        let input: AgreePlanInput = try payments.read(
            #"{"customer_id":"\#(customer)","terms":"\#(terms)","amount":\#(amount),"currency":"\#(currency)"\#(method)}"#
        )
        return try await write { db in
            try AgreePlan(settings: settings, providers: payments.providers)(input.order, at: now, in: db)
        }
    }

    /// A plan whose first payment went through.
    func running(_ customer: CustomerID, _ terms: String, _ amount: Int64) async throws -> InstalmentPlanID {
        let plan: JSONValue = try await agree(customer, terms, amount)
        try await rest()
        return try id(plan)
    }

    func settle(_ plan: InstalmentPlanID) async throws -> JSONValue {
        try await write { db in try change.settle(plan, with: nil, at: now, in: db) }
    }

    @discardableResult
    func cancel(_ plan: InstalmentPlanID) async throws -> JSONValue {
        try await write { db in try change.cancel(plan, at: now, in: db) }
    }

    @discardableResult
    func reduce(_ plan: InstalmentPlanID, by amount: Int64) async throws -> JSONValue {
        try await write { db in try change.reduce(plan, by: amount, at: now, in: db) }
    }

    private var change: ChangePlan { ChangePlan(settings: settings, providers: payments.providers) }

    func read(_ plan: InstalmentPlanID) async throws -> JSONValue {
        try await write { db in
            guard let found = try PlanStore.find(plan, in: db) else { throw PaymentWorld.Absent() }
            return found
        }
    }

    private func write(
        _ body: @escaping @Sendable (borrowing PostgresTransaction) throws -> PlanRecord
    ) async throws -> JSONValue {
        let bytes: [UInt8] = try await database.transaction { db in encode(try PlanResource(try body(db))) }
        return try parseJSON(bytes)
    }

    func id(_ plan: JSONValue) throws -> InstalmentPlanID {
        try #require(plan["id"]?.stringValue.flatMap { InstalmentPlanID($0) })
    }

    func status(_ plan: InstalmentPlanID) async throws -> String { try await read(plan)["status"]?.stringValue ?? "" }

    /// The states of a plan's instalments, by number.
    func parts(_ plan: InstalmentPlanID) async throws -> [String] {
        try await payments.texts("SELECT status FROM instalments WHERE plan_id = \(plan) ORDER BY number")
    }

    // MARK: What time does

    /// The morning of a day after the plan's first, with everything done that is due by then.
    func go(days: Int) async throws { try await go(to: CivilDate(dayNumber: Self.today + days)) }

    static let today = Int(PaymentWorld.start.seconds / 86_400)

    func go(to day: CivilDate) async throws {
        wake(on: day)
        try await rest()
    }

    /// The same morning, with nothing done yet.
    func wake(on day: CivilDate) { payments.clock.set(Instant(seconds: Int64(day.dayNumber) * 86_400 + 28_800)) }

    /// One look of the due loop.
    @discardableResult
    func runDue(limit: Int = RunDueInstalments.batchLimit) async throws -> Int {
        let now: Instant = now
        return try await database.transaction { db in try Self.dueSteps(at: now, limit: limit, in: db) }
    }

    /// Lets everything happen that happens by itself.
    func rest() async throws {
        while true {
            let due: Int = try await runDue()
            let news: Int = try await deliverNews()
            let settled: Bool = try await settlePayments()
            // What has settled just now is news that nobody has heard yet.
            if due == 0, news == 0, !settled { return }
        }
    }

    /// Lets payments and refunds under way come to their ends.
    /// - Returns: Whether there were any.
    @discardableResult
    func settlePayments() async throws -> Bool {
        var settled = false
        try await eventually(within: .seconds(20), "payments settle") {
            let moving: Int = try await payments.number(
                """
                SELECT (SELECT count(*) FROM payments WHERE status IN ('processing', 'canceling'))
                    + (SELECT count(*) FROM refunds WHERE status = 'processing')
                """)
            if moving == 0 { return true }
            settled = true
            try await payments.work.sweep.pass()
            return false
        }
        return settled
    }

    /// Has Fraud approve what waits for it, and plans hear what they wait for.
    /// - Returns: How much there was.
    @discardableResult
    func deliverNews() async throws -> Int {
        let assessed: Int = try await assess()
        return try await assessed + hear(at: now)
    }

    /// Has Fraud approve what waits for it.
    /// - Returns: How many payments.
    func assess() async throws -> Int {
        let waiting: [String] = try await payments.texts("SELECT id FROM payments WHERE status = 'created' ORDER BY id")
        for id in waiting { await payments.decide(try await payments.payment(PaymentID(unchecked: id))) }
        return waiting.count
    }

    /// Plans hear one batch of news.
    func hear(at now: Instant) async throws -> Int {
        try await database.transaction { db in try Self.hearNews(at: now, in: db) }
    }

    static let hearNews = HearNews(logger: logger)
    private static let dueSteps = RunDueInstalments(logger: logger)
    private static let logger = Logger(label: "test.instalments") { _ in SwiftLogNoOpLogHandler() }

    // MARK: What is seen

    /// What stands on an account.
    func balance(_ account: String) async throws -> Int {
        try await payments.number(
            "SELECT coalesce(sum(amount), 0)::bigint FROM journal_lines WHERE account = \(account)")
    }

    /// Broken rules of the service, and messages nobody could handle.
    func violations() async throws -> [String] {
        let parked: Int = try await payments.number("SELECT count(*) FROM parked_events WHERE status = 'parked'")
        let retries: Int = try await payments.number("SELECT count(*) FROM event_retries")
        return try await payments.violations() + (parked + retries > 0 ? ["\(parked) parked, \(retries) retried"] : [])
    }
}

/// Lends a payment service with plans.
func withInstalments(
    connections: Int = 4, beside others: [any PaymentProvider] = [], _ body: (InstalmentWorld) async throws -> Void
) async throws {
    try await withPayments(connections: connections, beside: others) { try await body(InstalmentWorld($0)) }
}

extension JSONValue {
    /// A whole number in a member.
    func int(_ name: String) -> Int64 { self[name]?.intValue ?? -1 }

    /// A list in a member.
    func list(_ name: String) -> [JSONValue] {
        guard case .array(let elements)? = self[name] else { return [] }
        return elements
    }
}
