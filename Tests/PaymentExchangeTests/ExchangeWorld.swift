import BillingCore
import Logging
import PaymentContract
import PaymentDomain
import PaymentExchange
import PaymentLedger
import PaymentRecords
import Postgres
import Synchronization
import TestKit

/// Exchange on a database of its own.
struct ExchangeWorld: Sendable {
    /// A Friday at noon: 2027-01-15.
    static let start = Instant(seconds: 1_800_014_400)
    static let today: CivilDate = CivilDate(dayNumber: 20_833)
    static let silent = Logger(label: "test.exchange") { _ in SwiftLogNoOpLogHandler() }

    let database: PostgresPool
    let clock = ManualClock(start)

    func execute(_ sql: SQL) async throws { try await database.transaction { db in _ = try db.execute(sql) } }

    func number(_ sql: SQL) async throws -> Int64 {
        try await database.transaction { db in try db.first(sql) { row in try row.next() } ?? -1 }
    }

    /// A payment that exchange may refer to.
    func payment(_ amount: Money) async throws -> PaymentID {
        let id = PaymentID.new(at: Self.start)
        try await execute(
            """
            INSERT INTO payments (id, customer_id, amount, currency, status, off_session, attempt_id, provider, created_at)
            VALUES (\(id), 'cus_a', \(amount.minor), \(amount.currency), 'succeeded', false, 'att_a', 'stripe',
                \(Self.start))
            """)
        return id
    }

    /// Reference rates of a day, what one euro was worth.
    func publish(_ perEuro: [Currency: String], on date: CivilDate = today) async throws {
        let day = try RateDay(date: date, perEuro: perEuro.mapValues { try ExactDecimal(parsing: $0) })
        let now: Instant = clock.now
        try await database.transaction { db in _ = try RateStore.add([day], at: now, in: db) }
    }

    @discardableResult
    func give(_ rate: String, _ from: Currency, _ to: Currency, on date: CivilDate = today) async throws -> StoredRate {
        let rate = try ExchangeRate(
            from: from, to: to, numerator: ExactDecimal(parsing: rate), date: date, source: .manual)
        let now: Instant = clock.now
        return try await database.transaction { db in try RateStore.add(rate, actor: "key_ada", at: now, in: db) }
    }

    /// Books what a movement's lines are, as the outcome of a payment does.
    func book(_ kind: JournalEntry.Kind, _ movement: ExchangeMovement, _ policy: SettlementPolicy) async throws
        -> [Posting]
    {
        let now: Instant = clock.now
        return try await database.transaction { db in
            let book = BookExchange(policy: policy)
            let lines: [Posting] =
                kind == .refund
                ? try book.refund(movement, at: now, in: db) : try book.captures([movement], at: now, in: db)[0]
            try LedgerStore.book(
                [
                    JournalEntry(
                        id: .new(at: now), kind: kind, reference: movement.reference, paymentID: movement.paymentID,
                        occurredAt: now, postings: lines)
                ], in: db)
            return lines
        }
    }

    func settle(_ settlement: ProviderSettlement) async throws -> [Posting] {
        let now: Instant = clock.now
        return try await database.transaction { db in
            guard let entry = try SettleExchange.record(settlement, occurredAt: now, at: now, in: db) else { return [] }
            try LedgerStore.book([entry], in: db)
            return entry.postings
        }
    }

    /// What stands on every account: `account currency`.
    func balances() async throws -> [String: Int64] {
        let found: [AccountBalance] = try await database.transaction { db in try LedgerBalances.read(in: db) }
        return Dictionary(uniqueKeysWithValues: found.map { ("\($0.account) \($0.currency)", Int64($0.balance)) })
    }
}

/// Answers as it is told, and remembers what it was asked.
final class FakeFeed: ProviderTransport {
    private let answers: Mutex<[Result<ProviderHTTPAnswer, ProviderFault>]>
    private let asked = Mutex<[ProviderHTTPRequest]>([])

    init(_ answers: [Result<ProviderHTTPAnswer, ProviderFault>]) { self.answers = Mutex(answers) }

    var requests: [ProviderHTTPRequest] { asked.withLock { $0 } }

    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        asked.withLock { $0.append(request) }
        let next: Result<ProviderHTTPAnswer, ProviderFault> = answers.withLock {
            $0.isEmpty ? .failure(.timedOut) : $0.removeFirst()
        }
        return try next.get()
    }

    static func document(_ days: [(String, [(String, String)])], etag: String? = nil) -> ProviderHTTPAnswer {
        let cubes: String = days.map { day, rates in
            "<Cube time='\(day)'>" + rates.map { "<Cube currency='\($0.0)' rate='\($0.1)'/>" }.joined() + "</Cube>"
        }.joined()
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" \
            xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
            <gesmes:subject>Reference rates</gesmes:subject>
            <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
            <Cube>\(cubes)</Cube>
            </gesmes:Envelope>
            """
        return ProviderHTTPAnswer(status: 200, headers: etag.map { [("ETag", $0)] } ?? [], body: Array(text.utf8))
    }
}

/// Lends a migrated schema.
func withExchange(connections: Int = 4, _ body: (ExchangeWorld) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Payment", connections: connections) { lent in
        try await body(ExchangeWorld(database: lent.pool))
    }
}
