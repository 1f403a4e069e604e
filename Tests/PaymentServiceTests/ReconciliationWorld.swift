import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentDomain
import PaymentLedger
import PaymentReconciliation
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import Synchronization
import TestKit

/// A provider whose settlement lines a test writes.
final class ScriptedSettlements: ProviderSettlements {
    let name: String
    let longestSettlementSpan: Duration = .seconds(400 * 86_400)
    private let lines = Mutex<[SettlementLine]>([])
    private let failing = Mutex<Bool>(false)
    private let requests = Atomic<Int>(0)
    private let pageSize: Int
    private let lag: Duration
    private let lookBack: Duration

    /// - Parameters:
    ///   - lag: How far its reports are behind.
    ///   - lookBack: How much more it lists before each span.
    init(name: String = "sandbox", pageSize: Int = 3, lag: Duration = .zero, lookBack: Duration = .zero) {
        self.name = name
        self.pageSize = pageSize
        self.lag = lag
        self.lookBack = lookBack
    }

    func report(_ new: [SettlementLine]) { lines.withLock { $0 += new } }
    func fail(_ fails: Bool) { failing.withLock { $0 = fails } }
    /// How often it was asked for lines.
    var asked: Int { requests.load(ordering: .relaxed) }

    func settlementHorizon(at now: Instant) -> Instant { now - lag }

    func settlementLines(in window: SettlementWindow) async throws(ProviderFault) -> ProviderSettlementPage {
        requests.add(1, ordering: .relaxed)
        if failing.withLock({ $0 }) { throw .timedOut }
        let all: [SettlementLine] = lines.withLock { $0 }.filter {
            $0.occurredAt >= window.from - lookBack && $0.occurredAt < window.to
        }
        let start: Int = window.page.flatMap { Int($0) } ?? 0
        let page = Array(all.dropFirst(start).prefix(pageSize))
        let end: Int = start + page.count
        return ProviderSettlementPage(lines: page, next: end < all.count ? String(end) : nil)
    }
}

extension PaymentWorld {
    static let policy = ReconciliationPolicy(
        window: .seconds(3 * 86_400), grace: .seconds(86_400), patience: .seconds(5 * 86_400))

    /// Reconciliation with the sandbox provider, or with a scripted one.
    func reconciliation(
        _ providers: [any ProviderSettlements]? = nil, fees: FeeSchedule = FeeSchedule()
    ) -> ReconcileProviders {
        let policy = ReconciliationPolicy(
            window: .seconds(3 * 86_400), grace: .seconds(86_400), patience: .seconds(5 * 86_400), fees: fees)
        return ReconcileProviders(
            providers: providers ?? [SandboxProvider(pool: database, clock: clock)], pool: database, clock: clock,
            policy: policy, logger: Logger(label: "test.payment") { _ in SwiftLogNoOpLogHandler() })
    }

    func advance(days: Int64) { clock.advance(by: .seconds(days * 86_400)) }

    /// A line about an own thing, some seconds after the start.
    func line(
        _ id: String, _ kind: SettlementLine.Kind, _ gross: Int64, fee: Int64 = 0, own: String? = nil,
        source: String? = nil, taken: String? = nil, after seconds: Int64 = 60, available: Instant? = nil
    ) throws -> SettlementLine {
        try SettlementLine(
            provider: "sandbox", id: id, kind: kind, gross: Money(minor: gross, currency: .usd),
            fee: Money(minor: fee, currency: .usd), net: Money(minor: gross - fee, currency: .usd),
            references: SettlementLine.References(own: own, source: source, taken: taken),
            occurredAt: Self.start + .seconds(seconds), availableAt: available)
    }

    /// `id state rule` of every line, by id.
    func lines() async throws -> [String] {
        try await texts(
            "SELECT concat_ws(' ', line_id, state, rule) FROM settlement_lines ORDER BY occurred_at, line_id")
    }

    /// `reason state amount` of every case, by opening.
    func cases() async throws -> [String] {
        try await texts("SELECT concat_ws(' ', reason, state, amount) FROM reconciliation_cases ORDER BY id")
    }

    func balance(_ account: String) async throws -> Int {
        try await number(
            "SELECT coalesce(sum(amount), 0)::bigint FROM journal_lines WHERE account = \(account)")
    }

    /// `ledger reported difference not_booked not_reported differing` by currency, as
    /// `GET /v1/reconciliations/balances` tells for the end of a day.
    func settled(_ date: CivilDate, _ provider: String = "sandbox") async throws -> [String] {
        let bodies: [[UInt8]] = try await database.transaction(snapshot: true) { db in
            try ReconciliationReportStore.balances(of: provider, at: date, in: db).map { encode($0) }
        }
        return try bodies.map { body in
            let json: JSONValue = try parseJSON(body)
            let fields = ["currency", "ledger", "reported", "difference", "not_booked", "not_reported", "differing"]
            return fields.map { json[$0]?.stringValue ?? json[$0]?.intValue.map(String.init) ?? "?" }
                .joined(separator: " ")
        }
    }

    /// `GET /v1/reconciliations/reports` of a day.
    func report(_ date: CivilDate) async throws -> [JSONValue] {
        let bodies: [[UInt8]] = try await database.transaction(readOnly: true) { db in
            try ReconciliationReportStore.reports(of: date, provider: nil, in: db).map { encode($0) }
        }
        return try bodies.map { try parseJSON($0) }
    }

    /// `POST /v1/reconciliations/cases/{id}/resolve`.
    func take(_ step: ReconciliationCaseState.Step, _ reason: ReconciliationReason) async throws {
        let ids: [String] = try await texts(
            "SELECT id FROM reconciliation_cases WHERE reason = \(reason) ORDER BY id DESC LIMIT 1")
        guard let id: String = ids.first else { throw Absent() }
        let now: Instant = clock.now
        _ = try await database.transaction { db in
            try ResolveReconciliationCase.take(
                step, with: ReconciliationCaseID(unchecked: id), note: "looked at", actor: "key_test", at: now, in: db)
        }
    }

    /// `POST /v1/ledger/adjustments` of an amount on the provider's account, at the start where no other time is said.
    @discardableResult
    func adjust(
        by amount: Int64, _ currency: String = "USD", against account: String = "equity:opening_balance",
        of payment: PaymentID? = nil, at time: String = "2027-01-15T08:00:00Z"
    ) async throws -> JournalEntryID {
        let about: String = payment.map { #""payment_id":"\#($0)","# } ?? ""
        let input: AdjustmentInput = try read(
            """
            {"reason":"a line without a name","occurred_at":"\(time)",\(about)"lines":[
                {"account":"assets:provider:sandbox","amount":\(amount),"currency":"\(currency)"},
                {"account":"\(account)","amount":\(-amount),"currency":"\(currency)"}]}
            """)
        let now: Instant = clock.now
        return try await database.transaction { db in
            try BookByHand.adjust(input, actor: "key_test", at: now, in: db).id
        }
    }

    /// `POST /v1/ledger/entries/{id}/reverse`.
    func reverse(_ entry: JournalEntryID) async throws {
        let now: Instant = clock.now
        _ = try await database.transaction { db in
            try BookByHand.reverse(entry, reason: "a slip", actor: "key_test", at: now, in: db)
        }
    }

    /// `POST /v1/reconciliations/imports`.
    @discardableResult
    func load(_ file: String, provider: String = "sandbox") async throws -> (read: Int, new: Int) {
        let now: Instant = clock.now
        return try await database.transaction { db in
            let stored = try ImportSettlementFile.store(file, provider: provider, at: now, in: db)
            return (stored.read, stored.new)
        }
    }
}
